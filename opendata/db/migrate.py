"""Migrations: each part has its own folder of Alembic versions and its own branch; ``migrate`` upgrades all."""

from __future__ import annotations

import importlib
import importlib.util

from opendata.db.base import Base
from opendata.db.engine import Database
from opendata.settings import Settings

CORE_MODELS = (
    "opendata.identity.models",
    "opendata.ledger.models",
    "opendata.jobs.models",
    "opendata.catalog.models",
    "opendata.access.models",
    "opendata.publishing.models",
)


def load_models(*modules: str) -> None:
    """Import the modules (default: the core's) so that their tables are in ``Base.metadata``."""
    for module in modules or CORE_MODELS:
        if modules or importlib.util.find_spec(module) is not None:
            importlib.import_module(module)


def create_schema(database: Database, *modules: str) -> None:
    """Tests only: create the tables of the core and of ``modules`` from the models, without migrations."""
    load_models()
    if modules:
        load_models(*modules)
    with database.begin() as session:
        Base.metadata.create_all(session.connection())


def migrate(settings: Settings) -> None:
    """Upgrade the database to the newest version of every installed part. Safe to call from several processes."""
    raise NotImplementedError
