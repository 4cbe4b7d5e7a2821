"""The database: base, types, sessions, migrations.

>>> from opendata.db import Base, new_id
>>> len(new_id())
36
"""

from opendata.db.base import Base, UTCDateTime, new_id, utc_now
from opendata.db.engine import Database, ReadOnlySessionError, engine, engine_for
from opendata.db.migrate import create_schema, load_models, migrate

__all__ = [
    "Base",
    "Database",
    "ReadOnlySessionError",
    "UTCDateTime",
    "create_schema",
    "engine",
    "engine_for",
    "load_models",
    "migrate",
    "new_id",
    "utc_now",
]
