"""Appending to the ledger, signing its head, proofs and exports. The tree's rules are in ``tree.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from opendata.ledger.checkpoint import SigningKey
from opendata.ledger.events import AuditEvent
from opendata.ledger.models import LedgerCheckpoint


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an event was recorded."""

    index: int
    leaf_hash: bytes


def append(session: Session, event: AuditEvent) -> Entry:
    """Append in the caller's writing transaction: the act and its entry stand or fall together."""
    raise NotImplementedError


def sign_checkpoint(session: Session, key: SigningKey) -> LedgerCheckpoint | None:
    """Sign the present head; None when it is empty or signed already. The worker calls it when the tree grew."""
    raise NotImplementedError


def latest_checkpoint(session: Session) -> LedgerCheckpoint | None:
    raise NotImplementedError


def inclusion(session: Session, index: int, size: int | None = None) -> tuple[bytes, list[bytes]]:
    """The leaf hash and its inclusion proof in the tree of ``size`` leaves (default: the latest checkpoint's)."""
    raise NotImplementedError


def consistency(session: Session, old_size: int, new_size: int) -> list[bytes]:
    raise NotImplementedError


def export(session: Session, path: Path, *, openings: Callable[[str], bool] | None = None) -> Path:
    """Write everything up to the latest checkpoint; ``openings`` says for which subjects they are included."""
    raise NotImplementedError


def erase_opening(session: Session, index: int, *, audit: AuditEvent) -> None:
    """Destroy salt and payload of one entry; its leaf, and so every root and proof, stays."""
    raise NotImplementedError
