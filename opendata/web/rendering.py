"""Pages in Chinese and English from Jinja2 templates.

Message ids are the Chinese sentences; English comes from the ``*.po`` files of every part, read at start. Texts kept as
``{zh, en}`` (titles, reasons) are picked by the reader's language with the filter ``text``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.messages.pofile import read_po
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from masking.messages import in_chinese
from opendata.parts import NavItem, Part
from opendata.web import security, words
from opendata.web.deps import get_visitor
from opendata.web.problems import Problem

HERE = Path(__file__).parent
LANGUAGES = ("zh", "en")
CHINA = timezone(timedelta(hours=8))
LANGUAGE_DAYS = 365


class Texts:
    """English for every Chinese message id of all parts."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.english: dict[str, str] = {}
        for folder in folders:
            for path in sorted(folder.glob("*.po")):
                self.english |= _english(path)

    def get(self, message: str, lang: str) -> str:
        """``message`` in ``lang``; a missing translation shows the Chinese rather than nothing."""
        return message if lang == "zh" else self.english.get(message, message)


@cache
def _english(path: Path) -> Mapping[str, str]:
    """What one file holds; read once a process, however many applications it makes."""
    with path.open("rb") as stream:
        return {str(m.id): str(m.string) for m in read_po(stream, locale="en") if m.id and m.string}


class Pages:
    """The template environment of the application: all parts' templates, texts, static files and navigation."""

    def __init__(self, parts: Iterable[Part]) -> None:
        parts = list(parts)
        self.texts = Texts([HERE / "locale", *(part.locale for part in parts if part.locale)])
        self.navigation: list[NavItem] = [item for part in parts for item in part.navigation]
        folders = [HERE / "templates", *(part.templates for part in parts if part.templates)]
        self.environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in dict.fromkeys(folders)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals |= {
            "_": _translate,
            "static": static_url,
            "csrf_input": _csrf_input,
            "url": url_with,
        } | words.GLOBALS
        self.environment.filters |= {
            "text": _text,
            "sentence": _sentence,
            "number": format_number,
            "bytes": format_bytes,
            "time": _time,
            "day": _day,
            "percent": format_percent,
            "pretty_json": lambda value: json.dumps(value, ensure_ascii=False, indent=2, default=str),
        }


