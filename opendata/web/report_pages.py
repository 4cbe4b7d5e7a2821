"""The report of an edition as a page of its own: all of it for reviewers and officers, for others the public half."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse

from opendata.web.rendering import language

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def report_page(request: Request, report: Any, kind: str, *, private: bool) -> HTMLResponse:
    """The report in the visitor's language, with a link to the other one. It brings its own style and loads nothing."""
    from masking.reporting import to_html

    lang: Literal["zh", "en"] = "en" if language(request) == "en" else "zh"
    other = f"/lang/{'zh' if lang == 'en' else 'en'}?next={request.url.path}"
    text = to_html(report, lang, "public" if kind == "public" else "internal", other=other)
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "private, no-store" if private else "private, no-cache",
    }
    return HTMLResponse(text, headers=headers)
