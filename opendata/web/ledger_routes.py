"""The ledger for everybody: checkpoint, key, proofs; and the auditor's pages."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from sqlalchemy import select

from opendata.db import utc_now
from opendata.errors import LedgerError, NotFoundError
from opendata.identity import Actor, Role
from opendata.ledger import service as ledger
from opendata.ledger import tree
from opendata.ledger.checkpoint import Verifier
from opendata.ledger.models import LedgerCheckpoint, LedgerEntry, LedgerOpening
from opendata.storage.keys import public_key
from opendata.web.deps import OptionalActor, SessionDep, SettingsDep, require
from opendata.web.rendering import render

router = APIRouter()

PAGE_SIZE = 50
CHECKED_NOTES = 200
AUDITORS = frozenset({Role.AUDITOR, Role.AUDIT_ADMIN})
Auditor = Annotated[Actor, Depends(require(Role.AUDITOR, Role.AUDIT_ADMIN))]


@router.get("/ledger/checkpoint", tags=["ledger"], response_class=PlainTextResponse)
def checkpoint(session: SessionDep) -> Response:
    """The newest signed tree head (C2SP checkpoint). Keep it: it detects a later rewrite."""
    latest = ledger.latest_checkpoint(session)
    if latest is None:
        raise NotFoundError("还没有已签名的检查点（no checkpoint signed yet）")
    return PlainTextResponse(latest.note, headers={"Cache-Control": "no-cache"})


@router.get("/ledger/key", tags=["ledger"], response_class=PlainTextResponse)
def key(settings: SettingsDep) -> Response:
    """The public key that verifies checkpoints (note verifier line)."""
    return PlainTextResponse(public_key(settings, "checkpoint").decode())


@router.get("/ledger/release-key", tags=["ledger"], response_class=PlainTextResponse)
def release_key(settings: SettingsDep) -> Response:
    """The public key that verifies receipts of editions and releases (PEM)."""
    return PlainTextResponse(public_key(settings, "release").decode())


@router.get("/ledger/proof/{index}", tags=["ledger"])
def proof(index: int, session: SessionDep) -> dict[str, Any]:
    """That entry ``index`` is in the tree of the newest checkpoint: its leaf and the RFC 9162 inclusion proof."""
    latest = ledger.latest_checkpoint(session)
    entry = session.get(LedgerEntry, index)
    if latest is None or entry is None or index >= latest.size:
        raise NotFoundError("没有这条存证，或检查点尚未覆盖（no such entry under the newest checkpoint）")
    leaf_hash, path = ledger.inclusion(session, index, latest.size)
    return {
        "version": 1,
        "index": index,
        "tree_size": latest.size,
        "leaf": entry.leaf,
        "leaf_hash": base64.b64encode(leaf_hash).decode(),
        "proof": [base64.b64encode(node).decode() for node in path],
        "root": base64.b64encode(latest.root).decode(),
        "checkpoint": latest.note,
    }


@router.get("/ledger/consistency", tags=["ledger"])
def consistency(
    session: SessionDep, old: Annotated[int, Query(ge=1)], new: Annotated[int | None, Query(ge=1)] = None
) -> dict[str, Any]:
    """That the tree of ``old`` entries is a prefix of the one of ``new`` (default: the newest checkpoint's)."""
    latest = ledger.latest_checkpoint(session)
    size = new or (latest.size if latest else 0)
    if latest is None or not old <= size <= latest.size:
        raise NotFoundError("账本没有那么长（the ledger is not that long）")
    path = ledger.consistency(session, old, size)
    return {"version": 1, "old": old, "new": size, "proof": [base64.b64encode(node).decode() for node in path]}


@router.get("/ledger", include_in_schema=False)
def ledger_page(
    request: Request,
    session: SessionDep,
    actor: OptionalActor,
    settings: SettingsDep,
    page: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    """Head and how to verify, for everybody; entries with what they say, for auditors."""
    latest = ledger.latest_checkpoint(session)
    auditor = actor is not None and bool(actor.roles & AUDITORS)
    size = ledger.size(session)
    entries: list[tuple[LedgerEntry, LedgerOpening | None]] = []
    if auditor:
        top = size - (page - 1) * PAGE_SIZE
        query = (
            select(LedgerEntry, LedgerOpening)
            .outerjoin(LedgerOpening, LedgerOpening.index == LedgerEntry.index)
            .where(LedgerEntry.index < top, LedgerEntry.index >= top - PAGE_SIZE)
            .order_by(LedgerEntry.index.desc())
        )
        entries = [(entry, opening) for entry, opening in session.execute(query)]
    return render(
        request,
        "ledger.html",
        latest=latest,
        size=size,
        auditor=auditor,
        entries=[(entry, opening, _payload(opening)) for entry, opening in entries],
        page=page,
        pages=max(1, -(-size // PAGE_SIZE)),
        verdict=_verify_head(session, settings, latest) if auditor and latest else None,
        verifier=_key_or_none(settings),
        now=utc_now(),
    )


@router.get("/console/ledger/export", include_in_schema=False)
def export(request: Request, auditor: Auditor) -> Response:
    """The whole ledger up to the newest checkpoint with all openings, for offline verification."""
    del auditor
    folder = tempfile.TemporaryDirectory(prefix="opendata-export-")
    path = Path(folder.name) / "ledger.jsonl"
    try:
        with request.app.state.database.session() as session:
            ledger.export(session, path, openings=lambda _: True)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Content-Disposition": 'attachment; filename="ledger.jsonl"', "Cache-Control": "private, no-store"}
    return StreamingResponse(_chunks(path, folder), media_type="application/x-ndjson", headers=headers)


def _chunks(path: Path, folder: tempfile.TemporaryDirectory[str]) -> Iterator[bytes]:
    with folder, path.open("rb") as stream:
        while chunk := stream.read(256 * 1024):
            yield chunk


def _verify_head(session: SessionDep, settings: SettingsDep, latest: LedgerCheckpoint) -> dict[str, Any]:
    """Recompute the root and check signatures and consistency of the newest kept checkpoints, here and now."""
    newest = select(LedgerCheckpoint).order_by(LedgerCheckpoint.size.desc()).limit(CHECKED_NOTES)
    notes = list(reversed(session.scalars(newest).all()))
    try:
        _check_notes(session, settings, notes, latest)
    except LedgerError as error:
        return {"checked": len(notes), "broken": str(error)}
    return {"checked": len(notes), "broken": ""}


def _check_notes(
    session: SessionDep, settings: SettingsDep, notes: list[LedgerCheckpoint], latest: LedgerCheckpoint
) -> None:
    verifier = Verifier.parse(public_key(settings, "checkpoint").decode())
    for note in notes:
        head = verifier.verify(note.note)
        if (head.size, head.root) != (note.size, note.root):
            raise LedgerError("检查点与其签名内容不一致（a stored checkpoint differs from its note）")
    for older, newer in pairwise(notes):
        path = ledger.consistency(session, older.size, newer.size)
        tree.verify_consistency(older.size, newer.size, older.root, newer.root, path)
    if ledger.root(session, latest.size) != latest.root:
        raise LedgerError("账本内容与检查点的根不一致（the entries do not give the signed root）")


def _payload(opening: LedgerOpening | None) -> str:
    if opening is None:
        return ""
    document = json.loads(opening.payload)
    inner = document.get("payload", document) if isinstance(document, dict) else document
    return json.dumps(inner, ensure_ascii=False)


def _key_or_none(settings: SettingsDep) -> str | None:
    try:
        return public_key(settings, "checkpoint").decode().strip()
    except (OSError, NotFoundError):
        return None
