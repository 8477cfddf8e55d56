"""A desk and a handset talk, in this process: ticket, text, reply, comment, answer, text; and STOP in the middle of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from bellwire.config import Config
from bellwire.engine.jobs import Jobs
from bellwire.engine.process import loops
from bellwire.engine.pump import Pump
from bellwire.engine.runtime import Engine
from bellwire.model import CarrierAccount, Connector, WebhookRequest
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import Store, schema
from bellwire.store.database import reading
from bellwire.store.vault import Vault
from bellwire.testing import account, installation
from bellwire_connectors.hubspot import connector as hubspot
from bellwire_connectors.salesforce import connector as salesforce
from bellwire_connectors.sandbox import carrier
from bellwire_connectors.shopify import connector as shopify
from standins.hubspot_certified import CertifiedPortal
from standins.salesforce_certified import CertifiedOrganization
from standins.shopify_certified import CertifiedShop
from standins.zendesk import Zendesk
from web_world import Caller, new_world

PHONE = "+12025550142"
PUBLIC = "http://127.0.0.1:9"
_numbered = itertools.count(1)


class _Running:
    """One process with web, pump and jobs; `close` drains it."""

    def __init__(self, url: str, plugins: Plugins) -> None:
        self.config = Config(database_url=url, allow_private_addresses=True, public_url=PUBLIC)
        self.store, self.plugins = Store.open(url, Vault(b"k" * 32)), plugins
        self.engine = Engine(self.config, self.store, plugins)
        # a new installation is set up by its first look, within five seconds; here sooner
        soon = [replace(one, interval_s=0.1) if one.name == "reconciles" else one for one in loops(self.engine)]
        self.pump, self.jobs = Pump(self.engine), Jobs(self.engine, soon)
        self.clock: Any = self.now
        self.pump.start()
        self.jobs.start()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def close(self) -> None:
        self.pump.drain(5)
        self.jobs.drain(10)
        self.engine.http.close()
        self.store.close()


class Town:
    """A tenant with two desks and a sandbox line, and the people who write to each other."""

    def __init__(self, running: _Running, desk: Zendesk, other: Zendesk, phone: str) -> None:
        self.running, self.desk, self.other, self.phone = running, desk, other, phone
        made = new_world(running)  # type: ignore[arg-type]  # what it needs of a runtime is there
        self.api: Caller = made.a
        self.client = made.app.test_client()
        self.line = self._made(
            "/v1/carrier-accounts",
            carrier="sandbox",
            name="Line",
            credentials={"api_key": "hush"},
            settings={"sender_id": "Example"},
        )
        self._says("ticket.commented", "answer", "{{ agent.first_name }}: {{ ticket.latest_comment }}")
        self._says("ticket.updated", "update", "Your request {{ ticket.subject }} is {{ ticket.status }} now.")
        self.installations = [self._installed(one) for one in (desk, other)]
        self.until(lambda: all(one.webhooks and one.user_fields for one in (desk, other)), "the webhooks are not made")
        self.until(lambda: self._secrets_known(), "the signing secrets are not known")
        self.ana = desk.add_user("Ana Example", phone=phone)
        self.ana_there = other.add_user("A. Example", phone=phone)
        self.ticket = desk.open_ticket(self.ana, "Where is my parcel?", assignee_id=desk.agent)
        self.deliver()

    def _made(self, path: str, **body: Any) -> Any:
        answer = self.api.post(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json

    def _says(self, event: str, name: str, body: str) -> None:
        self._made("/v1/templates", name=name, purpose="transactional", bodies={"en": body})
        self.api.post(f"/v1/templates/{name}/versions/1/approve")
        self._made("/v1/triggers", name=name, connector="zendesk", event=event, template=name, recipient="customer", state="on")

    def _installed(self, desk: Zendesk) -> Any:
        credentials = {"subdomain": desk.subdomain, "email": desk.email, "api_token": desk.api_token}
        settings = {"base_url": desk.url, "bot_user_id": str(desk.bot)}
        return self._made("/v1/installations", connector="zendesk", name=desk.subdomain, credentials=credentials, settings=settings)

    def _secrets_known(self) -> bool:
        shown = [self.api.get(f"/v1/installations/{one['id']}").json for one in self.installations]
        return all("signing_secret" in one["credentials_set"] for one in shown)

    # -- what happens -------------------------------------------------------------------------------------------------

    def deliver(self) -> list[int]:
        """Zendesk sends what it has to send; what it was answered."""
        answers = []
        for desk in (self.desk, self.other):
            for request in desk.deliveries():
                path = urlsplit(request.url).path
                answers.append(self.client.post(path, data=request.body, headers=dict(request.headers)).status_code)
        assert set(answers) <= {200}, answers
        return answers

    def texts_back(self, text: str) -> None:
        """A text from the handset, signed as the carrier signs; acknowledged once it is kept."""
        reply = {"id": f"mo-{next(_numbered)}", "from": self.phone, "to": "Example", "text": text, "answered": False}
        made: CarrierAccount = account(carrier, secrets=("hush",))
        assert carrier.sign is not None
        request = WebhookRequest(
            url=self.line["mo_url"], body=json.dumps({"replies": [reply]}).encode(), received_at=self.running.now()
        )
        signed = carrier.sign(request, made)
        path = urlsplit(self.line["mo_url"]).path
        answer = self.client.post(path, data=signed.body, headers={**signed.headers, "content-type": "application/json"})
        assert answer.status_code == 200, answer.text

    # -- what became of it --------------------------------------------------------------------------------------------

    def until(self, found: Callable[[], Any], what: str = "it never held", within_s: float = 15.0) -> Any:
        ends = time.monotonic() + within_s
        while not (result := found()):
            assert time.monotonic() < ends, what
            time.sleep(0.01)
        return result

    def texts(self) -> list[dict[str, Any]]:
        """Every text to the handset, the oldest first."""
        return list(reversed(self.api.get("/v1/messages?limit=200").json["items"]))

    def said(self) -> list[str]:
        """What the handset got."""
        return [one["text"] for one in self.texts() if one["status"] in ("sent", "delivered")]

    def comments(self) -> list[tuple[int, str]]:
        return self.desk.written(self.ticket, public=True)

    def attempts(self) -> int:
        with reading(self.running.store.engine) as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(schema.attempts)).scalar_one())

    def quiet(self) -> bool:
        """Nothing waits to be written anywhere, and nothing to be decided."""
        with reading(self.running.store.engine) as connection:
            jobs = connection.execute(
                sa.select(schema.write_backs.c.id).where(schema.write_backs.c.status < schema.JOB_DONE)
            ).first()
            events = connection.execute(sa.select(schema.events.c.id).where(schema.events.c.status < schema.EVENT_DECIDED)).first()
        return jobs is None and events is None


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins(only=("sandbox", "zendesk"))
    at_once = replace(found.connectors["zendesk"], write_back_every_s=0.0)  # nobody waits here for 20 s between two notes
    return replace(found, connectors={"zendesk": at_once})


@contextmanager
def living(url: str, plugins: Plugins, phone: str = PHONE) -> Iterator[Town]:
    """A town for one test. `phone`: the customer's."""
    running = _Running(url, plugins)
    try:
        with Zendesk() as desk, Zendesk() as other:
            other.subdomain = "second"
            try:
                yield Town(running, desk, other, phone)
            finally:
                running.close()
    finally:
        running.store.close()


