"""Service users reach a closed checkout through a private mount namespace, and only what they need of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from opendata.supervisor.paths import closed_ancestor, enter_command

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mount namespaces and other users")


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A 0700 directory with something needed and something private inside."""
    closed = tmp_path / "closed"
    (closed / "checkout" / "deep").mkdir(parents=True)
    (closed / "checkout" / "deep" / "file").write_text("needed")
    (closed / "home").mkdir()
    (closed / "private").write_text("private")
    closed.chmod(0o700)
    return closed


def test_open_path_needs_nothing() -> None:
    assert enter_command([Path("/usr/bin")], Path("/nowhere")) == []


def test_closed_ancestor_is_the_topmost(closed: Path) -> None:
    found = closed_ancestor(closed / "checkout" / "deep")
    assert found is not None
    assert found == closed or found in closed.parents


@needs_root
@pytest.mark.integration
def test_other_user_reads_only_what_is_needed(closed: Path, tmp_path: Path) -> None:
    staging = Path("/run") / f"opendata-test-{os.getpid()}"
    staging.mkdir()
    try:
        enter = enter_command([closed / "checkout", closed / "home"], staging)
        program = ["sh", "-c", f"cat {closed}/checkout/deep/file; cat {closed}/private; ls {closed}"]
        plain = subprocess.run([*NOBODY, *program], capture_output=True, text=True, check=False)
        inside = subprocess.run(
            [*enter, *NOBODY, *program], capture_output=True, text=True, check=False, umask=0o077
        )  # the caller's umask must not close the way
    finally:
        staging.rmdir()
    assert "needed" not in plain.stdout, "positive control: without the namespace the user cannot enter"
    assert inside.stdout.startswith("needed"), inside.stderr
    assert "private" not in inside.stdout
    assert (closed / "private").read_text() == "private"
    assert closed.stat().st_mode & 0o777 == 0o700, "the host's directory keeps its mode"


@needs_root
@pytest.mark.integration
def test_writes_below_a_bound_home_stay(closed: Path) -> None:
    staging = Path("/run") / f"opendata-test-w-{os.getpid()}"
    staging.mkdir()
    os.chown(closed / "home", 65534, 65534)
    try:
        enter = enter_command([closed / "checkout", closed / "home"], staging)
        subprocess.run([*enter, *NOBODY, "sh", "-c", f"echo kept > {closed}/home/file"], check=True)
    finally:
        staging.rmdir()
    assert (closed / "home" / "file").read_text() == "kept\n"
