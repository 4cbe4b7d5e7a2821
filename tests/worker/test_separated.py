"""As root: the worker runs under its own user; web's group reaches the raw door, the hub does not."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from opendata.settings import Settings

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to create users"),
]
CHECKOUT = Path(__file__).parents[2]
ASK = """
import sys
from opendata.settings import Settings
from opendata.storage.rawdoor import ask
try:
    ask(Settings.load(sys.argv[1]), "preview", {}, token="guess")
except Exception as error:
    print(type(error).__name__)
"""


def identity(name):
    import grp
    import pwd

    person = pwd.getpwnam(name)
    groups = [group.gr_gid for group in grp.getgrall() if name in group.gr_mem]
    return {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": groups}


def test_the_raw_door_opens_to_web_only():
    from opendata.storage.keys import initialise

    directory = Path(tempfile.mkdtemp(prefix="opendata-worker-"))
    directory.chmod(0o755)
    settings = Settings.load(directory / "home")
    initialise(settings)
    command = [sys.executable, "-m", "opendata.worker", "--home", str(settings.home)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=CHECKOUT, **identity("opendata-worker"))
    try:
        deadline = time.monotonic() + 120
        while not settings.rawdoor_socket.exists() or answer(settings, "opendata-web") == "OpenDataError":
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert answer(settings, "opendata-web") == "AuthenticationError"
        assert answer(settings, "opendata-hub") == "OpenDataError"
        assert answer(settings, "nobody") == "OpenDataError"
        assert settings.jobs_file.stat().st_mode & 0o077 == 0
    finally:
        process.terminate()
        process.wait(timeout=120)
        process.stderr.close()
        shutil.rmtree(directory)


def answer(settings, user):
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(settings.home)],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        **identity(user),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
