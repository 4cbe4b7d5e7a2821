"""Alembic's entry: runs on the connection that ``opendata.db.migrate`` hands over, in its transaction."""

from alembic import context

from opendata.db.base import Base

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=config.attributes.get("include_object"),
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,
    user_module_prefix="opendata.db.base.",
)
context.run_migrations()
