"""Tables of the import airlock: versions of imports and what the owners of the joined data said.

Nothing here holds a cell value: profiles are counts, errors name columns and lines. How many persons of an import
occur in a dataset is never here either: those counts are sealed in the vault's quarantine (PRIVACY.md 14, 22).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id
from sandbox.imports.states import ImportState


class Import(Base):
    """One version of one import. The bytes are in the vault under a data key of its own, named by ``id``."""

    __tablename__ = "imports"
    __table_args__ = (UniqueConstraint("workspace_id", "name", "number", name="uq_imports_version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    filename: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), default=ImportState.UPLOADED, index=True)
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    format: Mapped[str | None] = mapped_column(String(16))
    rows: Mapped[int | None] = mapped_column(BigInteger)
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the upload's clear bytes."""
    schema: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    profile: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    key_candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{column, reason{zh,en}}]: columns by which a person can be found in another table."""
    near_groups: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{columns, pairs}]: groups of two columns that differ in few records, for the reviewer."""
    error: Mapped[str] = mapped_column(Text, default="")
    """``中文 · english``; why the scan or the comparison with earlier versions refused it."""
    proposed_level: Mapped[str | None] = mapped_column(String(16))
    level: Mapped[str | None] = mapped_column(String(16))
    joined_level: Mapped[str | None] = mapped_column(String(16))
    joined_reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{id, level, zh, en, clause_zh, clause_en}]: the rules that made the joined level."""
    person_keys: Mapped[list[str] | None] = mapped_column(JSON)
    not_keys: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Candidates that the uploader says are no person keys, each with the reason the reviewer reads."""
    purpose: Mapped[str] = mapped_column(Text, default="")
    legal_basis: Mapped[str] = mapped_column(String(32), default="")
    legal_note: Mapped[str] = mapped_column(Text, default="")
    assessment: Mapped[str] = mapped_column(Text, default="")
    assessed_on: Mapped[str] = mapped_column(String(10), default="")
    assessed_by: Mapped[str] = mapped_column(Text, default="")
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decision_reason: Mapped[str] = mapped_column(Text, default="")
    mounted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[str] = mapped_column(String(16), default="")
    """How a destroyed import ended: rejected, refused or withdrawn."""
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    forgotten_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the fingerprints of its persons were destroyed."""
    job_id: Mapped[str | None] = mapped_column(String(36))


class ImportConsent(Base):
    """What a providing department said about joining one import with one of its datasets. Never changed."""

    __tablename__ = "import_consents"
    __table_args__ = (UniqueConstraint("import_id", "dataset_id", name="uq_import_consents_dataset"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    approve: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime] = mapped_column(UTCDateTime)
