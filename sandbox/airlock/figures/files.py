"""Drawings as files of a package: each beside the table it was drawn from, and named by the record."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.airlock.checks.figures import drawable
from sandbox.airlock.figures.drawing import draw
from sandbox.airlock.figures.spec import Figure, table_of
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.package import PackageFile
from sandbox.airlock.typed import TypedTable

FIGURE_KIND = "figure"


def figure_files(
    figures: Sequence[Figure], tables: Sequence[TypedTable], files: Sequence[PackageFile], limits: AirlockLimits
) -> list[PackageFile]:
    """The drawings of those figures that can be drawn. ``files``: the canonical tables, one for each of ``tables``."""
    written = {table.original_name: file for table, file in zip(tables, files, strict=True)}
    names = {table: file.name for table, file in written.items()}
    made = []
    for figure in figures:
        table = table_of(figure, tables)
        if table is None or not drawable(figure, tables, limits):
            continue
        source = written[table.original_name]
        content = draw(figure, source.content, table_name=source.name)
        made.append(PackageFile(figure.name, FIGURE_KIND, content, figure.about(names)))
    return made
