"""Appending to the ledger, signing its head, proofs and exports. The tree's rules are in ``tree.py``.

Appends are serialised by the row of ``ledger_head``: SQLite's writers hold the database (BEGIN IMMEDIATE), PostgreSQL
locks the row until the caller's transaction ends. An index is thus given once and never left out.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from opendata.db.base import utc_now
from opendata.errors import ConflictError, LedgerError, NotFoundError
from opendata.ledger import tree
from opendata.ledger.checkpoint import Checkpoint, SigningKey
from opendata.ledger.events import AuditEvent
from opendata.ledger.leaf import VERSION, canonical, commitment, leaf_text, payload_text
from opendata.ledger.models import LedgerCheckpoint, LedgerEntry, LedgerHead, LedgerNode, LedgerOpening

HEAD = 1
SALT_BYTES = 32
_CHUNK = 1000
SIGNED_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an event was recorded."""

    index: int
    leaf_hash: bytes


def append(session: Session, event: AuditEvent) -> Entry:
    """Append in the caller's writing transaction: the act and its entry stand or fall together.

    Raises LedgerError when the payload is not JSON or the head moved underneath.
    """
    index = _locked_size(session)
    try:
        payload = payload_text(event.actor_id, event.subject, event.payload)
    except (TypeError, ValueError):
        raise LedgerError(f"事件 {event.type} 的内容不是 JSON（payload is not JSON）") from None
    salt = secrets.token_bytes(SALT_BYTES)
    leaf = leaf_text(event.type, event.at, commitment(salt, payload))
    hashed = tree.leaf_hash(leaf.encode())
    session.add(LedgerEntry(index=index, type=str(event.type), at=event.at, leaf=leaf, leaf_hash=hashed))
    session.flush()  # the opening's and the nodes' rows refer to it
    session.add(LedgerOpening(index=index, subject=event.subject, actor_id=event.actor_id, salt=salt, payload=payload))
    for level, number, node in tree.completed_nodes(index, hashed, _stored_nodes(session)):
        session.add(LedgerNode(level=level, index=number, hash=node))
    moved = session.scalar(
        update(LedgerHead)
        .where(LedgerHead.id == HEAD, LedgerHead.size == index)
        .values(size=index + 1)
        .returning(LedgerHead.size)
        .execution_options(synchronize_session=False)
    )
    if moved is None:
        raise LedgerError("存证账本的头部被同时移动，本次操作未发生，请重试（ledger head moved）")
    session.flush()
    return Entry(index, hashed)


def size(session: Session) -> int:
    """How many entries there are."""
    return session.scalar(select(LedgerHead.size).where(LedgerHead.id == HEAD)) or 0


def root(session: Session, at_size: int) -> bytes:
    """The root hash over the first ``at_size`` entries."""
    return tree.root(at_size, _stored_nodes(session))


def sign_checkpoint(session: Session, key: SigningKey) -> LedgerCheckpoint | None:
    """Sign the present head; None when it is empty or signed already. The worker calls it when the tree grew.

    The key never signs a head that its last checkpoint is not a prefix of.
    """
    now = size(session)
    previous = latest_checkpoint(session)
    if now == 0 or (previous is not None and previous.size == now):
        return None
    current = root(session, now)
    if previous is not None:
        if previous.size > now:
            raise LedgerError("存证账本比已签名的检查点短，拒绝签名（ledger is shorter than its last checkpoint）")
        proof = tree.consistency_proof(previous.size, now, _stored_nodes(session))
        tree.verify_consistency(previous.size, now, previous.root, current, proof)
    note = key.sign(Checkpoint(key.name, now, current))
    checkpoint = LedgerCheckpoint(size=now, root=current, note=note, at=utc_now())
    session.add(checkpoint)
    session.flush()
    return checkpoint


def check_head(session: Session, *, now: datetime) -> None:
    """Raise LedgerError unless the tree still grows out of its newest checkpoint and growth is being signed.

    What the signer would refuse, asked by whoever wants to know: readiness, ``doctor``.
    """
    previous, present = latest_checkpoint(session), size(session)
    signed = previous.size if previous is not None else 0
    if signed > present:
        raise LedgerError("存证账本比已签名的检查点短，历史被改写（the ledger is shorter than its last checkpoint）")
    if previous is not None:
        if root(session, signed) != previous.root:
            raise LedgerError("存证账本与已签名的检查点不一致，历史被改写（the ledger's history was rewritten）")
        proof = tree.consistency_proof(signed, present, _stored_nodes(session))
        tree.verify_consistency(signed, present, previous.root, root(session, present), proof)
    waiting = session.get(LedgerEntry, signed)
    if waiting is not None and now - waiting.at > SIGNED_WITHIN:
        raise LedgerError("存证账本已增长但未签名，请查看后台进程日志（the ledger grew and is not being signed）")


def latest_checkpoint(session: Session) -> LedgerCheckpoint | None:
    """The newest signed head; None before the first."""
    return session.scalar(select(LedgerCheckpoint).order_by(LedgerCheckpoint.size.desc()).limit(1))


