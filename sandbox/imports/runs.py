"""What runs, checks and sessions get of the mounted imports: feeders, twins, counts, and copies in memory.

Practice data are met by an import's practice twin, in dry runs and sessions alike, the raw table by the import itself;
so the same program joins in all three (PRIVACY.md 19). Nothing of an import is on a disk in clear: runs read it through
a pipe out of the vault, sessions get its twin through the launcher's memory (PRIVACY.md 30).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from opendata.jobs.context import JobContext
from sandbox.airlock.checks.raw import RawTable
from sandbox.execution.client import Launcher
from sandbox.imports.mounting import counts
from sandbox.imports.targets import Target, targets_of
from sandbox.imports.twin import Columns, practice_columns, practice_twin
from sandbox.workspaces.datasets import practice_path
from sandbox.workspaces.imports import JoinCounts, import_path, imports_of, imports_of_run
from sandbox.workspaces.models import Workspace, WorkspaceImport
from sandbox.workspaces.runs import Feeder, feed_parquet, parquet_bytes

SEALS: Final = 0x0001 | 0x0002 | 0x0004 | 0x0008
"""F_SEAL_SEAL, SHRINK, GROW, WRITE: whoever holds such a file can only read it."""
F_ADD_SEALS: Final = 1033


def sealed_inputs(context: JobContext, workspace_id: str, wanted: Mapping[str, str] | None) -> list[tuple[str, Feeder]]:
    """Path and feeder of every import a job was submitted with."""
    return [
        (import_path(each.name), _feeder(context, each.id)) for each in imports_in_run(context, workspace_id, wanted)
    ]


def dry_inputs(context: JobContext, workspace_id: str, wanted: Mapping[str, str] | None) -> list[tuple[str, Feeder]]:
    """The same paths with the imports' practice twins."""
    found = imports_in_run(context, workspace_id, wanted)
    return [(import_path(each.name), _bytes_feeder(content)) for each, content in twins(context, workspace_id, found)]


def twins(
    context: JobContext, workspace_id: str, found: Sequence[WorkspaceImport]
) -> Iterator[tuple[WorkspaceImport, bytes]]:
    """Each import with the Parquet file that stands in its place beside the workspace's practice data.

    One without person keys is its own twin: its codes are the practice data's too.
    """
    if not found:
        return
    with context.database.session() as session:
        targets = targets_of(session, workspace_id)
    practice = {target.name: _practice_columns(context, workspace_id, target, found) for target in targets}
    known = {target.name: target.identifiers for target in targets}
    for each in found:
        with context.vault.read_table(each.id) as reader:
            table = reader.read_all()
        yield each, parquet_bytes(practice_twin(table, practice_columns(each.person_keys, practice, known)))


def import_raws(context: JobContext, found: Sequence[WorkspaceImport]) -> list[RawTable]:
    """The imports as tables that outputs are compared with: a row number of one's own names a matched person too."""
    return [
        RawTable(
            f"import/{each.name}",
            partial(context.vault.read_table, each.id),
            dict(each.distinct),
            "persons" if each.person_keys else "things",
        )
        for each in found
    ]


def joins_of(context: JobContext, found: Sequence[WorkspaceImport], intakes: Mapping[str, str]) -> list[JoinCounts]:
    """Counts of every import with person keys against every raw table a run met."""
    personal = [each for each in found if each.person_keys]
    if not personal:
        return []
    with context.database.session() as session:
        known = {target.name: target.identifiers for target in targets_of(session, personal[0].workspace_id)}
    return [
        counts(context, each.id, each.name, each.person_keys, Target(name, intake, known.get(name, ())))
        for each in personal
        for name, intake in sorted(intakes.items())
    ]


def imports_in_run(context: JobContext, workspace_id: str, wanted: Mapping[str, str] | None) -> list[WorkspaceImport]:
    """The imports a job was submitted with, also those withdrawn since."""
    with context.database.session() as session:
        return imports_of_run(session, session.get_one(Workspace, workspace_id), wanted)


def columns_of(found: Sequence[WorkspaceImport]) -> frozenset[str]:
    """Names of the imports' columns."""
    return frozenset(str(column["name"]) for each in found for column in each.schema)


def direct_columns_of(found: Sequence[WorkspaceImport]) -> frozenset[str]:
    """Names of their person keys and direct identifiers, lower case."""
    return frozenset(name.casefold() for each in found for name in each.direct)


def hand_over(context: JobContext, workspace_id: str) -> int:
    """Give the launcher the twins of the workspace's imports in memory, in place of what it held; how many.

    Raises SandboxUnavailable, LauncherRefused.
    """
    with context.database.session() as session:
        found = imports_of(session, session.get_one(Workspace, workspace_id))
    opened: list[int] = []
    try:
        for _, content in twins(context, workspace_id, found):
            opened.append(_in_memory(content))
        Launcher(context.settings.launcher_worker_socket).set_imports(
            workspace_id, [(each.name, each.id) for each in found], opened
        )
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return len(found)


def _feeder(context: JobContext, import_id: str) -> Feeder:
    return feed_parquet(lambda: context.vault.read_table(import_id))


def _bytes_feeder(content: bytes) -> Feeder:
    def feed(sink: BinaryIO) -> None:
        sink.write(content)

    return feed


def _practice_columns(
    context: JobContext, workspace_id: str, target: Target, found: Sequence[WorkspaceImport]
) -> Columns:
    """The columns of a practice table that could stand for a key of one of the imports."""
    path = practice_path(context.settings, workspace_id, target.name)
    if not path.is_file():
        return {}
    names = {key.casefold() for each in found for key in each.person_keys}
    with pq.ParquetFile(path) as file:
        wanted = [name for name in file.schema_arrow.names if name in target.identifiers or name.casefold() in names]
        table: pa.Table = file.read(columns=wanted)
    return {name: table[name] for name in wanted}


def _in_memory(content: bytes) -> int:
    """A sealed file in memory; the caller closes it."""
    import fcntl

    descriptor = os.memfd_create("import", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as sink:
            sink.write(content)
        fcntl.fcntl(descriptor, F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
