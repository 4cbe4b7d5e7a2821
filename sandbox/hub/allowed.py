"""What a session may ask through its gate: four calls of the hub, and its own workspace's pages of the service.

Pure: a request's method, path and query in, a decision out. Everything not named is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

KIB = 1024
MIB = 1024 * KIB
_TARGET = re.compile(r"/[A-Za-z0-9._~%/-]*")
_QUERY = re.compile(r"[A-Za-z0-9._~%=&+-]*")
_LONGEST_TARGET = 2000

HUB_ANSWER_BYTES = 256 * KIB


class Call(Enum):
    """What a request is, once it is allowed."""

    VERSION = "version"
    USER = "user"
    TOKEN = "token"  # noqa: S105
    ACTIVITY = "activity"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Allowed:
    """An allowed request and how much may go in and come back, in bytes."""

    call: Call
    request_bytes: int
    answer_bytes: int


@dataclass(frozen=True, slots=True)
class _Page:
    """A page below ``/api/v1/workspaces/<own>/``: its first part, how many parts follow at most, methods, body."""

    parts: int
    methods: frozenset[str]
    request_bytes: int = 0
    answer_bytes: int = 2 * MIB


_READ = frozenset({"GET"})
_WRITE = frozenset({"POST"})
PAGES: dict[str, _Page] = {
    "": _Page(0, _READ),
    "datasets": _Page(0, _READ),
    "practice": _Page(1, _READ, answer_bytes=64 * MIB),
    "check": _Page(0, _WRITE, request_bytes=16 * MIB),
    "queries": _Page(1, _READ | _WRITE, request_bytes=64 * KIB),
    "budget": _Page(0, _READ),
    "imports": _Page(1, _READ),
    "jobs": _Page(2, _READ | _WRITE, request_bytes=16 * MIB),
    "outputs": _Page(2, _READ, answer_bytes=64 * MIB),
}


def allow(method: str, path: str, query: str, *, user: str, workspace: str) -> Allowed | None:
    """The decision about one request of the session of ``user`` in ``workspace``; None refuses.

    ``path`` and ``query`` are as they came, still percent-encoded. ``user`` is percent-encoded as in the hub's paths.
    """
    if len(path) + len(query) > _LONGEST_TARGET or not _TARGET.fullmatch(path) or not _QUERY.fullmatch(query):
        return None
    return _hub_call(method, path, query, user) or _service_call(method, path, workspace)


def _hub_call(method: str, path: str, query: str, user: str) -> Allowed | None:
    if query:
        return None
    if method == "GET" and path in {"/hub/api", "/hub/api/"}:
        return Allowed(Call.VERSION, 0, HUB_ANSWER_BYTES)
    if method == "GET" and path == "/hub/api/user":
        return Allowed(Call.USER, 0, HUB_ANSWER_BYTES)
    if method == "POST" and path == "/hub/api/oauth2/token":
        return Allowed(Call.TOKEN, 16 * KIB, HUB_ANSWER_BYTES)
    if method == "POST" and path == f"/hub/api/users/{user}/activity":
        return Allowed(Call.ACTIVITY, 16 * KIB, HUB_ANSWER_BYTES)
    return None


def _service_call(method: str, path: str, workspace: str) -> Allowed | None:
    own = f"/api/v1/workspaces/{workspace}"
    if path != own and not path.startswith(own + "/"):
        return None
    parts = path.removeprefix(own).split("/")[1:] or [""]
    if parts != [""] and not all(_plain(part) for part in parts):
        return None
    page = PAGES.get(parts[0])
    if page is None or len(parts) - 1 > page.parts or method not in page.methods:
        return None
    return Allowed(Call.SERVICE, page.request_bytes if method == "POST" else 0, page.answer_bytes)


def _plain(part: str) -> bool:
    """One path part that stays one part however it is decoded."""
    text = unquote(part)
    return bool(text) and text not in {".", ".."} and not set(text) & set("/\\%?#") and text.isprintable()
