"""fixed tables: cubes, their askable tables, questions."""

import sqlalchemy as sa
from alembic import op

import opendata.db.base

revision = "sandbox_0005"
down_revision = "sandbox_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    moment = opendata.db.base.UTCDateTime(timezone=True)
    op.create_table(
        "fixed_cubes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("intake_id", sa.String(length=36), nullable=False),
        sa.Column("edition_id", sa.String(length=36), nullable=False),
        sa.Column("policy_version_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.Column("design", sa.JSON(), nullable=True),
        sa.Column("requested_by", sa.String(length=36), nullable=False),
        sa.Column("requested_at", moment, nullable=False),
        sa.Column("published_at", moment, nullable=True),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("ledger_index", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_fixed_cubes_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_fixed_cubes_edition_id_editions")),
        sa.ForeignKeyConstraint(["intake_id"], ["intakes.id"], name=op.f("fk_fixed_cubes_intake_id_intakes")),
        sa.ForeignKeyConstraint(
            ["policy_version_id"], ["policy_versions.id"], name=op.f("fk_fixed_cubes_policy_version_id_policy_versions")
        ),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_fixed_cubes_requested_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixed_cubes")),
    )
    op.create_index("ix_fixed_cubes_dataset_state", "fixed_cubes", ["dataset_id", "state"])
    op.create_index(op.f("ix_fixed_cubes_intake_id"), "fixed_cubes", ["intake_id"])
    op.create_table(
        "fixed_tables",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("cube_id", sa.String(length=36), nullable=False),
        sa.Column("dimensions", sa.String(length=1000), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cube_id"], ["fixed_cubes.id"], name=op.f("fk_fixed_tables_cube_id_fixed_cubes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixed_tables")),
        sa.UniqueConstraint("cube_id", "dimensions", name="uq_fixed_tables_dimensions"),
    )
    op.create_table(
        "fixed_questions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("cube_id", sa.String(length=36), nullable=False),
        sa.Column("question", sa.String(length=1200), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("ledger_index", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["cube_id"], ["fixed_cubes.id"], name=op.f("fk_fixed_questions_cube_id_fixed_cubes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixed_questions")),
        sa.UniqueConstraint("cube_id", "question", name="uq_fixed_questions_question"),
    )


def downgrade() -> None:
    """Not offered: restore a backup instead."""
    raise NotImplementedError("restore a backup instead")
