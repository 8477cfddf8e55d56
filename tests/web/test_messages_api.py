"""Messages over HTTP: sent, refused by policy, listed, taken back, settled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.ids import new_id
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import STATUS_CODES

TO = "+998900000001"
SEND = {"to": TO, "body": "Your order is ready.", "reference": "o-1", "metadata": {"cart": [1, 2]}}


@pytest.fixture
def ready(world: Any) -> Any:
    """A world whose tenants can send, by the sandbox."""
    for caller in (world.a, world.b):
        account = {"carrier": "sandbox", "name": "sandbox", "settings": {"sender_id": "Acme"}}
        assert caller.post("/v1/carrier-accounts", account).status_code == 201
    return world


def put(world: Any, shown: str, **values: Any) -> None:
    """Bring a message where the pump would."""
    if "status" in values:
        values["status"] = STATUS_CODES[values["status"]]
    statement = sa.update(schema.messages).where(schema.messages.c.id == UUID(hex=shown[4:])).values(**values)
    world.store.write(lambda connection: connection.execute(statement).rowcount)


def attempt(world: Any, shown: str, **values: Any) -> None:
    """Give a message a try, as the pump would."""
    account = UUID(hex=world.a.get(f"/v1/messages/{shown}").json["carrier_account"][4:])
    row = {"id": new_id(), "message_id": UUID(hex=shown[4:]), "account_id": account, "number": 1, "started_at": world.clock()}
    world.write(lambda connection: connection.insert(schema.attempts, [{**row, **values}]))


def test_a_text_is_accepted(ready: Any) -> None:
    answer = ready.a.post("/v1/messages", SEND)
    assert answer.status_code == 202, answer.text
    message = answer.json
    assert (message["status"], message["reason"], message["to"], message["text"]) == ("queued", None, TO, SEND["body"])
    assert (message["encoding"], message["segments"], message["lane"]) == ("gsm7", 1, "transactional")
    assert (message["carrier"], message["sender_id"], message["country"]) == ("sandbox", "Acme", "UZ")
    assert (message["reference"], message["metadata"]) == ("o-1", {"cart": [1, 2]})
    assert message["created_at"] == "2026-03-02T09:00:00Z"
    assert [step["outcome"] for step in message["why"]] == ["sent"]
    assert (message["attempts"], message["write_backs"], message["dlr_overdue"]) == ([], [], False)
    assert ready.a.get(f"/v1/messages/{message['id']}").json == message


def test_a_number_is_read_by_the_tenants_country(ready: Any) -> None:
    assert ready.a.post("/v1/messages", {**SEND, "to": "90 000 00 01"}).json["to"] == TO
    assert ready.a.post("/v1/messages", {**SEND, "to": "00998 90 000-00-01"}).json["to"] == TO


PROBLEMS = [
    ("no number", {"to": "hello"}, "to", "invalid_number"),
    ("neither words nor template", {"body": None}, "body", "body_or_template"),
    ("both", {"template": "x"}, "body", "body_or_template"),
    ("a template that is not there", {"body": None, "template": "nothing"}, "template", "unknown_template"),
    ("a carrier that is not installed", {"carrier": "pigeon"}, "carrier", "unknown_carrier"),
    ("an encoding that is none", {"encoding": "utf8"}, "encoding", "not_one_of"),
    ("a time in the past", {"send_at": "2026-03-01T09:00:00Z"}, "send_at", "time_in_past"),
    ("a time too far", {"send_at": "2099-03-01T09:00:00Z"}, "send_at", "time_too_far"),
    ("the year 9999", {"send_at": "9999-12-31T23:59:59Z"}, "send_at", "out_of_range"),
    ("an expiry too long", {"expires_in": "8d"}, "expires_in", "out_of_range"),
    ("an expiry beyond all spans", {"expires_in": "900d"}, "expires_in", "out_of_range"),
    ("an expiry of nothing", {"expires_in": 0}, "expires_in", "out_of_range"),
    ("a text that forces what it can't", {"body": "Привет", "encoding": "gsm7"}, "encoding", "not_gsm7"),
    ("an empty text", {"body": "  "}, "body", "empty"),
    ("too many metadata", {"metadata": {str(n): n for n in range(51)}}, "metadata", "too_long"),
]


@pytest.mark.parametrize(("label", "change", "field", "code"), PROBLEMS, ids=[row[0] for row in PROBLEMS])
def test_what_is_wrong_with_the_request_is_a_problem(ready: Any, label: str, change: dict[str, Any], field: str, code: str) -> None:
    body = {key: value for key, value in {**SEND, **change}.items() if value is not None}
    answer = ready.a.post("/v1/messages", body)
    assert answer.status_code == 422, answer.text
    assert (answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]) == (field, code)
    assert ready.a.get("/v1/messages").json["items"] == []


def test_an_expiry_names_its_own_limit(ready: Any) -> None:
    for written in ("8d", "900d", 10**9):
        assert "7 days" in ready.a.post("/v1/messages", {**SEND, "expires_in": written}).json["errors"][0]["message"]


@pytest.mark.parametrize("number", ["1e999", "-1E+309", "1.5e0400", "1" * 400 + ".0"])
def test_a_number_past_the_largest_is_refused(ready: Any, number: str) -> None:
    body = b'{"to":"+998900000001","body":"x","metadata":{"a":[%s]}}' % number.encode()
    answer = ready.a.post("/v1/messages", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "metadata.a.0")
    assert ready.a.get("/v1/messages").json["items"] == []


@pytest.mark.parametrize(("number", "kept"), [("1e308", 1e308), ("1e-999", 0.0), ("1" * 400, int("1" * 400))])
def test_a_number_that_can_be_kept_is(ready: Any, number: str, kept: float) -> None:
    body = b'{"to":"+998900000001","body":"x","metadata":{"a":%s}}' % number.encode()
    answer = ready.a.post("/v1/messages", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["metadata"]) == (202, {"a": kept})


def test_a_number_that_is_no_json_is_400(ready: Any) -> None:
    body = b'{"to":"+998900000001","body":"x","metadata":{"n":NaN}}'
    answer = ready.a.post("/v1/messages", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "not_json")
    text = b'{"to":"+998900000001","body":"NaN, Infinity"}'
    assert ready.a.post("/v1/messages", data=text, content_type="application/json").status_code == 202


def test_what_policy_forbids_is_refused_with_a_reason(ready: Any, world: Any) -> None:
    marketing = ready.a.post("/v1/messages", {**SEND, "purpose": "marketing"})
    assert (marketing.status_code, marketing.json["status"], marketing.json["reason"]) == (202, "refused", "no_consent")
    ready.a.put(f"/v1/consents/{TO}", {"state": "opted_out", "source": "web form"})
    stopped = ready.a.post("/v1/messages", SEND)
    assert (stopped.status_code, stopped.json["reason"]) == (202, "opted_out")
    assert stopped.json["why"][0]["detail"].startswith("opted out of transactional")


def test_without_a_carrier_there_is_no_route(world: Any) -> None:
    assert world.a.post("/v1/messages", SEND).json["reason"] == "no_route"


def test_from_a_template(ready: Any) -> None:
    ready.a.post("/v1/templates", {"name": "code", "purpose": "otp", "bodies": {"en": "Code {{ code }}", "uz": "Kod {{ code }}"}})
    text = {"to": TO, "template": "code", "variables": {"code": "123456"}, "purpose": "otp"}
    assert ready.a.post("/v1/messages", text).json["reason"] == "template_not_approved"
    ready.a.post("/v1/templates/code/versions/1/approve")
    message = ready.a.post("/v1/messages", {**text, "locale": "uz-UZ"}).json
    assert (message["text"], message["locale"], message["template_version"], message["lane"]) == ("Kod 123456", "uz", 1, "otp")
    missing = ready.a.post("/v1/messages", {**text, "variables": {}})
    assert (missing.status_code, missing.json["errors"][0]["field"]) == (422, "variables.code")


def test_a_templates_purpose_is_the_texts(ready: Any) -> None:
    """What was approved as marketing asks for consent to marketing, also where the caller says nothing or something else."""
    bodies = {"en": "Two for one today. Reply STOP to opt out"}
    ready.a.post("/v1/templates", {"name": "offer", "purpose": "marketing", "bodies": bodies})
    ready.a.post("/v1/templates/offer/versions/1/approve")
    text = {"to": TO, "template": "offer"}
    for given in ({}, {"purpose": "marketing"}):
        made = ready.a.post("/v1/messages", {**text, **given}).json
        assert (made["purpose"], made["status"], made["reason"]) == ("marketing", "refused", "no_consent")
    for other in ("transactional", "otp"):
        answer = ready.a.post("/v1/messages", {**text, "purpose": other})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "purpose")
        assert answer.json["errors"][0]["code"] == "purpose_mismatch"
    ready.a.post("/v1/templates", {"name": "code", "purpose": "otp", "bodies": {"en": "Code 123"}})
    ready.a.post("/v1/templates/code/versions/1/approve")
    assert ready.a.post("/v1/messages", {"to": TO, "template": "code"}).json["lane"] == "otp"
    assert ready.a.post("/v1/messages", SEND).json["purpose"] == "transactional"


def test_a_scheduled_text_waits(ready: Any) -> None:
    message = ready.a.post("/v1/messages", {**SEND, "send_at": "2026-03-02T15:00:00+05:00", "expires_in": "1h"}).json
    assert (message["status"], message["send_at"], message["expires_at"]) == (
        "scheduled",
        "2026-03-02T10:00:00Z",
        "2026-03-02T11:00:00Z",
    )


# -- repeats ------------------------------------------------------------------------------------------------------


def test_a_repeated_send_makes_one_message(ready: Any) -> None:
    key = {"Idempotency-Key": "order-1"}
    first, second = (ready.a.post("/v1/messages", SEND, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code, first.json["id"]) == (202, 202, second.json["id"])
    assert len(ready.a.get("/v1/messages").json["items"]) == 1
    other = ready.a.post("/v1/messages", {**SEND, "body": "other"}, headers=key)
    assert (other.status_code, other.json["errors"][0]["code"]) == (422, "idempotency_key_reused")


def test_a_key_under_which_nothing_was_made_is_free_for_the_corrected_request(ready: Any) -> None:
    key = {"Idempotency-Key": "order-2"}
    for wrong in ({**SEND, "to": "abc"}, {"to": TO, "template": "nowhere"}):
        assert ready.a.post("/v1/messages", wrong, headers=key).status_code == 422
    made = ready.a.post("/v1/messages", SEND, headers=key)
    assert (made.status_code, ready.a.post("/v1/messages", SEND, headers=key).json["id"]) == (202, made.json["id"])


def test_a_text_that_became_too_long_is_no_text(ready: Any) -> None:
    """Carriers take 1,600 characters, and a variable may be of any length."""
    ready.a.post("/v1/templates", {"name": "note", "bodies": {"en": "{{ ticket.latest_comment }}"}})
    ready.a.post("/v1/templates/note/versions/1/approve")

    def sent(length: int) -> Any:
        return ready.a.post("/v1/messages", {"to": TO, "template": "note", "variables": {"ticket.latest_comment": "x" * length}})

    assert sent(1600).status_code == 202
    (error,) = sent(1601).json["errors"]
    assert (error["field"], error["code"]) == ("template", "template_error")
    assert "1601 characters and 1600 is the most" in error["message"]
    preview = ready.a.post("/v1/templates/preview", {"body": "{{ x }}", "variables": {"x": "y" * 1601}}).json
    assert (preview["text"], "1600 is the most" in preview["error"]) == (None, True)


def test_a_repeated_batch_answers_row_by_row_as_before(ready: Any) -> None:
    rows = {"messages": [SEND, {"to": "x", "body": "y"}, {**SEND, "to": "+998900000002"}]}
    first, second = (ready.a.post("/v1/messages/batch", rows, headers={"Idempotency-Key": "b"}) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert [one.get("id") or one["code"] for one in first.json["items"]] == [
        one.get("id") or one["code"] for one in second.json["items"]
    ]
    assert len(ready.a.get("/v1/messages").json["items"]) == 2


# -- batches ------------------------------------------------------------------------------------------------------


def test_a_batch_answers_each_row_in_order(ready: Any) -> None:
    rows = [
        SEND,
        {"to": "nobody", "body": "x"},
        {"body": "x"},
        {**SEND, "colour": "red"},
        {**SEND, "purpose": "marketing"},
        {**SEND, "to": "+998900000003"},
        5,
        None,
        [SEND],
    ]
    answer = ready.a.post("/v1/messages/batch", {"messages": rows})
    assert answer.status_code == 202, answer.text
    problems = [one for one in answer.json["items"] if "id" not in one]
    assert {one["request_id"] for one in problems} == {answer.headers["X-Request-Id"]}
    assert [one["errors"][0]["message"] for one in problems[-3:]] == ["must be an object"] * 3
    told = [one.get("id", "")[:4] + one["status"] if "id" in one else one["errors"][0]["field"] for one in answer.json["items"]]
    assert told == ["msg_queued", "to", "to", "colour", "msg_refused", "msg_queued", "", "", ""]


@pytest.mark.parametrize(("rows", "code"), [([], "too_short"), ([SEND] * 1001, "too_long")])
def test_a_batch_has_one_to_a_thousand_rows(ready: Any, rows: list[Any], code: str) -> None:
    answer = ready.a.post("/v1/messages/batch", {"messages": rows})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)


def test_a_batch_of_only_bad_rows_sends_nothing(ready: Any) -> None:
    answer = ready.a.post("/v1/messages/batch", {"messages": [{"to": "x"}]})
    assert (answer.status_code, answer.json["items"][0]["status"]) == (202, 422)
    assert ready.a.get("/v1/messages").json["items"] == []


# -- lists --------------------------------------------------------------------------------------------------------


def test_filters(ready: Any) -> None:
    first = ready.a.post("/v1/messages", SEND).json
    ready.clock.forward(hours=1)
    second = ready.a.post("/v1/messages", {**SEND, "to": "+998900000002", "purpose": "marketing"}).json
    third = ready.a.post("/v1/messages", {**SEND, "to": "+998900000002", "purpose": "otp"}).json
    ready.b.post("/v1/messages", SEND)

    def found(query: str) -> list[str]:
        answer = ready.a.get(f"/v1/messages?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json["items"]]

    assert found("") == [third["id"], second["id"], first["id"]]
    assert found("status=refused") == [second["id"]]
    assert found("status=refused,queued") == [third["id"], second["id"], first["id"]]
    assert found("to=%2B998900000001") == found("to=998900000001") == found("to=+998900000001") == [first["id"]]
    assert found("purpose=otp") == [third["id"]]
    assert found("trigger=nothing") == found("trigger=trg_" + "0" * 32) == found("event=evt_" + "0" * 32) == []


def test_since_and_until_are_when_it_was_made(ready: Any) -> None:
    """Ids carry the time they were made at, by the machine's own clock."""
    ready.a.post("/v1/messages", SEND)
    assert len(ready.a.get("/v1/messages?since=2020-01-01T00:00:00Z").json["items"]) == 1
    assert ready.a.get("/v1/messages?since=2099-01-01T00:00:00Z").json["items"] == []
    assert ready.a.get("/v1/messages?until=2020-01-01T00:00:00Z").json["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("status=gone", "status"), ("to=x5z", "to"), ("trigger=trg_1", "trigger"), ("event=5", "event"), ("since=now", "since")],
)
def test_a_filter_that_can_not_be(ready: Any, query: str, field: str) -> None:
    answer = ready.a.get(f"/v1/messages?{query}")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_attempts_and_write_backs_stand_beside_their_message(ready: Any) -> None:
    credentials = {"shop": "example.myshopify.com", "client_secret": "x", "access_token": "y"}
    shop = {"connector": "shopify", "name": "s", "credentials": credentials}
    installation = UUID(hex=ready.a.post("/v1/installations", shop).json["id"][4:])
    ids = [ready.a.post("/v1/messages", {**SEND, "to": f"+99890000000{n}"}).json["id"] for n in range(3)]
    message = UUID(hex=ids[1][4:])
    now = ready.clock()
    put(
        ready,
        ids[1],
        status=Status.SENT,
        attempts=1,
        installation_id=installation,
        carrier_ref="c-1",
        dlr_due=now - timedelta(minutes=1),
    )
    attempt(ready, ids[1], outcome="accepted", http_status=201, carrier_ref="c-1", ended_at=now + timedelta(milliseconds=120))
    account = UUID(hex=ready.a.get(f"/v1/messages/{ids[1]}").json["carrier_account"][4:])

    def rows(connection: Any) -> None:
        connection.insert(
            schema.write_backs,
            [
                {
                    "id": new_id(),
                    "installation_id": installation,
                    "kind": "status",
                    "subject": "order/1001",
                    "message_id": message,
                    "value": "sent",
                    "at": now,
                    "status": schema.JOB_DONE,
                    "attempts": 1,
                    "due": now,
                    "updated_at": now,
                }
            ],
        )

    ready.write(rows)
    listed = {one["id"]: one for one in ready.a.get("/v1/messages").json["items"]}
    assert [len(listed[one]["attempts"]) for one in ids] == [0, 1, 0]
    shown = ready.a.get(f"/v1/messages/{ids[1]}").json
    assert shown["attempts"][0] == {
        "carrier": "sandbox",
        "account": f"acc_{account.hex}",
        "started_at": "2026-03-02T09:00:00Z",
        "ended_at": "2026-03-02T09:00:00.120000Z",
        "outcome": "accepted",
        "error_class": None,
        "code": None,
        "http_status": 201,
        "carrier_ref": "c-1",
    }
    assert shown["write_backs"] == [{"platform": "shopify", "target": "order/1001", "status": "done", "at": "2026-03-02T09:00:00Z"}]
    assert (shown["dlr_overdue"], ready.a.get(f"/v1/status?message_id={ids[1]}").json["dlr_overdue"]) == (True, True)


