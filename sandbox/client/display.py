"""How answers look in a notebook: small HTML tables, everything escaped, and one line of progress.

Chinese first, English beside it. The text forms say the same, for terminals and logs.
"""

from __future__ import annotations

import base64
import html
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", empty: str = "") -> str:
    """An HTML table; ``empty`` is shown instead when there is no row."""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<p><strong>{escape(caption)}</strong></p>" if caption else ""
    if not body:
        return f"{title}<p>{escape(empty)}</p>"
    head = "".join(f"<th style='text-align:left'>{escape(heading)}</th>" for heading in headings)
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts(pairs: Iterable[tuple[str, object]], *, caption: str = "") -> str:
    """An HTML list of name and value; empty values are left out."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in pairs
        if value not in (None, "", [], {})
    )
    title = f"<p><strong>{escape(caption)}</strong></p>" if caption else ""
    return f"{title}<table><tbody>{rows}</tbody></table>"


def picture(name: str, svg: str) -> str:
    """A drawing as an image: nothing in it can run."""
    content = base64.b64encode(svg.encode()).decode()
    return f"<p><img alt='{escape(name)}' style='max-width:100%' src='data:image/svg+xml;base64,{content}'></p>"


def link(address: str, label: str) -> str:
    """A link that opens beside the notebook; nothing for an address that is none."""
    if not address.startswith(("http://", "https://")):
        return ""
    return f"<p><a href='{escape(address)}' target='_blank' rel='noopener noreferrer'>{escape(label)}</a></p>"


def escape(value: object) -> str:
    """Text for HTML; ``None`` is a dash."""
    return "–" if value is None else html.escape(str(value))


def words(value: object) -> str:
    """Text of a value that may be a string or an object of languages; Chinese first."""
    if isinstance(value, dict):
        return " / ".join(str(value[language]) for language in ("zh", "en") if value.get(language))
    return "" if value is None else str(value)


def moment(value: object) -> str | None:
    """A moment of the service as the portal shows it: China's time, to the minute; anything else as it is."""
    at = _time(value)
    if at is None:
        return str(value) if value else None
    return at.strftime("%Y-%m-%d %H:%M")


def day(value: object) -> str | None:
    """The day of a moment, as the portal shows it."""
    return (moment(value) or "")[:10] or None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value or ""))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(CHINA)


class ProgressLine:
    """One line that is rewritten: ``下载 downloading summary.csv  42%  1.2/2.9 MB``.

    On standard output, because notebooks show the error stream in red.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._shown = -1

    def bytes(self, done: int, total: int | None) -> None:
        """Show how much has come."""
        percent = int(done * 100 / total) if total else 0
        if percent == self._shown and done != total:
            return
        self._shown = percent
        share = f"{percent:3d}%  {done / 1e6:.1f}/{total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
        self.say(share)

    def say(self, text: str) -> None:
        """Replace the line."""
        sys.stdout.write(f"\r\x1b[2K{self.label}  {text}")
        sys.stdout.flush()

    def end(self) -> None:
        """Leave the line standing."""
        sys.stdout.write("\n")
        sys.stdout.flush()