def language(request: Request) -> str:
    """The reader's language: their choice by cookie, else ``Accept-Language``, else Chinese."""
    chosen = request.cookies.get(security.LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wishes: list[tuple[float, str]] = []
    for item in request.headers.get("accept-language", "").split(","):
        tag, _, weight = item.strip().partition(";q=")
        code = tag.strip().lower().partition("-")[0]
        if code in LANGUAGES:
            wishes.append((_weight(weight), code))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else "zh"


def gettext(request: Request, message: str, **values: Any) -> str:
    """``message`` (Chinese) in the reader's language, as plain text; for words that code puts together."""
    pages: Pages = request.app.state.pages
    translated = pages.texts.get(message, language(request))
    return translated % values if values else translated


def say(request: Request, text: Mapping[str, Any] | str | None) -> str:
    """A ``{zh, en}`` text in the reader's language; the other language when one is empty."""
    return _pick(text, language(request))


def say_error(request: Request, error: Exception) -> str:
    """The sentence of an error that may be shown, in the reader's language: its ``{zh, en}`` reason if it has one."""
    reason = getattr(error, "reason", None)
    return say(request, reason) if isinstance(reason, Mapping) else sentence(str(error), language(request))


def sentence(text: str, lang: str) -> str:
    """A sentence of the masking library, which says them in English, in ``lang``; any other comes back as it is."""
    return in_chinese(text) if lang == "zh" else text


def render(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """The page ``template`` for this request, with the signed-in person, language and navigation at hand."""
    pages: Pages = request.app.state.pages
    visitor = _visitor_or_nobody(request)
    lang = language(request)
    roles = visitor.actor.roles if visitor.actor else frozenset()
    context = {
        "request": request,
        "lang": lang,
        "actor": visitor.actor,
        "settings": request.app.state.settings,
        "navigation": [item for item in pages.navigation if not item.roles or roles.intersection(item.roles)],
    }
    html = pages.environment.get_template(template).render(context | values)
    response = HTMLResponse(html, status_code=status_code, headers=dict(headers or {}))
    response.headers.setdefault("Vary", "Cookie, Accept-Language")
    response.headers["Content-Language"] = "zh-CN" if lang == "zh" else "en"
    fresh = getattr(request.state, "new_visitor_cookie", None)
    if fresh:
        security.set_cookie(response, security.VISITOR_COOKIE, fresh, settings=request.app.state.settings)
    return response


def csrf_token(request: Request) -> str:
    """The token this visitor's forms carry; a visitor without a session gets a cookie to bind it to."""
    visitor = _visitor_or_nobody(request)
    if visitor.csrf:
        return visitor.csrf
    fresh = getattr(request.state, "new_visitor_cookie", None)
    if fresh is None:
        fresh = request.state.new_visitor_cookie = security.new_visitor_cookie()
    return security.anonymous_token(fresh)


def url_with(request: Request, **changes: Any) -> str:
    """The present page's address with query parameters changed; ``None`` removes one."""
    query = dict(request.query_params)
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = str(value)
    return request.url.path + (f"?{urlencode(query)}" if query else "")


def static_url(path: str) -> str:
    """Address of a static file, with its digest so that a browser may keep it for ever."""
    known = _DIGESTS.get(path)
    if known is None:
        file = HERE / "static" / path
        known = hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else ""
        _DIGESTS[path] = known
    return f"/static/{path}" + (f"?v={known}" if known else "")


def format_number(value: float | None) -> str:
    """Digits grouped by thousands; a dash for nothing."""
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def format_percent(value: float | None) -> str:
    """A share in [0, 1] as percent with at most two decimals; a dash for nothing."""
    return "—" if value is None else f"{value * 100:.2f}".rstrip("0").rstrip(".") + "%"


def format_bytes(value: int | None) -> str:
    """A size in bytes, KiB, MiB or GiB."""
    if value is None:
        return "—"
    size = float(value)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


_DIGESTS: dict[str, str] = {}


def _visitor_or_nobody(request: Request) -> security.Visitor:
    try:
        return get_visitor(request)
    except Problem:  # a bad token: its error page is shown to nobody in particular
        return security.Visitor(None, "", None)


@pass_context
def _translate(context: Context, message: str, **values: Any) -> Markup:
    pages: Pages = context["request"].app.state.pages
    translated = Markup(pages.texts.get(message, context["lang"]))  # noqa: S704 - our own words; values are escaped
    return translated % values if values else translated


@pass_context
def _csrf_input(context: Context) -> Markup:
    token = csrf_token(context["request"])
    return Markup('<input type="hidden" name="{}" value="{}">').format(security.CSRF_FIELD, token)


@pass_context
def _sentence(context: Context, text: str | None) -> str:
    return sentence(text or "", context["lang"])


@pass_context
def _text(context: Context, value: Mapping[str, Any] | str | None) -> str:
    return _pick(value, context["lang"])


def _pick(value: Mapping[str, Any] | str | None, lang: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    other = "en" if lang == "zh" else "zh"
    return str(value.get(lang) or value.get(other) or "")


@pass_context
def _time(context: Context, value: datetime | str | None) -> str:
    if not value:
        return "—"
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    moment = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(CHINA)
    return moment.strftime("%Y-%m-%d %H:%M") if context["lang"] == "zh" else moment.strftime("%d %b %Y %H:%M")


@pass_context
def _day(context: Context, value: datetime | date | str | None) -> str:
    if not value:
        return "—"
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(CHINA).date()
    return value.strftime("%Y-%m-%d") if context["lang"] == "zh" else value.strftime("%d %b %Y")


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