# -- taking back, settling ----------------------------------------------------------------------------------------


def test_a_waiting_text_can_be_taken_back(ready: Any) -> None:
    for change in ({}, {"send_at": "2026-03-03T09:00:00Z"}):
        message = ready.a.post("/v1/messages", {**SEND, **change}).json
        assert ready.a.delete(f"/v1/messages/{message['id']}").status_code == 204
        shown = ready.a.get(f"/v1/messages/{message['id']}").json
        assert (shown["status"], shown["why"][-1]["step"]) == ("canceled", "cancel")


@pytest.mark.parametrize("status", [one for one in Status if one not in (Status.SCHEDULED, Status.QUEUED)])
def test_what_has_left_can_not_be_taken_back(ready: Any, status: Status) -> None:
    message = ready.a.post("/v1/messages", SEND).json
    put(ready, message["id"], status=status)
    answer = ready.a.delete(f"/v1/messages/{message['id']}")
    assert (answer.status_code, answer.json["code"]) == (409, "not_cancelable")
    assert ready.a.get(f"/v1/status?message_id={message['id']}").json["status"] == status


ENDS = [
    ("a try without a certain end", "ambiguous", "ambiguous", 409),
    ("a worker that died with it, sent again knowingly", "lost", "ambiguous", 409),
    ("a try that certainly failed", "rejected", "throttled", 204),
]


