"""The launcher's run directory: its lock, sockets, logs, and the file that says what the probes found."""

from __future__ import annotations

import fcntl
import json
import os

from sandbox.contracts import Enforcement
from sandbox.errors import SandboxUnavailable
from sandbox.settings import SandboxSettings


def prepare(settings: SandboxSettings, *, as_root: bool) -> int:
    """Make the run directory, take its lock and remove what a killed predecessor left. Returns the lock's descriptor.

    Raises:
        SandboxUnavailable: another launcher holds it.
    """
    run_dir = settings.run_dir
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
    lock = os.open(run_dir / "launcher.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SandboxUnavailable(
            "另一个启动器正在使用这个目录。", "Another launcher is using this run directory."
        ) from error
    remove_sockets(settings)
    settings.enforcement_file.unlink(missing_ok=True)
    for log in (run_dir / "logs").glob("*.log"):
        log.unlink()
    hub_run = settings.hub_run_dir
    hub_run.mkdir(exist_ok=True, mode=0o700)
    if as_root and settings.hub_uid is not None:
        os.chown(hub_run, settings.hub_uid, -1, follow_symlinks=False)
    return lock


def remove_sockets(settings: SandboxSettings) -> None:
    """Both doors; quiet if they are gone."""
    for path in (settings.launcher_hub_socket, settings.launcher_worker_socket):
        path.unlink(missing_ok=True)


def write_enforcement(settings: SandboxSettings, enforcement: Enforcement) -> None:
    """Tell everyone on this machine what is enforced."""
    draft = settings.enforcement_file.with_suffix(".part")
    draft.write_text(json.dumps(enforcement.to_json(), ensure_ascii=False), "utf-8")
    draft.chmod(0o644)
    draft.rename(settings.enforcement_file)
