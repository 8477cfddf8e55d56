"""The producer hears what became of its events, each fact once, signed, also after its failures; replies with what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine import dlrs, exports, replies
from bellwire.engine.crew import Crew
from bellwire.engine.presence import Presence
from bellwire.engine.writebacks import WriteBacks
from bellwire.errors import ErrorClass
from bellwire.ids import show
from bellwire.model import Dlr, Reply, Status
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import schema
from bellwire.store.schema import JOB_DONE, JOB_QUEUED, STATUS_CODES
from bellwire.testing import SECRET
from standins.timecard import Producer
from standins.timecard_office import DANA, EVE, MAX, Office


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins(only=("sandbox", "timecard"))


@pytest.fixture
def producer() -> Iterator[Producer]:
    with Producer(SECRET) as running:
        yield running


#: New statements run on both databases; what is the same rule again runs on SQLite.
BOTH = pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    kind = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def office(database_url: str, plugins: Plugins, producer: Producer) -> Iterator[Office]:
    office = Office(database_url, plugins=plugins, callback_url=producer.url, write_back="all")
    producer.now = office.clock
    office.hire("dana", DANA, "Dana", manager="max")
    office.hire("max", MAX, "Max")
    yield office
    office.engine.http.close()
    office.close()


def work(office: Office) -> None:
    """What the jobs of a process do now."""
    presence = Presence(office.engine, [schema.write_backs, schema.callbacks])
    presence.step()
    crew = Crew("write-back", office.engine, WriteBacks(office.engine, rand=lambda: 0.0), presence, threads=2)
    assert crew.settle(10)
    crew.drain(5)
    presence.leave(5)


def told(producer: Producer) -> list[tuple[str, str, str | None]]:
    return [(event["type"].removeprefix("bellwire."), event["subject"], event["data"].get("reason")) for event in producer.events]


def went_out(office: Office) -> None:
    """The carrier took what waits."""
    m = schema.messages
    sent = {"status": STATUS_CODES[Status.SENT], "updated_at": office.clock()}
    office.engine.write(lambda c: c.execute(sa.update(m).where(m.c.status < 2).values(**sent)))


def failed(office: Office) -> None:
    """The carrier reports that the newest text did not arrive."""
    message = office.messages()[-1]
    account = office.carrier_account(message.account_id)
    receipt = Dlr(
        carrier_ref="", status=Status.UNDELIVERED, raw_status="UNDELIV", raw_code="30003", error_class=ErrorClass.UNREACHABLE
    )
    dlrs.accept(office.engine, dlrs.read(account, [receipt], message.id, office.clock()))


@BOTH
def test_each_status_is_told_once_with_what_was_wrong(office: Office, producer: Producer) -> None:
    office.listen("task.assigned", recipient="worker")
    [event] = office.tell("task.assigned", "task/9", task={"id": "9"}).events
    work(office)
    assert told(producer) == [("message.queued", "task/9", None)]
    went_out(office)
    office.clock.forward(seconds=5)
    failed(office)
    work(office)
    last = producer.events[-1]
    assert (last["type"], last["subject"]) == ("bellwire.message.undelivered", "task/9")
    [message] = office.messages()
    assert last["data"] | {"at": ""} == {
        "message_id": show("msg", message.id),
        "event_id": event,
        "recipient_ref": "dana",
        "status": "undelivered",
        "error": {"code": "30003", "class": "unreachable"},
        "segments": 1,
        "trigger": "task.assigned worker text0",
        "at": "",
    }
    assert [one["sequence"] for one in producer.events] == sorted(one["sequence"] for one in producer.events)
    assert DANA not in str(producer.events)
    assert producer.forged == 0


def test_a_refusal_is_told_with_its_reason(office: Office, producer: Producer) -> None:
    office.listen("task.assigned", recipient="worker")
    office.tell("task.assigned", "task/9", task={"id": "9", "version": 2})
    office.tell("task.assigned", "task/9", task={"id": "9", "version": 1}, event_id="older")
    office.tell("task.assigned", "task/8", task={"id": "8"}, worker={"id": "nobody"})
    work(office)
    assert sorted(told(producer)) == [
        ("message.queued", "task/9", None),
        ("message.refused", "task/8", "no_recipient"),
        ("message.refused", "task/9", "stale"),
    ]


def test_a_producer_that_fails_is_told_later_and_once(office: Office, producer: Producer) -> None:
    office.listen("task.assigned", recipient="worker")
    office.tell("task.assigned", "task/9", task={"id": "9"})
    producer.answers.extend([(503, {}), (500, {})])
    rows: Any = sa.select(schema.write_backs.c.status, schema.write_backs.c.due)
    for _ in range(2):
        work(office)
        [row] = office.all(rows)
        assert (row.status, producer.events) == (JOB_QUEUED, [])
        office.clock.at = row.due
    work(office)
    assert [row.status for row in office.all(rows)] == [JOB_DONE]
    assert told(producer) == [("message.queued", "task/9", None)]
    assert len(producer.deliveries) == 3
    assert len(set(producer.deliveries)) == 1


@pytest.fixture
def answer(office: Office) -> Any:
    """Lets somebody text back."""

    def run(text: str, msisdn: str = DANA) -> None:
        account = office.carrier_account(office.messages()[-1].account_id)
        office._made += 1
        office.clock.forward(seconds=1)
        replies.accept(office.engine, account, [Reply(id=f"mo-{office._made}", msisdn=msisdn, to="+15550100001", text=text)])

    return run


def offered(office: Office, *keywords: str) -> tuple[str, str]:
    """Two shifts are offered to Dana; their codes."""
    office.listen("shift.offered", body="{{ shift.id }} {{ reply.code }}")
    starts = (office.clock() + timedelta(days=1)).isoformat()
    for number in ("56", "57"):
        reply = {"keywords": [*keywords, "YES", "NO"], "expires_at": (office.clock() + timedelta(hours=2)).isoformat()}
        office.tell("shift.offered", f"shift/{number}", shift={"id": number, "starts_at": starts}, reply=reply)
    went_out(office)
    first, second = (text.split()[1] for _, text, _ in office.texts())
    return first, second


@BOTH
def test_a_reply_says_which_question_it_answers(office: Office, producer: Producer, answer: Any) -> None:
    first, _ = offered(office)
    answer(f"yes {first}")
    answer(f"No {first}")  # a code is good once
    answer("yes")
    for _ in range(3):  # jobs of one object wait for each other for half a second
        work(office)
        office.clock.forward(seconds=1)
    got = [event for event in producer.events if event["type"] == "bellwire.reply.received"]
    assert [(event["data"]["text"], event["data"].get("keyword"), event["data"].get("answers")) for event in got] == [
        (f"yes {first}", "YES", "shift/56"),
        (f"No {first}", None, None),
        ("yes", None, None),
    ]
    [asked, _] = office.messages()
    assert got[0]["subject"] == "shift/56"
    assert (got[0]["data"]["in_reply_to"], got[0]["data"]["recipient_ref"]) == (show("msg", asked.id), "dana")
    assert DANA not in str(got)
    taken_out = list(exports.export(office.engine.store, office.tenant_id, exports.What.REPLIES))[::-1]
    assert [(row["answer"], row["answers"]) for row in taken_out] == [("YES", "shift/56"), (None, None), (None, None)]
    assert taken_out[0]["message"] == show("msg", asked.id), "the text that asked, not the newest"


def test_an_answer_after_its_end_and_another_s_answer_are_none(office: Office, producer: Producer, answer: Any) -> None:
    _, second = offered(office)
    office.listen("task.assigned", recipient="worker")
    office.tell("task.assigned", "task/1", task={"id": "1"}, worker={"id": "eve", "phone": EVE, "name": "Eve"})
    went_out(office)
    answer(f"yes {second}", EVE)
    office.clock.forward(hours=3)
    answer(f"yes {second}")
    assert [row.answer for row in office.all(sa.select(schema.replies))] == [None, None]


def test_stop_is_stop_whatever_was_asked(office: Office, answer: Any) -> None:
    first, _ = offered(office, "STOP")
    answer(f"STOP {first}")
    [row] = office.all(sa.select(schema.replies))
    assert (row.kind, row.answer) == ("stop", None)


def test_who_answers_a_reminder_is_left_alone_and_so_is_the_manager(office: Office, producer: Producer, answer: Any) -> None:
    office.listen("timecard.missing", body="{{ deadline.stage }} {{ reply.code }}")
    period = {"start": "2026-02-23", "end": "2026-03-01"}
    due = (office.clock() + timedelta(hours=1)).isoformat()
    office.tell("timecard.reopened", timecard={"id": "881", "period": period, "due_at": due})
    office.clock.forward(hours=1)
    office.strike()
    went_out(office)
    answer("ok")
    office.clock.forward(hours=9)
    assert office.strike() == 0
    assert [to for to, _, _ in office.texts()] == [DANA]
    [row] = office.all(sa.select(schema.replies))
    assert row.answer == "OK"
