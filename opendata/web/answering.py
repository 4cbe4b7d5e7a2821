"""Answers for what went wrong: RFC 9457 for programs, a page for people, a redirect for who has to sign in.

Which problem an exception is stands in ``problems``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from masking.errors import MaskingError
from opendata.web.problems import ERRORS, Problem, Text, describe
from opendata.web.rendering import language, render

MULTIPLE = "mul"
API_PREFIXES = ("/api/", "/oidc/", "/ledger/", "/healthz", "/readyz", "/metrics")


def install(app: FastAPI) -> None:
    """Register the handlers; sync, so that a page may look up its visitor."""
    app.add_exception_handler(Problem, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(MaskingError, _answer)
    for kind in ERRORS:
        app.add_exception_handler(kind, _answer)


class Shield:
    """ASGI middleware around everything: an unforeseen error becomes a plain answer with a reference number.

    Starlette's own handler would raise again, and the server would log the exception's text, which may quote a cell.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer for what nobody foresaw, unless an answer has begun."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the last place where it can be caught
            if begun:
                describe(error)  # logs it; the cut connection tells the reader that the answer is not whole
                raise ConnectionAbortedError from None
            response = await run_in_threadpool(_answer, Request(scope), error)
            await response(scope, receive, send)


def as_json(request: Request, problem: Problem) -> dict[str, Any]:
    """The RFC 9457 object in the reader's language; each text in all languages for who asks for ``mul`` (ISO 639-2)."""
    lang = language(request)
    every = request.headers.get("accept-language", "").lower().startswith(MULTIPLE)

    def said(words: Text) -> Any:
        return dict(words) if every else words[lang]

    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": said(problem.title),
        "status": problem.status,
        "instance": request.url.path,
    }
    if problem.detail:
        body["detail"] = said(problem.detail)
    if problem.help:
        body["help"] = said(problem.help)
    if problem.link:
        body["link"] = problem.link
    if problem.clause:
        body["clause"] = said(problem.clause)
    return body | problem.extra


def wants_json(request: Request) -> bool:
    """Whether the answer goes to a program: API paths always, other paths when they ask for JSON."""
    if request.url.path.startswith(API_PREFIXES):
        return True
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def _answer(request: Request, error: Exception) -> Response:
    problem = describe(error)
    if wants_json(request):
        media = "application/problem+json"
        return JSONResponse(as_json(request, problem), problem.status, headers=problem.headers, media_type=media)
    if problem.slug == "sign-in-needed" and request.method in {"GET", "HEAD"} and "hx-request" not in request.headers:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
    return render(request, "problem.html", status_code=problem.status, headers=problem.headers, problem=problem)
