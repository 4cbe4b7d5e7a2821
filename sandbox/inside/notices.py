"""What JupyterLab tells a person of the session's life: why the last one ended, when this one will, that it is gone.

The page of a session gets a script (``notices.js``) that shows bars over JupyterLab's foot and has it save what
is open. Nothing is built and no channel is added: the script knows what stood in the server's environment when it
started, and sees whether the session's own address answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

SCRIPT: Final = Path(__file__).with_suffix(".js")
TEMPLATE: Final = "index.html"
END: Final = "</body>"
WARN_MINUTES: Final = (30, 5)
"""So long before the end that is known beforehand, in minutes."""
SAVE_SECONDS: Final = 90
"""So long before it everything that is open is saved."""


def arguments(directory: Path, lab_templates: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Write the page below ``directory`` and return the server's arguments for it; none when Lab's own is odd."""
    with suppress(OSError, UnicodeDecodeError):
        page = with_script((lab_templates / TEMPLATE).read_text("utf-8"), told(environment))
        if page:
            directory.mkdir(mode=0o700, exist_ok=True)
            (directory / TEMPLATE).write_text(page, "utf-8")
            return (f"--LabApp.templates_dir={directory}", "--LabApp.expose_app_in_browser=True")
    return ()


def with_script(page: str, said: Mapping[str, Any]) -> str:
    """Lab's template with the script at its end; empty when it has no end or two."""
    if page.count(END) != 1:
        return ""
    # Inside a script element and a Jinja template: neither may find its own signs in the data.
    data = json.dumps(said, ensure_ascii=True).replace("<", "\\u003c").replace("{", "{ ").replace("%", "\\u0025")
    script = f"<script>const told = {data};\n{SCRIPT.read_text('utf-8')}</script>"
    return page.replace(END, f"{{% raw %}}{script}{{% endraw %}}{END}")


def told(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the hub put into the server's environment; what is missing or odd is not said."""
    before = environment.get("SANDBOX_ENDED_BEFORE", "")
    return {
        "before": before.split("\n") if before else [],
        "endsAt": _moment(environment.get("SANDBOX_ENDS_AT", "")),
        "expiresAt": _moment(environment.get("SANDBOX_EXPIRES_AT", "")),
        "warnMinutes": WARN_MINUTES,
        "saveSeconds": SAVE_SECONDS,
    }


def _moment(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
