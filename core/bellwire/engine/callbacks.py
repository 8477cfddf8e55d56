"""Callbacks: signed events to a tenant's own URL.

The body is a CloudEvent (CloudEvents 1.0, JSON format), signed as Standard Webhooks 1.0 says and tried again by that
specification's schedule. What an endpoint answers is never kept, but for the status.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import requests
import sqlalchemy as sa

from bellwire.domain.retries import parse_retry_after, writeback_retry
from bellwire.domain.standing import Answer
from bellwire.engine.crew import Ended, Job
from bellwire.engine.http import CALLBACK, AddressRefused, Http
from bellwire.engine.runtime import Engine
from bellwire.errors import DecryptionFailed
from bellwire.ids import show
from bellwire.logs import logger
from bellwire.masking import name
from bellwire.signing import standard_webhooks_sign
from bellwire.store import callbacks, outbox
from bellwire.store.outbox import End, Waiting
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from bellwire.store.types import AnyRow

log = logger(__name__)

#: An endpoint that took nothing for so long is switched off. One event's tries last a little longer.
DISABLE_AFTER = timedelta(days=3)
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_GONE = 410  # Standard Webhooks: the receiver wants nothing any more


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint when its jobs were taken."""

    url: str
    secret: str = field(repr=False)
    failing: bool


class Callbacks:
    """A crew's work: one signed POST for each job."""

    queue = callbacks.QUEUE

    def __init__(self, engine: Engine, http: Http | None = None, *, rand: Callable[[], float] = random.random) -> None:
        self._engine, self._rand = engine, rand
        self._http = http or Http(allow_private=engine.config.allow_private_addresses, bounds=CALLBACK)

    def take(self, connection: sa.Connection, waiting: Waiting, owner: UUID, now: datetime, room: int) -> Sequence[Job]:
        """The due callbacks of one endpoint; what waits for one that is off fails, to be redelivered by hand."""
        if waiting.status != "active":
            outbox.fail_waiting(connection, self.queue, waiting.key, callbacks.DISABLED, now)
            return []
        endpoint, rows = callbacks.claim(connection, waiting.key, owner, now, room)
        if endpoint is None or not rows:
            return []
        secret = self._engine.vault.open(endpoint.secret, endpoint.tenant_id, "callback_endpoints.secret", endpoint.id)
        target = Target(endpoint.url, secret, failing=endpoint.failing_since is not None)
        return [Job(key=waiting.key, tenant_id=endpoint.tenant_id, owner=owner, target=target, rows=[row]) for row in rows]

    def run(self, job: Job) -> Ended:
        """Send one callback."""
        [row] = job.rows
        target: Target = job.target
        now = self._engine.now()
        try:
            body = event(row, self._engine.vault.open_json(row.body, row.tenant_id, "callbacks.body", row.id))
        except DecryptionFailed as e:
            return Ended(ends=[_end(row, JOB_FAILED, name(e))])
        headers = standard_webhooks_sign(target.secret, show("cev", row.id), int(now.timestamp()), body)
        try:
            with self._http.session() as session:
                answer = session.post(target.url, data=body, headers={**headers, "Content-Type": CONTENT_TYPE})
        except AddressRefused:
            return self._failed(job, "the URL is not https or leads to a private address", None)
        except requests.Timeout:
            return self._failed(job, "no answer in time", None)
        except requests.RequestException as e:
            return self._failed(job, f"no answer ({type(e).__name__})", None)
        if 200 <= answer.status_code < 300:
            return Ended(ends=[_end(row, JOB_DONE)], answer=Answer.WELL, also=[_answered(job.key)] if target.failing else ())
        if answer.status_code == _GONE:
            return Ended(
                ends=[_end(row, JOB_FAILED, "answered 410")], answer=Answer.WELL, also=[self._disable(job, "answered 410")]
            )
        wait_s = parse_retry_after(answer.headers.get("retry-after", ""), now)
        return self._failed(job, f"answered {answer.status_code}", wait_s, throttled=answer.status_code == 429)

    def broke(self, job: Job, error: BaseException) -> Ended:
        """A bug here: tried again."""
        return self._failed(job, f"sending broke ({name(error)})", None)

    # -- failures -----------------------------------------------------------------------------------------------

    def _failed(self, job: Job, why: str, retry_after_s: float | None, *, throttled: bool = False) -> Ended:
        [row] = job.rows
        attempts = row.attempts + 1
        wait_s = writeback_retry(attempts, rand=self._rand(), retry_after_s=retry_after_s)
        if wait_s is None:
            end = End(id=row.id, status=JOB_FAILED, attempts=attempts, due=row.due, error=f"gave up after {attempts} tries: {why}")
        else:
            due = self._engine.now() + timedelta(seconds=wait_s)
            end = End(id=row.id, status=JOB_QUEUED, attempts=attempts, due=due, error=why)
        answer = Answer.THROTTLED if throttled else Answer.DOWN
        return Ended(ends=[end], answer=answer, retry_after_s=retry_after_s, also=[self._count(job, why)])

    def _count(self, job: Job, why: str) -> Callable[[sa.Connection], None]:
        """Note that the endpoint fails, and switch it off when it has done nothing else for long."""
        now = self._engine.now()

        def also(connection: sa.Connection) -> None:
            since = callbacks.failed(connection, job.key, now)
            if since is not None and now - since >= DISABLE_AFTER:
                self._disable(job, f"nothing was taken for {DISABLE_AFTER.days} days: {why}")(connection)

        return also

    def _disable(self, job: Job, why: str) -> Callable[[sa.Connection], None]:
        now = self._engine.now()

        def also(connection: sa.Connection) -> None:
            if callbacks.disable(connection, job.tenant_id, job.key, why, now):
                log.warning("callback.disabled", callback=show("cbk", job.key), tenant=show("ten", job.tenant_id), reason=why)

        return also


def event(row: AnyRow, data: Mapping[str, Any]) -> bytes:
    """The CloudEvent of a callback: the same bytes each time it is sent."""
    made = {
        "specversion": "1.0",
        "id": show("cev", row.id),
        "source": f"/tenants/{show('ten', row.tenant_id)}",
        "type": row.type,
        "time": row.created_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "subject": _subject(row),
        "data": data,
    }
    return json.dumps({key: value for key, value in made.items() if value is not None}, ensure_ascii=False).encode()


def _subject(row: AnyRow) -> str | None:
    """The object it is about."""
    for prefix, value in (("msg", row.message_id), ("rpl", row.reply_id), ("con", row.contact_id)):
        if value is not None:
            return show(prefix, value)
    return None


def _end(row: AnyRow, status: int, error: str = "") -> End:
    return End(id=row.id, status=status, attempts=row.attempts + 1, due=row.due, error=error)


def _answered(endpoint_id: UUID) -> Callable[[sa.Connection], None]:
    return lambda connection: callbacks.answered(connection, endpoint_id)
