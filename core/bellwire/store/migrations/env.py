"""Alembic's entry: runs the migrations on the database it is given."""

from __future__ import annotations

from alembic import context

from bellwire.store.database import open_database

engine = open_database(context.config.attributes["url"], pool_size=1)
with engine.connect().execution_options(writes=True) as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
