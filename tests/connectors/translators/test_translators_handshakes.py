"""What platforms ask of a URL before they send anything: answered, and nothing learnt from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from bellwire import Connector, HttpReply, WebhookRequest
from bellwire.plugins import load_plugins
from bellwire.testing import NOW, SECRET, installation, sample
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.trello import connector as trello
from web_world import World, new_world, open_runtime

HOOK = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"


def asked(connector: Connector, method: str = "POST", body: bytes = b"", **headers: str) -> HttpReply | None:
    assert connector.probe is not None
    request = WebhookRequest(method=method, body=body, received_at=NOW).with_headers(**headers)
    return connector.probe(request, installation(connector))


class TestAsana:
    def test_the_secret_is_given_back(self) -> None:
        reply = asked(asana, X_Hook_Secret=HOOK)
        assert reply is not None
        assert (reply.status, reply.headers) == (200, {"X-Hook-Secret": HOOK})

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X_Hook_Secret": ""},
            {"X_Hook_Secret": "short"},
            {"X_Hook_Secret": HOOK * 3},
            {"X_Hook_Secret": f"{HOOK}\r\nSet-Cookie: a=b"},
            {"X_Hook_Secret": f"{HOOK} "},
            {"X_Hook_Secret": HOOK, "X_Hook_Signature": "00"},
        ],
    )
    def test_anything_else_is_no_handshake(self, headers: dict[str, str]) -> None:
        assert asked(asana, **headers) is None

    def test_only_a_post_is(self) -> None:
        assert asked(asana, "GET", X_Hook_Secret=HOOK) is None


class TestMonday:
    def test_the_challenge_is_given_back(self) -> None:
        reply = asked(monday, body=b'{"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}')
        assert reply is not None
        assert json.loads(reply.body) == {"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}
        assert reply.content_type == "application/json"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b'{"challenge": ""}',
            b'{"challenge": 7}',
            b'{"challenge": null}',
            b'{"challenge": "a", "event": {}}',
            b'{"challenge": "' + b"a" * 1025 + b'"}',
            b"[" * 100_000,
            b'{"event": {"type": "create_pulse"}}',
        ],
    )
    def test_anything_else_is_no_challenge(self, body: bytes) -> None:
        assert asked(monday, body=body) is None


class TestTrello:
    def test_head_is_answered(self) -> None:
        reply = asked(trello, "HEAD")
        assert reply is not None
        assert (reply.status, reply.body) == (200, b"")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nothing_else_is(self, method: str) -> None:
        assert asked(trello, method) is None


class TestToggl:
    """Toggl signs its PINGs, so that they are answered after the signature is proved."""

    def test_the_code_is_given_back(self) -> None:
        assert toggl.answer is not None
        assert json.loads(toggl.answer(sample(toggl.samples, "ping"), []).body) == {"validation_code": "a-made-up-code"}

    @pytest.mark.parametrize("code", [None, 7, "", "a" * 513, {}])
    def test_a_ping_without_a_usable_code_is_answered_like_any_other(self, code: Any) -> None:
        body = json.dumps({"payload": "ping", "validation_code": code}).encode()
        assert toggl.answer is not None
        reply = toggl.answer(replace(sample(toggl.samples, "ping"), body=body), [])
        assert json.loads(reply.body) == {"events": [], "duplicate": True}

    def test_a_code_in_another_event_is_left_alone(self) -> None:
        body = json.dumps({"payload": {}, "validation_code": "x"}).encode()
        assert toggl.answer is not None
        reply = toggl.answer(replace(sample(toggl.samples, "ping"), body=body), ["evt_1"])
        assert json.loads(reply.body) == {"events": ["evt_1"], "duplicate": False}


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    """The application itself."""
    runtime = open_runtime(sqlite_url, load_plugins())
    yield new_world(runtime)
    runtime.store.close()


def installed(world: World, connector: str, credentials: dict[str, Any]) -> tuple[str, str]:
    """A new installation's id and path."""
    made = world.a.post("/v1/installations", {"connector": connector, "name": connector, "credentials": credentials})
    assert made.status_code == 201, made.text
    return made.json["id"], urlsplit(made.json["webhook_url"]).path


def events(world: World, connector: str) -> int:
    return len(world.a.get(f"/v1/events?connector={connector}").json["items"])


class TestThroughTheWeb:
    def test_asana_s_handshake_teaches_no_secret(self, world: World) -> None:
        """Whoever knows the URL may shake hands; what they sign afterwards is refused, what we made is believed."""
        _, path = installed(world, "asana", {"hook_secrets": [SECRET]})
        client = world.app.test_client()
        answer = client.post(path, headers={"X-Hook-Secret": HOOK})
        assert (answer.status_code, answer.headers["X-Hook-Secret"]) == (200, HOOK)
        request = sample(asana.samples, "heartbeat")
        for secret, status in ((HOOK, 401), (SECRET, 200)):
            signed = asana.sign(request, installation(asana, secrets=(secret,)))
            assert client.post(path, data=signed.body, headers=dict(signed.headers)).status_code == status
        assert events(world, "asana") == 0

    def test_trello_s_probe_and_a_card(self, world: World) -> None:
        _, path = installed(world, "trello", {"app_secret": SECRET})
        client = world.app.test_client()
        assert client.head(path).status_code == 200
        assert client.get(path).status_code == 405
        at = installation(trello, webhook_url=f"https://sms.example.com{path}")
        signed = trello.sign(sample(trello.samples, "task_assigned"), at)
        for duplicate in (False, True):
            answer = client.post(path, data=signed.body, headers=dict(signed.headers))
            assert (answer.status_code, answer.json["duplicate"]) == (200, duplicate)
        assert events(world, "trello") == 1

    def test_monday_s_challenge_and_an_unsigned_item(self, world: World) -> None:
        _, path = installed(world, "monday", {"signing_secret": SECRET})
        client = world.app.test_client()
        assert client.post(path, json={"challenge": "abc"}).json == {"challenge": "abc"}
        request = sample(monday.samples, "task_due")
        assert client.post(path, data=request.body, headers=dict(request.headers)).status_code == 401
        assert events(world, "monday") == 0

    def test_toggl_s_ping_is_validated_only_when_it_is_signed(self, world: World) -> None:
        _, path = installed(world, "toggl", {"secret": SECRET})
        client = world.app.test_client()
        request = sample(toggl.samples, "ping")
        assert client.post(path, data=request.body, headers=dict(request.headers)).status_code == 401
        signed = toggl.sign(request, installation(toggl))
        answer = client.post(path, data=signed.body, headers=dict(signed.headers))
        assert (answer.status_code, answer.json) == (200, {"validation_code": "a-made-up-code"})

    def test_clockify_s_tokens_are_stored_by_event_and_replaced(self, world: World) -> None:
        number, path = installed(world, "clockify", {"workspace_id": "w1", "tokens": {"NEW_TASK": "first-token"}})
        client, request = world.app.test_client(), sample("bellwire_connectors.clockify", "task_assigned")

        def post(token: str) -> int:
            headers = {**request.headers, "clockify-signature": token}
            return client.post(path, data=request.body, headers=headers).status_code

        assert post("first-token") == 200
        changed = world.a.patch(f"/v1/installations/{number}", {"credentials": {"tokens": {"NEW_TASK": "second-token"}}})
        assert changed.status_code == 200, changed.text
        assert [post("second-token"), post("first-token"), post("third-token")] == [200, 200, 401]
        world.clock.forward(days=2)
        assert [post("second-token"), post("first-token")] == [200, 401]
