"""What of a population was shown before: every release, edition and fixed table, and what is about to be released.

Source: PRIVACY.md 4 and 17. Superseded, withdrawn and revoked tables count: whoever had them has them still. Outputs
that wait for their votes count as if they were released, so that two of them cannot pass beside each other unseen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.catalog.models import Edition, EditionKind
from opendata.errors import NotFoundError
from opendata.jobs.context import JobContext
from opendata.publishing.models import Exposure
from opendata.settings import Settings
from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.differencing import differences
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.models import ReleasedOutput, ReleaseRequest
from sandbox.airlock.package import Package, PackageFile, package_name
from sandbox.airlock.release import output_directory
from sandbox.airlock.shown import ShownTable, read_table, table_of, variables_of
from sandbox.airlock.sources import read_object
from sandbox.airlock.states import RequestState
from sandbox.airlock.typed import TypedTable
from sandbox.workspaces.models import Workspace, WorkspaceDataset

S = RequestState
COMING: Final = (S.CHECKING, S.IN_REVIEW, S.THIRD_REVIEW, S.APPROVED, S.RELEASING)
"""States from which an output may still be released."""
UNSHOWN: Final = frozenset({"practice"})
"""Kinds of exposure that tell nothing by themselves: practice tables are drawn from figures that are exposures of their
own, and only from those (`sandbox.workspaces.published`); outputs are compared with these."""
NOISY: Final = frozenset({"query", "fixed", "fixed_table", "fixed_cube"})
"""Kinds whose figures hold noise: differences tell nothing, but a true figure beside one tells its noise."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """One thing that was shown, or may be soon. ``kind``: release, pending, edition, or the exposure's own."""

    kind: str
    id: str
    workspace_id: str | None = None
    variables: tuple[str, ...] = ()


def exposed(session: Session, populations: Collection[str], *, but: str) -> list[Exposed]:
    """Everything shown of these populations (dataset ids), and what is about to be, without request ``but`` itself."""
    found: dict[tuple[str, str], Exposed] = {}
    rows = session.scalars(
        select(Exposure).where(Exposure.population.in_(sorted(populations))).order_by(Exposure.at, Exposure.id)
    )
    for row in rows:
        if row.kind not in UNSHOWN:
            identifier = row.reference.partition(":")[0] if row.kind == "release" else row.reference
            found[row.kind, identifier] = Exposed(row.kind, identifier, None, tuple(row.quasi_identifiers))
    pending = session.execute(
        select(ReleaseRequest.id, ReleaseRequest.workspace_id)
        .join(WorkspaceDataset, WorkspaceDataset.workspace_id == ReleaseRequest.workspace_id)
        .where(
            WorkspaceDataset.dataset_id.in_(sorted(populations)),
            ReleaseRequest.state.in_([str(state) for state in COMING]),
            ReleaseRequest.object_name.is_not(None),
            ReleaseRequest.id != but,
        )
        .order_by(ReleaseRequest.id)
    )
    for request_id, workspace_id in pending:
        found["pending", request_id] = Exposed("pending", request_id, workspace_id)
    return list(found.values())


def compare(
    context: JobContext,
    files: Sequence[PackageFile],
    earlier: Iterable[Exposed],
    limits: AirlockLimits,
    *,
    attributes: frozenset[str],
) -> list[Finding]:
    """What ``files`` tell beside everything shown before. What cannot be read any more is named, not passed over."""
    tables = [table for table in (_read(file, attributes) for file in files) if table is not None]
    findings: list[Finding] = []
    for each in earlier if tables else ():
        name = f"{each.kind} {each.id[:8]}"
        if each.kind in NOISY:
            findings += [
                Finding("beside_noise", table.name, _words(variables_of(table)), len(table.rows), other=name)
                for table in tables
                if variables_of(table) and variables_of(table) <= {v.casefold() for v in each.variables}
            ]
            continue
        try:
            shown = list(_shown(context, each, tables, attributes))
        except NotFoundError:
            findings.append(Finding("not_compared", other=name))
            continue
        for table in tables:
            for found in differences(table, shown, limits):
                rule = "differencing_values" if found.values else "differencing"
                findings.append(Finding(rule, found.file, _words(found.variables), found.cells, other=found.source))
    return list(dict.fromkeys(findings))


