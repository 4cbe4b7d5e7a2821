"""What a person finds when a session opens: Chinese first, example notebooks, notices, and no look for a network.

The server itself (``server``) calls ``prepare`` before it starts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sandbox.inside import notices, worked

SETTINGS_DIR: Final = Path("/run/lab-settings")
TEMPLATES: Final = "templates"
LAB_TEMPLATES: Final = Path(sys.prefix) / "share/jupyter/lab/static"
EXAMPLE: Final = Path(__file__).with_name("example_notebook.json")
EXAMPLE_NAME: Final = "示例 example.ipynb"
MARKER: Final = ".sandbox"
FRESH, WORKED = "1", "2"
"""What the marker says: the example was put there; the worked notebooks too."""

LAB_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "@jupyterlab/translation-extension:plugin": {"locale": "zh_CN"},
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
    "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 60},
}


def prepare(home: Path, settings_dir: Path = SETTINGS_DIR) -> tuple[str, ...]:
    """Write the settings, welcome a new home, and return the arguments the server needs for it."""
    write_settings(settings_dir)
    welcome(home)
    return (
        f"--LabApp.app_settings_dir={settings_dir}",
        *notices.arguments(settings_dir / TEMPLATES, LAB_TEMPLATES, os.environ),
        "--LanguageServerManager.autodetect=False",
        # Lines about single requests tell the session's id and every file's name.
        "--ServerApp.log_level=WARN",
    )


def write_settings(directory: Path) -> None:
    """The settings every session starts with; a person may change them for themselves."""
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "overrides.json").write_text(json.dumps(LAB_SETTINGS, ensure_ascii=False), encoding="utf-8")


def welcome(home: Path) -> None:
    """Put the example into a home that has never been used, and the worked notebooks once there are data for them.

    What a person deleted does not come back. A home that is full or odd opens without them.
    """
    with suppress(OSError):
        marker = home / MARKER
        had = marker.read_text("ascii").strip() if marker.exists() else ""
        if not had and not (home / EXAMPLE_NAME).exists():
            shutil.copyfile(EXAMPLE, home / EXAMPLE_NAME)
        if had != WORKED:
            marker.write_text(f"{WORKED if worked.place(home) else FRESH}\n", encoding="ascii")