@pytest.fixture
def town(database_url: str, plugins: Plugins) -> Iterator[Town]:
    """On SQLite and on PostgreSQL."""
    with living(database_url, plugins) as made:
        yield made


@pytest.fixture
def hamlet(sqlite_url: str, plugins: Plugins) -> Iterator[Town]:
    """On SQLite only."""
    with living(sqlite_url, plugins) as made:
        yield made


def stands(desk: Zendesk, user: int, state: str) -> bool:
    """Whether this is what a user's profile says of texts."""
    return bool(desk.users[user]["user_fields"].get("sms_consent") == state)


def test_the_conversation_and_stop_in_its_middle(town: Town) -> None:
    desk, ticket, ana = town.desk, town.ticket, town.ana

    # a ticket update becomes a text, and the text's end a private note
    desk.set_status(ticket, "pending")
    town.deliver()
    town.until(lambda: town.said() == ["Your request Where is my parcel? is pending now."], "no text of the update")
    town.until(lambda: desk.written(ticket, public=False), "no note of the delivery")
    [(author, note)] = desk.written(ticket, public=False)
    assert (author, "was delivered" in note) == (desk.bot, True)

    # the reply becomes the requester's own comment, and reopens the ticket
    town.texts_back("Tomorrow is fine <3")
    town.until(lambda: town.comments()[1:] == [(ana, "Tomorrow is fine <3")], "the reply is not on the ticket")
    assert desk.tickets[ticket]["status"] == "open"
    [kept] = town.until(lambda: [one for one in town.api.get("/v1/replies").json["items"] if one["passed"] == "taken"])
    assert kept["passed_to"] == town.installations[0]["id"]

    # what we wrote comes back by webhook and makes no text; the agent's answer does
    town.deliver()
    desk.comment(ticket, "It comes at nine.", by=desk.agent)
    desk.comment(ticket, "He is in a hurry.", by=desk.agent, public=False)
    town.deliver()
    town.until(lambda: len(town.said()) == 2, "no text of the answer")
    assert town.said()[1] == "Iva: It comes at nine."

    # STOP, while five texts wait
    due = town.running.now() + timedelta(seconds=1)
    waiting = [
        town.api.post("/v1/messages", {"to": PHONE, "body": f"later {n}", "send_at": due.isoformat()}).json["id"] for n in range(5)
    ]
    attempts = town.attempts()
    town.texts_back("Stop")
    began = time.monotonic()
    ledger = town.api.get(f"/v1/consents/{PHONE}").json
    assert {ledger[purpose]["state"] for purpose in ("transactional", "marketing", "otp")} == {"opted_out"}, ledger
    town.until(lambda: desk.users[ana]["user_fields"].get("sms_consent") == "opt_out", "the desk does not know")
    town.until(
        lambda: town.other.users[town.ana_there]["user_fields"].get("sms_consent") == "opt_out", "the other desk does not know"
    )
    everywhere_s = time.monotonic() - began
    town.until(
        lambda: all(town.api.get(f"/v1/messages/{one}").json["status"] == "refused" for one in waiting), "they were not refused"
    )
    late_s = (town.running.now() - due).total_seconds()
    assert {town.api.get(f"/v1/messages/{one}").json["reason"] for one in waiting} == {"opted_out"}

    # the desk goes on: nobody is texted any more, and nothing of it is a public comment
    desk.comment(ticket, "Are you there?", by=desk.agent)
    desk.set_status(ticket, "hold")
    town.deliver()
    town.until(lambda: [one["reason"] for one in town.texts()[-2:]] == ["opted_out"] * 2, "an opted-out person was not refused")
    town.until(town.quiet, "something never ends")
    confirmations = [text for text in town.said() if "unsubscribed" in text.lower() or "opted out" in text.lower()]
    assert len(confirmations) <= 1, "one confirmation at most"
    assert town.attempts() - attempts == len(confirmations)
    assert [text for _, text in town.comments()] == [
        "Where is my parcel?",
        "Tomorrow is fine <3",
        "It comes at nine.",
        "Are you there?",
    ]
    notes = [text for _, text in desk.written(ticket, public=False)]
    assert "The customer texted Stop. Consent was changed accordingly." in notes
    assert len(desk.tickets) == 1
    assert len(town.other.tickets) == 0
    assert everywhere_s < 5, f"STOP reached both desks after {everywhere_s:.2f} s"
    assert late_s < 5, f"the waiting texts were refused {late_s:.2f} s after they were due"

    # START, and the conversation goes on
    town.texts_back("START")
    town.until(lambda: desk.users[ana]["user_fields"].get("sms_consent") == "opt_in", "the desk does not know of START")
    desk.comment(ticket, "Welcome back.", by=desk.agent)
    town.deliver()
    town.until(lambda: "Iva: Welcome back." in town.said(), "no text after START")

    # the desk's echo of a START comes after the next STOP, and changes nothing
    for word, state in (("STOP", "opt_out"), ("START", "opt_in"), ("STOP", "opt_out")):
        town.texts_back(word)
        town.until(partial(stands, desk, ana, state), f"the desk does not know of {word}")
    town.deliver()
    town.until(town.quiet, "an echo never ends")
    assert town.api.get(f"/v1/consents/{PHONE}").json["transactional"]["state"] == "opted_out"
    assert {one.users[who]["user_fields"]["sms_consent"] for one, who in ((desk, ana), (town.other, town.ana_there))} == {"opt_out"}


