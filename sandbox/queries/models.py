"""Tables of the fixed tables (固定口径统计): one cube for each intake, its askable tables, the questions asked.

Everything stored here may be shown to whoever may ask: noise is in it already, hidden figures are left out. Noise keys,
true figures and the noisy base cells are nowhere in the database. Source: PRIVACY 20.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from opendata.db import Base, UTCDateTime, new_id


class FixedCube(Base):
    """The fixed published set of one intake; never a second one for the same intake.

    ``number`` counts the cubes of this population that were published, this one included: each is noisier than the one
    before. ``registration`` is what the policy registered, ``design`` its noise and errors.
    """

    __tablename__ = "fixed_cubes"
    __table_args__ = (Index("ix_fixed_cubes_dataset_state", "dataset_id", "state"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    intake_id: Mapped[str] = mapped_column(ForeignKey("intakes.id"), index=True)
    edition_id: Mapped[str] = mapped_column(ForeignKey("editions.id"))
    policy_version_id: Mapped[str] = mapped_column(ForeignKey("policy_versions.id"))
    state: Mapped[str] = mapped_column(String(16))
    number: Mapped[int]
    registration: Mapped[dict[str, Any]] = mapped_column(JSON)
    design: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    requested_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    requested_at: Mapped[datetime] = mapped_column(UTCDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    job_id: Mapped[str | None] = mapped_column(String(36))
    error: Mapped[str] = mapped_column(Text, default="")
    ledger_index: Mapped[int | None]


class FixedTable(Base):
    """One askable table of a cube. ``dimensions`` is the JSON list of their names, in the order of the registration."""

    __tablename__ = "fixed_tables"
    __table_args__ = (UniqueConstraint("cube_id", "dimensions", name="uq_fixed_tables_dimensions"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    cube_id: Mapped[str] = mapped_column(ForeignKey("fixed_cubes.id"))
    dimensions: Mapped[str] = mapped_column(String(1000))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class FixedQuestion(Base):
    """A question that was answered: its ledger entry comes before its first answer, later answers are log lines."""

    __tablename__ = "fixed_questions"
    __table_args__ = (UniqueConstraint("cube_id", "question", name="uq_fixed_questions_question"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    cube_id: Mapped[str] = mapped_column(ForeignKey("fixed_cubes.id"))
    question: Mapped[str] = mapped_column(String(1200))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ledger_index: Mapped[int]
