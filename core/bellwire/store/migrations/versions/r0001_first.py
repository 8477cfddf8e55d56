"""The first schema, as SQL files of its own: what `schema.py` says later changes nothing here.

Revision: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table and index."""
    dialect = op.get_bind().dialect.name
    text = Path(__file__).with_name(f"r0001_{dialect}.sql").read_text("utf-8")
    for statement in text.split(";\n"):
        if statement.strip():
            op.execute(statement)
