"""Tables of the catalogue.

An ``Edition`` stands here, not in publishing, because every door reads it and doors may not import publishing.
No table here ever holds a cell value of a raw table.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id


class DatasetState(StrEnum):
    """Life of a catalogue entry."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class Visibility(StrEnum):
    """Who may learn that a dataset exists."""

    PUBLIC = "public"
    DEPARTMENT = "department"
    NONE = "none"


class EditionKind(StrEnum):
    """One record per unit, or a table of groups."""

    MICRODATA = "microdata"
    AGGREGATE = "aggregate"


class EditionState(StrEnum):
    """Life of an edition; the moves between these are data in ``opendata.publishing.states``."""

    BUILDING = "building"
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    APPROVED = "approved"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    DESTROYED = "destroyed"
    REJECTED = "rejected"
    FAILED = "failed"


class Dataset(Base):
    """A catalogue entry (数据集). Exists before any file does."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    title_zh: Mapped[str] = mapped_column(Text)
    title_en: Mapped[str] = mapped_column(Text)
    summary_zh: Mapped[str] = mapped_column(Text, default="")
    summary_en: Mapped[str] = mapped_column(Text, default="")
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    level: Mapped[str | None] = mapped_column(String(16))
    """Level of the raw table; null until an officer confirms one, and until then no door opens."""
    level_reason: Mapped[str] = mapped_column(Text, default="")
    """Why the confirmed level is below the proposed one; empty when it is not."""
    level_overruled: Mapped[str | None] = mapped_column(String(16))
    """The proposed level that ``level_reason`` overrules; a higher proposal needs a new confirmation."""
    visibility: Mapped[str] = mapped_column(String(16), default=Visibility.PUBLIC)
    negative_list: Mapped[bool] = mapped_column(Boolean, default=False)
    negative_basis_zh: Mapped[str] = mapped_column(Text, default="")
    negative_basis_en: Mapped[str] = mapped_column(Text, default="")
    theme: Mapped[str] = mapped_column(String(64), default="")
    keywords: Mapped[list[str]] = mapped_column(JSON, default=list)
    update_frequency: Mapped[str] = mapped_column(String(32), default="irregular")
    origin_zh: Mapped[str] = mapped_column(Text, default="")
    origin_en: Mapped[str] = mapped_column(Text, default="")
    licence: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default=DatasetState.DRAFT)
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    current_edition_id: Mapped[str | None] = mapped_column(String(36))
    """The edition that the doors serve now. No foreign key: it would close a circle with ``editions``."""


class InformationItem(Base):
    """One attribute of a dataset as the catalogue describes it (信息项)."""

    __tablename__ = "information_items"
    __table_args__ = (UniqueConstraint("dataset_id", "name"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    title_zh: Mapped[str] = mapped_column(Text, default="")
    title_en: Mapped[str] = mapped_column(Text, default="")
    data_type: Mapped[str] = mapped_column(String(32))
    role: Mapped[str] = mapped_column(String(32))
    level: Mapped[str | None] = mapped_column(String(16))
    reason_zh: Mapped[str] = mapped_column(Text, default="")
    reason_en: Mapped[str] = mapped_column(Text, default="")
    clause: Mapped[str] = mapped_column(Text, default="")
    invented: Mapped[bool] = mapped_column(Boolean, default=False)


class RecipientLine(Base):
    """One line of editions for one recipient (organisation × purpose); owns one random pseudonym key.

    ``organization_id`` null is the public line. ``destroyed_at`` tells that its key is gone for good.
    """

    __tablename__ = "recipient_lines"
    __table_args__ = (Index("ix_recipient_lines_dataset_organization", "dataset_id", "organization_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    purpose: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    destroyed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Edition(Base):
    """One intake × one masking-policy version × one recipient line (发布版本); immutable content."""

    __tablename__ = "editions"
    __table_args__ = (Index("ix_editions_dataset_state", "dataset_id", "state"), Index("ix_editions_digest", "digest"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    intake_id: Mapped[str] = mapped_column(ForeignKey("intakes.id"))
    policy_version_id: Mapped[str] = mapped_column(ForeignKey("policy_versions.id"))
    line_id: Mapped[str | None] = mapped_column(ForeignKey("recipient_lines.id"))
    """Null is the public line. A conditional edition's own line is the base from which recipients' lines are made."""
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("editions.id"))
    """Set on a recipient's re-keyed edition: the reviewed edition it repeats under another key."""
    kind: Mapped[str] = mapped_column(String(16), default=EditionKind.MICRODATA)
    state: Mapped[str] = mapped_column(String(16), default=EditionState.BUILDING)
    level: Mapped[str | None] = mapped_column(String(16))
    opening_class: Mapped[str] = mapped_column(String(16))
    effect: Mapped[int | None] = mapped_column(Integer)
    legal_status: Mapped[str | None] = mapped_column(String(16))
    legal_basis: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over the list of files; the name of the folder in the edition store."""
    table_digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the canonical CSV: the same table in other bytes has the same table digest."""
    rows: Mapped[int | None] = mapped_column(BigInteger)
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{name, format, bytes, sha256}]"""
    public_report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    internal_report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    checklist: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    assessment: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    submitted_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    submitted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reviewed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    reviewed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    review_note: Mapped[str] = mapped_column(Text, default="")
    opinion: Mapped[str] = mapped_column(Text, default="")
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    withdraw_reason: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    job_id: Mapped[str | None] = mapped_column(String(36))
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SearchDocument(Base):
    """What of a dataset can be searched: its own published words, folded. Never a cell value."""

    __tablename__ = "search_documents"

    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class SearchToken(Base):
    """One CJK character or bigram, or one word, of a dataset's searchable text."""

    __tablename__ = "search_tokens"
    __table_args__ = (Index("ix_search_tokens_token", "token"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    weight: Mapped[int] = mapped_column(Integer)
