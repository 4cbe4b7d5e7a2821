"""Engines and sessions for SQLite and PostgreSQL.

SQLite: WAL, ``synchronous=FULL``, foreign keys, 30 s busy time-out; writers begin IMMEDIATE, so that two writers queue
instead of failing half-way. PostgreSQL: read transactions are READ ONLY. Reading sessions refuse to flush.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from opendata.errors import OpenDataError
from opendata.settings import Settings

BUSY_TIMEOUT_MS = 30_000


class ReadOnlySessionError(OpenDataError):
    """Code tried to write through ``Database.session()``; it must use ``Database.begin()``."""


def engine(settings: Settings) -> Engine:
    """An engine with this service's transaction rules. ``execution_options(writes=True)`` makes writers of it."""
    return engine_for(settings.database_url)


def engine_for(url: str) -> Engine:
    """Like :func:`engine`, for a bare URL (SQLite or PostgreSQL; others are refused)."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        made = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})
        event.listen(made, "connect", _sqlite_connect)
        event.listen(made, "begin", _sqlite_begin)
    elif backend == "postgresql":
        made = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        event.listen(made, "begin", _postgresql_begin)
    else:
        raise OpenDataError(f"不支持的数据库 {backend}；请使用 SQLite 或 PostgreSQL（unsupported database）")
    return made


class Database:
    """The service's database: ``session()`` to read, ``begin()`` to write. Threads may share one."""

    def __init__(self, settings: Settings) -> None:
        self.engine = engine(settings)
        self._readers = sessionmaker(self.engine, class_=_ReadSession, expire_on_commit=False)
        self._writers = sessionmaker(self.engine.execution_options(writes=True), expire_on_commit=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that only reads; rolled back at the end. What it loaded stays readable."""
        with self._readers() as session:
            yield session

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One writing transaction: committed at the end, rolled back when the block raises."""
        with self._writers.begin() as session:
            yield session

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class _ReadSession(Session):
    def flush(self, objects: Any = None) -> None:
        if self.new or self.deleted or any(self.is_modified(each) for each in self.dirty):
            raise ReadOnlySessionError("读取会话不能写入；请使用 Database.begin()（a reading session cannot write）")
        super().flush(objects)


def _sqlite_connect(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None  # transactions are begun by _sqlite_begin, not by the driver
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # erased openings and revoked hashes leave no copy in free pages
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _postgresql_begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
