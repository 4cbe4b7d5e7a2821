"""Tables of the airlock: requests to let an output leave, checkers, votes, released bundles.

Rows hold digests, states and the checkers' own words. Output cells and findings about them are in the
vault's quarantine, encrypted; only the worker opens it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id


class ReleaseRequest(Base):
    """The request to let one sealed job's output leave (出域申请). One for every sealed run, even a failed one.

    ``object_name`` is the quarantined package: canonical files, findings, code, executed notebook.
    ``files`` (names and digests of the canonical files) is for checkers and the release step only.
    """

    __tablename__ = "release_requests"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("sandbox_jobs.id"), unique=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    state: Mapped[str] = mapped_column(String(16), default="submitted", index=True)
    level: Mapped[str] = mapped_column(String(16))
    checkers_needed: Mapped[int]
    excluded_organizations: Mapped[list[str]] = mapped_column(JSON)
    object_name: Mapped[str | None] = mapped_column(String(200))
    files: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    blocking_findings: Mapped[int] = mapped_column(default=0)
    findings_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    forwarded: Mapped[str | None] = mapped_column(String(32))
    release_job_id: Mapped[str | None] = mapped_column(String(36))


class Assignment(Base):
    """A checker drawn for a release request or a code review (``kind``: ``output`` or ``code``)."""

    __tablename__ = "airlock_assignments"
    __table_args__ = (UniqueConstraint("kind", "subject_id", "checker_id", name="uq_airlock_assignments_checker"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(8))
    subject_id: Mapped[str] = mapped_column(String(36), index=True)
    checker_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    position: Mapped[int]
    drawn_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Vote(Base):
    """One checker's decision with its explanation. Never changed once cast."""

    __tablename__ = "airlock_votes"
    __table_args__ = (UniqueConstraint("kind", "subject_id", "checker_id", name="uq_airlock_votes_checker"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(8))
    subject_id: Mapped[str] = mapped_column(String(36), index=True)
    checker_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    decision: Mapped[str] = mapped_column(String(16))
    explanation: Mapped[str] = mapped_column(Text)
    forward: Mapped[str | None] = mapped_column(String(32))
    cast_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CodeReview(Base):
    """Review of one snapshot of code before its first sealed run; unchanged reruns need none.

    ``scope_digest`` binds workspace, code and datasets: the same code over another dataset is new.
    """

    __tablename__ = "code_reviews"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    scope_digest: Mapped[str] = mapped_column(String(64), unique=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("sandbox_jobs.id"))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    code_digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="in_review", index=True)
    excluded_organizations: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SeededCase(Base):
    """A made-up output that measures one checker (PRIVACY.md 21): made from practice data, never released.

    ``good`` tells the right vote, ``template`` what was planted. Its package lies in the quarantine as a real one does.
    """

    __tablename__ = "seeded_cases"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    checker_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    template: Mapped[str] = mapped_column(String(40))
    good: Mapped[bool]
    state: Mapped[str] = mapped_column(String(16), default="in_review", index=True)
    level: Mapped[str] = mapped_column(String(16))
    checkers_needed: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(Text)
    entry: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    scored_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    hit: Mapped[bool | None]


class ReleasedOutput(Base):
    """A bundle that left: canonical files, ``sdc-record.json`` and its signature, in the ledger first."""

    __tablename__ = "released_outputs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    request_id: Mapped[str] = mapped_column(ForeignKey("release_requests.id"), unique=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    record_digest: Mapped[str] = mapped_column(String(64))
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    ledger_index: Mapped[int]
    released_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    revoke_reason: Mapped[str | None] = mapped_column(Text)


class PracticeCheck(Base):
    """Findings of the checks on a file a member made from practice data: hers to read in full."""

    __tablename__ = "practice_checks"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    filename: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    findings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    files: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    job_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
