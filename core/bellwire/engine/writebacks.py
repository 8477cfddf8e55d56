"""Write-backs: what became of a text, a person's consent, a person's reply, written where the people work.

Jobs of one object go out together and one at a time. The connector's functions are idempotent, so that a job whose worker died
is simply done again.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import requests
import sqlalchemy as sa

from bellwire.domain.pace import Use
from bellwire.domain.retries import WRITE_BACK_SCHEDULE_S, writeback_retry
from bellwire.domain.standing import REFUSED_WAIT_S, Answer
from bellwire.engine import passing
from bellwire.engine import writeback_values as values
from bellwire.engine.configs import Held
from bellwire.engine.crew import Ended, Job
from bellwire.engine.links import EngineLink
from bellwire.engine.runtime import Engine
from bellwire.errors import (
    DecryptionFailed,
    NotFound,
    PlatformError,
    PlatformThrottled,
    PlatformUnauthorized,
    Retry,
    StoreUnavailable,
)
from bellwire.ids import show
from bellwire.masking import mask, name
from bellwire.model import Connector, Installation
from bellwire.store import audit, heard, links, outbox, write_backs
from bellwire.store.outbox import End, Waiting
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from bellwire.store.tenancy import TenantConnection
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)

GIVE_UP = timedelta(seconds=sum(WRITE_BACK_SCHEDULE_S))  # for a platform that asks to wait each time
REFUSED_GIVE_UP = timedelta(days=30)  # for a platform that a person has to let us into again
_SOON_S = 5.0
_HANDED_ON_AT_ONCE = 5_000
_ELSEWHERE_S = 60.0  # until a job is looked at again whose connector another process may have

_GONE = {
    None: "the installation does not exist any more",
    "removed": "the installation was removed",
    "disabled": "the installation was disabled",
}


@dataclass(frozen=True, slots=True)
class Target:
    """An installation, and what its owner was told of it."""

    installation: Installation
    detail: str


#: Rows that one call writes; None: nothing is to be written for them any more.
Step = tuple[Sequence[AnyRow], Callable[[], None] | None]


class WriteBacks:
    """A crew's work: calls the connector's `write_back`, `write_consent`, `write_reply`."""

    queue = write_backs.QUEUE

    def __init__(self, engine: Engine, *, rand: Callable[[], float] = random.random) -> None:
        self._engine, self._rand = engine, rand

    def take(self, connection: sa.Connection, waiting: Waiting, owner: UUID, now: datetime, room: int) -> Sequence[Job]:
        """The due objects of one installation; what waits for one that is gone fails."""
        why = _GONE.get(waiting.status, "")
        if why:
            for row in heard.waiting_jobs(connection, waiting.key, _HANDED_ON_AT_ONCE):
                passing.ended(self._engine, connection, self._held(connection, row.tenant_id), row, now, error=why)
            outbox.fail_waiting(connection, self.queue, waiting.key, why, now)
            return []
        if waiting.status != "active" or waiting.tenant_id is None:
            return []
        held = self._held(connection, waiting.tenant_id)
        found = held.config.installations.get(waiting.key) if held is not None else None
        if found is None:
            return []
        target = Target(found.value, str(waiting.detail or ""))
        connector = self._engine.plugins.connectors.get(found.value.connector)
        together = max(connector.write_back_objects, 1) if connector is not None else 1
        apart = timedelta(seconds=connector.write_back_every_s) if connector is not None else timedelta()
        taken = write_backs.claim(connection, waiting.key, owner, now, room, together, apart)
        return [
            Job(key=waiting.key, tenant_id=waiting.tenant_id, owner=owner, target=target, rows=rows)
            for rows in _together(taken, together)
        ]

    def run(self, job: Job) -> Ended:
        """Write one object's jobs, all of one kind, oldest first; after one that fails the later ones wait."""
        return self._handed_on(job, self._run(job))

    def _run(self, job: Job) -> Ended:
        target: Target = job.target
        connector = self._engine.plugins.connectors.get(target.installation.connector)
        if connector is None:
            why = f"the connector {target.installation.connector} is not loaded"
            return Ended(ends=self._again(job.rows, _ELSEWHERE_S, why))
        link = EngineLink(self._engine, target.installation)
        steps = _STEPS[job.rows[0].kind](self, job, connector, link)
        if isinstance(steps, str):
            return Ended(ends=self._failed(job.rows, steps))
        ends: list[End] = []
        for place, (rows, call) in enumerate(steps):
            error = _raised(call) if call is not None else None
            if error is not None and _is_of_one_of_many(rows, error):
                return self._one_by_one(job, link.use)
            if error is not None:
                later = [row for after, _ in steps[place + 1 :] for row in after]
                return replace(self._stopped(job, ends, rows, later, error), use=link.use)
            ends += [self._end(row, JOB_DONE) for row in rows]
        answer = Answer.WELL if any(call is not None for _, call in steps) else None
        return Ended(ends=ends, answer=answer, also=[link.keep, *self._mended(job, answer)], use=link.use)

    def _one_by_one(self, job: Job, use: Use | None) -> Ended:
        """Statuses of several objects, one of which the platform refused: each by itself, so that the others are written."""
        ends: list[End] = []
        also: list[Callable[[sa.Connection], object]] = []
        answer, retry_after_s = None, None
        for rows in _by_object(job.rows):
            if answer in (None, Answer.WELL):
                ended = self.run(replace(job, rows=rows))
                ends, also = [*ends, *ended.ends], [*also, *ended.also]
                answer, retry_after_s = ended.answer or answer, ended.retry_after_s
                use = use + ended.use if use and ended.use else use or ended.use
            else:  # it wants to be left alone
                ends += [End(id=r.id, status=JOB_QUEUED, attempts=r.attempts, due=self._engine.now(), error="") for r in rows]
        return Ended(ends=ends, answer=answer, retry_after_s=retry_after_s, also=also, use=use)

    def broke(self, job: Job, error: BaseException) -> Ended:
        """A bug here: tried again, as it may be an odd row's."""
        return self._handed_on(job, Ended(ends=self._counted(job.rows, f"writing back broke ({name(error)})", None)))

    # -- the three kinds ----------------------------------------------------------------------------------------

    def _statuses(self, job: Job, connector: Connector, link: EngineLink) -> list[Step] | str:
        """All in one call, of each message the last one."""
        write_back, settings = connector.write_back, link.installation.settings
        if write_back is None or settings.get("write_back") == "off":
            return "write_back is off for this installation"
        rows, with_text = values.newest(job.rows), settings.get("write_back_text") is True

        def call() -> None:
            write_back([values.status_change(self._engine.vault, row, with_text=with_text) for row in rows], link)

        return [(job.rows, call if rows else None)]

    def _consents(self, job: Job, connector: Connector, link: EngineLink) -> list[Step] | str:
        """One call for each person and purpose: the newest statement."""
        write_consent = connector.write_consent
        if write_consent is None:
            return f"the connector {connector.name} holds no consent"

        def call(row: AnyRow) -> None:
            change = values.consent_change(self._engine.vault, row)
            if change is not None:
                write_consent(change, link)

        last = {(row.person_id, row.details["purpose"]): row for row in job.rows}
        older = [row for row in job.rows if row not in last.values()]
        return [(older, None), *(([row], _bound(call, row)) for row in last.values())]

    def _replies(self, job: Job, connector: Connector, link: EngineLink) -> list[Step] | str:
        """One call each, in order."""
        write_reply = connector.write_reply
        if write_reply is None:
            return f"the connector {connector.name} takes no replies"

        def call(row: AnyRow) -> None:
            note = values.reply_note(self._engine.vault, row)
            if note is not None:
                write_reply(note, link)

        return [([row], _bound(call, row)) for row in job.rows]

    def _handed_on(self, job: Job, ended: Ended) -> Ended:
        """Replies that a platform took, or that it never will: then the next one is asked, in the same transaction."""
        if job.rows[0].kind != "reply":
            return ended
        rows = {row.id: row for row in job.rows}
        over = [(rows[end.id], end) for end in ended.ends if end.status in (JOB_DONE, JOB_FAILED)]

        def also(connection: sa.Connection) -> None:
            held = self._held(connection, job.tenant_id)
            for row, end in over:
                error = end.error or "it failed" if end.status == JOB_FAILED else None
                passing.ended(self._engine, connection, held, row, self._engine.now(), error=error)

        return replace(ended, also=[*ended.also, also]) if over else ended

    def _held(self, connection: sa.Connection, tenant_id: UUID) -> Held | None:
        return self._engine.configs.get(connection, tenant_id, self._engine.now())

    # -- how it ended -------------------------------------------------------------------------------------------

    def _stopped(self, job: Job, done: Sequence[End], rows: Sequence[AnyRow], later: Sequence[AnyRow], error: Exception) -> Ended:
        """After a call that failed. The later ones of the object keep their order: they are due with it."""
        answer, ends = self._judged(rows, error)
        due = max((end.due for end in ends if end.status == JOB_QUEUED), default=self._engine.now())
        waits = [End(id=row.id, status=JOB_QUEUED, attempts=row.attempts, due=due, error=row.error or "") for row in later]
        also = [self._refused(job, error)] if answer is Answer.REFUSED else []
        retry_after_s = error.retry_after_s if isinstance(error, PlatformError) else None
        return Ended(ends=[*done, *ends, *waits], answer=answer, retry_after_s=retry_after_s, also=also)

    def _judged(self, rows: Sequence[AnyRow], error: Exception) -> tuple[Answer | None, list[End]]:
        """What an error means for the platform's standing, and for the rows of the call."""
        why = mask(str(error)) if isinstance(error, PlatformError) else name(error)
        match error:
            case PlatformUnauthorized():  # held, not burnt: a person has to act
                # somebody waits for an answer: a reply goes to the next desk, or to the dead letters, much earlier
                give_up = GIVE_UP if rows[0].kind == "reply" else REFUSED_GIVE_UP
                return Answer.REFUSED, self._again(rows, REFUSED_WAIT_S, why, give_up)
            case PlatformThrottled():
                return Answer.THROTTLED, self._again(rows, max(error.retry_after_s or 0.0, _SOON_S), why, GIVE_UP)
            case PlatformError(retry=Retry.NEVER):
                return Answer.WELL, self._failed(rows, why)
            case PlatformError():
                return Answer.DOWN, self._counted(rows, why, error.retry_after_s)
            case requests.RequestException():
                return Answer.DOWN, self._counted(rows, f"no answer ({type(error).__name__})", None)
            case StoreUnavailable():
                return None, self._again(rows, _SOON_S, why)
            case NotFound() | DecryptionFailed():
                return None, self._failed(rows, why)
        log.error("a connector broke", exc_info=error, extra={"job": "write_back"})
        return None, self._counted(rows, f"the connector broke ({why})", None)

    def _end(self, row: AnyRow, status: int, error: str = "") -> End:
        return End(id=row.id, status=status, attempts=row.attempts, due=row.due, error=error)

    def _failed(self, rows: Sequence[AnyRow], why: str) -> list[End]:
        """For good."""
        return [self._end(row, JOB_FAILED, why) for row in rows]

    def _again(self, rows: Sequence[AnyRow], wait_s: float, why: str, give_up: timedelta = GIVE_UP) -> list[End]:
        """Later, without counting a try; jobs that have waited for so long fail."""
        now = self._engine.now()
        due = now + timedelta(seconds=wait_s * (1 + self._rand() / 10))
        old = [row for row in rows if now - row.at > give_up]
        waits = [End(id=row.id, status=JOB_QUEUED, attempts=row.attempts, due=due, error=why) for row in rows if row not in old]
        return [*self._failed(old, f"gave up after {give_up.days} days: {why}"), *waits]

    def _counted(self, rows: Sequence[AnyRow], why: str, retry_after_s: float | None) -> list[End]:
        """Later, by the schedule of the one that was tried most often; jobs whose tries are used up fail."""
        over = [row for row in rows if row.attempts >= len(WRITE_BACK_SCHEDULE_S)]
        left = [row for row in rows if row not in over]
        attempt = max((row.attempts + 1 for row in left), default=1)
        wait_s = writeback_retry(attempt, rand=self._rand(), retry_after_s=retry_after_s) or 0.0
        due = self._engine.now() + timedelta(seconds=wait_s)
        waits = [End(id=row.id, status=JOB_QUEUED, attempts=row.attempts + 1, due=due, error=why) for row in left]
        given_up = [
            End(
                id=row.id,
                status=JOB_FAILED,
                attempts=row.attempts + 1,
                due=row.due,
                error=f"gave up after {row.attempts + 1} tries: {why}",
            )
            for row in over
        ]
        return [*given_up, *waits]

    # -- what the installation's owner must know --------------------------------------------------------------------

    def _refused(self, job: Job, error: Exception) -> Callable[[sa.Connection], None]:
        """Say so at the installation, once in the audit trail."""
        now, detail = self._engine.now(), f"{_detail(job)}{mask(str(error))}; install it again or replace its credentials"

        def also(connection: sa.Connection) -> None:
            news = links.describe(connection, job.key, detail)
            if news is not None and not job.target.detail.startswith(_detail(job)):
                scoped = TenantConnection(connection, job.tenant_id)
                audit.note(scoped, "worker", "installation.refused", show("ins", job.key), now, {"kind": job.rows[0].kind})

        return also

    def _mended(self, job: Job, answer: Answer | None) -> list[Callable[[sa.Connection], object]]:
        """Take back what was said of the same kind."""
        if answer is Answer.WELL and job.target.detail.startswith(_detail(job)):
            return [lambda connection: links.describe(connection, job.key, "")]
        return []


