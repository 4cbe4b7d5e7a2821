"""approvals by providing organisation, extensions, suspensions, roles of members, pledges, cleared homes."""

import sqlalchemy as sa
from alembic import op

import opendata.db.base

revision = "sandbox_0002"
down_revision = "sandbox_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Owners keep their role; nobody has signed a pledge yet, so everybody signs at their next entry."""
    moment = opendata.db.base.UTCDateTime(timezone=True)
    op.create_table(
        "workspace_approvals",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("decider_id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=36), nullable=False),
        sa.Column("approve", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["decider_id"], ["users.id"], name=op.f("fk_workspace_approvals_decider_id_users")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_workspace_approvals_organization_id_organizations")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_workspace_approvals_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace_approvals")),
        sa.UniqueConstraint("workspace_id", "round", "decider_id", name="uq_workspace_approvals_person"),
    )
    op.create_table(
        "workspace_extensions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=36), nullable=False),
        sa.Column("requested_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("decided_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["users.id"], name=op.f("fk_workspace_extensions_requested_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_workspace_extensions_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace_extensions")),
        sa.UniqueConstraint("workspace_id", "number", name="uq_workspace_extensions_number"),
    )
    op.create_index(op.f("ix_workspace_extensions_state"), "workspace_extensions", ["state"])
    op.create_table(
        "workspace_suspensions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("suspended_by", sa.String(length=36), nullable=False),
        sa.Column("suspended_at", moment, nullable=False),
        sa.Column("lifted_by", sa.String(length=36), nullable=True),
        sa.Column("lifted_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["lifted_by"], ["users.id"], name=op.f("fk_workspace_suspensions_lifted_by_users")),
        sa.ForeignKeyConstraint(
            ["suspended_by"], ["users.id"], name=op.f("fk_workspace_suspensions_suspended_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_workspace_suspensions_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace_suspensions")),
    )
    op.create_index(op.f("ix_workspace_suspensions_workspace_id"), "workspace_suspensions", ["workspace_id"])
    op.add_column("workspaces", sa.Column("cleared_at", moment, nullable=True))
    op.add_column("workspace_members", sa.Column("role", sa.String(length=16), server_default="member", nullable=False))
    op.add_column("workspace_members", sa.Column("pledge_version", sa.Integer(), nullable=True))
    op.add_column("workspace_members", sa.Column("pledge_digest", sa.String(length=64), nullable=True))
    op.add_column("workspace_members", sa.Column("pledged_at", moment, nullable=True))
    op.execute(
        "UPDATE workspace_members SET role = 'owner' WHERE user_id = "
        "(SELECT owner_id FROM workspaces WHERE workspaces.id = workspace_members.workspace_id)"
    )


def downgrade() -> None:
    """Not offered: restore a backup instead."""
    raise NotImplementedError("restore a backup instead")
