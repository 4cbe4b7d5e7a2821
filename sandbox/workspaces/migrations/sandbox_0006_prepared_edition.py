"""workspace datasets: the edition from which their prepared file was made."""

import sqlalchemy as sa
from alembic import op

revision = "sandbox_0006"
down_revision = "sandbox_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("workspace_datasets", sa.Column("edition_id", sa.String(length=36), nullable=True))


def downgrade() -> None:
    """Not offered: restore a backup instead."""
    raise NotImplementedError("restore a backup instead")
