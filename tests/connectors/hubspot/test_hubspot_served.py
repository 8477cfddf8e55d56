"""HubSpot's requests through the whole: one URL for many portals, the workflow that waits, the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire import Status
from bellwire.engine import pending, privacy
from bellwire.engine.links import EngineLink
from bellwire.model import WebhookRequest
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import schema
from bellwire.store.database import reading
from bellwire.store.templates import approve, create
from bellwire.testing import installation, sample
from bellwire_connectors.hubspot import connector
from standins.hubspot import Portal
from web_world import World, new_world, open_runtime
from werkzeug.test import TestResponse

PACKAGE = "bellwire_connectors.hubspot"
SECRET = "hush-hush-hush"
PUBLIC = "https://sms.example.com"


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins(only=("sandbox", "hubspot"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
        metafunc.parametrize("database_url", both, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def world(database_url: str, plugins: Plugins) -> Iterator[World]:
    runtime = open_runtime(database_url, plugins)
    made = new_world(runtime)
    made.a.patch("/v1/tenant", {"country": "US"})
    made.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "sandbox"})
    yield made
    runtime.store.close()


class App:
    """The app at HubSpot: portals that have it, and what HubSpot sends for them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.first = self.install("4711001")

    def install(self, portal: str, *, caller: Any = None, **settings: Any) -> dict[str, Any]:
        body = {
            "connector": "hubspot",
            "name": portal,
            "credentials": {"portal_id": portal, "client_id": "client-1", "client_secret": SECRET, "access_token": "pat-1"},
            "settings": {"app_id": "314159", **settings},
        }
        answer = (caller or self.world.a).post("/v1/installations", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def send(self, body: bytes | str, *, url: str = "", secret: str = SECRET) -> TestResponse:
        """One request of HubSpot's to the app's URL, signed now."""
        path = (url or self.first["webhook_url"]).removeprefix(PUBLIC)
        raw = body.encode() if isinstance(body, str) else body
        request = WebhookRequest(url=f"{PUBLIC}{path}", body=raw, received_at=self.world.clock())
        signed = connector.sign(request, replace(installation(connector), secrets=(secret,)))
        return self.world.a.client.post(path, data=raw, headers=dict(signed.headers), content_type="application/json")

    def sample(self, name: str, **fields: Any) -> bytes:
        body = json.loads(sample(PACKAGE, name).body)
        (body[0] if isinstance(body, list) else body).update(fields)
        return json.dumps(body).encode()


@pytest.fixture
def app(world: World) -> App:
    return App(world)


def events(world: World, caller: Any = None) -> list[dict[str, Any]]:
    return list((caller or world.a).get("/v1/events").json["items"])


def template(world: World, name: str = "come-back", body: str = "Hello {{ contact.first_name }}", *, approved: bool = True) -> None:
    from bellwire.model import Purpose

    def make(connection: Any) -> None:
        now = world.clock()
        create(connection, name=name, purpose=Purpose.TRANSACTIONAL, bodies={"en": body}, options={}, actor="cli", now=now)
        if approved:
            approve(connection, name, 1, actor="cli", now=now)

    world.write(make)


# -- one URL, many portals -----------------------------------------------------------------------------------------------


def test_each_portals_changes_go_to_its_own_installation(world: World, app: App) -> None:
    """A body that names several portals, two of them ours and of two tenants, one of nobody's."""
    app.install("4711002", caller=world.b)
    change = json.loads(app.sample("contact_created"))[0]
    body = [change, {**change, "portalId": 4711002}, {**change, "portalId": 4711003}, {**change, "objectId": 9002}]
    answer = app.send(json.dumps(body))
    assert (answer.status_code, len(answer.json["events"]), answer.json["duplicate"]) == (200, 3, False)
    assert sorted(one["subject"] for one in events(world)) == ["contact/9001", "contact/9002"]
    assert [one["subject"] for one in events(world, world.b)] == ["contact/9001"]
    again = app.send(json.dumps(body))
    assert (again.status_code, again.json) == (200, {"events": [], "duplicate": True})


def test_what_nobody_wants_is_answered_well_and_leaves_nothing(world: World, app: App) -> None:
    for body in (app.sample("contact_deleted"), app.sample("contact_created", portalId=99), b"[]", app.sample("own_change")):
        answer = app.send(body)
        assert (answer.status_code, answer.json) == (200, {"events": [], "duplicate": False})
    assert events(world) == []


def test_a_forgery_is_not_and_a_body_that_is_none_neither(world: World, app: App) -> None:
    assert app.send(app.sample("contact_created"), secret="guessed").status_code == 401
    assert app.send(b'[{"portalId": "x"}]').status_code == 400
    assert app.send(b"{}").status_code == 400
    assert events(world) == []


def test_a_portal_that_is_off_does_not_take_the_others_along(world: World, app: App) -> None:
    app.install("4711002")
    world.a.patch(f"/v1/installations/{app.first['id']}", {"status": "disabled"})
    change = json.loads(app.sample("contact_created"))[0]
    assert app.send(json.dumps([change])).status_code == 410
    assert len(app.send(json.dumps([change, {**change, "portalId": 4711002}])).json["events"]) == 1
    assert len(app.send(json.dumps([{**change, "portalId": 4711002, "objectId": 5}])).json["events"]) == 1


# -- the template picker --------------------------------------------------------------------------------------------------


def test_the_workflow_editor_sees_the_portals_own_approved_templates(world: World, app: App) -> None:
    app.install("4711002", caller=world.b)
    template(world)
    template(world, "come-later", approved=False)
    answer = app.send(app.sample("template_options"))
    assert [one["value"] for one in answer.json["options"]] == ["come-back"]
    other = app.send(app.sample("template_options", origin={"portalId": 4711002}))
    assert other.json["options"] == []
    assert app.send(app.sample("template_options"), secret="guessed").status_code == 401


# -- the workflow that waits ----------------------------------------------------------------------------------------------


def fields(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json["outputFields"])


def test_a_run_becomes_a_text_and_the_workflow_waits(world: World, app: App) -> None:
    template(world)
    told = fields(app.send(app.sample("message_requested")))
    assert (told["hs_execution_state"], told["hs_expiration_duration"], told["delivery_status"]) == ("BLOCK", "PT90000S", "queued")
    message = world.a.get(f"/v1/messages/{told['message_id']}").json
    assert (message["text"], message["to"], message["template"], message["purpose"]) == (
        "Hello Ada",
        "+12025550142",
        "come-back",
        "transactional",
    )
    [event] = events(world)
    [decision] = event["decisions"]
    assert (decision["trigger"], decision["outcome"], decision["message"]) == ("message.requested", "sent", told["message_id"])


def test_a_run_that_comes_again_sends_nothing_and_is_told_how_it_stands(world: World, app: App) -> None:
    template(world)
    first = fields(app.send(app.sample("message_requested")))
    again = fields(app.send(app.sample("message_requested")))
    assert (again["hs_execution_state"], again["message_id"]) == ("BLOCK", first["message_id"])
    assert len(world.a.get("/v1/messages").json["items"]) == 1
    with world.store.engine.begin() as connection:
        connection.execute(sa.update(schema.messages).values(status=schema.STATUS_CODES[Status.DELIVERED]))
    over = fields(app.send(app.sample("message_requested")))
    assert (over["hs_execution_state"], over["delivery_status"]) == ("SUCCESS", "delivered")


def test_a_refusal_is_told_at_once_and_again(world: World, app: App) -> None:
    template(world)
    world.a.put("/v1/consents/+12025550142", {"purpose": "transactional", "state": "opted_out", "source": "test"})
    for _ in range(2):
        told = fields(app.send(app.sample("message_requested")))
        assert (told["hs_execution_state"], told["delivery_status"], told["reason"]) == ("SUCCESS", "refused", "opted_out")


@pytest.mark.parametrize("name", ["nobody-wrote-this", "come-later"])
def test_only_an_approved_template_is_sent(world: World, app: App, name: str) -> None:
    template(world, "come-later", approved=False)
    told = fields(app.send(app.sample("message_requested", inputFields={"template": name})))
    assert (told["delivery_status"], told["reason"]) == ("refused", "template_not_approved")


def test_a_tenants_own_trigger_takes_over(world: World, app: App) -> None:
    template(world)
    template(world, "other", "Other words")
    draft = {
        "name": "only members",
        "connector": "hubspot",
        "event": "message.requested",
        "all": [{"field": "variables.discount", "op": "is", "value": "TEN"}],
        "template": "other",
        "recipient": "customer",
        "purpose": "transactional",
        "state": "on",
    }
    assert world.a.post("/v1/triggers", draft).status_code == 201
    world.clock.forward(seconds=1)
    told = fields(app.send(app.sample("message_requested")))
    assert world.a.get(f"/v1/messages/{told['message_id']}").json["text"] == "Other words"
    run = {"callbackId": "ap-2", "inputFields": {"template": "come-back", "discount": "NONE"}}
    not_met = fields(app.send(app.sample("message_requested", **run)))
    assert not_met == {"hs_execution_state": "SUCCESS", "delivery_status": "not_matched"}


def test_where_nothing_is_written_back_nobody_waits(world: World, app: App) -> None:
    template(world)
    app.install("4711002", write_back="off")
    run = app.sample("message_requested", origin={"portalId": 4711002})
    told = fields(app.send(run))
    assert (told["hs_execution_state"], told["delivery_status"]) == ("SUCCESS", "queued")


def test_the_end_is_written_for_the_run(world: World, app: App) -> None:
    """What the pump and the receipts do is proved elsewhere; here, that the job names the run and the contact."""
    world.a.put("/v1/consents/+12025550142", {"purpose": "transactional", "state": "opted_out", "source": "test"})
    template(world)
    app.send(app.sample("message_requested"))
    with reading(world.store.engine) as connection:
        [job] = connection.execute(sa.select(schema.write_backs).where(schema.write_backs.c.kind == "status")).all()
    assert (job.subject, job.customer_ref, job.value) == (
        "action/ap-4711001-56776413549-7-0/contact/9001",
        "contact/9001",
        "refused",
    )


# -- ids completed in the background ----------------------------------------------------------------------------------------


def test_a_body_of_a_hundred_is_completed_by_one_look(world: World, app: App) -> None:
    engine = world.runtime.engine
    with Portal() as portal:
        portal.tokens["pat-1"] = None
        numbers = [portal.add("contacts", firstname="Ada", mobilephone=f"+1202555{place:04d}") for place in range(100)]
        change = json.loads(app.sample("contact_updated"))[0]
        assert len(app.send(json.dumps([{**change, "objectId": int(number)} for number in numbers])).json["events"]) == 100

        def link(at: Any) -> EngineLink:
            return _Near(engine, replace(at, settings={**at.settings, "base_url": portal.url}))

        while pending.step(engine, link):
            pass  # a slow machine decides them in several steps
        assert set(portal.asked) == {"POST /crm/v3/objects/contacts/batch/read"}
        assert len(portal.asked) <= 10, "many by each look"
    with reading(world.store.engine) as connection:
        left = connection.execute(sa.select(sa.func.count()).where(schema.events.c.status != schema.EVENT_DECIDED)).scalar()
    assert left == 0


class _Near(EngineLink):
    """A link that may call this machine."""

    @property
    def http(self) -> Any:
        import requests

        session = requests.Session()
        session.trust_env = False
        return session


def test_one_that_is_gone_keeps_nobody_waiting(world: World, app: App) -> None:
    engine = world.runtime.engine
    with Portal() as portal:
        portal.tokens["pat-1"] = None
        number = portal.add("contacts", firstname="Ada", mobilephone="+12025550142")
        change = json.loads(app.sample("contact_updated"))[0]
        app.send(json.dumps([{**change, "objectId": int(number)}, {**change, "objectId": 1}]))
        pending.step(engine, lambda at: _Near(engine, replace(at, settings={**at.settings, "base_url": portal.url})))
    with reading(world.store.engine) as connection:
        rows = connection.execute(sa.select(schema.events.c.subject, schema.events.c.status, schema.events.c.error)).all()
    found = {row.subject: (row.status, row.error) for row in rows}
    assert found[f"contact/{number}"] == (schema.EVENT_DECIDED, None)
    assert found["contact/1"][0] == schema.EVENT_PENDING
    assert "is not there" in found["contact/1"][1]


# -- the install ------------------------------------------------------------------------------------------------------------


def test_an_admin_is_sent_to_hubspot_to_choose_a_portal(world: World, app: App) -> None:
    answer = world.a.client.get(f"/install/hubspot?installation={app.first['id']}")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://app.hubspot.com/oauth/authorize?client_id=client-1&")


# -- privacy ----------------------------------------------------------------------------------------------------------------


def test_who_is_erased_there_is_erased_here(world: World, app: App) -> None:
    template(world)
    told = fields(app.send(app.sample("message_requested")))
    other = {
        "callbackId": "ap-2",
        "object": {"objectId": 9002, "objectType": "CONTACT", "properties": {"mobilephone": "+12025550143"}},
    }
    template(world, "plain", "Hello")
    kept = fields(app.send(app.sample("message_requested", **other, inputFields={"template": "plain"})))
    assert len(app.send(app.sample("person_erase_requested")).json["events"]) == 1
    assert privacy.step(world.runtime.engine) == 1
    erased = world.a.get(f"/v1/messages/{told['message_id']}").json
    assert (erased["to"], erased["text"]) == (None, None)
    assert world.a.get(f"/v1/messages/{kept['message_id']}").json["to"] == "+12025550143"
