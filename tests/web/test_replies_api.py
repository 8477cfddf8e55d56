"""Dead letters over HTTP: seen, tried again once, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire.domain.scopes import Scope
from bellwire.ids import new_id, parse_id
from bellwire.store import schema

TO = "+998900000001"


def letter(world: Any, *, passed: str | None = "dead", contact: bool = True) -> str:
    """A reply of tenant A."""
    vault, reply_id, contact_id, now = world.store.vault, new_id(), new_id(), world.clock()
    row = {
        "id": reply_id,
        "account_id": new_id(),
        "contact_id": contact_id if contact else None,
        "msisdn": vault.seal(TO, world.a.tenant_id, "replies.msisdn", reply_id),
        "text": vault.seal("hello?", world.a.tenant_id, "replies.text", reply_id),
        "to": "12345",
        "status": "received",
        "received_at": now,
        "passed": passed,
        "error": "nobody was there" if passed == "dead" else None,
    }
    person = {"id": contact_id, "msisdn_ix": contact_id.bytes, "country": "UZ", "created_at": now}
    world.write(lambda c: c.insert(schema.replies, [row]))
    world.write(lambda c: c.insert(schema.contacts, [person]))
    return f"rpl_{reply_id.hex}"


def test_dead_letters_are_listed_with_their_reason(world: Any) -> None:
    dead = letter(world)
    letter(world, passed=None)
    letter(world, passed="taken")
    [listed] = world.a.get("/v1/replies?passed=dead").json["items"]
    assert (listed["id"], listed["passed"], listed["passed_to"], listed["error"]) == (dead, "dead", None, "nobody was there")
    assert len(world.a.get("/v1/replies").json["items"]) == 3
    assert [one["passed"] for one in world.a.get("/v1/replies?passed=taken").json["items"]] == ["taken"]
    assert world.b.get("/v1/replies?passed=dead").json["items"] == []
    assert world.a.get("/v1/replies?passed=lost").status_code == 422


def test_a_dead_letter_is_tried_again_under_its_key_once(world: Any) -> None:
    dead = letter(world)
    desk = world.a.post(
        "/v1/installations",
        {
            "connector": "zendesk",
            "name": "Desk",
            "credentials": {"subdomain": "example", "email": "a@example.com", "api_token": "t"},
        },
    ).json
    key = {"Idempotency-Key": "again-1"}
    first = world.a.post(f"/v1/replies/{dead}/retry", headers=key)
    assert (first.status_code, first.json["passed"], first.json["passed_to"]) == (202, "waiting", desk["id"])
    again = world.a.post(f"/v1/replies/{dead}/retry", headers=key)
    assert (again.status_code, again.json) == (202, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    jobs = world.read(lambda c: c.bare.execute(schema.write_backs.select()).all())
    assert [(row.kind, row.reply_id) for row in jobs] == [("reply", parse_id("rpl", dead))]
    refused = world.a.post(f"/v1/replies/{dead}/retry", headers={"Idempotency-Key": "again-2"})
    assert (refused.status_code, refused.json["code"]) == (409, "reply_waiting")
    assert [one["details"] for one in world.a.get(f"/v1/audit?object={dead}").json["items"]] == [{"passed": "waiting"}]


def test_nobody_to_take_it_leaves_it_dead(world: Any) -> None:
    dead = letter(world)
    assert world.a.post(f"/v1/replies/{dead}/retry").json["passed"] == "dead"
    nobodys = world.a.post(f"/v1/replies/{letter(world, contact=False)}/retry").json
    assert (nobodys["passed"], nobodys["error"]) == ("dead", "nobody can tell whose it is: it came without a usable number")


REFUSED = [
    ("another tenant's", lambda world: (world.b, letter(world)), 404, "not_found"),
    ("one that is not there", lambda world: (world.a, "rpl_" + "0" * 32), 404, "not_found"),
    ("one that a platform has", lambda world: (world.a, letter(world, passed="taken")), 409, "reply_taken"),
    ("with a key that may only read", lambda world: (world.caller([Scope.MESSAGES_READ]), letter(world)), 403, "scope_missing"),
]


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_is_not_tried_again(world: Any, given: Any, status: int, code: str) -> None:
    caller, reply = given(world)
    answer = caller.post(f"/v1/replies/{reply}/retry")
    assert (answer.status_code, answer.json["code"]) == (status, code)