class Willing(CertifiedOrganization):
    """An organization whose contact has not said no."""

    def person(self) -> tuple[str, str]:
        msisdn, contact = super().person()
        self._org.edit("Contact", contact, SMS_Opt_Out__c=False)
        return msisdn, contact


ELSEWHERE: list[tuple[Connector, Callable[[], Any]]] = [
    (shopify, CertifiedShop),
    (hubspot, CertifiedPortal),
    (salesforce, Willing),
]


@pytest.mark.parametrize(("connector", "stand_in"), ELSEWHERE, ids=[one.name for one, _ in ELSEWHERE])
def test_stop_is_told_to_a_platform_that_took_no_part_in_the_conversation(
    sqlite_url: str, connector: Connector, stand_in: Callable[[], Any]
) -> None:
    there = stand_in()
    there.start()
    try:
        msisdn, _ = there.person()
        with living(sqlite_url, load_plugins(only=("sandbox", "zendesk", connector.name)), msisdn) as town:
            made = installation(connector)
            town._made(
                "/v1/installations",
                connector=connector.name,
                name="Elsewhere",
                credentials={**made.credentials, **there.credentials()},
                settings={**made.settings, **there.settings(), "base_url": there.url},
            )
            town.desk.set_status(town.ticket, "pending")
            town.deliver()
            town.until(town.said, "no text of the update")
            before = town.attempts()
            assert there.consent(msisdn) != "opted_out"
            town.texts_back("STOP")
            town.until(lambda: there.consent(msisdn) == "opted_out", f"{connector.name} does not know")
            town.desk.comment(town.ticket, "Are you there?", by=town.desk.agent)
            town.deliver()
            town.until(lambda: town.texts()[-1].get("reason") == "opted_out", "an opted-out person was not refused")
            assert town.attempts() - before <= 1, "one confirmation at most"
    finally:
        there.stop()


