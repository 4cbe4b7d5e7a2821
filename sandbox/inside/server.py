"""Starts the single-user notebook server on the listening socket the jail inherited.

The hub bound the socket; the jail only gets its descriptor, so nothing in here can put another socket or a link in
its place. Kernels talk over unix sockets: there is no network interface to use.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any, Final

from sandbox.inside.activity import counting_busy_kernels
from sandbox.inside.session import prepare

SOCKET_PATH: Final = "/run/srv.sock"
ARGUMENTS: Final = (
    f"--ServerApp.sock={SOCKET_PATH}",
    "--ConnectionFileMixin.transport=ipc",
    "--ServerApp.root_dir=/home/jovyan",
    "--ServerApp.terminado_settings={'shell_command': ['/bin/bash']}",
    "--ServerApp.allow_root=False",
    "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
)


def main() -> None:
    """Never returns while the server runs.

    Raises:
        KeyError: not started by the launcher.
    """
    fd = int(os.environ.pop("SBX_LISTEN_FD"))
    os.set_inheritable(fd, False)
    os.makedirs("/run/jupyter", mode=0o700, exist_ok=True)
    # Compiling this grammar at import costs seconds; jsonschema does without it.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    listening = socket.socket(fileno=fd)
    listening.setblocking(False)

    from jupyter_server import serverapp

    def inherited(*_: Any, **__: Any) -> socket.socket:
        return listening

    serverapp.bind_unix_socket = inherited
    serverapp.unix_socket_in_use = lambda *_: False
    application = serverapp.ServerWebApplication
    application.last_activity = counting_busy_kernels(application.last_activity)
    from jupyterhub.singleuser import main as singleuser

    singleuser([*ARGUMENTS, *prepare(Path.home()), *sys.argv[1:]])


if __name__ == "__main__":
    main()
