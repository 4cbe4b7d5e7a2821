"""The worker's life: migrate, recover and dispatch jobs, sign checkpoints, serve the raw door; stop on a signal.

Stopping waits for nothing: whatever is interrupted is durable and goes on at the next start.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import threading
from collections.abc import Iterable
from pathlib import Path

import uvicorn

from opendata.db.migrate import migrate
from opendata.errors import ConfigurationError
from opendata.jobs.context import Resources
from opendata.jobs.runner import Runner
from opendata.logs import get_logger
from opendata.parts import Part, installed_parts, merged
from opendata.settings import Settings
from opendata.storage.rawdoor import RawDoorContext
from opendata.worker.door import raw_door
from opendata.worker.housekeeping import Housekeeper
from opendata.worker.rounds import Rounds
from opendata.worker.signer import CheckpointSigner

_log = get_logger("opendata.worker")


def run(settings: Settings, parts: Iterable[Part] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError when the worker may not or cannot run here."""
    if settings.users.separated and os.geteuid() == 0:
        raise ConfigurationError("后台进程不得以 root 身份运行；请用 opendata up 启动（not as root）")
    os.umask(0o027 if settings.users.separated else 0o077)
    parts = installed_parts() if parts is None else tuple(parts)
    migrate(settings, parts)
    resources = Resources.of(settings)
    runner = Runner(resources, merged(parts, "jobs"))
    signer = CheckpointSigner(resources)
    housekeeper = Housekeeper(resources)
    rounds = Rounds(resources, merged(parts, "rounds"))
    context = RawDoorContext(settings, resources.database, resources.vault, resources.keys)
    app = raw_door(context, merged(parts, "raw_door"), alive=lambda: runner.alive and signer.alive)
    with _socket(settings) as listening:
        runner.launch()
        signer.start()
        housekeeper.start()
        rounds.start()
        _log.info("worker ready", parts=[part.name for part in parts])
        _serve(app, listening)
    _log.info("worker stopping")
    signer.stop()
    housekeeper.stop()
    rounds.stop()
    runner.stop()
    resources.database.dispose()
    os._exit(0)  # a step in another thread is not waited for: it is durable


def _serve(app: object, listening: socket.socket) -> None:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=32,
    )
    server = uvicorn.Server(config)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.handle_exit)
    server.run(sockets=[listening])


def _socket(settings: Settings) -> socket.socket:
    """The door's socket: in a directory that only web's group can enter, mode 0660 (0600 for one user)."""
    path = settings.rawdoor_socket
    _unlink_old(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    if settings.users.separated:
        os.chmod(path, 0o660)  # the directory is set-gid, so the group is web's
    listening.listen(64)
    return listening


def _unlink_old(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigurationError(f"{path} 不是套接字（not a socket）")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise ConfigurationError("已有一个后台进程在使用这个数据目录（another worker is running on this home）")
