"""Tables of the workspaces: projects, members, datasets and the jobs they submitted.

A job row never holds output, log text of a sealed run, or anything measured on raw data that its
author may read; what a sealed run produced lives encrypted in the vault's quarantine.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id


class Workspace(Base):
    """A sandbox project: one purpose, some datasets, some people, a last day."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(Text)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    state: Mapped[str] = mapped_column(String(16), default="applied", index=True)
    term_days: Mapped[int]
    applied_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decision_reason: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When homes and practice data of an ended workspace were removed."""
    bits_budget: Mapped[int] = mapped_column(default=256)
    bits_spent: Mapped[int] = mapped_column(default=0)


class WorkspaceApproval(Base):
    """One person's part of a decision. ``round``: 0 the application, n its n-th extension; kept for good.

    ``organization_id`` is the decider's organisation at that moment: whose data it answers for.
    """

    __tablename__ = "workspace_approvals"
    __table_args__ = (UniqueConstraint("workspace_id", "round", "decider_id", name="uq_workspace_approvals_person"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    round: Mapped[int] = mapped_column(default=0)
    decider_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    approve: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(UTCDateTime)


class WorkspaceExtension(Base):
    """A request for more days; decided anew by the same rule as the application."""

    __tablename__ = "workspace_extensions"
    __table_args__ = (UniqueConstraint("workspace_id", "number", name="uq_workspace_extensions_number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    number: Mapped[int]
    days: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default="applied", index=True)
    requested_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    requested_at: Mapped[datetime] = mapped_column(UTCDateTime)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WorkspaceSuspension(Base):
    """A time in which a workspace stood still by order of a security administrator; ``lifted_at`` ends it."""

    __tablename__ = "workspace_suspensions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    suspended_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    suspended_at: Mapped[datetime] = mapped_column(UTCDateTime)
    lifted_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    lifted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Membership(Base):
    """One person in one workspace, as owner, member or reader. ``removed_at`` ends every right at once.

    ``pledge_digest`` names the text the person signed (`sandbox.workspaces.pledge`); without it nobody works.
    """

    __tablename__ = "workspace_members"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id", name="uq_workspace_members_person"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    added_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    added_at: Mapped[datetime] = mapped_column(UTCDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    role: Mapped[str] = mapped_column(String(16), default="member", server_default="member")
    pledge_version: Mapped[int | None]
    pledge_digest: Mapped[str | None] = mapped_column(String(64))
    pledged_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WorkspaceDataset(Base):
    """A dataset of a workspace and what stands under ``/data/<name>`` in its sessions.

    ``kind`` is ``edition`` or ``practice``; ``digest`` is that file's SHA-256; ``edition_id`` names the edition that it
    is, or whose schema and policy the practice data follow.
    """

    __tablename__ = "workspace_datasets"
    __table_args__ = (UniqueConstraint("workspace_id", "dataset_id", name="uq_workspace_datasets_dataset"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str | None] = mapped_column(String(16))
    rows: Mapped[int | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    edition_id: Mapped[str | None] = mapped_column(String(36))
    columns: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    prepared_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str | None] = mapped_column(Text)


class WorkspaceImport(Base):
    """An approved import of the members' own data that stands under ``/data/import/<name>`` until ``removed_at``.

    Written by `sandbox.imports` only; ``id`` is the import's. ``level`` is the import's own, ``joined_level`` what the
    workspace's data are together with it. ``schema`` and ``distinct`` describe columns, never values.
    """

    __tablename__ = "workspace_imports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    level: Mapped[str] = mapped_column(String(16))
    joined_level: Mapped[str] = mapped_column(String(16))
    person_keys: Mapped[list[str]] = mapped_column(JSON)
    direct: Mapped[list[str]] = mapped_column(JSON)
    schema: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    distinct: Mapped[dict[str, int]] = mapped_column(JSON)
    rows: Mapped[int]
    mounted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SandboxJob(Base):
    """One submitted notebook or script and how far it came.

    ``dry_*`` columns speak about practice data and are the author's to read. ``sealed_*`` columns are
    for the service and the checkers only. ``code_digest`` names the snapshot in the quarantine.
    """

    __tablename__ = "sandbox_jobs"
    __table_args__ = (Index("ix_sandbox_jobs_workspace_created", "workspace_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    entry: Mapped[str] = mapped_column(String(128))
    code_digest: Mapped[str] = mapped_column(String(64), index=True)
    scope_digest: Mapped[str] = mapped_column(String(64), index=True)
    code_object: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16), default="submitted", index=True)
    level: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    dry_job_id: Mapped[str | None] = mapped_column(String(36))
    dry_result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    dry_findings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    dry_shape: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    sealed_job_id: Mapped[str | None] = mapped_column(String(36))
    sealed_queued_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sealed_started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sealed_finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sealed_result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    sealed_intakes: Mapped[dict[str, str] | None] = mapped_column(JSON)
    sealed_object: Mapped[str | None] = mapped_column(String(200))
    kernel_digest: Mapped[str | None] = mapped_column(String(64))
    bits_charged: Mapped[int] = mapped_column(default=0)
    reproduces_id: Mapped[str | None] = mapped_column(ForeignKey("sandbox_jobs.id"))
    """The job whose code, intakes and environment this run repeats."""
    imports: Mapped[dict[str, str] | None] = mapped_column(JSON)
    """The members' own imports that stood there at submission, by name: the run meets exactly these."""
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Seconds, peak memory and output bytes of the dry and the sealed run; for checkers and administrators only."""
