"""What the sandbox is told when it starts: plain values, built once at the edge and passed on.

No environment is read here and nothing of the service is imported; the processes get these as arguments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

CODE_ROOT = Path(__file__).resolve().parents[1]
DEFAULT_KERNEL_ENV = CODE_ROOT / ".venv-kernel"
COUNTER_STEP = 1 << 17
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""Every name that becomes part of a path: a dataset, a workspace, a job, a session."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Places and numbers of one installation.

    ``home`` holds what lasts, ``run_dir`` the sockets of this start; keep ``run_dir`` short, the path of a socket
    must stay below 100 bytes. ``kernel_env`` is the environment the notebooks use, built on ``/usr/bin/python3``.
    """

    home: Path
    run_dir: Path
    kernel_env: Path = DEFAULT_KERNEL_ENV
    web_port: int = 8000
    hub_host: str = "127.0.0.1"
    hub_port: int = 8001
    public_url: str = "http://localhost:8000"
    hub_url: str = "http://sandbox.localhost:8001"
    hub_uid: int | None = None
    worker_uid: int | None = None
    first_session_uid: int = 200_000
    first_job_uid: int = 300_000
    max_jobs: int = 2
    max_sessions: int = 60
    home_bytes: int = 512 * 1024 * 1024
    counter_step: int = COUNTER_STEP
    """To a multiple of how many numbers the host's counters are padded after a sealed job (`execution.scrub`)."""
    wipe_caches: bool = True
    """Whether the host's caches are dropped after a sealed job. Off: no sealed job of level 3 or 4 runs."""

    @property
    def launcher_hub_socket(self) -> Path:
        """Where the hub asks for sessions."""
        return self.run_dir / "launcher-hub.sock"

    @property
    def launcher_worker_socket(self) -> Path:
        """Where the worker asks for jobs."""
        return self.run_dir / "launcher-worker.sock"

    @property
    def enforcement_file(self) -> Path:
        """What the probes at start found (JSON, readable by everyone, holds no secret)."""
        return self.run_dir / "enforcement.json"

    @property
    def hub_dir(self) -> Path:
        """What the hub keeps: its database and cookie secret."""
        return self.home / "hub"

    @property
    def hub_run_dir(self) -> Path:
        """The hub's own part of ``run_dir`` (owned by the hub's uid when there is one)."""
        return self.run_dir / "hub"

    @property
    def workspaces_dir(self) -> Path:
        """Practice data, editions and session homes, by workspace."""
        return self.home / "workspaces"

    def gate_dir(self, session: str) -> Path:
        """The directory with ``hub.sock`` that the hub makes for one session; it appears as ``/run/hub``."""
        return self.hub_run_dir / "gates" / checked_name(session)

    def session_data(self, workspace: str, dataset: str) -> Path:
        """What ``/data/<dataset>`` shows in a session: an edition or practice data, never raw."""
        return self.workspaces_dir / checked_name(workspace) / "data" / checked_name(dataset)

    def session_home(self, workspace: str, user_index: int) -> Path:
        """Where the home of one person in one workspace lies (``.ext4`` image as root, else a directory)."""
        return self.workspaces_dir / checked_name(workspace) / "homes" / f"u{int(user_index)}"


def checked_name(name: str) -> str:
    """Return ``name`` if it can be part of a path without leaving its folder.

    Raises:
        SandboxError: it holds anything but a-z, 0-9, ``_`` and ``-``, or is longer than 63 characters.
    """
    if not NAME.fullmatch(name):
        raise SandboxError("名称只能含小写字母、数字、下划线和连字符。", "A name may hold only a-z, 0-9, _ and -.")
    return name
