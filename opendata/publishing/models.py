"""Tables of the publishing chain: intakes, masking-policy versions, hierarchy files, risk–utility curves, exposures.

Nothing here holds a cell value: profiles are counts, bad rows are line numbers and reasons, policies are rules. A
hierarchy lists the values that an attribute may have, as its officer wrote them down, and is shown as policies are.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id


class IntakeState(StrEnum):
    """Life of one raw version of a table."""

    UPLOADED = "uploaded"
    PROFILING = "profiling"
    READY = "ready"
    FAILED = "failed"
    ERASED = "erased"


class Intake(Base):
    """One raw version of a dataset's table (接入批次), encrypted at rest under its own key."""

    __tablename__ = "intakes"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    filename: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(16))
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(16), default=IntakeState.UPLOADED)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bad_row_count: Mapped[int] = mapped_column(BigInteger, default=0)
    bad_rows: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{line, reason}], the first 1,000; ``bad_row_count`` counts all."""
    bad_rows_acknowledged_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    encoding: Mapped[str | None] = mapped_column(String(32))
    delimiter: Mapped[str | None] = mapped_column(String(8))
    schema: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{name, type}] in column order."""
    profile: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{name, type, count, nulls, distinct}]; numbers about a column, never its values."""
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{column, type, role, level, checked, passed, reason{zh,en}, clause}]"""
    proposed_level: Mapped[str | None] = mapped_column(String(16))
    proposal_yaml: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    job_id: Mapped[str | None] = mapped_column(String(36))


class PolicyVersion(Base):
    """One saved version of a dataset's masking policy (脱敏策略); never edited, only followed by the next."""

    __tablename__ = "policy_versions"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    yaml: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    hierarchies: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    """[{attribute, name, sha256, rows_digest, entries, levels}]: the files whose rows stand in ``yaml``."""


class HierarchyFile(Base):
    """One upload of a hierarchy (层级文件) of a dataset; the newest under its name is the one that policies may name.

    ``content`` is None once the file was removed; what policies took over of it stays in their text.
    """

    __tablename__ = "hierarchy_files"
    __table_args__ = (UniqueConstraint("dataset_id", "name", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    number: Mapped[int] = mapped_column(Integer)
    content: Mapped[bytes | None] = mapped_column(deferred=True)
    """As it was uploaded, at most 1 MiB; read when asked for."""
    bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    rows_digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the rows whatever their delimiter, encoding mark or line ends: a mapping in a policy has it too."""
    entries: Mapped[int] = mapped_column(Integer)
    levels: Mapped[int] = mapped_column(Integer)
    """The value's own among them, ``*`` only where the file names it."""
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CurveState(StrEnum):
    """Life of one risk–utility curve."""

    COMPUTING = "computing"
    READY = "ready"
    FAILED = "failed"


class RiskCurve(Base):
    """The risk–utility curve of an intake (风险—效用曲线): figures of plans, never a value. It goes with its intake."""

    __tablename__ = "risk_curves"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    intake_id: Mapped[str] = mapped_column(ForeignKey("intakes.id"), unique=True)
    policy_yaml: Mapped[str] = mapped_column(Text)
    """The draft that the plans start from; rules only."""
    state: Mapped[str] = mapped_column(String(16), default=CurveState.COMPUTING)
    attributes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{name, replaced, parameters}]: quasi-identifiers, the technique that a proposed hierarchy stands for ("" if the
    draft gives the hierarchy itself), and the hierarchy's parameters."""
    measures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """{persons, classes, k, unique, max_risk, average_risk} of the raw table over these quasi-identifiers."""
    points: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    error: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    job_id: Mapped[str | None] = mapped_column(String(36))


class Exposure(Base):
    """What of which population has been shown, and with which variables (披露记录): the memory of composition."""

    __tablename__ = "exposures"
    __table_args__ = (Index("ix_exposures_population", "population"), UniqueConstraint("kind", "reference"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    population: Mapped[str] = mapped_column(String(100))
    """The source population; in this version the id of the dataset."""
    kind: Mapped[str] = mapped_column(String(32))
    """edition, release, query, practice, …"""
    reference: Mapped[str] = mapped_column(String(100))
    """Id of what was shown, for example an edition's."""
    line_id: Mapped[str | None] = mapped_column(ForeignKey("recipient_lines.id"))
    quasi_identifiers: Mapped[list[str]] = mapped_column(JSON, default=list)
    k: Mapped[int | None] = mapped_column(Integer)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
