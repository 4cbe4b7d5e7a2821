"""Reruns of a sealed job, what a run used, and made-up cases that measure checkers."""

import sqlalchemy as sa
from alembic import op

import opendata.db.base

revision = "sandbox_0003"
down_revision = "sandbox_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("sandbox_jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reproduces_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("usage", sa.JSON(), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_sandbox_jobs_reproduces_id_sandbox_jobs"), "sandbox_jobs", ["reproduces_id"], ["id"]
        )
    op.create_table(
        "seeded_cases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("checker_id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("checkers_needed", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("entry", sa.String(length=128), nullable=False),
        sa.Column("created_at", opendata.db.base.UTCDateTime(timezone=True), nullable=False),
        sa.Column("due_at", opendata.db.base.UTCDateTime(timezone=True), nullable=False),
        sa.Column("scored_at", opendata.db.base.UTCDateTime(timezone=True), nullable=True),
        sa.Column("hit", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["checker_id"], ["users.id"], name=op.f("fk_seeded_cases_checker_id_users")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_seeded_cases_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seeded_cases")),
    )
    with op.batch_alter_table("seeded_cases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_seeded_cases_checker_id"), ["checker_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_seeded_cases_state"), ["state"], unique=False)


def downgrade() -> None:
    """Not offered: restore a backup instead."""
    raise NotImplementedError("restore a backup instead")
