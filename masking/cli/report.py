"""The command that makes a page of a saved report, and what ``apply`` does to write reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from masking.report import MaskingReport, PublicReport

Source = Annotated[Path, typer.Argument(help="报告 a report as `apply --report` writes it (JSON)", metavar="REPORT")]
Page = Annotated[Path, typer.Argument(help="网页 the page, one self-contained file", metavar="OUTPUT.html")]
Public = Annotated[bool, typer.Option("--public", help="公开部分 only what the masked table itself tells")]
English = Annotated[bool, typer.Option("--en", help="英文 in English")]


def report(source: Source, page: Page, public: Public = False, en: English = False) -> None:
    """把报告做成一个独立的网页 Make one self-contained page of a report."""
    from masking.cli.files import write_text
    from masking.errors import BadFile

    try:
        plain = json.loads(source.read_text("utf-8"))
        made = _read(plain)
    except (ValueError, KeyError, TypeError, AttributeError):  # the message may quote what stands in the file
        raise BadFile(f"{source.name!r} is not a masking report of a version that this program reads") from None
    write_text(page, rendered(made, ".html", public=public, en=en))


def save(path: Path, made: MaskingReport, write: Callable[[Path, str], None], *, public: bool, en: bool) -> None:
    """Write a run's report, as a page if ``path`` ends in .html, else as JSON."""
    write(path, rendered(made, path.suffix, public=public, en=en))


def rendered(made: MaskingReport | PublicReport, suffix: str, *, public: bool, en: bool) -> str:
    """The text of the file."""
    from masking.report import MaskingReport
    from masking.reporting import to_html

    if suffix.lower() in {".html", ".htm"}:
        return to_html(made, "en" if en else "zh", "public" if public else "internal")
    chosen = made.public() if public and isinstance(made, MaskingReport) else made
    return chosen.to_json(indent=2) + "\n"


def _read(plain: dict[str, object]) -> MaskingReport | PublicReport:
    from masking.report import MaskingReport, public_from_dict

    return MaskingReport.from_dict(plain) if "released" in plain else public_from_dict(plain)
