"""Migrations: each part has its own folder of Alembic versions and its own branch; ``migrate`` upgrades all.

``python -m opendata.db revision --part core -m baseline`` writes a version from the difference between the models and
the database its migrations make. Revision ids are ``<part>_<number>``; other parts' first versions depend on core's.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, insert, inspect, select, text

from opendata.db.base import Base
from opendata.db.engine import Database, engine_for
from opendata.errors import ConfigurationError
from opendata.parts import Part, installed_parts
from opendata.settings import Settings

CORE_MODELS = (
    "opendata.identity.models",
    "opendata.ledger.models",
    "opendata.jobs.models",
    "opendata.catalog.models",
    "opendata.access.models",
    "opendata.publishing.models",
)
_FOLDER = Path(__file__).parent / "migrations"
_CORE = "core"
#: Held by whoever migrates, so that two processes starting together do not collide (any number, ours for good).
_POSTGRESQL_LOCK = 7_301_944_516


@dataclass(frozen=True, slots=True)
class Branch:
    """One part's tables and the folder of its versions."""

    name: str
    models: tuple[str, ...]
    folder: Path

    def tables(self) -> frozenset[str]:
        """Names of the tables that the branch's model modules define."""
        load_models(*self.models)
        return frozenset(
            mapper.local_table.name
            for mapper in Base.registry.mappers
            if mapper.class_.__module__ in self.models and isinstance(mapper.local_table, Table)
        ) | frozenset(table.name for table in Base.metadata.tables.values() if table.info.get("part") == self.name)


def branches(parts: Iterable[Part] | None = None) -> tuple[Branch, ...]:
    """The core's branch and one for each part that brings migrations."""
    found = [Branch(_CORE, CORE_MODELS, _FOLDER / _CORE)]
    for part in installed_parts() if parts is None else parts:
        if part.name != _CORE and part.migrations is not None:
            models = (part.models,) if isinstance(part.models, str) else tuple(part.models or ())
            found.append(Branch(part.name, models, part.migrations))
    return tuple(found)


def load_models(*modules: str) -> None:
    """Import the modules (default: the core's) so that their tables are in ``Base.metadata``."""
    for module in modules or CORE_MODELS:
        importlib.import_module(module)


def create_schema(database: Database, *modules: str) -> None:
    """Tests only: create the tables of the core and of ``modules`` from the models, without migrations."""
    load_models()
    if modules:
        load_models(*modules)
    with database.begin() as session:
        Base.metadata.create_all(session.connection())
        _plant_head(session.connection())


def migrate(settings: Settings, parts: Iterable[Part] | None = None) -> None:
    """Upgrade the database to the newest version of every part (default: the installed ones).

    One transaction: a failing migration leaves the database as it was. Safe to call from several processes.
    """
    upgrade(settings.database_url, branches(parts))


def upgrade(url: str, of: Iterable[Branch]) -> None:
    """Like :func:`migrate`, for a bare URL."""
    made = engine_for(url)
    try:
        with made.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
            command.upgrade(_config(of, connection), "heads")
            _plant_head(connection)
    finally:
        made.dispose()


def differences(url: str, of: Iterable[Branch]) -> list[Any]:
    """What the models have and the migrated database lacks, or the other way round; empty when they agree."""
    branches_ = tuple(of)
    load_models()
    tables = frozenset[str]().union(*(branch.tables() for branch in branches_))
    made = engine_for(url)
    try:
        with made.connect() as connection:
            options = {"include_object": _only(tables), "compare_type": True, "render_as_batch": True}
            return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))
    finally:
        made.dispose()


def revise(part: str, message: str, parts: Iterable[Part] | None = None) -> Path:
    """Write the next version of a part from its models; returns its path. Raises ConfigurationError for no part."""
    of = branches(parts)
    branch = next((each for each in of if each.name == part), None)
    if branch is None:
        raise ConfigurationError(f"没有带迁移的部件 {part}；已有 {[each.name for each in of]}（no such part）")
    of = tuple(each for each in of if each.name in {_CORE, part})
    branch.folder.mkdir(parents=True, exist_ok=True)
    load_models()
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/revise.sqlite"
        upgrade(url, of)
        return _write_revision(url, of, branch, message)


def _write_revision(url: str, of: tuple[Branch, ...], branch: Branch, message: str) -> Path:
    made = engine_for(url)
    try:
        with made.execution_options(writes=True).begin() as connection:
            config = _config(of, connection, tables=branch.tables())
            script = ScriptDirectory.from_config(config)
            own = [each for each in script.walk_revisions() if branch.name in each.branch_labels]
            written = command.revision(
                config,
                message=message,
                autogenerate=True,
                rev_id=f"{branch.name}_{len(own) + 1:04d}",
                head=f"{branch.name}@head" if own else "base",
                splice=False,
                branch_label=None if own else branch.name,
                version_path=str(branch.folder),
                depends_on=None if own or branch.name == _CORE else f"{_CORE}_0001",
            )
    finally:
        made.dispose()
    if written is None or isinstance(written, list):
        raise ConfigurationError("没有生成迁移版本（no revision was written）")
    return Path(written.path)


def _config(of: Iterable[Branch], connection: Connection, tables: frozenset[str] | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    folders = [str(branch.folder) for branch in of]
    config.set_main_option("version_locations", "\n".join(folders).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["include_object"] = _only(tables) if tables is not None else None
    return config


def _only(tables: frozenset[str]) -> Any:
    def include(thing: Any, name: str | None, kind: str, reflected: bool, compared: Any) -> bool:
        del reflected, compared
        return name in tables if kind == "table" else thing.table.name in tables

    return include


def _plant_head(connection: Connection) -> None:
    """The ledger's head row, once. An emptied head beside existing entries is left for the ledger to refuse."""
    load_models("opendata.ledger.models")
    head, entries = Base.metadata.tables["ledger_head"], Base.metadata.tables["ledger_entries"]
    if not inspect(connection).has_table(head.name):
        return  # a database without any version yet: the first revision is being written
    empty = connection.execute(select(entries.c.index).limit(1)).first() is None
    if empty and connection.execute(select(head.c.id)).first() is None:
        connection.execute(insert(head).values(id=1, size=0))
