"""A throw-away PostgreSQL server for this session, if one can be started here."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import free_port

_POSTGRES_USER = "postgres"


def _programs():
    places = [Path(found).parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


def _command(*arguments):
    """PostgreSQL refuses to run as root; become its own user."""
    as_user = {"user": _POSTGRES_USER, "group": _POSTGRES_USER, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(
        [str(argument) for argument in arguments], check=True, capture_output=True, cwd="/", timeout=300, **as_user
    )


@pytest.fixture(scope="session")
def postgresql_server():
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server programs (initdb, pg_ctl) on this machine")
    directory = Path(tempfile.mkdtemp(prefix="opendata-postgresql-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, _POSTGRES_USER, _POSTGRES_USER)
        data = directory / "data"
        _command(programs / "initdb", "-D", data, "-A", "trust", "-U", "opendata", "-E", "UTF8", "--no-locale", "-N")
        port = free_port()
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={directory} -p {port} -c fsync=off"
        log = directory / "log"
        _command(programs / "pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "-t", "240", "start")
    except (subprocess.CalledProcessError, LookupError, OSError) as error:
        shutil.rmtree(directory, ignore_errors=True)
        pytest.skip(f"PostgreSQL could not be started here: {type(error).__name__}")
    yield f"postgresql://opendata@127.0.0.1:{port}"
    _command(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server):
    import psycopg

    from opendata.db import new_id

    name = f"t{new_id().replace('-', '')}"
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{postgresql_server}/{name}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'opendata.sqlite'}"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def settings(url, tmp_path):
    from opendata.settings import Settings

    return Settings.load(tmp_path, database_url=url, as_root=False)


@pytest.fixture
def database(settings):
    from opendata.db import Database, migrate

    migrate(settings, ())
    database = Database(settings)
    yield database
    database.dispose()
