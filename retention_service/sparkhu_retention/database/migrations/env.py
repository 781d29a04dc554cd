"""Run migrations on the connection that `sparkhu_retention.database.opening` hands over."""

from alembic import context

from sparkhu_retention.database.tables import Base

VERSIONS = "retention_schema"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSIONS,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
