"""Copy what browsers need from npm packages into ``static/vendor``; run at setup and before a wheel is built.

Third-party code is never committed. GOV.UK Frontend comes without its fonts and crown, which are gov.uk's own: fonts
and image addresses are cut from its style sheet and its type face is replaced by a variable of our theme.

Usage: ``python -m opendata.web.assets deploy/assets/node_modules``
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

VENDOR = Path(__file__).parent / "static" / "vendor"
COPIES = {
    "govuk-frontend/dist/govuk/govuk-frontend.min.js": "govuk-frontend.min.js",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
}
STYLE_SHEET = "govuk-frontend/dist/govuk/govuk-frontend.min.css"


def without_crown(css: str) -> str:
    """GOV.UK's style sheet without its fonts and images, in the theme's type face."""
    css = re.sub(r"@font-face\{[^}]*\}", "", css)
    css = re.sub(r'"?GDS Transport"?,\s*arial,\s*sans-serif', "var(--type-face)", css)
    css = re.sub(r"url\((?!data:)[^)]*\)", "none", css)
    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css)


def copy(node_modules: Path, target: Path = VENDOR) -> list[Path]:
    """Copy the files and return where they are."""
    target.mkdir(parents=True, exist_ok=True)
    written = [target / "govuk-frontend.min.css"]
    written[0].write_text(without_crown((node_modules / STYLE_SHEET).read_text("utf-8")), "utf-8")
    for source, name in COPIES.items():
        text = (node_modules / source).read_text("utf-8")
        text = re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE)
        (target / name).write_text(text, "utf-8")
        written.append(target / name)
    return written


def main() -> int:
    """Command line."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for path in copy(Path(sys.argv[1])):
        print(f"{path.name} {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
