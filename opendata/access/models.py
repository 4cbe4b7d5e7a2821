"""Tables of access: applications, grants, app keys and the access log."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id


class RequestState(StrEnum):
    """Life of an application."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class GrantBasis(StrEnum):
    """What a grant rests on."""

    APPLICATION = "application"
    CONSENT = "consent"
    CENTRAL_AUTHORIZATION = "central_authorization"


class AccessRequest(Base):
    """A use application (使用申请) for a conditional dataset."""

    __tablename__ = "access_requests"
    __table_args__ = (Index("ix_access_requests_dataset_state", "dataset_id", "state"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    scenario: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    term_days: Mapped[int] = mapped_column(Integer)
    safeguards: Mapped[str] = mapped_column(Text)
    pledge: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16), default=RequestState.SUBMITTED)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")


class Grant(Base):
    """A use permission (使用许可): term, quota and purpose of one recipient."""

    __tablename__ = "grants"
    __table_args__ = (Index("ix_grants_user_dataset", "user_id", "dataset_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    basis: Mapped[str] = mapped_column(String(32), default=GrantBasis.APPLICATION)
    request_id: Mapped[str | None] = mapped_column(ForeignKey("access_requests.id"), unique=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    purpose: Mapped[str] = mapped_column(Text)
    line_id: Mapped[str | None] = mapped_column(ForeignKey("recipient_lines.id"))
    """The recipient's own line; null when the edition holds no keyed pseudonyms and the public line serves."""
    edition_id: Mapped[str | None] = mapped_column(ForeignKey("editions.id"))
    """The edition this grant opens: the recipient's own re-keyed one, or the reviewed one itself."""
    quota_per_day: Mapped[int] = mapped_column(Integer)
    """Calls of any door in one UTC day."""
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    job_id: Mapped[str | None] = mapped_column(String(36))
    """The job that builds the recipient's own edition."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class AppKey(Base):
    """A programme's key to one grant. Only its SHA-256 is kept; the clear key is shown once."""

    __tablename__ = "app_keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id"), index=True)
    prefix: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AccessLog(Base):
    """One passage through a door: who, what, through which door, how much."""

    __tablename__ = "access_log"
    __table_args__ = (Index("ix_access_log_grant_at", "grant_id", "at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    grant_id: Mapped[str | None] = mapped_column(ForeignKey("grants.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    edition_id: Mapped[str | None] = mapped_column(ForeignKey("editions.id"))
    door: Mapped[str] = mapped_column(String(32))
    """preview, rows, download, ckan, sandbox."""
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
