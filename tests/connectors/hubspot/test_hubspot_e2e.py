"""HubSpot over real HTTP against a real server: a workflow waits for its texts, a change texts its contact, an admin installs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from bellwire import WebhookRequest
from bellwire.testing import installation, sample
from bellwire_connectors.hubspot import connector
from standins.hubspot import Portal
from standins.served import Server, Tenant, until

PACKAGE = "bellwire_connectors.hubspot"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("served"))
    try:
        yield server.start()
        assert "Traceback" not in server.said, server.said
    finally:
        server.end()


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    with Portal(searches=100) as running:
        yield running


@pytest.fixture(scope="module")
def tenant(server: Server, portal: Portal) -> Tenant:
    """A tenant with the sandbox, two templates and the portal; our properties are there."""
    made = server.tenant("crm")
    made.sandbox()
    made.template("come-back", en="Hello {{ contact.first_name }}")
    made.template("won", en="{{ deal.name }} is {{ deal.stage }}, {{ contact.first_name }}")
    made.trigger("deal.stage_changed", "won", connector="hubspot")
    return made


@pytest.fixture(scope="module")
def app(tenant: Tenant, portal: Portal) -> dict[str, Any]:
    body = {
        "connector": "hubspot",
        "name": "Our CRM",
        "credentials": {
            "portal_id": portal.portal_id,
            "client_id": portal.client_id,
            "client_secret": portal.client_secret,
            "access_token": portal.private_token(),
        },
        "settings": {"app_id": portal.app_id, "base_url": portal.url},
    }
    made: dict[str, Any] = tenant.post("/v1/installations", body)
    until(lambda: portal.unique["communications"], "our properties are not made")
    return made


def deliver(app: dict[str, Any], portal: Portal, body: Any) -> Any:
    """HubSpot sends; what we answer."""
    raw, url = json.dumps(body).encode(), app["webhook_url"]
    request = WebhookRequest(url=url, body=raw, received_at=datetime.now(UTC))
    signed = connector.sign(request, replace(installation(connector), secrets=(portal.client_secret,)))
    answer = requests.post(url, data=raw, headers={**signed.headers, "content-type": "application/json"}, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def run(app: dict[str, Any], portal: Portal, name: str, contact: str, phone: str) -> dict[str, str]:
    """A workflow reaches the action; the contact is blocked once we have said so."""
    body = json.loads(sample(PACKAGE, "message_requested").body)
    body["callbackId"] = name
    body["object"] = {"objectId": int(contact), "objectType": "CONTACT", "properties": {"firstname": "Ada", "mobilephone": phone}}
    told = dict(deliver(app, portal, body)["outputFields"])
    if told["hs_execution_state"] == "BLOCK":
        portal.waiting.add(name)
    return told


def test_workflows_wait_for_their_texts_and_hear_the_end(tenant: Tenant, app: dict[str, Any], portal: Portal) -> None:
    runs = {f"ap-4711001-1-{place}-0": f"+1202555{place:04d}" for place in range(1000, 1020)}
    contacts = {name: portal.add("contacts", firstname="Ada", mobilephone=phone) for name, phone in runs.items()}
    told = {name: run(app, portal, name, contacts[name], phone) for name, phone in runs.items()}
    assert {one["hs_execution_state"] for one in told.values()} == {"BLOCK"}
    until(lambda: portal.completed.keys() >= runs.keys(), "not every run is completed")
    for name, contact in contacts.items():
        assert portal.completed[name]["message_id"] == told[name]["message_id"]
        assert portal.completed[name]["delivery_status"] == "delivered"
        assert portal.records["contacts"][contact]["sms_last_status"] == "delivered"
    on = [entry["to"] for entry in portal.communications() if "delivered" in entry["hs_communication_body"]]
    assert sorted(on) == sorted([("contacts", contact)] for contact in contacts.values())


def test_a_change_texts_the_contact_that_is_looked_up(tenant: Tenant, app: dict[str, Any], portal: Portal) -> None:
    contact = portal.add("contacts", firstname="Grace", mobilephone="+12025550143")
    deal = portal.add("deals", dealname="Roof", dealstage="won")
    portal.join(("deals", deal), ("contacts", contact))
    [change] = json.loads(sample(PACKAGE, "deal_stage_changed").body)
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    changed = {**change, "objectId": int(deal), "propertyValue": "won", "occurredAt": now_ms}
    [event] = deliver(app, portal, [changed])["events"]
    decisions = until(lambda: tenant.get(f"/v1/events/{event}")["decisions"], "it is not decided")
    message = tenant.wait(decisions[0]["message"], "delivered")
    assert (message["text"], message["to"]) == ("Roof is won, Grace", "+12025550143")
    wanted = [("contacts", contact), ("deals", deal)]
    until(lambda: wanted in [entry["to"] for entry in portal.communications()], "it does not stand on the deal")


def test_an_admin_installs_another_portal(tenant: Tenant, app: dict[str, Any], portal: Portal) -> None:
    home = app["webhook_url"].partition("/hooks/")[0]
    browser = requests.Session()
    away = browser.get(f"{home}/install/hubspot?installation={app['id']}", allow_redirects=False, timeout=5)
    query = parse_qs(urlsplit(away.headers["Location"]).query)
    assert away.headers["Location"].startswith(f"{portal.url}/oauth/authorize?")
    mine, portal.portal_id = portal.portal_id, "4711002"
    try:
        params = {"code": portal.code(query["redirect_uri"][0]), "state": query["state"][0]}
        back = browser.get(query["redirect_uri"][0], params=params, timeout=5)
        assert back.status_code == 200, back.text
        again = browser.get(query["redirect_uri"][0], params=params, timeout=5)
        assert again.status_code in (400, 401), "a return counts once"
    finally:
        portal.portal_id = mine
    found = {one["name"]: one for one in tenant.all("/v1/installations")}
    assert "4711002" in found
    [change] = json.loads(sample(PACKAGE, "contact_created").body)
    assert len(deliver(app, portal, [{**change, "portalId": 4711002}])["events"]) == 1
