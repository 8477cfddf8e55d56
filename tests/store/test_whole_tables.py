"""What the watch over every statement's plan takes for a table that is read from end to end."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import whole_tables
from bellwire.store import figures
from standins.world import World
from whole_tables import is_whole

PLANS = [
    ("all rows", "SCAN dlrs", "", True),
    ("all rows, in the order of an index", "SCAN seen USING COVERING INDEX ix_seen_at", "", True),
    ("the few of a partial index", "SCAN dlrs USING INDEX ix_dlrs_parked", "", False),
    ("a tenant's every row", "SEARCH messages USING INDEX ix_messages_tenant (tenant_id=?)", "SELECT 1", True),
    ("a page of them", "SEARCH messages USING INDEX ix_messages_tenant (tenant_id=?)", "SELECT 1 LIMIT 9", False),
    ("from a place on", "SEARCH messages USING INDEX ix_messages_tenant (tenant_id=? AND id>?)", "SELECT 1", False),
    ("one of them", "SEARCH messages USING INDEX ix_messages_tenant (tenant_id=? AND id=?)", "SELECT 1", False),
    ("a table that stays small", "SCAN tenants", "", False),
    ("what stands in the statement itself", "SCAN given", "", False),
]


@pytest.mark.parametrize(("label", "detail", "statement", "whole"), PLANS, ids=[row[0] for row in PLANS])
def test_what_is_taken_for_whole(label: str, detail: str, statement: str, whole: bool) -> None:
    assert is_whole(detail, statement) is whole


def test_a_statement_of_ours_is_seen(sqlite_url: str) -> None:
    """The figures without the index of dead events: what the watch is there to find."""
    world = World(sqlite_url)
    try:
        world.engine.write(lambda c: c.execute(sa.text("DROP INDEX ix_events_dead")))
        whole_tables._SEEN.clear()
        with world.engine.store.engine.connect() as connection:
            figures.read(connection)
        assert [one.split("\n")[0] for one in whole_tables.FOUND] == ["store.figures._count: SCAN events"]
    finally:
        whole_tables.FOUND.clear()
        world.close()
