"""The notebooks' environment: what is recorded with jobs, what was put there by hand, and the command that adds to it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.settings import CODE_ROOT
from sandbox.workspaces.environment import beside_the_lock, is_installed, lock_digest

LOCK = "numpy==2.4.0 \\\n    --hash=sha256:00\nstats-models==0.15 ; sys_platform != 'win32' \\\n    --hash=sha256:01\n"


def install(environment: Path, name: str, version: str) -> None:
    folder = environment / f"lib/python3.11/site-packages/{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_is_recorded_is_what_was_installed(tmp_path: Path) -> None:
    """A lock that was changed and not installed yet is not what a job runs with."""
    lock, environment = tmp_path / "kernel.lock", tmp_path / "env"
    assert lock_digest(environment, lock) is None
    lock.write_text(LOCK)
    assert lock_digest(environment, lock) == digest(LOCK)
    environment.mkdir()
    assert lock_digest(environment, lock) is None, "it is being made"
    (environment / "stamp").write_text(digest(LOCK) + "\n")
    assert lock_digest(environment, lock) == digest(LOCK)
    assert is_installed(environment, lock)
    lock.write_text(LOCK + "tabulate==1\n")
    assert lock_digest(environment, lock) == digest(LOCK)
    assert not is_installed(environment, lock)


def test_what_no_lock_names_is_found(tmp_path: Path) -> None:
    lock, environment = tmp_path / "kernel.lock", tmp_path / "env"
    lock.write_text(LOCK)
    install(environment, "numpy", "2.4.0")
    install(environment, "Stats_Models", "0.15")
    assert beside_the_lock(environment, lock) == ()
    install(environment, "sneaked.in", "1")
    assert beside_the_lock(environment, lock) == ("sneaked-in",)
    lock.write_text(LOCK.replace("2.4.0", "2.4.1"))
    assert beside_the_lock(environment, lock) == ("numpy", "sneaked-in")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The command in a folder of its own, with an uv that resolves to its list's last line, or fails at "nosuch"."""
    root = tmp_path / "checkout"
    for name in (".tools/bin", ".venv-kernel/bin", "requirements"):
        (root / name).mkdir(parents=True)
    shutil.copy(CODE_ROOT / "run", root / "run")
    (root / "requirements/tools.lock").write_text("")
    (root / ".tools/stamp").write_text(digest("") + "\n")
    (root / "requirements/kernel.in").write_text("# chosen\nnumpy>=2\n")
    (root / "requirements/kernel.lock").write_text(LOCK)
    (root / ".venv-kernel/stamp").write_text(digest(LOCK) + "\n")
    (root / ".venv-kernel/bin/python").symlink_to(shutil.which("python3") or "")
    uv = root / ".tools/bin/uv"
    uv.write_text(
        '#!/bin/bash\nif [ "$2" = compile ]; then [[ " $* " != *" --upgrade "* ]] || exit 3\n'
        'list=$(printf "%s\\n" "$@" | grep "[.]in$"); grep -q nosuch "$list" && { echo no solution >&2; exit 1; }\n'
        'printf "%s\\n" "$(tail -n 1 "$list")==1.0" >>"${@: -1}"; fi\n'
    )
    uv.chmod(0o755)
    return root


def package(checkout: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "run", "package", *names], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
    )


def test_one_command_adds_a_package_and_moves_no_other(checkout: Path) -> None:
    done = package(checkout, "tabulate")
    assert done.returncode == 0, done.stderr
    assert "+ tabulate==1.0" in done.stderr
    assert "numpy" not in done.stderr
    assert "不能再重跑" in done.stderr
    assert (checkout / "requirements/kernel.in").read_text() == "# chosen\nnumpy>=2\ntabulate\n"
    lock = checkout / "requirements/kernel.lock"
    assert lock.read_text() == LOCK + "tabulate==1.0\n"
    assert (checkout / ".venv-kernel/stamp").read_text().strip() == digest(lock.read_text())
    assert package(checkout, "NumPy>=2.1").returncode == 0
    assert (checkout / "requirements/kernel.in").read_text() == "# chosen\ntabulate\nNumPy>=2.1\n"


@pytest.mark.parametrize("name", ["nosuch", "bad name", "-r/etc/passwd", "https://x.example/a.whl", "a;b"])
def test_what_cannot_be_added_changes_nothing(checkout: Path, name: str) -> None:
    done = package(checkout, name)
    assert done.returncode == 1
    assert "error" in done.stderr or "no solution" in done.stderr
    assert (checkout / "requirements/kernel.in").read_text() == "# chosen\nnumpy>=2\n"
    assert (checkout / "requirements/kernel.lock").read_text() == LOCK
