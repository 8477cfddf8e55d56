"""Salesforce and Bellwire together, in this process, on both databases: messages in, texts decided, outcomes back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from bellwire.config import Config
from bellwire.engine.links import open_link
from bellwire.engine.runtime import Engine
from bellwire.ids import parse_id
from bellwire.plugins import Plugins, load_plugins
from bellwire.testing import sample
from bellwire_connectors.salesforce import connector
from bellwire_connectors.salesforce.envelope import ACK
from standins.salesforce import Organization
from web_world import World, new_world, open_runtime

ACTION = "04kxx0000099999AAA"
XML = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "salesforce"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is stored and told apart runs on both databases, what never reaches one on SQLite."""
    if "database" in metafunc.fixturenames:
        both = ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgres)]
        metafunc.parametrize("database", both[: 2 if any(metafunc.definition.iter_markers("usefixtures")) else 1])


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture
def world(request: pytest.FixtureRequest, database: str, plugins: Plugins) -> Iterator[World]:
    runtime = open_runtime(request.getfixturevalue(database), plugins)
    runtime.config = Config(public_url="https://sms.example.com", allow_private_addresses=True)
    runtime.engine = Engine(runtime.config, runtime.store, runtime.plugins, now=runtime.clock)
    yield new_world(runtime)
    runtime.store.close()


class Hook:
    """An installation whose every event is texted by the sandbox."""

    def __init__(self, world: World, org: Organization, **settings: Any) -> None:
        self.world, self.org, self.client = world, org, world.app.test_client()
        self.a = world.a
        self.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "Sandbox", "credentials": {}, "settings": {}})
        self.a.post("/v1/templates", {"name": "told", "purpose": "transactional", "bodies": {"en": "Hello"}})
        self.a.post("/v1/templates/told/versions/1/approve")
        for event in ("lead.created", "message.requested", "customer.consent_changed"):
            made = self.a.post(
                "/v1/triggers", {"name": event, "connector": "salesforce", "event": event, "template": "told", "state": "on"}
            )
            assert made.status_code == 201, made.text
        made = self.a.post(
            "/v1/installations",
            {
                "connector": "salesforce",
                "name": "CRM",
                "credentials": {"domain": "acme.my", "consumer_key": org.consumer_key, "consumer_secret": org.consumer_secret},
                "settings": {
                    "organization_id": org.id[:15],
                    "actions": {ACTION: "lead.created"},
                    "integration_user": org.user,
                    "base_url": org.url,
                    **settings,
                },
            },
        )
        assert made.status_code == 201, made.text
        self.made = made.json
        self.id, self.path = made.json["id"], urlsplit(made.json["webhook_url"]).path

    def post(self, body: bytes, headers: dict[str, str] | None = None, path: str = "") -> Any:
        return self.client.post(path or self.path, data=body, headers=headers or XML)

    def leads(self, count: int) -> bytes:
        made = [("Lead", self.org.add("Lead", LastName=f"S{n}", Company="x", Phone=f"+1202555{n:04d}")) for n in range(count)]
        return self.org.envelope(ACTION, made)

    def events(self) -> list[dict[str, Any]]:
        return self.a.get("/v1/events?limit=200").json["items"]

    def messages(self) -> list[dict[str, Any]]:
        return self.a.get("/v1/messages?limit=200").json["items"]


@pytest.fixture
def hook(world: World, org: Organization) -> Hook:
    return Hook(world, org)


BOTH = pytest.mark.usefixtures("database")  # on both databases


