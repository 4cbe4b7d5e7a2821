"""The interactive server: JupyterLab on the socket the hub bound, kernels over files instead of ports.

The descriptor's number comes in ``SBX_LISTEN_FD``; the server never binds or names a socket of the host. Tokens in the
environment are sealed: they are of use through this session's gate only. Chinese first; nothing here looks for news,
updates or packages, because there is no network to look in.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

LISTEN_FD = "SBX_LISTEN_FD"
SERVER_SOCKET = "/run/srv.sock"
SETTINGS_DIR = "/run/lab-settings"
EXAMPLE = Path(__file__).with_name("example_notebook.json")
EXAMPLE_NAME = "示例 example.ipynb"

LAB_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/translation-extension:plugin": {"locale": "zh_CN"},
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
    "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 60},
}


def main() -> None:
    """Run the server until it is told to end."""
    listening = inherited_socket()
    home = Path.home()
    welcome(home)
    write_settings(Path(SETTINGS_DIR))
    _serve_on(listening)

    from jupyterhub.singleuser import main as singleuser

    sys.argv = ["jupyterhub-singleuser", *arguments(home)]
    singleuser()


def inherited_socket() -> socket.socket:
    """The listening socket that was handed in; kernels and terminals do not inherit it."""
    descriptor = int(os.environ.pop(LISTEN_FD))
    os.set_inheritable(descriptor, False)
    listening = socket.socket(fileno=descriptor)
    listening.setblocking(False)
    return listening


def arguments(home: Path) -> list[str]:
    """What the server is told. Its own configuration files are not read (the hub says so in the environment)."""
    return [
        f"--ServerApp.sock={SERVER_SOCKET}",
        f"--ServerApp.root_dir={home}",
        "--ConnectionFileMixin.transport=ipc",
        "--ServerApp.log_level=WARNING",
        f"--LabApp.app_settings_dir={SETTINGS_DIR}",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LanguageServerManager.autodetect=False",
    ]


def write_settings(directory: Path) -> None:
    """The settings every session starts with; a person may change them for themselves."""
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "overrides.json").write_text(json.dumps(LAB_SETTINGS, ensure_ascii=False), encoding="utf-8")


def welcome(home: Path) -> None:
    """Put the example notebook into a home that has never been used. What a person deleted does not come back."""
    marker = home / ".sandbox"
    if marker.exists():
        return
    shutil.copyfile(EXAMPLE, home / EXAMPLE_NAME)
    marker.write_text("1\n", encoding="ascii")


def _serve_on(listening: socket.socket) -> None:
    """Let Jupyter take the inherited socket where it would bind one of its own."""
    # jupyter_events compiles a grammar at import for a format we do not use: 1 to 3 seconds of every start.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    from jupyter_server import serverapp

    serverapp.bind_unix_socket = lambda *_args, **_options: listening
    serverapp.unix_socket_in_use = lambda _path: False


if __name__ == "__main__":
    main()