_STEPS: dict[str, Callable[[WriteBacks, Job, Connector, EngineLink], list[Step] | str]] = {
    "status": WriteBacks._statuses,
    "consent": WriteBacks._consents,
    "reply": WriteBacks._replies,
}


def _together(taken: Sequence[Sequence[AnyRow]], most: int) -> list[Sequence[AnyRow]]:
    """The statuses of up to `most` objects as one job; other kinds as they are."""
    statuses = [rows for rows in taken if rows[0].kind == "status"]
    bundles = [statuses[first : first + most] for first in range(0, len(statuses), most)]
    return [*([row for rows in bundle for row in rows] for bundle in bundles), *(rows for rows in taken if rows not in statuses)]


def _by_object(rows: Sequence[AnyRow]) -> list[list[AnyRow]]:
    found: dict[str, list[AnyRow]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return list(found.values())


def _is_of_one_of_many(rows: Sequence[AnyRow], error: Exception) -> bool:
    """Whether a call for several objects was refused for one of them, as far as we can know."""
    refused = isinstance(error, PlatformError) and error.retry is Retry.NEVER and not isinstance(error, PlatformUnauthorized)
    return refused and len({row.subject for row in rows}) > 1


def _detail(job: Job) -> str:
    return f"write-back of {job.rows[0].kind}: "


def _bound(call: Callable[[AnyRow], None], row: AnyRow) -> Callable[[], None]:
    return lambda: call(row)


def _raised(call: Callable[[], None]) -> Exception | None:
    """What a connector's function raised."""
    try:
        call()
    except Exception as e:  # whatever a connector does is judged, not spread
        return e
    return None