def test_a_no_at_the_desk_is_a_no_here(hamlet: Town) -> None:
    desk = hamlet.desk
    desk.set_user_field(hamlet.ana, "sms_consent", "opt_out")
    hamlet.deliver()
    hamlet.until(
        lambda: hamlet.other.users[hamlet.ana_there]["user_fields"].get("sms_consent") == "opt_out", "the other desk does not know"
    )
    desk.comment(hamlet.ticket, "It comes at nine.", by=desk.agent)
    hamlet.deliver()
    [refused] = hamlet.until(lambda: hamlet.texts())
    assert (refused["status"], refused["reason"]) == ("refused", "opted_out")
    before = len(desk.requests)
    hamlet.until(hamlet.quiet)
    assert not [one for one in desk.requests[before:] if "/users/" in one[1] and one[0] == "PUT"], "it is not told back"


def test_a_reply_after_the_ticket_was_closed_is_a_follow_up(hamlet: Town) -> None:
    desk, ticket = hamlet.desk, hamlet.ticket
    desk.set_status(ticket, "pending")
    hamlet.deliver()
    hamlet.until(hamlet.said)
    desk.set_status(ticket, "closed")
    desk.deliveries()  # Zendesk closes solved tickets by itself; who is told of it is no matter here
    hamlet.texts_back("One more thing")
    made = hamlet.until(lambda: [one for one in desk.tickets.values() if one["followup_source"] == ticket], "no follow-up")
    assert desk.written(made[0]["id"], public=True) == [(hamlet.ana, "One more thing")]
    hamlet.deliver()
    hamlet.until(hamlet.quiet)
    assert len(hamlet.said()) == 1, "our own ticket made a text"
