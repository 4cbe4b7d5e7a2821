"""Passing a door: decide, record, then serve. Every way to published rows goes through here.

The order matters (PRIVACY.md 26): who may take the edition is decided before a file's size, date, tag or range is
looked at. Conditional answers are private, not stored, and carry tags that say nothing about the content.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response, StreamingResponse
from sqlalchemy.orm import Session
from starlette.types import Message, Receive, Scope, Send

from opendata.access.door import OpenEdition, open_edition, record_access, still_open
from opendata.access.errors import AccessDenied
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset
from opendata.db import Database, utc_now
from opendata.errors import NotFoundError
from opendata.identity import Actor
from opendata.storage.editions import EditionStore
from opendata.web.problems import Problem

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
BOM = b"\xef\xbb\xbf"
RECHECK_S = 5.0
CHUNK_BYTES = 256 * 1024
_TAG_KEY = secrets.token_bytes(32)  # of this process: a tag of a conditional file need not outlive it


@dataclass(frozen=True, slots=True)
class Passage:
    """An open door that was recorded: the dataset, the edition, and by whose right."""

    dataset: Dataset
    opened: OpenEdition

    def file(self, format_: str) -> Mapping[str, Any]:
        """The edition's file of a format. Raises NotFoundError."""
        for item in self.opened.files:
            if item.get("format") == format_:
                return item
        known = sorted(str(item.get("format")) for item in self.opened.files)
        raise NotFoundError(f"没有 {format_} 格式；可用格式：{known}（no such format）")


def app_key(request: Request) -> str | None:
    """The programme's key, from the header ``X-App-Key``."""
    return request.headers.get("x-app-key") or None


def enter(
    request: Request, name: str, *, actor: Actor | None, door: str, rows: int | None = None, nbytes: int | None = None
) -> Passage:
    """Open the door ``door`` of the dataset ``name`` and record the passage. Raises DatasetNotFound, AccessDenied.

    For conditional data the decision and its record are one writing transaction, so that a quota cannot be overrun by
    calls at the same moment.
    """
    database: Database = request.app.state.database
    with database.session() as session:
        passage = _decide(request, session, name, actor)
    with database.begin() as session:
        if passage.opened.conditional:
            passage = _decide(request, session, name, actor)
        record_access(session, passage.opened, door=door, actor=actor, rows=rows, nbytes=nbytes, now=utc_now())
    return passage


def look(request: Request, session: Session, dataset: Dataset, actor: Actor | None) -> OpenEdition | None:
    """The edition this visitor could take, without passing: for pages that show what is possible."""
    try:
        return open_edition(
            session,
            dataset,
            actor=actor,
            app_key=app_key(request),
            grades=request.app.state.grades,
            now=utc_now(),
        )
    except AccessDenied:
        return None


def path_of(request: Request, passage: Passage, format_: str) -> Path:
    """Where the edition's file of a format lies in open storage."""
    store: EditionStore = request.app.state.editions
    edition = passage.opened.edition
    if edition.digest is None:
        raise Problem.not_found()
    return store.path(edition.digest, str(passage.file(format_)["name"]))


def send_file(request: Request, passage: Passage, format_: str, *, bom: bool) -> Response:
    """The file with tag, ranges and ``304``; cut off when the right to it ends while it is being sent."""
    path = path_of(request, passage, format_)
    headers = _headers(passage, format_, bom=bom)
    if _matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers={k: v for k, v in headers.items() if k != "Content-Disposition"})
    if bom and format_ == "csv":
        headers["Content-Length"] = str(path.stat().st_size + len(BOM))
        body = iter(()) if request.method == "HEAD" else _with_bom(path, request.app.state.database, passage.opened)
        return StreamingResponse(body, headers=headers, media_type=MEDIA_TYPES["csv"])
    return _GuardedFile(
        path, headers, MEDIA_TYPES.get(format_, "application/octet-stream"), request.app.state.database, passage.opened
    )


def _decide(request: Request, session: Session, name: str, actor: Actor | None) -> Passage:
    dataset = catalog.get(session, name, actor)
    opened = open_edition(
        session, dataset, actor=actor, app_key=app_key(request), grades=request.app.state.grades, now=utc_now()
    )
    return Passage(dataset, opened)


def _headers(passage: Passage, format_: str, *, bom: bool) -> dict[str, str]:
    item = passage.file(format_)
    digest = str(item["sha256"])
    tag = digest
    if passage.opened.grant is not None:
        seed = f"{passage.opened.grant.id}:{digest}".encode()
        tag = hmac.new(_TAG_KEY, seed, hashlib.sha256).hexdigest()
    headers = {
        "ETag": f'"{tag[:40]}{"-bom" if bom else ""}"',
        "Content-Disposition": f'attachment; filename="{passage.dataset.name}.{format_}"',
        "X-Content-Type-Options": "nosniff",
    }
    if passage.opened.conditional:
        headers |= {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie, X-App-Key"}
    else:
        headers |= {"Cache-Control": "public, no-cache"}
    return headers


def _matches(given: str | None, tag: str) -> bool:
    if not given:
        return False
    return given.strip() == "*" or tag in {item.strip().removeprefix("W/") for item in given.split(",")}


def _with_bom(path: Path, database: Database, opened: OpenEdition) -> Iterator[bytes]:
    checked = time.monotonic()
    yield BOM
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            if time.monotonic() - checked > RECHECK_S:
                _check_still_open(database, opened)
                checked = time.monotonic()
            yield chunk


def _check_still_open(database: Database, opened: OpenEdition) -> None:
    """Cut a running download whose right ended: the reader sees a broken connection, never a whole file."""
    with database.session() as session:
        if not still_open(session, opened, now=utc_now()):
            raise ConnectionAbortedError


class _GuardedFile(FileResponse):
    def __init__(
        self, path: Path, headers: dict[str, str], media_type: str, database: Database, opened: OpenEdition
    ) -> None:
        super().__init__(path, headers=headers, media_type=media_type)
        self.database, self.opened = database, opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        checked = time.monotonic()

        async def guarded(message: Message) -> None:
            nonlocal checked
            if message["type"] == "http.response.body" and time.monotonic() - checked > RECHECK_S:
                await run_in_threadpool(_check_still_open, self.database, self.opened)
                checked = time.monotonic()
            await send(message)

        await super().__call__(scope, receive, guarded)
