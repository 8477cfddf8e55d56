"""API keys: shown once, scoped, revoked within a second, refused in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.domain.scopes import Scope
from bellwire.store import keys, schema
from bellwire_web import auth


def test_a_key_is_shown_once(world: Any) -> None:
    made = world.a.post("/v1/keys", {"name": "till", "scopes": ["messages:send"]})
    assert made.status_code == 201
    secret = made.json["key"]
    assert keys.is_well_formed(secret)
    shown = world.a.get(f"/v1/keys/{made.json['id']}")
    assert shown.status_code == 200
    assert "key" not in shown.json
    assert secret not in world.a.get("/v1/keys").text


def test_no_usable_key_is_in_the_database(world: Any) -> None:
    secret = world.a.post("/v1/keys", {"name": "till", "scopes": ["admin"]}, headers={"Idempotency-Key": "1"}).json["key"]
    with world.store.read() as connection:
        rows = [row for table in schema.META.sorted_tables for row in connection.execute(sa.select(table))]
    dump = repr(rows)
    assert secret not in dump
    assert secret.rpartition("_")[2] not in dump


@pytest.mark.parametrize(
    ("label", "header", "code"),
    [
        ("no header", None, "key_missing"),
        ("another scheme", "Basic {key}", "key_invalid"),
        ("no scheme", "{key}", "key_invalid"),
        ("a letter changed", "Bearer {bent}", "key_invalid"),
        ("cut off", "Bearer {cut}", "key_invalid"),
        ("well-formed but unknown", "Bearer {unknown}", "key_invalid"),
        ("empty", "Bearer ", "key_invalid"),
        ("not ASCII", "Bearer bw_ключ", "key_invalid"),
    ],
)
def test_what_is_no_key_is_401(world: Any, label: str, header: str | None, code: str) -> None:
    key = world.a.key
    body = "bw_00000000_" + "a" * 43
    values = {
        "key": key,
        "bent": key[:20] + ("x" if key[20] != "x" else "y") + key[21:],
        "cut": key[:-1],
        "unknown": body + keys._checksum(body),
    }
    headers = {} if header is None else {"Authorization": header.format(**values)}
    answer = world.app.test_client().get("/v1/keys", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert answer.mimetype == "application/problem+json"


def test_the_scheme_in_any_case(world: Any) -> None:
    assert world.app.test_client().get("/v1/keys", headers={"Authorization": f"bearer {world.a.key}"}).status_code == 200


def test_a_missing_scope_is_403_and_named(world: Any) -> None:
    answer = world.caller([Scope.MESSAGES_SEND]).get("/v1/keys")
    assert (answer.status_code, answer.json["code"]) == (403, "scope_missing")
    assert "admin" in answer.json["detail"]
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_revoked_key_is_refused_within_a_second(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tick = [100.0]
    authenticator = auth.Authenticator(world.runtime, clock=lambda: tick[0])
    caller = world.caller([Scope.ADMIN])
    header = f"Bearer {caller.key}"
    assert authenticator.authenticate(header).id == caller.key_id
    assert world.a.delete(f"/v1/keys/key_{caller.key_id.hex}").status_code == 204
    tick[0] += 1.0
    with pytest.raises(auth.Refused) as caught:
        authenticator.authenticate(header)
    assert caught.value.problem.code == "key_revoked"


def test_where_it_was_revoked_a_key_is_refused_at_once(world: Any) -> None:
    caller = world.caller([Scope.MESSAGES_READ])
    assert caller.get("/v1/messages").status_code == 200
    assert world.a.delete(f"/v1/keys/key_{caller.key_id.hex}").status_code == 204
    answer = caller.get("/v1/messages")
    assert (answer.status_code, answer.json["code"]) == (401, "key_revoked")


def test_an_expired_key_is_refused_at_once(world: Any) -> None:
    caller = world.caller([Scope.ADMIN], expires_at=world.clock() + timedelta(minutes=1))
    assert caller.get("/v1/keys").status_code == 200
    world.clock.forward(minutes=1)
    answer = caller.get("/v1/keys")
    assert (answer.status_code, answer.json["code"]) == (401, "key_expired")


def test_last_use_is_noted_once_a_minute(world: Any) -> None:
    def last_used() -> Any:
        return world.read(lambda connection: keys.get(connection, world.b.key_id).last_used_at, of=world.b.tenant_id)

    first = world.clock()
    world.b.get("/v1/keys")
    world.store.write(lambda _: None)  # the writer's queue is worked off in order
    assert last_used() == first
    world.clock.forward(seconds=30)
    world.b.get("/v1/keys")
    world.store.write(lambda _: None)
    assert last_used() == first


def test_the_last_admin_key_stays(world: Any) -> None:
    answer = world.a.delete(f"/v1/keys/key_{world.a.key_id.hex}")
    assert (answer.status_code, answer.json["code"]) == (409, "last_admin_key")
    world.caller([Scope.ADMIN])
    assert world.a.delete(f"/v1/keys/key_{world.a.key_id.hex}").status_code == 204


def test_a_key_that_is_to_expire_in_the_past_is_refused(world: Any) -> None:
    answer = world.a.post("/v1/keys", {"name": "x", "scopes": ["admin"], "expires_at": "2026-03-01T00:00:00Z"})
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["field"], error["message"]) == (422, "expires_at", "must be in the future")


def test_an_expiry_is_kept_in_utc(world: Any) -> None:
    answer = world.a.post("/v1/keys", {"name": "x", "scopes": ["admin"], "expires_at": "2026-06-01t05:00:00.5+05:00"})
    assert answer.json["expires_at"] == "2026-06-01T00:00:00.500000Z"


def test_a_key_that_calls_too_often_waits(world: Any) -> None:
    tick = [0.0]
    world.runtime.config = type(world.runtime.config)(public_url="https://sms.example.com", api_quota_per_minute=2)
    authenticator = auth.Authenticator(world.runtime, clock=lambda: tick[0])
    header = f"Bearer {world.a.key}"
    told_s = 0
    for pause_s, calls in ((0, 2), (None, 1), (None, 1), (3_600, 2)):  # None: as long as it was told to wait
        tick[0] += told_s if pause_s is None else pause_s
        for _ in range(calls):
            authenticator.authenticate(header)
        with pytest.raises(auth.Refused) as caught:
            authenticator.authenticate(header)
        assert caught.value.problem.status == 429
        told_s = int(caught.value.headers["Retry-After"])
        assert 30 <= told_s <= 31
    authenticator.authenticate(f"Bearer {world.b.key}")
