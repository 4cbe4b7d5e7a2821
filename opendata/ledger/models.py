"""Tables of the ledger: leaves, stored interior nodes, the head, erasable openings, signed checkpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db.base import Base

_Index = BigInteger().with_variant(Integer(), "sqlite")


class LedgerEntry(Base):
    """One leaf. ``leaf`` is the canonical JSON that is hashed; it holds a salted commitment, no content."""

    __tablename__ = "ledger_entries"

    index: Mapped[int] = mapped_column(_Index, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(100), index=True)
    at: Mapped[datetime]
    leaf: Mapped[str] = mapped_column(Text)
    leaf_hash: Mapped[bytes]


class LedgerOpening(Base):
    """What opens a commitment: salt and payload. Erasable; the leaf stays."""

    __tablename__ = "ledger_openings"

    index: Mapped[int] = mapped_column(
        _Index, ForeignKey("ledger_entries.index"), primary_key=True, autoincrement=False
    )
    subject: Mapped[str] = mapped_column(String(200), index=True)
    actor_id: Mapped[str | None] = mapped_column(String(36), index=True)
    salt: Mapped[bytes]
    payload: Mapped[str] = mapped_column(Text)


class LedgerNode(Base):
    """The hash of a complete subtree: ``2**level`` leaves from ``index * 2**level``. Level 0 is the leaves' own."""

    __tablename__ = "ledger_nodes"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(_Index, primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class LedgerHead(Base):
    """One row: how many leaves there are. Locked by whoever appends."""

    __tablename__ = "ledger_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(_Index)


class LedgerCheckpoint(Base):
    """A signed tree head, as it was handed out."""

    __tablename__ = "ledger_checkpoints"

    size: Mapped[int] = mapped_column(_Index, primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


Payload = dict[str, Any]