def comparable(
    settings: Settings, session: Session, workspace: Workspace, tables: Sequence[TypedTable], attributes: frozenset[str]
) -> list[Finding]:
    """For an author's practice output: which of the workspace's own releases its real one will be compared with.

    Names and variables only: comparing made-up figures with real ones would tell nothing.
    """
    findings = []
    outputs = session.scalars(
        select(ReleasedOutput)
        .where(ReleasedOutput.workspace_id == workspace.id, ReleasedOutput.revoked_at.is_(None))
        .order_by(ReleasedOutput.released_at)
    )
    for output in outputs:
        for file in _bundle(settings, output):
            old = _read(file, attributes)
            for table in tables if old is not None else ():
                mine, theirs = variables_of(table), variables_of(old) if old is not None else frozenset()
                if mine and theirs and (mine <= theirs or theirs <= mine):
                    name = f"release {output.id[:8]} {file.name}"
                    findings.append(Finding("compared_later", table.name, _words(mine | theirs), other=name))
    return findings


def _shown(
    context: JobContext, each: Exposed, tables: Sequence[TypedTable], attributes: frozenset[str]
) -> Iterator[ShownTable]:
    if each.kind == "release":
        with context.database.session() as session:
            output = session.get(ReleasedOutput, each.id)
        files = _bundle(context.settings, output) if output is not None else []
    elif each.kind == "pending":
        files = list(Package.from_bytes(read_object(context, package_name(each.id))).tables)
    elif each.kind == "edition":
        yield from _edition(context, each.id, tables, attributes)
        return
    else:
        raise NotFoundError(f"没有这种披露的读法：{each.kind}（no reader for exposures of kind {each.kind}）")
    for file in files:
        table = _read(file, attributes)
        if table is not None:
            yield ShownTable(f"{each.kind} {each.id[:8]} {file.name}", table)


def _edition(
    context: JobContext, edition_id: str, tables: Sequence[TypedTable], attributes: frozenset[str]
) -> Iterator[ShownTable]:
    """An edition of groups as it stands; one of records as the counts that anybody can make of it."""
    with context.database.session() as session:
        edition = session.get(Edition, edition_id)
    if edition is None or edition.parent_id is not None or not edition.files:
        return  # a recipient's edition repeats its parent's table
    names = {str(file["format"]): str(file["name"]) for file in edition.files}
    source = f"edition {edition_id[:8]}"
    if edition.kind == EditionKind.AGGREGATE:
        with context.editions.open(edition.digest or "none", names["csv"]) as stream:
            table = read_table(names["csv"], stream.read(), attributes=attributes)
        if table is not None:
            yield ShownTable(f"{source} {table.name}", table, released=False)
        return
    with context.editions.open(edition.digest or "none", names["parquet"]) as stream:
        records = pq.ParquetFile(pa.BufferReader(stream.read()))
    held = {name.casefold(): name for name in records.schema_arrow.names}
    for wanted in {variables_of(table) for table in tables}:
        if wanted and wanted <= held.keys():
            counted = _counts(records.read([held[name] for name in sorted(wanted)]), attributes)
            if counted is not None:
                yield ShownTable(source, counted, released=False)


def _counts(records: pa.Table, attributes: frozenset[str]) -> TypedTable | None:
    names = list(records.schema.names)
    texts = pa.table({name: pc.cast(column, pa.string()) for name, column in zip(names, records.columns, strict=True)})
    counted = texts.group_by(names).aggregate([([], "count_all")]).rename_columns([*names, "n"]).to_pydict()
    rows = [["" if cell is None else str(cell) for cell in row] for row in zip(*counted.values(), strict=True)]
    return table_of("records", [*names, "n"], rows, attributes=attributes | frozenset(names)) if rows else None


def _bundle(settings: Settings, output: ReleasedOutput) -> list[PackageFile]:
    directory = output_directory(settings, output.workspace_id, output.id)
    files = []
    for name in (str(file["name"]) for file in output.files if str(file["name"]).endswith(".csv")):
        path = directory / name
        if not path.is_file():
            raise NotFoundError(f"放行的文件不在了：{name}（a released file is gone: {name}）")
        files.append(PackageFile(name, "", path.read_bytes()))
    return files


def _read(file: PackageFile, attributes: frozenset[str]) -> TypedTable | None:
    return read_table(file.name, file.content, attributes=attributes) if file.name.endswith(".csv") else None


def _words(variables: Iterable[str]) -> str:
    return ", ".join(sorted(variables))