def inclusion(session: Session, index: int, at_size: int | None = None) -> tuple[bytes, list[bytes]]:
    """The leaf hash and its inclusion proof in the tree of ``at_size`` leaves (default: the latest checkpoint's).

    Raises NotFoundError for an index that is not (yet) covered.
    """
    if at_size is None:
        checkpoint = latest_checkpoint(session)
        at_size = checkpoint.size if checkpoint is not None else 0
    if not 0 <= index < at_size <= size(session):
        raise NotFoundError(f"存证 {index} 不存在或尚未被检查点覆盖（no such entry under that checkpoint）")
    nodes = _stored_nodes(session)
    return nodes(0, index), tree.inclusion_proof(index, at_size, nodes)


def consistency(session: Session, old_size: int, new_size: int) -> list[bytes]:
    """The proof that the tree of ``old_size`` is a prefix of the one of ``new_size``."""
    if new_size > size(session):
        raise NotFoundError("账本没有那么长（ledger is not that long）")
    return tree.consistency_proof(old_size, new_size, _stored_nodes(session))


def export(session: Session, path: Path, *, openings: Callable[[str], bool] | None = None) -> Path:
    """Write everything up to the latest checkpoint; ``openings`` says for which subjects they are included.

    The file is JSON Lines: a header, one line an entry, one line with every signed checkpoint. It appears complete or
    not at all. Raises ConflictError when no checkpoint is signed yet.
    """
    checkpoints = session.scalars(select(LedgerCheckpoint).order_by(LedgerCheckpoint.size)).all()
    if not checkpoints:
        raise ConflictError("还没有已签名的检查点；后台进程会在几秒内签名，请稍后重试（no checkpoint signed yet）")
    last = checkpoints[-1]
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(partial, "x", encoding="utf-8", newline="\n") as file:
            os.chmod(partial, 0o640)
            origin = last.note.split("\n", 1)[0]
            header = {"entries": last.size, "kind": "opendata-ledger-export", "origin": origin, "version": VERSION}
            file.write(canonical(header) + "\n")
            for start in range(0, last.size, _CHUNK):
                stop = min(start + _CHUNK, last.size)
                file.writelines(f"{line}\n" for line in _export_lines(session, start, stop, openings))
            file.write(canonical({"checkpoints": [each.note for each in checkpoints]}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_directory(path.parent)
    finally:
        partial.unlink(missing_ok=True)
    return path


def erase_opening(session: Session, index: int, *, audit: AuditEvent) -> None:
    """Destroy salt and payload of one entry; its leaf, and so every root and proof, stays."""
    opening = session.get(LedgerOpening, index)
    if opening is None:
        raise NotFoundError(f"存证 {index} 没有可擦除的内容（nothing to erase）")
    append(session, audit)
    session.delete(opening)
    session.flush()


def openings_of(session: Session, subject: str) -> list[tuple[LedgerEntry, LedgerOpening]]:
    """The entries about a subject whose openings still exist, oldest first."""
    rows = session.execute(
        select(LedgerEntry, LedgerOpening)
        .join(LedgerOpening, LedgerOpening.index == LedgerEntry.index)
        .where(LedgerOpening.subject == subject)
        .order_by(LedgerEntry.index)
    )
    return [(entry, opening) for entry, opening in rows]


def _locked_size(session: Session) -> int:
    head = session.execute(select(LedgerHead.size).where(LedgerHead.id == HEAD).with_for_update()).scalar()
    if head is None:
        raise LedgerError("存证账本尚未建立；请先执行数据库迁移（ledger head is missing: migrate first）")
    return head


def _stored_nodes(session: Session) -> tree.Nodes:
    def node(level: int, index: int) -> bytes:
        stored = session.scalar(select(LedgerNode.hash).where(LedgerNode.level == level, LedgerNode.index == index))
        if stored is None:
            raise LedgerError(f"存证账本缺少节点 {level}/{index}（a tree node is missing）")
        return stored

    return node


def _export_lines(session: Session, start: int, stop: int, openings: Callable[[str], bool] | None) -> list[str]:
    rows = session.execute(
        select(
            LedgerEntry.index.label("number"),
            LedgerEntry.leaf,
            LedgerOpening.subject,
            LedgerOpening.salt,
            LedgerOpening.payload,
        )
        .outerjoin(LedgerOpening, LedgerOpening.index == LedgerEntry.index)
        .where(LedgerEntry.index >= start, LedgerEntry.index < stop)
        .order_by(LedgerEntry.index)
    ).all()
    if [row.number for row in rows] != list(range(start, stop)):
        raise LedgerError("存证账本有缺口（entries are missing）")
    lines = []
    for row in rows:
        shown = row.salt is not None and (openings is None or openings(row.subject))
        opening = {"payload": json.loads(row.payload), "salt": row.salt.hex()} if shown else None
        lines.append(canonical({"index": row.number, "leaf": json.loads(row.leaf), "opening": opening}))
    return lines


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
