"""Transactions: readers do not write, writers do not lose each other's work, types come back."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text

from opendata.db import Database, ReadOnlySessionError, engine_for, new_id, utc_now
from opendata.errors import OpenDataError
from opendata.identity.models import Organization, SignInFailure
from opendata.settings import Settings


def failure(at=None, **values):
    return SignInFailure(id=new_id(), last_at=at or utc_now(), **values)


def test_sqlite_is_durable_and_checks_references(tmp_path):
    database = Database(Settings.load(tmp_path, as_root=False))
    with database.session() as session:
        pragmas = {
            name: session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert session.scalar(text("PRAGMA busy_timeout")) == 30_000
    database.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reading_session_refuses_to_write(database):
    with database.session() as session:
        session.add(failure())
        with pytest.raises(ReadOnlySessionError):
            session.flush()


def test_what_a_reading_session_loaded_stays_readable(database):
    with database.begin() as session:
        session.add(Organization(name_zh="统计局", kind="department"))
    with database.session() as session:
        organization = session.scalars(select(Organization)).one()
    assert organization.name_zh == "统计局"


def test_begin_commits_or_rolls_back(database):
    def act():
        with database.begin() as session:
            session.add(failure())
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    with database.begin() as session:
        session.add(failure())
    with database.session() as session:
        assert len(session.scalars(select(SignInFailure)).all()) == 1


def test_concurrent_writers_lose_nothing(database):
    with database.begin() as session:
        row = failure()
        session.add(row)
        key = row.id
        session.flush()
        key = row.id
    errors = []

    def work():
        try:
            for _ in range(10):
                with database.begin() as session:
                    session.get(SignInFailure, key, with_for_update=True).failures += 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.session() as session:
        assert session.get(SignInFailure, key).failures == 40


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=8))])
def test_instants_come_back_aware_in_utc(database, zone):
    at = datetime(2026, 11, 22, 10, 30, 0, 123456, tzinfo=zone)
    with database.begin() as session:
        session.add(failure(at))
    with database.session() as session:
        stored = session.scalars(select(SignInFailure)).one().last_at
        assert stored == at
        assert stored.tzinfo is UTC
        assert session.scalars(select(SignInFailure).where(SignInFailure.last_at == at)).one()


def test_naive_instants_are_refused(database):
    from sqlalchemy.exc import StatementError

    with pytest.raises(StatementError), database.begin() as session:
        session.add(failure(utc_now().replace(tzinfo=None)))


def test_other_databases_are_refused():
    with pytest.raises(OpenDataError):
        engine_for("mysql://x/y")


@pytest.mark.integration
def test_postgresql_read_transactions_are_read_only(postgresql_url, tmp_path):
    from sqlalchemy.exc import InternalError

    database = Database(Settings.load(tmp_path, database_url=postgresql_url, as_root=False))
    with database.session() as session, pytest.raises(InternalError):
        session.execute(text("CREATE TABLE x (y int)"))
    database.dispose()


@pytest.mark.integration
def test_postgresql_appends_from_many_threads_leave_no_gap(postgresql_url, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from opendata.db import migrate
    from opendata.ledger.checkpoint import SigningKey
    from opendata.ledger.events import AuditEvent
    from opendata.ledger.service import append, export, sign_checkpoint
    from opendata.ledger.verify import verify_export

    settings = Settings.load(tmp_path, database_url=postgresql_url, as_root=False)
    migrate(settings, ())
    database = Database(settings)
    errors = []

    def work(number):
        try:
            for _ in range(15):
                with database.begin() as session:
                    append(session, AuditEvent("test:entry:add", None, f"thread:{number}", utc_now(), {"数": number}))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    key = SigningKey("pg.example/ledger", Ed25519PrivateKey.generate())
    with database.begin() as session:
        assert sign_checkpoint(session, key).size == 75
    with database.session() as session:
        assert verify_export(export(session, tmp_path / "e"), key.verifier().line()).openings == 75
    database.dispose()
