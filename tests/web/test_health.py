"""Whether it lives, whether it can serve, its figures."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from bellwire.ids import new_id
from bellwire.store import schema
from bellwire.store.database import open_database

TO = "+998900000001"


def worker(world: Any, *, age: timedelta = timedelta(), kind: str = "serve") -> None:
    row = {"id": new_id(), "kind": kind, "pid": 1, "host": "here", "beat": 1, "started_at": world.clock()}
    insert = sa.insert(schema.workers).values({**row, "beat_at": world.clock() - age})
    world.store.write(lambda connection: connection.execute(insert).rowcount)


def ready(world: Any) -> tuple[int, dict[str, str]]:
    answer = world.app.test_client().get("/readyz")
    return answer.status_code, answer.json["checks"]


def test_a_process_that_answers_lives(world: Any) -> None:
    answer = world.app.test_client().get("/livez")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_without_a_worker_nothing_is_sent(world: Any) -> None:
    status, checks = ready(world)
    assert (status, checks["database"], checks["migrations"]) == (503, "ok", "ok")
    assert "bellwire serve" in checks["worker"]


def test_with_a_worker_it_is_ready(world: Any) -> None:
    worker(world)
    assert ready(world) == (200, {"database": "ok", "migrations": "ok", "worker": "ok"})


def test_a_process_is_counted_once(world: Any) -> None:
    worker(world)
    worker(world, kind="jobs")  # its second row, for its jobs
    assert "bellwire_workers 1.0" in world.app.test_client().get("/metrics").text


def test_a_worker_that_stands_still_is_told(world: Any) -> None:
    worker(world, age=timedelta(seconds=20))
    status, checks = ready(world)
    assert (status, checks["worker"]) == (503, "the last beat is 20 s old")


def test_a_database_that_is_behind_is_told(world: Any) -> None:
    worker(world)
    back = sa.text("UPDATE alembic_version SET version_num = '0000'")
    world.store.write(lambda connection: connection.execute(back).rowcount)
    status, checks = ready(world)
    assert (status, "bellwire db upgrade" in checks["migrations"]) == (503, True)


def test_a_database_that_is_gone_is_told(world: Any, tmp_path: Path) -> None:
    kind = world.store.engine.dialect.name
    world.store.engine.dispose()
    gone = f"sqlite:///{tmp_path}/no/such/folder.db" if kind == "sqlite" else "postgresql://nobody@127.0.0.1:1/none"
    world.store.engine = open_database(gone)
    status, checks = ready(world)
    assert status == 503
    assert checks["database"].startswith("the database can't serve this now")
    assert checks["migrations"].startswith("unknown")
    listed = world.a.get("/v1/keys")
    assert (listed.status_code, listed.json["code"], listed.headers["Retry-After"]) == (503, "store_unavailable", "1")


def test_figures_tell_what_waits(world: Any) -> None:
    worker(world, age=timedelta(seconds=2))
    world.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "s", "settings": {"sender_id": "A"}})
    for purpose in ("otp", "otp", "transactional"):
        assert world.a.post("/v1/messages", {"to": TO, "body": "x", "purpose": purpose}).json["status"] == "queued"
    world.clock.forward(seconds=7)
    answer = world.app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert lines['bellwire_messages_waiting{lane="otp"}'] == "2.0"
    assert lines['bellwire_messages_waiting{lane="marketing"}'] == "0.0"
    assert lines['bellwire_messages_oldest_due_seconds{lane="otp"}'] == "7.0"
    assert lines["bellwire_worker_beat_age_seconds"] == "9.0"
    assert TO.removeprefix("+") not in answer.text
    assert "acme" not in answer.text
