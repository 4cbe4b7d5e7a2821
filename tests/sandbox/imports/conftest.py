"""A world with imports: the simulated launcher keeps what the worker hands over."""

from __future__ import annotations

import io
import os
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from opendata.db import create_schema, new_id
from opendata.storage.vault import SealedWriter
from sandbox.airlock import jobs
from sandbox.imports import runs, service
from sandbox.imports.models import Import
from sandbox.workspaces.models import Workspace
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.sandbox_world import SimulatedLauncher, World, make_world

ASSESSMENT: dict[str, str] = {
    "legal_basis": "consent",
    "assessment": "目的必要，影响有限，已去除多余字段，结果只出汇总",
    "assessed_on": "2026-01-15",
    "assessed_by": "李评估",
}


class ImportLauncher(SimulatedLauncher):
    """Remembers what was handed over, by workspace, as the launcher's memory does."""

    held: dict[str, dict[str, bytes]] = {}

    def set_imports(self, workspace, imports, fds) -> None:
        type(self).held[workspace] = {
            name: os.pread(fd, 1 << 30, 0) for (name, _), fd in zip(imports, fds, strict=True)
        }


class ImportWorld(World):
    """What people do with imports, in one line each."""

    def workspace_row(self, identifier: str) -> Workspace:
        with self.database.session() as session:
            return session.get_one(Workspace, identifier)

    def upload(
        self,
        workspace_id: str,
        table: pa.Table | bytes,
        *,
        name: str = "own",
        filename: str = "",
        who: str = "researcher",
    ) -> str:
        """Seal a file to the vault, record it, scan it; returns the import's id."""
        filename = filename or f"{name}.csv"
        content = table if isinstance(table, bytes) else file_bytes(table, filename)
        import_id = new_id()
        with SealedWriter(self.settings, import_id) as sealed:
            sealed.write(content)
        with self.database.begin() as session:
            service.record_upload(
                session, session.get_one(Workspace, workspace_id), actor=self.actor(who), import_id=import_id, name=name,
                filename=filename, nbytes=len(content),
            )  # fmt: skip
        self.work()
        return import_id

    def row(self, import_id: str) -> Import:
        with self.database.session() as session:
            return session.get_one(Import, import_id)

    def declare(
        self, import_id: str, keys: tuple[str, ...] = ("patient",), who: str = "researcher", **more: Any
    ) -> None:
        level = more.pop("level", None) or self.row(import_id).proposed_level
        given = {"not_keys": {}, **(ASSESSMENT if keys else {}), **more}
        with self.database.begin() as session:
            service.declare(
                session, session.get_one(Import, import_id), actor=self.actor(who), purpose="与就诊数据按人关联，研究职业与就诊",
                person_keys=list(keys), level=level, calendar=self.calendar, grades=self.grades, **given,
            )  # fmt: skip

    def consent(self, import_id: str, dataset: str = "study-data", who: str = "officer", approve: bool = True) -> None:
        with self.database.begin() as session:
            service.consent(
                session, session.get_one(Import, import_id), actor=self.actor(who), dataset=dataset, approve=approve,
                reason="同意关联",
            )  # fmt: skip
        self.work()

    def decide(self, import_id: str, who: str = "reviewer", approve: bool = True) -> None:
        with self.database.begin() as session:
            service.decide(
                session, session.get_one(Import, import_id), actor=self.actor(who), approve=approve, reason="材料齐全",
                grades=self.grades,
            )  # fmt: skip
        self.work()

    def withdraw(self, import_id: str, who: str = "researcher") -> None:
        with self.database.begin() as session:
            service.withdraw(session, session.get_one(Import, import_id), actor=self.actor(who))
        self.work()

    def bring(
        self, workspace_id: str, table: pa.Table, *, name: str = "own", keys: tuple[str, ...] = ("patient",)
    ) -> str:
        """All the way: upload, declare, consent, decide; returns the import's id."""
        import_id = self.upload(workspace_id, table, name=name)
        self.declare(import_id, keys)
        if keys:
            with self.database.session() as session:
                workspace = session.get_one(Workspace, workspace_id)
                datasets = list(service.joined_datasets(session, workspace).values())
            for dataset in datasets:
                self.consent(import_id, dataset)
        self.decide(import_id)
        return import_id


def people(persons: range | list[int], *, flip: tuple[int, ...] = ()) -> pa.Table:
    """An import about persons ``P00000…``: an occupation by thirds, and hours."""
    ids = list(persons)
    jobs_ = ["医生", "教师", "工人"]
    return pa.table(
        {
            "patient": [f"P{i:05d}" for i in ids],
            "occupation": [jobs_[(i + (1 if i in flip else 0)) % 3] for i in ids],
            "hours": [30.5 + (i % 97) for i in ids],
        }
    )


def file_bytes(table: pa.Table, filename: str) -> bytes:
    sink = io.BytesIO()
    if filename.endswith(".parquet"):
        pq.write_table(table, sink)
    else:
        pacsv.write_csv(table, sink)
    return sink.getvalue()


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "Launcher", ImportLauncher)
    monkeypatch.setattr(runs, "Launcher", ImportLauncher)
    monkeypatch.setattr(jobs, "airlock_ticks", lambda: Ticks(base_s=0.01, wall_s=600.0))
    ImportLauncher.held = {}
    with make_world(tmp_path / "home") as made:
        create_schema(made.database, "sandbox.imports.models")
        made.__class__ = ImportWorld
        yield made
