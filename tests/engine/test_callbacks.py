"""Callbacks: signed CloudEvents, tried by the Standard Webhooks schedule; a bad receiver is its own trouble (F6, F7, F9)."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.domain.retries import WRITE_BACK_SCHEDULE_S
from bellwire.engine.callbacks import DISABLE_AFTER, Callbacks
from bellwire.engine.followups import Change
from bellwire.engine.http import CALLBACK, Bounds, Http
from bellwire.errors import Conflict, NotFound
from bellwire.ids import new_id, show
from bellwire.model import Status
from bellwire.store import callbacks, endpoints, schema
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from bellwire.testing import FixedClock
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from standins import receiver as standin
from standins.desk import Desk, Platform, connector
from standins.receiver import Receiver, status
from standins.shift import Shift

QUICK = Bounds(connect_s=1.0, read_s=0.5, total_s=1.0, body_max=64 * 1024, cut=True)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    # the oracle compares with the real time
    desk = Desk(database_url, connector(Platform()), clock=FixedClock(datetime.now(UTC)))
    yield desk
    desk.close()


@pytest.fixture
def shift(desk: Desk) -> Iterator[Shift]:
    http = Http(allow_private=True, bounds=QUICK)
    yield Shift(desk, Callbacks(desk.engine, http, rand=lambda: 0.0))
    http.close()


def endpoint(desk: Desk, url: str, *types: str, of: UUID | None = None) -> tuple[UUID, str]:
    """An endpoint of the tenant and its secret."""
    made, secret = desk.change(
        lambda c: endpoints.create(
            c, desk.engine.vault, url=url, types=types or ("message.delivered",), actor="key", now=desk.clock.now()
        ),
        of=of,
    )
    return made.id, secret


def happen(desk: Desk, count: int = 1, status: Status = Status.DELIVERED, *, of: UUID | None = None) -> list[UUID]:
    """So many messages move."""
    made = [new_id() for _ in range(count)]
    desk.moved(*(Change(message_id=one, status=status, at=desk.clock.now(), reference="order-7") for one in made), of=of)
    return made


def states(desk: Desk) -> Counter[int]:
    return Counter(row.status for row in desk.callbacks())


# -- what is sent ---------------------------------------------------------------------------------------------------


def test_a_callback_is_a_cloud_event_that_the_reference_library_verifies(desk: Desk, shift: Shift) -> None:
    with Receiver() as receiver:
        _, secret = endpoint(desk, f"{receiver.url}/sms?x=1")
        [message] = happen(desk)
        shift.look()
        [got] = receiver.received
    assert got.path == "/sms?x=1"
    assert got.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    verified = Webhook(secret).verify(got.body, dict(got.headers))
    [row] = desk.callbacks()
    at = desk.clock.now().isoformat().replace("+00:00", "Z")
    assert verified == {
        "specversion": "1.0",
        "id": show("cev", row.id),
        "source": f"/tenants/{show('ten', desk.tenant_id)}",
        "type": "message.delivered",
        "time": at,
        "datacontenttype": "application/json",
        "subject": show("msg", message),
        "data": {
            "id": show("msg", message),
            "status": "delivered",
            "reason": None,
            "reference": "order-7",
            "event": None,
            "trigger": None,
            "updated_at": at,
        },
    }
    assert got.headers["webhook-id"] == verified["id"]
    assert (row.status, row.attempts, row.owner, row.error) == (JOB_DONE, 1, None, None)


def test_the_documentations_code_verifies_a_callback_and_no_other(desk: Desk, shift: Shift) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "callbacks.md").read_text("utf-8")
    library, own = (part.split("```")[0] for part in page.split("```python")[1:])
    with Receiver() as receiver:
        _, secret = endpoint(desk, receiver.url)
        happen(desk)
        shift.look()
        [got] = receiver.received
    names: dict[str, Any] = {"secret": secret, "body": got.body, "headers": got.headers}
    exec(library, names)  # noqa: S102  # our own page
    assert names["event"]["type"] == "message.delivered"
    exec(own, names)  # noqa: S102  # our own page
    verify = names["verify"]
    assert verify(secret, got.headers, got.body)
    assert not verify(secret, got.headers, got.body + b" ")
    assert not verify(endpoints.new_secret(), got.headers, got.body)
    assert not verify(secret, {**got.headers, "webhook-timestamp": "1767225600"}, got.body)


def test_only_the_types_that_were_asked_for_are_sent(desk: Desk, shift: Shift) -> None:
    with Receiver() as receiver:
        endpoint(desk, receiver.url, "message.failed", "message.delivered")
        for one in (Status.QUEUED, Status.SENT, Status.DELIVERED, Status.FAILED):
            happen(desk, status=one)
        shift.look()
        assert sorted(json.loads(got.body)["type"] for got in receiver.received) == ["message.delivered", "message.failed"]


def test_each_endpoint_has_a_secret_of_its_own(desk: Desk, shift: Shift) -> None:
    other = desk.tenant("other")
    with Receiver() as receiver:
        secrets = {
            "/a": endpoint(desk, f"{receiver.url}/a")[1],
            "/b": endpoint(desk, f"{receiver.url}/b")[1],
            "/c": endpoint(desk, f"{receiver.url}/c", of=other)[1],
        }
        happen(desk)
        happen(desk, of=other)
        shift.look()
        assert len(receiver.received) == 3
        for got in receiver.received:
            for path, secret in secrets.items():
                if path == got.path:
                    Webhook(secret).verify(got.body, dict(got.headers))
                else:
                    with pytest.raises(WebhookVerificationError):
                        Webhook(secret).verify(got.body, dict(got.headers))


@given(st.integers(2, 200))
def test_no_two_secrets_are_alike(many: int) -> None:
    assert len({endpoints.new_secret() for _ in range(many)}) == many


def test_another_tenants_events_are_not_sent(desk: Desk, shift: Shift) -> None:
    with Receiver() as receiver:
        endpoint(desk, receiver.url, of=desk.tenant("other"))
        happen(desk)
        shift.look()
        assert receiver.connections == 0


# -- F7 -------------------------------------------------------------------------------------------------------------


def test_tries_follow_the_standard_webhooks_schedule_under_one_id(desk: Desk, shift: Shift) -> None:
    with Receiver(answer=status(500, body=b"+998901234567 is secret")) as receiver:
        endpoint(desk, receiver.url)
        happen(desk)
        shift.look()
        began, tried = desk.clock.now(), [0.0]
        for wait_s in WRITE_BACK_SCHEDULE_S:
            for step in (wait_s - 1, 1):
                before = len(receiver.received)
                desk.clock.advance(step)
                shift.look()
                tried += [(desk.clock.now() - began).total_seconds()] * (len(receiver.received) - before)
        assert tried == [float(sum(WRITE_BACK_SCHEDULE_S[:n])) for n in range(10)]
        assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
        assert len({got.body for got in receiver.received}) == 1
        assert len({got.headers["webhook-timestamp"] for got in receiver.received}) == 10
    [row] = desk.callbacks()
    assert (row.status, row.error) == (JOB_FAILED, "gave up after 10 tries: answered 500")


def test_an_endpoint_that_fails_for_days_is_switched_off_and_its_owner_told(desk: Desk, shift: Shift) -> None:
    with Receiver(answer=status(503)) as receiver:
        cbk, _ = endpoint(desk, receiver.url)
        for _ in range(4):
            happen(desk, 25)
            shift.wait(DISABLE_AFTER.total_seconds() / 4 - 3_600, every=1_800)
        assert state(desk, cbk) == "active"
        happen(desk)
        shift.wait(86_400, every=1_800)
        assert state(desk, cbk) == "disabled"
        assert desk.audit().count("callback.disabled") == 1
        assert states(desk) == {JOB_FAILED: 101}
        happen(desk)
        assert states(desk) == {JOB_FAILED: 101}, "nothing more is queued for it"
        # mended: switched on, and what failed is asked for again
        receiver.answer, receiver.received = status(200), []
        desk.change(lambda c: endpoints.change(c, cbk, actor="key", now=desk.clock.now(), status="active"))
        since = desk.clock.now() - timedelta(days=30)
        asked = {"since": since, "only_failed": True, "actor": "key", "now": desk.clock.now()}
        assert desk.change(lambda c: endpoints.redeliver(c, cbk, **asked)) == 101
        shift.wait(120)
        assert len({got.headers["webhook-id"] for got in receiver.received}) == 101
        assert states(desk) == {JOB_DONE: 101}


def state(desk: Desk, endpoint_id: UUID) -> str:
    e = schema.callback_endpoints.c
    [row] = desk.all(sa.select(e.status).where(e.id == endpoint_id))
    return str(row.status)


def test_failures_now_and_then_switch_nothing_off(desk: Desk, shift: Shift) -> None:
    asked = Counter[str]()

    def every_other(handler: standin.Handler, _: standin.Received) -> None:
        asked["all"] += 1
        handler.reply(500 if asked["all"] % 2 else 200)

    with Receiver(answer=every_other) as receiver:
        cbk, _ = endpoint(desk, receiver.url)
        for _ in range(10):
            happen(desk)
            shift.look()
            shift.wait(86_400, every=14_400)
        assert state(desk, cbk) == "active"
    assert states(desk) == {JOB_DONE: 10}


def test_410_switches_off_at_once(desk: Desk, shift: Shift) -> None:
    with Receiver(answer=status(410)) as receiver:
        cbk, _ = endpoint(desk, receiver.url)
        happen(desk, 3)
        shift.look()
        assert len(receiver.received) == 1
    assert state(desk, cbk) == "disabled"
    assert states(desk) == {JOB_FAILED: 3}


def test_retry_after_of_a_429_is_kept(desk: Desk, shift: Shift) -> None:
    with Receiver(answer=status(429, {"Retry-After": "600"})) as receiver:
        endpoint(desk, receiver.url)
        happen(desk, 20)
        shift.look()
        shift.wait(599, every=10)
        assert len(receiver.received) == 1, "the others were not tried either"
        receiver.answer = status(200)
        shift.wait(120, every=10)
    assert states(desk) == {JOB_DONE: 20}


@pytest.mark.parametrize("code", [301, 302, 307, 400, 401, 403, 404, 500, 502])
def test_any_other_answer_is_a_failure(code: int, desk: Desk, shift: Shift) -> None:
    with Receiver() as trap, Receiver(answer=status(code, {"Location": trap.url}, b"canary")) as receiver:
        endpoint(desk, receiver.url)
        happen(desk)
        shift.look()
        assert trap.connections == 0
    [row] = desk.callbacks()
    assert (row.status, row.error) == (JOB_QUEUED, f"answered {code}")


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_any_2xx_is_success(code: int, desk: Desk, shift: Shift) -> None:
    with Receiver(answer=status(code)) as receiver:
        endpoint(desk, receiver.url)
        happen(desk)
        shift.look()
    assert states(desk) == {JOB_DONE: 1}


def test_a_private_address_is_not_called_where_that_is_forbidden(desk: Desk) -> None:
    shift = Shift(desk, Callbacks(desk.engine, Http(bounds=CALLBACK), rand=lambda: 0.0))
    with Receiver() as trap:
        endpoint(desk, f"https://127.0.0.1:{trap.port}/")
        endpoint(desk, trap.url)
        happen(desk)
        shift.look()
        assert trap.connections == 0
    assert {row.error for row in desk.callbacks()} == {"the URL is not https or leads to a private address"}


# -- redelivering by hand -------------------------------------------------------------------------------------------


def test_one_callback_is_sent_again_under_its_id(desk: Desk, shift: Shift) -> None:
    with Receiver() as receiver:
        cbk, _ = endpoint(desk, receiver.url)
        happen(desk, 3)
        shift.look()
        shift.look()
        wanted = desk.callbacks()[1].id
        again = desk.change(lambda c: callbacks.redeliver(c, cbk, wanted, actor="key", now=desk.clock.now()))
        assert (again.id, again.status) == (wanted, "queued")
        with pytest.raises(Conflict):
            desk.change(lambda c: callbacks.redeliver(c, cbk, wanted, actor="key", now=desk.clock.now()))
        shift.look()
        assert Counter(got.headers["webhook-id"] for got in receiver.received)[show("cev", wanted)] == 2
        assert len(receiver.received) == 4
    other = desk.tenant("other")
    with pytest.raises(NotFound):
        desk.change(lambda c: callbacks.redeliver(c, cbk, wanted, actor="key", now=desk.clock.now()), of=other)


def test_the_owner_sees_what_was_sent_and_what_failed(desk: Desk, shift: Shift) -> None:
    with Receiver() as receiver:
        cbk, _ = endpoint(desk, receiver.url)
        happen(desk)
        shift.look()
        receiver.answer = status(410)
        happen(desk)
        shift.look()
        happened = desk.change(lambda c: callbacks.listed(c, cbk, limit=10))
        failed = desk.change(lambda c: callbacks.listed(c, cbk, limit=10, only_failed=True))
    assert sorted((one.type, one.status, one.attempts, one.error) for one in happened.items) == [
        ("message.delivered", "done", 1, ""),
        ("message.delivered", "failed", 1, "answered 410"),
    ]
    assert [one.error for one in failed.items] == ["answered 410"]


# -- F6 -------------------------------------------------------------------------------------------------------------

HOSTILE = [
    standin.mute, standin.drip_status, standin.drip_headers, standin.drip_body, standin.endless_headers, standin.endless_continues,
    standin.huge_body, standin.bad_gzip, standin.nonsense, standin.hang_up,
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: answer.__name__)
def test_a_hostile_receiver_ends_in_time_and_is_tried_again_or_done(answer: standin.Answer, desk: Desk, shift: Shift) -> None:
    with Receiver(answer=answer) as receiver:
        endpoint(desk, receiver.url)
        happen(desk)
        shift.look()
    [row] = desk.callbacks()
    took_it = answer in (standin.drip_body, standin.huge_body, standin.bad_gzip)  # the status was 200
    assert row.status == (JOB_DONE if took_it else JOB_QUEUED)
    assert "no answer" in (row.error or "no answer")


def test_receivers_that_never_answer_starve_nobody(desk: Desk) -> None:
    """While their calls hang, everybody else's callbacks are delivered."""
    patient = Http(allow_private=True, bounds=Bounds(read_s=30, total_s=30, body_max=1_000, cut=True))
    shift = Shift(desk, Callbacks(desk.engine, patient, rand=lambda: 0.0))
    with Receiver(answer=standin.mute) as hostile, Receiver() as good:
        for place in range(6):
            endpoint(desk, f"{hostile.url}/{place}")
        endpoint(desk, good.url)
        happen(desk, 50)
        for _ in range(400):
            desk.clock.advance(0.5)
            shift.presence.step()
            shift.crew.bell.clear()
            if not shift.crew.step():
                shift.crew.bell.wait(0.05)
            if len(good.received) == 50:
                break
        assert len(good.received) == 50
        assert 0 < len(hostile.received) <= 6, "of each one call, and it still hangs"
    shift.crew.drain(10)


def test_a_receiver_that_is_down_costs_few_calls(desk: Desk, shift: Shift) -> None:
    with Receiver(answer=status(503)) as down, Receiver() as good:
        endpoint(desk, down.url)
        endpoint(desk, good.url)
        happen(desk, 200)
        shift.wait(600, every=10)
        assert len(good.received) == 200
        assert len(down.received) < 30
        down.answer = status(200)
        shift.wait(600, every=10)
    assert states(desk) == {JOB_DONE: 400}


# -- H5 -------------------------------------------------------------------------------------------------------------


def test_neither_secret_nor_url_nor_number_is_logged(desk: Desk, shift: Shift, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver(answer=status(410, body=b"canary")) as receiver, caplog.at_level(logging.DEBUG, "bellwire"):
        _, secret = endpoint(desk, f"{receiver.url}/canary-path")
        happen(desk)
        shift.look()
    said = str([vars(record) for record in caplog.records if record.name.startswith("bellwire")])
    assert "callback.disabled" in said
    for hidden in ("canary", secret, secret.removeprefix("whsec_")):
        assert hidden not in said
