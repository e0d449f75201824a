"""Alembic's environment: online only, on the connection it is handed."""

from alembic import context
from sqlmodel import SQLModel

import tocsin.schema  # noqa: F401  # loads every table into the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