class TestAMessage:
    @BOTH
    def test_of_100_notifications_is_100_events_in_one_transaction(self, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
        writer, batches = hook.world.runtime.store.writer, list[int]()
        real = writer.run_in
        monkeypatch.setattr(writer, "run_in", lambda group, units, *more: batches.append(len(units)) or real(group, units, *more))
        began = time.perf_counter()
        answer = hook.post(hook.leads(100))
        took_s = time.perf_counter() - began
        assert (answer.status_code, answer.data, answer.mimetype) == (200, ACK.body, "text/xml")
        assert len(hook.events()) == len(hook.messages()) == 100
        assert batches == [100], "all in one transaction"
        assert took_s < 10, "Salesforce waits for sixty seconds"

    @BOTH
    def test_that_comes_again_is_acknowledged_and_texts_nobody(self, hook: Hook) -> None:
        body = hook.leads(3)
        answers = [hook.post(body) for _ in range(10)]
        more = hook.leads(2)
        with ThreadPoolExecutor(8) as pool:  # and another one ten times at once
            answers += pool.map(lambda _: hook.world.app.test_client().post(hook.path, data=more, headers=XML), range(10))
        assert {(one.status_code, one.data) for one in answers} == {(200, ACK.body)}
        assert (len(hook.events()), len(hook.messages())) == (5, 5)

    def test_with_news_among_what_was_told_takes_the_news(self, hook: Hook) -> None:
        one = hook.org.add("Lead", LastName="One", Company="x", Phone="+12025550001")
        two = hook.org.add("Lead", LastName="Two", Company="x", Phone="+12025550002")
        first = hook.org.envelope(ACTION, [("Lead", one)])
        hook.post(first)
        again = first.partition(b"<Notification>")[2].partition(b"</Notification>")[0]
        both = hook.org.envelope(ACTION, [("Lead", two)]).replace(
            b"</notifications>", b"<Notification>" + again + b"</Notification></notifications>"
        )
        assert hook.post(both).data == ACK.body
        assert len(hook.messages()) == 2

    def test_that_can_t_be_stored_is_not_acknowledged(self, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
        from bellwire.errors import StoreUnavailable

        def full(*_: Any, **__: Any) -> None:
            raise StoreUnavailable("the queue is full")

        body = hook.leads(2)
        with monkeypatch.context() as broken:
            broken.setattr(hook.world.runtime.store.writer, "run_in", full)
            answer = hook.post(body)
        assert (answer.status_code, b"Ack" in answer.data) == (503, False)
        assert hook.post(body).data == ACK.body
        assert len(hook.events()) == 2

    def test_that_is_no_message_for_us_gets_no_ack(self, hook: Hook) -> None:
        answer = hook.post(hook.leads(1).replace(hook.org.id.encode(), b"00Dxx0000001gPMEAY"))
        assert (answer.status_code, b"Ack" in answer.data) == (401, False), "another organization's"
        for body in (b"", b"<a/>", b"{}", b"<!DOCTYPE a><a/>"):
            answer = hook.post(body)
            assert (answer.status_code, b"Ack" in answer.data) == (400, False), "unreadable"
        assert hook.post(hook.leads(1), path=hook.path[:-2] + "xx").status_code == 404, "at another address"
        deleted = sample("bellwire_connectors.salesforce", "deleted_record").body
        assert hook.post(deleted.replace(b"00Dxx0000001gPLEAY", hook.org.id.encode())).data == ACK.body, "nothing in it, but ours"
        assert hook.events() == []

    def test_leaves_no_session_id_anywhere(self, hook: Hook, tmp_path: Path) -> None:
        lead = hook.org.add("Lead", LastName="One", Company="x", Phone="+12025550001")
        hook.post(hook.org.envelope(ACTION, [("Lead", lead)], session="00Dxx!CANARYCANARY"))
        shown = json.dumps(hook.events()) + json.dumps(hook.a.get(f"/v1/events/{hook.events()[0]['id']}").json)
        assert "CANARY" not in shown
        for file in tmp_path.glob("bellwire.db*"):
            assert b"CANARY" not in file.read_bytes()


class TestTheAction:
    def run(self, hook: Hook, **changes: Any) -> Any:
        body = {"organization_id": hook.org.id, "request_id": "r-1", "template": "told", "phone": "+12025550101", **changes}
        return hook.post(json.dumps(body).encode(), {"Content-Type": "application/json"})

    def test_is_answered_in_the_same_call_and_run_again_texts_nobody(self, hook: Hook) -> None:
        assert self.run(hook, organization_id="00Dxx0000001gPMEAY").status_code == 401
        answer = self.run(hook)
        assert answer.status_code == 200, answer.text
        assert answer.json == {"event_id": hook.events()[0]["id"], "duplicate": False}
        assert self.run(hook).json == {"event_id": "", "duplicate": True}
        assert [one["to"] for one in hook.messages()] == ["+12025550101"]


class TestBothWays:
    def test_an_opt_out_there_reaches_the_ledger(self, hook: Hook) -> None:
        contact = hook.org.add("Contact", LastName="Example", MobilePhone="+12025550101", SMS_Opt_Out__c=True)
        hook.post(hook.org.envelope("04kxx0000088888AAA", [("Contact", contact)]))
        found = hook.a.get("/v1/consents/+12025550101").json
        assert "opted_out" in json.dumps(found)
        hook.post(hook.leads(1).replace(b"+12025550000", b"+12025550101"))
        assert [(one["status"], one["reason"]) for one in hook.messages()] == [("refused", "opted_out")]

    @BOTH
    def test_the_token_is_kept_sealed_and_renewed_by_the_engine_s_link(self, hook: Hook) -> None:
        assert connector.reconcile is not None
        link = open_link(hook.world.runtime.engine, hook.a.tenant_id, parse_id("ins", hook.id))
        hook.org.now = hook.world.clock
        assert connector.reconcile(link, hook.world.clock()) == []
        kept = hook.a.get(f"/v1/installations/{hook.id}").json
        assert {"access_token", "consumer_secret"} <= set(kept["credentials_set"])
        assert kept["credentials"]["domain"] == "acme.my.salesforce.com"
        assert kept["settings"]["organization_id"] == hook.org.id
        hook.org.end_sessions()
        again = open_link(hook.world.runtime.engine, hook.a.tenant_id, parse_id("ins", hook.id))
        assert connector.reconcile(again, hook.world.clock()) == []
        assert len(hook.org.token_calls) == 2

    def test_what_we_wrote_comes_back_as_no_news(self, hook: Hook) -> None:
        contact = hook.org.add("Contact", LastName="Example", MobilePhone="+12025550101")
        hook.org.edit("Contact", contact, by=hook.org.user, SMS_Opt_Out__c=True)
        assert hook.post(hook.org.envelope("04kxx0000088888AAA", [("Contact", contact)])).data == ACK.body
        assert hook.events() == []


class TestInstallingInTheBrowser:
    def test_an_admin_goes_there_and_comes_back_to_a_working_installation(self, world: World, org: Organization) -> None:
        credentials = {"domain": "acme.my", "consumer_key": org.consumer_key, "consumer_secret": org.consumer_secret}
        body = {"connector": "salesforce", "name": "CRM", "credentials": credentials, "settings": {"base_url": org.url}}
        made = world.a.post("/v1/installations", body).json
        browser = world.app.test_client()
        away = browser.get(f"/install/salesforce?installation={made['id']}", base_url="https://sms.example.com")
        assert away.status_code == 302, away.text
        back = urlsplit(requests.get(away.location, allow_redirects=False, timeout=5).headers["Location"])
        done = browser.get(f"{back.path}?{back.query}", base_url="https://sms.example.com")
        assert done.status_code == 200, done.text
        now = world.a.get(f"/v1/installations/{made['id']}").json
        assert (now["settings"]["organization_id"], now["country"], now["timezone"]) == (org.id, "US", "America/New_York")
        assert {"access_token", "refresh_token"} <= set(now["credentials_set"])
        assert now["webhook_url"] == made["webhook_url"]
        lead = org.add("Lead", LastName="One", Company="x", Phone="+12025550001")
        path = urlsplit(now["webhook_url"]).path
        assert browser.post(path, data=org.envelope(ACTION, [("Lead", lead)]), headers=XML).data == ACK.body
        for secret in (*org.tokens, *org.refresh_tokens, org.consumer_secret):
            assert secret not in done.text + json.dumps(now)


SETTINGS = [
    ("organization_id", "00D"),
    ("instance_url", "ftp://x"),
    ("actions", {"04k": "lead.created"}),
    ("actions", {ACTION: "Lead created"}),
    ("actions", "x"),
    ("api_version", "latest"),
    ("consent_field", "SMS Opt Out"),
    ("phone_fields", ["a b"]),
    ("poll", ["Asset"]),
    ("consent_purposes", ["otp"]),
]


def test_a_setting_that_can_t_be_one_is_refused(world: World) -> None:
    for name, value in SETTINGS:
        body = {"connector": "salesforce", "name": "CRM", "credentials": {"domain": "acme.my"}, "settings": {name: value}}
        answer = world.a.post("/v1/installations", body)
        assert answer.status_code == 422, f"{name}: {answer.text}"
        assert answer.json["errors"][0]["field"] == f"settings.{name}"


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded bodies beside this checkout")
@BOTH
def test_a_recorded_message_ten_times_is_told_once(hook: Hook) -> None:
    told = 0
    for name, count in (("single", 1), ("multi", 3), ("session_nil", 1), ("empty", 0)):
        body = (RECORDED / f"outbound_message.{name}.xml").read_bytes()
        for theirs in (b"ABC90000000gNcmEAE", b"0123456789ABCDENNN"):
            body = body.replace(b"<OrganizationId>" + theirs, b"<OrganizationId>" + hook.org.id.encode())
        assert {(one.status_code, one.data) for one in (hook.post(body) for _ in range(10))} == {(200, ACK.body)}
        told += count
        assert len(hook.events()) == told
