"""The contract, row by row: envelope, modes, versions, data, and what of a batch is refused under which code and field."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bellwire import PayloadInvalid, WebhookRequest
from bellwire.testing import NOW, Case, bend, installation, sample, samples
from bellwire_connectors.timecard import connector

PACKAGE = "bellwire_connectors.timecard"
HERE = installation(connector)
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "timecard_canonical"


def put(path: str, value: Any) -> Callable[[Any], None]:
    """An edit: the value at a dotted path; `...` takes it out."""

    def edit(body: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            body = body.setdefault(step, {})
        if value is ...:
            body.pop(last, None)
        else:
            body[last] = value

    return edit


DANA = {"customer.ref": "emp-1001", "customer.phones": ["+15550100001"], "customer.timezone": "America/New_York"}
CASES = [
    Case(
        "a timecard that is handed in is the manager's business",
        sample="timecard_submitted",
        events=[
            {
                "type": "timecard.submitted",
                "id": "/tenants/example/timecards tc-881-submitted-1",
                "subject": "timecard/881",
                **DANA,
                "recipient.ref": "emp-2001",
                "manager.phones": ["+15550100002"],
                "data.timecard.hours": "40",
                "data.timecard.period_start": "2025-12-29",
                "data.timecard.period_end": "2026-01-04",
                "data.timecard.version": 1,
                "data.worker.name": "Dana Sample",
                "data.recipients": ["manager"],
            }
        ],
    ),
    Case(
        "what changed is told with what it was",
        sample="timecard_approved",
        events=[
            {
                "data.timecard.status": "approved",
                "data.previous.timecard.status": "submitted",
                "data.changed": ["timecard.status"],
                "actor.ref": "emp-2001",
                "recipient.ref": "emp-1001",
            }
        ],
    ),
    Case(
        "minutes become hours without needless zeros",
        sample="timecard_approved",
        edit=put("data.timecard.minutes", 455),
        events=[{"data.timecard.hours": "7.58", "data.timecard.minutes": 455}],
    ),
    Case(
        "a missing card has no id: the worker is the subject",
        sample="timecard_missing",
        events=[{"type": "timecard.missing", "subject": "worker/emp-1001", "data.timecard.id": None, "recipient.ref": "emp-1001"}],
    ),
    Case(
        "times keep the offset they were told in",
        sample="shift_reminder",
        events=[{"data.shift.starts_at": "2026-01-06T08:00:00-05:00", "data.not_after": "2026-01-06T08:00:00-05:00"}],
    ),
    Case(
        "a worker known by reference only has no phone: the directory is asked",
        sample="shift_published",
        events=[{"customer.ref": "emp-1001", "customer.phones": [], "worker.ref": "emp-1001"}],
    ),
    Case(
        "a cancelled shift may be another's, too: the engine ends this person's", sample="shift_cancelled", events=[{"cancels": []}]
    ),
    Case(
        "an offer carries its keywords and a code of four digits",
        sample="shift_offered",
        events=[{"data.reply.keywords": ["YES", "NO"], "data.reply.code": "0546", "data.reply.expires_at": "2026-01-05T20:00:00Z"}],
    ),
    Case(
        "the producer's own code wins",
        sample="shift_offered",
        edit=put("data.reply.code", "ab12"),
        events=[{"data.reply.code": "AB12"}],
    ),
    Case(
        "a payment is a decimal string and its currency",
        sample="task_payment",
        events=[{"data.payment.amount": "42.50", "data.payment.currency": "USD", "data.payment.status": "paid"}],
    ),
    Case(
        "an amount as a JSON number may have lost cents",
        sample="task_payment",
        edit=put("data.payment.amount", 42.5),
        error=PayloadInvalid,
        names="data.payment.amount",
    ),
    Case(
        "consent that was said is told",
        sample="worker_updated",
        events=[{"type": "worker.updated", "data.worker.manager_id": "emp-2001"}],
    ),
    Case("test mode is a test", sample="test_mode", events=[{"test": True}]),
    Case(
        "binary mode reads the same",
        sample="binary",
        events=[{"type": "task.assigned", "subject": "task/9004", "fact": "binary:task-9004-assigned-1"}],
    ),
    Case(
        "binary mode may not change people",
        sample="binary",
        headers={"ce-type": "bellwire.worker.updated"},
        error=PayloadInvalid,
        names="type",
    ),
    Case("binary mode has its flags as texts", sample="binary", headers={"ce-testmode": "true"}, events=[{"test": True}]),
    Case("a type that is not ours is left alone", sample="timecard_approved", edit=put("type", "com.example.thing"), events=[]),
    Case("a type that is not served yet is left alone", sample="unknown_type", events=[]),
    Case(
        "a newer minor version only adds",
        sample="timecard_approved",
        edit=put("dataschema", "https://x.example/t/1.7.json"),
        events=[{"type": "timecard.approved"}],
    ),
    Case("no schema is the first", sample="timecard_approved", edit=put("dataschema", ...), events=[{"type": "timecard.approved"}]),
    Case("without a subject the data tells it", sample="task_due", edit=put("subject", ...), events=[{"subject": "task/9001"}]),
    Case(
        "a zone nobody knows is none",
        sample="task_due",
        edit=put("data.worker.timezone", "Mars/Olympus"),
        events=[{"customer.timezone": ""}],
    ),
    Case(
        "a language that is none is none",
        sample="task_due",
        edit=put("data.worker.locale", "<b>"),
        events=[{"customer.locale": ""}],
    ),
    Case("a number is an id", sample="task_due", edit=put("data.task.id", 9001), events=[{"data.task.id": "9001"}]),
    Case(
        "fields that nobody documents are ignored",
        sample="task_due",
        edit=put("data.task.mood", {"a": [1]}),
        events=[{"type": "task.due"}],
    ),
    Case("variables are texts", sample="task_due", edit=put("data.vars", {"site": "North"}), events=[{"data.vars.site": "North"}]),
    Case(
        "a cancelled shift needs no times",
        sample="shift_cancelled",
        edit=put("data.shift", {"id": "55"}),
        events=[{"subject": "shift/55"}],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


ENVELOPE, DATA = "invalid_envelope", "invalid_data"
REFUSED = [
    ("another version of CloudEvents", put("specversion", "0.3"), ENVELOPE, "specversion"),
    ("no id", put("id", ...), ENVELOPE, "id"),
    ("an id that is too long", put("id", "x" * 129), ENVELOPE, "id"),
    ("an id that is a number", put("id", 7), ENVELOPE, "id"),
    ("no source", put("source", ""), ENVELOPE, "source"),
    ("a source with a blank", put("source", "/a b"), ENVELOPE, "source"),
    ("no type", put("type", ...), ENVELOPE, "type"),
    ("a subject of another kind", put("subject", "order/1"), ENVELOPE, "subject"),
    ("no time", put("time", ...), ENVELOPE, "time"),
    ("a time without an offset", put("time", "2026-01-05T08:59:58"), ENVELOPE, "time"),
    ("a time that never was", put("time", "2026-02-30T08:59:58Z"), ENVELOPE, "time"),
    ("a time of another age", put("time", "9999-12-31T23:59:59Z"), ENVELOPE, "time"),
    ("another major version", put("dataschema", "https://x.example/timecard/2.json"), ENVELOPE, "dataschema"),
    ("a schema without a version", put("dataschema", "https://x.example/timecard"), ENVELOPE, "dataschema"),
    ("another content type inside", put("datacontenttype", "text/xml"), ENVELOPE, "datacontenttype"),
    ("no data", put("data", ...), ENVELOPE, "data"),
    ("data that is a list", put("data", []), ENVELOPE, "data"),
    ("data in base64", put("data_base64", "e30="), ENVELOPE, "data"),
    ("test mode as a text", put("testmode", "yes"), ENVELOPE, "testmode"),
    ("no reason for a rejection", put("data.timecard.reason", ...), DATA, "data.timecard.reason"),
    ("no worker", put("data.worker", ...), DATA, "data.worker"),
    ("a worker without an id", put("data.worker", {"name": "Dana"}), DATA, "data.worker.id"),
    ("recipients that are numbers", put("data.recipients", ["+15550100001"]), DATA, "data.recipients.0"),
    ("a due time without an offset", put("data.timecard.due_at", "2026-01-05T08:59"), DATA, "data.timecard.due_at"),
    ("minutes below nothing", put("data.timecard.minutes", -1), DATA, "data.timecard.minutes"),
    ("a version that is a text", put("data.timecard.version", "3"), DATA, "data.timecard.version"),
    ("a link that no handset opens", put("data.timecard.url", "javascript:alert(1)"), DATA, "data.timecard.url"),
    ("too many variables", put("data.vars", {f"v{n}": "x" for n in range(21)}), DATA, "data.vars"),
    ("a variable that is too long", put("data.vars", {"a": "x" * 201}), DATA, "data.vars.a"),
    ("a consent of another state", put("data.worker.consent", {"state": "maybe"}), DATA, "data.worker.consent.state"),
    ("a keyword with a blank", put("data.reply", {"keywords": ["yes please"]}), DATA, "data.reply.keywords.0"),
]


@pytest.mark.parametrize(("label", "edit", "code", "field"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_breaks_the_contract_is_named_alone_and_in_a_batch(
    label: str, edit: Callable[[Any], None], code: str, field: str
) -> None:
    alone = bend(sample(PACKAGE, "timecard_rejected"), edit)
    with pytest.raises(PayloadInvalid) as raised:
        connector.read(alone, HERE)
    assert (raised.value.code, raised.value.field, raised.value.status) == (code, field, 400)
    good = json.loads(sample(PACKAGE, "task_assigned").body)
    bad = json.loads(alone.body)
    request = batch([good, bad, {**good, "id": "another"}])
    assert [event.id.rpartition(" ")[2] for event in connector.read(request, HERE)] == ["task-9001-assigned-1", "another"]
    assert connector.refused is not None
    named = bad.get("id")
    shown = named if isinstance(named, str) and len(named) <= 128 else ""
    [refused] = connector.refused(request, HERE) or ()
    assert (refused.id, refused.code, refused.field) == (shown, code, field)


def batch(items: list[Any]) -> WebhookRequest:
    return WebhookRequest(
        headers={"content-type": "application/cloudevents-batch+json"}, body=json.dumps(items).encode(), received_at=NOW
    )


def test_only_named_sources_are_taken_once_any_is_named() -> None:
    request, here = sample(PACKAGE, "timecard_approved"), replace(HERE, settings={"sources": ["/tenants/other"]})
    with pytest.raises(PayloadInvalid, match="invalid_envelope: source"):
        connector.read(request, here)
    assert connector.read(request, replace(HERE, settings={"sources": ["/tenants/other", "/tenants/example/timecards"]}))


ODD = [
    ("a hundred", batch([]), 200, 0),
    ("more than a hundred", batch([{}] * 101), 413, 0),
    ("a batch that is an object", replace(batch([]), body=b"{}"), 400, 0),
    ("an event that is a list", replace(sample(PACKAGE, "task_due"), body=b"[]"), 400, 0),
    ("a form", replace(batch([]), headers={"content-type": "application/x-www-form-urlencoded"}), 415, 0),
    ("no content type", replace(batch([]), headers={}), 415, 0),
    ("a quarter of a megabyte and a byte", replace(batch([]), body=b" " * (256 * 1024 + 1)), 413, 0),
    ("plain JSON that is no event", replace(batch([]), headers={"content-type": "application/json"}, body=b'{"a": 1}'), 400, 0),
]


@pytest.mark.parametrize(("label", "request_", "status", "count"), ODD, ids=[row[0] for row in ODD])
def test_requests_that_are_none(label: str, request_: WebhookRequest, status: int, count: int) -> None:
    if status == 200:
        assert len(connector.read(request_, HERE)) == count
        return
    with pytest.raises(PayloadInvalid) as raised:
        connector.read(request_, HERE)
    assert raised.value.status == status


def test_a_hundred_events_are_a_batch() -> None:
    good = json.loads(sample(PACKAGE, "task_assigned").body)
    request = batch([{**good, "id": f"e{number}"} for number in range(100)])
    assert len({event.id for event in connector.read(request, HERE)}) == 100
    assert connector.refused is not None
    assert list(connector.refused(request, HERE) or ()) == []


def test_a_single_event_has_nothing_left_out() -> None:
    assert connector.refused is not None
    assert connector.refused(sample(PACKAGE, "task_assigned"), HERE) is None


def test_every_type_has_a_sample() -> None:
    shown = {event.type for name in samples(PACKAGE) for event in connector.read(sample(PACKAGE, name), HERE)}
    assert shown == set(connector.events)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_recorded_payloads_are_read() -> None:
    read = {}
    for path in sorted(RECORDED.glob("*.*.json")):
        request = WebhookRequest(headers={"content-type": "application/cloudevents+json"}, body=path.read_bytes(), received_at=NOW)
        [event] = connector.read(request, HERE)
        assert event.type == path.name.removesuffix(".json")
        assert event.people["customer"].phones == ("+998901234567",)
        assert event.people["worker"] is event.people["customer"]
        assert event.people["customer"].timezone == "Asia/Tashkent"
        read[event.type] = event
    assert len(read) == 9
    assert read["timecard.submitted"].people["recipient"].phones == ("+385911234567",)
    assert read["timecard.missing"].data["timecard.due_at"] == "2026-03-09T12:00:00+05:00"
    assert read["shift.reminder"].data["not_after"] == "2026-03-09T08:00:00+05:00"