@pytest.mark.parametrize(("label", "outcome", "error_class", "status"), ENDS, ids=[row[0] for row in ENDS])
def test_what_may_have_left_before_can_not_be_taken_back(
    ready: Any, label: str, outcome: str, error_class: str, status: int
) -> None:
    message = ready.a.post("/v1/messages", SEND).json
    put(ready, message["id"], attempts=1)
    attempt(ready, message["id"], outcome=outcome, error_class=error_class)
    answer = ready.a.delete(f"/v1/messages/{message['id']}")
    assert answer.status_code == status
    shown = ready.a.get(f"/v1/status?message_id={message['id']}").json["status"]
    assert shown == ("canceled" if status == 204 else message["status"])


@pytest.mark.parametrize(("word", "status"), [("delivered", "delivered"), ("failed", "failed"), ("resend", "queued")])
def test_an_unknown_message_is_settled_by_a_person(ready: Any, word: str, status: str) -> None:
    message = ready.a.post("/v1/messages", SEND).json
    put(ready, message["id"], status=Status.UNKNOWN, owner=new_id(), carrier_ref="c")
    ready.clock.forward(hours=2)
    settled = ready.a.post(f"/v1/messages/{message['id']}/resolve", {"as": word})
    assert (settled.status_code, settled.json["status"]) == (200, status)
    assert settled.json["why"][-1] == {
        "at": "2026-03-02T11:00:00Z",
        "step": "resolve",
        "outcome": word,
        "reason": None,
        "detail": f"by key_{ready.a.key_id.hex}",
    }
    if word == "resend":
        assert settled.json["expires_at"] > "2026-03-02T11:00:00Z"
    assert ready.a.post(f"/v1/messages/{message['id']}/resolve", {"as": word}).status_code == 409


def test_only_an_unknown_message_is_settled(ready: Any) -> None:
    message = ready.a.post("/v1/messages", SEND).json
    answer = ready.a.post(f"/v1/messages/{message['id']}/resolve", {"as": "resend"})
    assert (answer.status_code, answer.json["code"]) == (409, "not_unknown")
    assert ready.a.post(f"/v1/messages/{message['id']}/resolve", {"as": "lost"}).status_code == 422


def test_taking_back_is_called_back(ready: Any) -> None:
    ready.a.post("/v1/callbacks", {"url": "https://example.com/x", "types": ["message.canceled"]})
    message = ready.a.post("/v1/messages", SEND).json
    ready.a.delete(f"/v1/messages/{message['id']}")
    with ready.store.read() as connection:
        (row,) = connection.execute(sa.select(schema.callbacks)).all()
    assert row.type == "message.canceled"
    body = ready.store.vault.open_json(row.body, row.tenant_id, "callbacks.body", row.id)
    assert message["id"] in str(body)
