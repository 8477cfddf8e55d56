"""Whether the process lives, whether it can serve, its figures for Prometheus. Open to all: counts only."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from bellwire.errors import DatabaseUnusable, StoreUnavailable
from bellwire.store import migrate, schema
from bellwire.store.database import reading
from flask import Flask, Response

from bellwire_web.runtime import Runtime

BEAT_MAX = timedelta(seconds=15)  # a worker's beat is counted up several times a second


def mount(app: Flask, runtime: Runtime) -> Collection[str]:
    """Serve /livez, /readyz and /metrics; gives their endpoints."""

    def livez() -> Response:
        return _json({"status": "ok"})

    def readyz() -> Response:
        found = {name: check(runtime) for name, check in _CHECKS.items()}
        wrong = any(found.values())
        return _json(
            {"status": "failing" if wrong else "ok", "checks": {n: text or "ok" for n, text in found.items()}},
            503 if wrong else 200,
        )

    def metrics() -> Response:
        from bellwire_web.metrics import exposition  # 55 ms of imports that most processes never need

        body, media_type = exposition(runtime)
        return Response(body, content_type=media_type)

    for view in (livez, readyz, metrics):
        app.add_url_rule(f"/{view.__name__}", view.__name__, view, methods=["GET"], provide_automatic_options=False)
    return ("livez", "readyz", "metrics")


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")


def _database(runtime: Runtime) -> str:
    try:
        with reading(runtime.store.engine) as connection:
            connection.execute(sa.select(sa.literal(1)))
    except StoreUnavailable as e:
        return str(e)
    return ""


def _migrations(runtime: Runtime) -> str:
    try:
        return "" if migrate.is_current(runtime.store.engine) else "the database is behind; run `bellwire db upgrade`"
    except (StoreUnavailable, DatabaseUnusable):
        return "unknown while the database can't be read"


def _worker(runtime: Runtime) -> str:
    try:
        with reading(runtime.store.engine) as connection:
            last = connection.execute(
                sa.select(sa.func.max(schema.workers.c.beat_at, type_=schema.workers.c.beat_at.type))
            ).scalar()
    except StoreUnavailable:
        return "unknown while the database can't be read"
    if last is None:
        return "no worker runs; start `bellwire serve` or `bellwire work`"
    late = runtime.now() - last
    return f"the last beat is {late.total_seconds():.0f} s old" if late > BEAT_MAX else ""


#: Name → what is wrong, "" for nothing.
_CHECKS: dict[str, Callable[[Runtime], str]] = {"database": _database, "migrations": _migrations, "worker": _worker}
