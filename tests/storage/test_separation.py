"""As root: each process's user reaches its own and nothing else. Real uids, real files."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from opendata.settings import Settings

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to create users"),
]


@pytest.fixture(scope="module")
def home():
    from opendata.storage.keys import initialise

    directory = Path(tempfile.mkdtemp(prefix="opendata-separation-"))
    directory.chmod(0o755)
    settings = Settings.load(directory / "home")
    assert settings.users.separated
    initialise(settings)
    initialise(settings)
    yield settings
    shutil.rmtree(directory)


def run_as(user, program, *arguments, group=None):
    import grp
    import pwd

    person = pwd.getpwnam(user)
    groups = [grp.getgrnam(group).gr_gid] if group else []
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        user=person.pw_uid,
        group=person.pw_gid,
        extra_groups=groups,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


TRY = """
import os, sys
for path in sys.argv[1:]:
    for what in ("read", "write"):
        try:
            if os.path.isdir(path):
                os.listdir(path) if what == "read" else open(os.path.join(path, "planted"), "x").close()
            else:
                open(path, "rb" if what == "read" else "r+b").close()
            print(what, path)
        except PermissionError:
            pass
"""


def reached(home, user, *paths, group=None):
    done = run_as(user, TRY, *paths, group=group)
    assert done.returncode == 0, done.stderr
    return {(line.split()[0], Path(line.split()[1]).name) for line in done.stdout.splitlines()}


def test_web_reaches_neither_vault_nor_keys(home):
    worker_keys = home.keys_dir / "worker"
    paths = [home.vault_dir, home.vault_dir / "intakes", worker_keys, worker_keys / "kek", worker_keys / "checkpoint"]
    paths += [home.keys_dir / "hub", home.hub_dir, home.jobs_file.parent, home.logs_dir, home.keys_dir / "public"]
    assert reached(home, "opendata-web", *paths, group="opendata") == {("read", "public")}


def test_web_drops_into_incoming_without_seeing_it(home):
    assert reached(home, "opendata-web", home.incoming_dir, group="opendata") == {("write", "incoming")}
    (home.incoming_dir / "planted").unlink()
    assert reached(home, "opendata-web", home.editions_dir, home.database_file, group="opendata") == {
        ("read", "editions"),
        ("read", "opendata.sqlite"),
        ("write", "opendata.sqlite"),
    }


def test_the_hub_reaches_its_own_directories_only(home):
    paths = [home.home, home.database_file, home.vault_dir, home.editions_dir, home.keys_dir / "web", home.hub_dir]
    assert reached(home, "opendata-hub", *paths) == {("read", "hub"), ("write", "hub")}
    (home.hub_dir / "planted").unlink()


def test_a_stranger_reaches_nothing(home):
    paths = [home.home, home.database_file, home.vault_dir, home.keys_dir, home.editions_dir, home.run_dir]
    assert reached(home, "nobody", *paths) == set()


def test_web_can_neither_rename_nor_remove_what_the_worker_owns(home):
    program = """
import os, sys
for act in (lambda p: os.rename(p, p + "-moved"), os.rmdir, os.unlink):
    for path in sys.argv[1:]:
        try:
            act(path)
            print("did", path)
        except OSError:
            pass
"""
    done = run_as("opendata-web", program, home.vault_dir, home.keys_dir, home.database_file, group="opendata")
    assert (done.returncode, done.stdout) == (0, "")


UPLOAD = """
import sys
from opendata.settings import Settings
from opendata.storage.vault import SealedWriter
with SealedWriter(Settings.load(sys.argv[1]), "i-1") as sealed:
    sealed.write(b"raw" * 1000)
"""
OPEN = """
import sys
from opendata.settings import Settings
from opendata.storage.keys import KeyStore
from opendata.storage.vault import Vault
settings = Settings.load(sys.argv[1])
print(len(Vault(settings, KeyStore(settings)).open("i-1").read()))
"""


def test_web_seals_and_only_the_worker_opens(home):
    done = run_as("opendata-web", UPLOAD, home.home, group="opendata")
    assert done.returncode == 0, done.stderr
    refused = run_as("opendata-web", OPEN, home.home, group="opendata")
    assert refused.returncode != 0
    assert "kek" in refused.stderr or "Permission" in refused.stderr
    done = run_as("opendata-worker", OPEN, home.home, group="opendata")
    assert (done.returncode, done.stdout.strip()) == (0, "3000"), done.stderr


WRITE = """
import sys
from opendata.db import Database, migrate, new_id, utc_now
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.settings import Settings
settings = Settings.load(sys.argv[1])
migrate(settings, ())
database = Database(settings)
for _ in range(3):
    with database.begin() as session:
        append(session, AuditEvent("test:entry:add", None, "x", utc_now()))
"""


def test_web_and_worker_write_the_same_database(home):
    for user in ("opendata-worker", "opendata-web", "opendata-worker"):
        done = run_as(user, WRITE, home.home, group="opendata")
        assert done.returncode == 0, done.stderr


def test_a_worker_as_root_is_refused(home):
    from opendata.errors import ConfigurationError
    from opendata.worker.process import run

    with pytest.raises(ConfigurationError):
        run(home, ())


def test_a_home_of_somebody_else_is_refused(home):
    import pwd

    from opendata.errors import ConfigurationError
    from opendata.storage.keys import initialise

    os.chown(home.vault_dir, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        with pytest.raises(ConfigurationError):
            initialise(home)
    finally:
        os.chown(home.vault_dir, pwd.getpwnam("opendata-worker").pw_uid, -1)
        home.vault_dir.chmod(0o710)
    initialise(home)


def test_a_home_under_a_directory_anyone_can_write_is_refused():
    from opendata.errors import ConfigurationError
    from opendata.storage.keys import initialise

    directory = Path(tempfile.mkdtemp(prefix="opendata-open-"))
    directory.chmod(0o777)
    try:
        with pytest.raises(ConfigurationError, match="world-writable"):
            initialise(Settings.load(directory / "home"))
    finally:
        shutil.rmtree(directory)
