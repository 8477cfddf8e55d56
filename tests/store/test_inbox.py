"""The inbox's statements and the indexes that serve them."""

from __future__ import annotations

from typing import Any

from bellwire.store import inbox
from sqlalchemy import event
from standins.world import World


def test_dead_letters_are_found_by_their_own_index(sqlite_url: str) -> None:
    """However many replies a tenant has: few of them could not be passed on."""
    world = World(sqlite_url)
    seen: list[tuple[str, Any]] = []
    engine = world.engine.store.engine
    event.listen(engine, "before_cursor_execute", lambda *told: seen.append((told[2], told[3])))
    try:
        with world.engine.store.for_tenant(world.tenant_id).reading() as connection:
            inbox.listed(connection, world.engine.vault, limit=20, passed=inbox.DEAD)
        (statement, values), *_ = [one for one in seen if "FROM replies" in one[0]]
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        assert [row.detail.split(" (")[0] for row in plan] == ["SEARCH replies USING INDEX ix_replies_dead"]
    finally:
        world.close()
