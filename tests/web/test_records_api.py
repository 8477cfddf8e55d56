"""Events, replies, the audit trail, balance and telemetry over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.ids import new_id
from bellwire.model import Status
from bellwire.store import schema, telemetry
from bellwire.store.schema import STATUS_CODES
from bellwire.store.tenancy import scope

TO = "+998900000001"


# -- events -------------------------------------------------------------------------------------------------------


@pytest.fixture
def event(world: Any) -> str:
    """A stored event of tenant A with two decisions."""
    event_id, now = new_id(), world.clock()
    content = {
        "id": "1",
        "fact": "",
        "people": {"customer": {"phones": [TO]}},
        "data": {"order.name": "#7"},
        "cancels": [],
        "test": False,
    }
    sealed = world.store.vault.seal_json(content, world.a.tenant_id, "events.content", event_id)
    entries = [
        {"trigger": "Paid", "trigger_id": "trg_" + "0" * 32, "outcome": "not_matched", "line": "all.0: order.total > 100 (saw 5)"},
        {"trigger": "Any", "trigger_id": "trg_" + "1" * 32, "outcome": "refused", "reason": "no_consent"},
    ]

    def store(connection: Any) -> None:
        connection.insert(
            schema.events,
            [
                {
                    "id": event_id,
                    "connector": "shopify",
                    "type": "order.paid",
                    "subject": "order/7",
                    "status": schema.EVENT_DECIDED,
                    "occurred_at": now,
                    "received_at": now,
                    "content": sealed,
                    "attempts": 0,
                }
            ],
        )
        connection.insert(schema.decisions, [{"event_id": event_id, "at": now, "entries": entries}])

    world.write(store)
    return f"evt_{event_id.hex}"


def test_an_event_shows_what_was_decided(world: Any, event: str) -> None:
    (listed,) = world.a.get("/v1/events").json["items"]
    assert (listed["id"], listed["type"], listed["subject"], listed["status"]) == (event, "order.paid", "order/7", "decided")
    assert [one["outcome"] for one in listed["decisions"]] == ["not_matched", "refused"]
    assert (listed["decisions"][1]["reason"], listed["decisions"][1]["message"]) == ("no_consent", None)
    shown = world.a.get(f"/v1/events/{event}").json
    assert (shown["data"], shown["people"]) == ({"order.name": "#7"}, ["customer"])
    assert TO not in world.a.get("/v1/events").text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("connector=shopify", 1),
        ("connector=hubspot", 0),
        ("type=order.paid", 1),
        ("type=order.created", 0),
        ("status=decided", 1),
        ("status=dead", 0),
        ("subject=order/7", 1),
        ("installation=ins_" + "0" * 32, 0),
        ("since=2026-03-02T09:00:00Z", 1),
        ("since=2026-03-02T09:00:01Z", 0),
    ],
)
def test_events_are_filtered(world: Any, event: str, query: str, count: int) -> None:
    assert len(world.a.get(f"/v1/events?{query}").json["items"]) == count


def test_an_event_fills_a_preview(world: Any, event: str) -> None:
    assert world.a.post("/v1/templates/preview", {"body": "Order {{ order.name }}", "event": event}).json["text"] == "Order #7"
    stranger = world.b.post("/v1/templates/preview", {"body": "Order {{ order.name }}", "event": event})
    assert (stranger.status_code, stranger.json["errors"][0]["field"]) == (422, "event")


def test_real_events_teach_the_lint_their_fields(world: Any, event: str) -> None:
    body = {"name": "paid", "bodies": {"en": "{{ order.name }} {{ order.gift }}"}}
    world.a.post("/v1/templates", body)
    world.a.post("/v1/triggers", {"name": "t", "connector": "shopify", "event": "order.paid", "template": "paid"})
    lint = world.a.get("/v1/templates/paid/versions/1/lint").json
    assert [one["code"] for one in lint["findings"] if one["severity"] == "error"] == ["unknown_variable"]
    assert "order.gift" in str(lint["findings"])


# -- replies ------------------------------------------------------------------------------------------------------


def test_replies_are_shown_to_their_tenant(world: Any) -> None:
    vault, reply_id = world.store.vault, new_id()
    row = {
        "id": reply_id,
        "account_id": new_id(),
        "msisdn": vault.seal(TO, world.a.tenant_id, "replies.msisdn", reply_id),
        "text": vault.seal("STOP please", world.a.tenant_id, "replies.text", reply_id),
        "to": "12345",
        "kind": "stop",
        "rule": "first_word",
        "status": "taken",
        "received_at": world.clock(),
    }
    world.write(lambda connection: connection.insert(schema.replies, [row]))
    (listed,) = world.a.get("/v1/replies").json["items"]
    assert (listed["msisdn"], listed["text"], listed["kind"], listed["message"]) == (TO, "STOP please", "stop", None)
    assert world.a.get(f"/v1/replies/{listed['id']}").json == listed
    assert world.a.get("/v1/replies?kind=help").json["items"] == []
    assert world.a.get("/v1/replies?msisdn=998900000002").json["items"] == []
    assert world.b.get("/v1/replies").json["items"] == []


ANSWERS = [("YES", "shift/55"), ("OK", "task/9"), (None, None)]


@pytest.mark.parametrize(("answer", "answers"), ANSWERS, ids=[str(row[0]) for row in ANSWERS])
def test_a_reply_shows_what_it_answers(world: Any, answer: str | None, answers: str | None) -> None:
    vault, reply_id, message_id = world.store.vault, new_id(), new_id()
    row = {
        "id": reply_id,
        "account_id": new_id(),
        "message_id": message_id,
        "msisdn": vault.seal(TO, world.a.tenant_id, "replies.msisdn", reply_id),
        "text": vault.seal("yes 4821", world.a.tenant_id, "replies.text", reply_id),
        "to": "12345",
        "status": "received",
        "answer": answer,
        "answers": answers,
        "received_at": world.clock(),
    }
    world.write(lambda connection: connection.insert(schema.replies, [row]))
    (listed,) = world.a.get("/v1/replies").json["items"]
    assert (listed["answer"], listed["answers"], listed["message"]) == (answer, answers, f"msg_{message_id.hex}")
    assert world.a.get(f"/v1/replies/{listed['id']}").json == listed


# -- audit --------------------------------------------------------------------------------------------------------


def test_the_trail_says_who_changed_what(world: Any) -> None:
    made = world.a.post("/v1/callbacks", {"url": "https://example.com/x", "types": ["reply.received"]}).json
    world.a.patch(f"/v1/callbacks/{made['id']}", {"url": "https://example.com/y"})
    changed, created = world.a.get(f"/v1/audit?object={made['id']}").json["items"]
    assert (created["action"], changed["action"]) == ("callback.created", "callback.changed")
    assert (changed["actor"], changed["details"], changed["sealed"]) == (f"key_{world.a.key_id.hex}", {"fields": ["url"]}, False)
    assert "example.com" not in world.a.get("/v1/audit").text
    assert [one["action"] for one in world.a.get("/v1/audit?action=callback.created").json["items"]] == ["callback.created"]
    assert world.b.get(f"/v1/audit?object={made['id']}").json["items"] == []


# -- money --------------------------------------------------------------------------------------------------------


def test_without_credit_nothing_is_checked(world: Any) -> None:
    assert set(world.a.get("/v1/balance").json.values()) == {None}


def test_credit_is_added_and_spent(world: Any) -> None:
    made = world.a.post("/v1/balance/credits", {"amount": "100.5", "currency": "USD", "note": "invoice 7"})
    assert (made.status_code, made.json["amount"]) == (201, "100.50")
    world.a.post("/v1/balance/credits", {"amount": "-0.25", "currency": "USD"})
    charge = {"kind": "charge", "micros": -30_000, "currency": "USD", "messages": 2, "note": "", "at": world.clock()}
    refund = {**charge, "kind": "refund", "micros": 10_000, "messages": 1}

    def spend(connection: Any) -> None:
        connection.insert(schema.ledger, [{"id": new_id(), **charge}, {"id": new_id(), **refund}])

        balance = schema.balances.c
        connection.execute(sa.update(schema.balances).where(scope(schema.balances)).values(micros=balance.micros - 20_000))

    world.write(spend)
    assert world.a.get("/v1/balance").json == {
        "currency": "USD",
        "credit": "100.25",
        "reserved": "0.00",
        "spent": "0.02",
        "left": "100.23",
    }
    kinds = [one["kind"] for one in world.a.get("/v1/balance/ledger").json["items"]]
    assert (sorted(kinds[:2]), kinds[2:]) == (["charge", "refund"], ["credit", "credit"])
    assert set(world.b.get("/v1/balance").json.values()) == {None}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "1.0000001"}, "amount"),
        ({"amount": "1e3"}, "amount"),
        ({"amount": "-1"}, "amount"),  # nothing was ever given
        ({"currency": "usd"}, "currency"),
    ],
)
def test_a_bad_credit_names_the_field(world: Any, change: dict[str, str], field: str) -> None:
    answer = world.a.post("/v1/balance/credits", {"amount": "1", "currency": "USD", **change})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_a_balance_has_one_currency(world: Any) -> None:
    world.a.post("/v1/balance/credits", {"amount": "1", "currency": "USD"})
    answer = world.a.post("/v1/balance/credits", {"amount": "1", "currency": "EUR"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "currency")


# -- telemetry ----------------------------------------------------------------------------------------------------


def test_figures_of_a_period(world: Any) -> None:

    account = world.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "s", "settings": {"sender_id": "A"}}).json["id"]
    account_id = UUID(hex=account[4:])
    ids = [world.a.post("/v1/messages", {"to": f"+99890000000{n}", "body": "x"}).json["id"] for n in range(4)]
    world.a.post("/v1/messages", {"to": TO, "body": "x", "purpose": "marketing"})
    done, now = UUID(hex=ids[0][4:]), world.clock()
    m = schema.messages
    move = sa.update(m).where(m.c.id == done).values(status=STATUS_CODES[Status.DELIVERED])
    world.store.write(lambda connection: connection.execute(move).rowcount)
    attempt = {"id": new_id(), "message_id": done, "account_id": account_id, "number": 1, "started_at": now, "outcome": "accepted"}
    receipt = {
        "id": new_id(),
        "account_id": account_id,
        "message_id": done,
        "carrier_ref": "c",
        "status": "delivered",
        "raw_status": "d",
        "raw_code": "",
        "received_at": now + timedelta(seconds=3),
        "parked": False,
    }

    def rows(connection: Any) -> None:
        connection.insert(schema.attempts, [{**attempt, "ended_at": now + timedelta(milliseconds=80)}])
        connection.insert(schema.dlrs, [receipt])

    world.write(rows)
    world.clock.at = datetime.now(UTC) + timedelta(minutes=1)  # ids are made by the wall clock
    shown = world.a.get("/v1/telemetry").json
    assert shown["total"] == 5
    assert {one["status"]: one["count"] for one in shown["counts"]} == {"queued": 3, "delivered": 1, "refused": 1}
    assert [(one["carrier"], one["country"], one["total"], one["delivered"]) for one in shown["groups"]] == [
        (None, "UZ", 1, 0),
        ("sandbox", "UZ", 4, 1),
    ]
    assert shown["calls"] == [{"carrier": "sandbox", "count": 1, "p50_ms": 80, "p95_ms": 80, "p99_ms": 80}]
    assert shown["receipts"][0]["p50_ms"] == 3000
    assert {one["lane"]: one["waiting"] for one in shown["backlog"]} == {"otp": 0, "transactional": 3, "marketing": 0}
    assert world.b.get("/v1/telemetry").json["total"] == 0


@pytest.mark.parametrize(
    "query", ["since=2026-03-03T00:00:00Z", "since=2026-01-01T00:00:00Z", "until=2026-01-01T00:00:00Z&since=2026-01-02T00:00:00Z"]
)
def test_a_period_that_can_not_be(world: Any, query: str) -> None:
    answer = world.a.get(f"/v1/telemetry?{query}")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "since")


def test_percentiles_by_nearest_rank() -> None:
    assert telemetry.latency([]) == telemetry.Latency(count=0, p50=None, p95=None, p99=None)
    found = telemetry.latency(list(range(1, 101)))
    assert (found.p50, found.p95, found.p99) == (50, 95, 99)
    assert telemetry.latency([7.4]).p99 == 7
