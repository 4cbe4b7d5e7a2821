"""Figures in a notebook: say what is shown; the service draws it from the checked table.

>>> from sandbox.client import figure
>>> figure(frame, kind="bar", x="district", y="n", name="visits")  # doctest: +SKIP
Figure('visits.figure.json', bar of n by district)

Pixels never leave. What is written are the table (``visits.csv``) and a few words about it (``visits.figure.json``);
kind, columns and title must be the same in every run, so they stand in the code. ``ws.check(figure)`` shows the
drawing, made from practice data, and what a checker would object to.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.client.errors import ClientError, UnusableFile

KINDS: Final = ("bar", "grouped_bar", "line", "heat_map", "box")
SUFFIX: Final = ".figure.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")


@dataclass(frozen=True, slots=True)
class Figure(os.PathLike[str]):
    """What was written: the figure's words at ``path``, about the table at ``table``."""

    path: Path
    table: Path
    words: dict[str, Any]

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        y = ", ".join(self.words["y"]) if isinstance(self.words["y"], list) else self.words["y"]
        return f"Figure({self.path.name!r}, {self.words['kind']} of {y} by {self.words['x']})"


def figure(
    table: Any,
    *,
    kind: str,
    x: str,
    y: str | Sequence[str],
    series: str = "",
    title: str = "",
    name: str = "",
    directory: str | os.PathLike[str] = "/out",
) -> Figure:
    """Write the words of a figure about a table, and the table itself when it is a frame.

    ``table``: a pandas or polars frame of counted groups, written as ``<name>.csv``; or the path of a table already
    below ``directory``. ``kind``: bar, grouped_bar, line, heat_map or box (``y``: three or five quantile columns).
    ``x`` and ``series`` are group columns; ``directory`` is made when it is missing (in a session, say ``"out"``).

    Raises:
        ClientError: the kind is not one that is drawn, or the name is not plain.
        UnusableFile: there is no such table.
    """
    if kind not in KINDS:
        raise ClientError(f"只重绘这些图：{', '.join(KINDS)}。", f"Only these are drawn: {', '.join(KINDS)}.")
    folder = Path(directory)
    if isinstance(table, str | os.PathLike):
        source = Path(table)
        if not source.is_file():
            raise UnusableFile.missing(str(source))
        stem = name or source.name.rpartition(".")[0]
    else:
        stem = name or "figure"
        source = folder / f"{stem}.csv"
    if not _NAME.fullmatch(stem):
        raise ClientError("名称只用字母、数字、_ 和 -。", "A name has letters, digits, _ and - only.")
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(table, str | os.PathLike):
        _write(table, source)
    words: dict[str, Any] = {"table": source.name, "kind": kind, "x": x, "y": y if isinstance(y, str) else list(y)}
    words |= {member: text for member, text in (("series", series), ("title", title)) if text}
    path = folder / f"{stem}{SUFFIX}"
    path.write_text(json.dumps(words, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return Figure(path, source, words)


def with_table(path: Path, content: bytes) -> tuple[str, bytes]:
    """Name and bytes that `.check` sends: a figure goes with the table beside it, anything else as it is.

    Raises:
        UnusableFile: the figure names a table that is not beside it.
    """
    if not path.name.endswith(SUFFIX):
        return path.name, content
    try:
        named = json.loads(content)["table"]
        table = path.with_name(Path(str(named)).name)
    except (ValueError, KeyError, TypeError):
        return path.name, content
    if not table.is_file():
        raise UnusableFile.missing(str(table))
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, held in ((path.name, content), (table.name, table.read_bytes())):
            info = tarfile.TarInfo(f"out/{name}")
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))
    return f"{path.name.removesuffix(SUFFIX)}.tar", sink.getvalue()


def _write(frame: Any, path: Path) -> None:
    """As each library writes a CSV without row numbers."""
    if hasattr(frame, "write_csv"):
        frame.write_csv(path)
    elif hasattr(frame, "to_csv"):
        frame.to_csv(path, index=False)
    else:
        raise ClientError("表须为 pandas 或 polars 的表，或文件路径。", "Give a pandas or polars frame, or a path.")
