"""hierarchy files of datasets, and what policy versions hold of them."""

import sqlalchemy as sa
from alembic import op

import opendata.db.base

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "hierarchy_files",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("dataset_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rows_digest", sa.String(length=64), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("levels", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", opendata.db.base.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_hierarchy_files_author_id_users")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_hierarchy_files_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hierarchy_files")),
        sa.UniqueConstraint("dataset_id", "name", "number", name=op.f("uq_hierarchy_files_dataset_id_name_number")),
    )
    with op.batch_alter_table("hierarchy_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hierarchy_files_dataset_id"), ["dataset_id"], unique=False)
    op.add_column("policy_versions", sa.Column("hierarchies", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Not offered: restore a backup instead."""
    raise NotImplementedError("restore a backup instead")
