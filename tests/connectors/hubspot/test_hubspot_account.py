"""The account: tokens, the look back, the check, the install."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bellwire import (
    Event,
    Installation,
    PayloadInvalid,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    SignatureMismatch,
    WebhookRequest,
)
from bellwire.testing import installation
from bellwire.testing.standins import Fault
from bellwire_connectors.hubspot import connector
from standins.hubspot import Portal
from standins.link import MemoryLink, Vault

OpenLink = Callable[..., MemoryLink]
CALLBACK = "https://bellwire.example/install/hubspot/callback"


def at_portal(portal: Portal, **credentials: Any) -> Installation:
    made = installation(connector, webhook_url="https://bellwire.example/hooks/hubspot/KEY")
    return replace(
        made,
        account_ref=portal.portal_id,
        credentials={**portal.credentials(), **credentials},
        settings={**made.settings, "base_url": portal.url},
    )


def check(link: MemoryLink) -> dict[str, list[tuple[bool, str]]]:
    assert connector.check is not None
    found: dict[str, list[tuple[bool, str]]] = {}
    for one in connector.check(link):
        found.setdefault(one.name, []).append((one.ok, one.detail))
    return found


# -- tokens ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left_s", "renewals"), [(1800, 0), (181, 0), (179, 1), (-5, 1)])
def test_a_token_is_renewed_by_its_time_and_a_little_early(portal: Portal, open_link: OpenLink, left_s: int, renewals: int) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=left_s)
    vault = Vault(at_portal(portal, access_token_expires_at=ends.isoformat()))
    check(open_link(vault))
    assert (vault.renewals, portal.refreshes()) == (renewals, renewals)


def test_a_token_that_is_refused_early_is_renewed_once(portal: Portal, open_link: OpenLink) -> None:
    vault = Vault(at_portal(portal))
    portal.expire_tokens()
    assert check(open_link(vault))["token"] == [(True, "HubSpot answers")]
    assert portal.refreshes() == 1
    assert vault.installation.credentials["portal_id"] == "4711001"


def test_tokens_are_asked_for_in_the_form(portal: Portal, open_link: OpenLink) -> None:
    """The stand-in refuses parameters in the query, and the path of v1 is not there."""
    vault = Vault(at_portal(portal, access_token_expires_at="2026-01-01T00:00:00Z"))
    check(open_link(vault))
    assert portal.asked[0] == "POST /oauth/v3/token"


def test_a_removed_app_needs_a_person(portal: Portal, open_link: OpenLink) -> None:
    portal.refresh_tokens.clear()
    [(ok, detail)] = check(open_link(Vault(at_portal(portal, access_token="", refresh_token="gone"))))["token"]
    assert (ok, "install the app again" in detail) == (False, True)


@pytest.mark.parametrize("status", [500, 429])
def test_while_the_token_lasts_a_failed_renewal_does_no_harm(portal: Portal, open_link: OpenLink, status: int) -> None:
    portal.token_paths = ()
    ends = datetime.now(UTC) + timedelta(seconds=60)
    portal.fail(Fault(status=status))
    assert check(open_link(Vault(at_portal(portal, access_token_expires_at=ends.isoformat()))))["token"][0][0]


@pytest.mark.parametrize(
    ("status", "kind"), [(500, PlatformUnavailable), (429, PlatformThrottled), (400, PlatformUnauthorized), (204, PlatformRejected)]
)
def test_a_renewal_that_fails(portal: Portal, open_link: OpenLink, status: int, kind: type[Exception]) -> None:
    portal.token_paths = ()
    portal.fail(Fault(status=status, body=b""))
    assert connector.subscribe is not None
    with pytest.raises(kind):
        connector.subscribe(open_link(Vault(at_portal(portal, access_token=""))))


# -- our properties -------------------------------------------------------------------------------------------------------


def test_our_properties_are_made_once(portal: Portal, vault: Vault, open_link: OpenLink) -> None:
    assert connector.subscribe is not None
    for _ in range(2):
        connector.subscribe(open_link(vault))
    own = ["sms_last_status", "sms_last_status_at", "sms_last_status_reason", "sms_consent_status", "sms_consent_status_at"]
    assert vault.installation.cursor == {"properties": own, "message_property": True}
    assert portal.unique["communications"] == {"bellwire_message_id"}


def test_without_the_scope_it_goes_without_them(portal: Portal, vault: Vault, open_link: OpenLink) -> None:
    assert connector.subscribe is not None
    with portal.without("crm.schemas.contacts.write"):
        connector.subscribe(open_link(vault))
    assert vault.installation.cursor == {"properties": [], "message_property": False}


# -- the check ------------------------------------------------------------------------------------------------------------


def test_all_is_well(portal: Portal, open_link: OpenLink) -> None:
    vault = Vault(at_portal(portal, scope=" ".join(portal.scopes)))
    assert connector.subscribe is not None
    connector.subscribe(open_link(vault))
    assert [name for name, lines in check(open_link(vault)).items() for ok, _ in lines if not ok] == []


PROBLEMS: list[tuple[str, Callable[[Installation], Installation], str, str]] = [
    ("another portal's token", lambda one: replace(one, account_ref="7"), "portal", "belongs to portal 4711001"),
    ("no portal", lambda one: replace(one, account_ref=""), "portal", "is not set"),
    ("no URL", lambda one: replace(one, webhook_url=""), "webhooks", "PUBLIC_URL"),
    ("no app", lambda one: replace(one, settings={**one.settings, "app_id": ""}), "app_id", "settings.app_id"),
    ("a scope too few", lambda one: replace(one, credentials={**one.credentials, "scope": "oauth"}), "scopes", "automation"),
    ("no properties yet", lambda one: one, "properties", "bellwire_message_id"),
]


@pytest.mark.parametrize(("label", "bend", "name", "says"), PROBLEMS, ids=[row[0] for row in PROBLEMS])
def test_a_problem_is_named(portal: Portal, open_link: OpenLink, label: str, bend: Any, name: str, says: str) -> None:
    lines = check(open_link(Vault(bend(at_portal(portal)))))[name]
    assert any(not ok and says in detail for ok, detail in lines), lines


# -- the look back --------------------------------------------------------------------------------------------------------


def look(link: MemoryLink, since: datetime) -> list[Event]:
    assert connector.reconcile is not None
    return list(connector.reconcile(link, since))


def told(events: list[Event]) -> list[tuple[str, str]]:
    return sorted((event.type, event.subject) for event in events)


@pytest.fixture
def patient(portal: Portal) -> Portal:
    """A portal that does not count searches: these tests ask often."""
    portal.searches = 1000
    return portal


def test_what_no_webhook_told_is_found(patient: Portal, link: MemoryLink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    since = datetime.now(UTC) - timedelta(minutes=1)
    patient.properties["contacts"].add("sms_consent_status")
    contact = patient.add("contacts", firstname="Ada")
    patient.set("contacts", contact, sms_consent_status="opted_out")
    deal = patient.add("deals", dealname="Roof", dealstage="qualified")
    patient.set("deals", deal, dealstage="contractsent")
    ticket = patient.add("tickets", subject="Leak", hs_pipeline_stage="1")
    patient.set("tickets", ticket, hs_pipeline_stage="4")
    found = look(link, since)
    assert told(found) == [
        ("contact.created", f"contact/{contact}"),
        ("customer.consent_changed", f"contact/{contact}"),
        ("deal.created", f"deal/{deal}"),
        ("deal.stage_changed", f"deal/{deal}"),
        ("ticket.created", f"ticket/{ticket}"),
        ("ticket.solved", f"ticket/{ticket}"),
    ]
    assert all(event.fetch for event in found), "whom they are about is fetched as for a webhook"


def test_a_look_tells_the_same_fact_as_the_webhook(patient: Portal, link: MemoryLink) -> None:
    deal = patient.add("deals", dealname="Roof", dealstage="qualified")
    patient.set("deals", deal, dealstage="contractsent")
    stamp = patient.history["deals", deal, "dealstage"][0]["timestamp"]
    moved = [one for one in look(link, datetime.now(UTC) - timedelta(minutes=1)) if one.type == "deal.stage_changed"]
    at_ms = round(datetime.fromisoformat(stamp).timestamp() * 1000)
    body = (
        f'[{{"portalId":4711001,"appId":314159,"subscriptionType":"deal.propertyChange","objectId":{deal},"eventId":5,'
        f'"propertyName":"dealstage","propertyValue":"contractsent","occurredAt":{at_ms}}}]'
    )
    [webhook] = connector.read(WebhookRequest(body=body.encode(), received_at=datetime.now(UTC)), link.installation)
    assert [one.fact for one in moved] == [webhook.fact]


def test_our_own_consent_is_not_found_as_news(patient: Portal, set_up: MemoryLink) -> None:
    number = patient.add("contacts", firstname="Ada")
    patient.set("contacts", number, source="INTEGRATION", source_id=patient.app_id, sms_consent_status="opted_out")
    assert "customer.consent_changed" not in {event.type for event in look(set_up, datetime.now(UTC) - timedelta(minutes=1))}


def test_what_was_before_is_no_news(patient: Portal, link: MemoryLink, vault: Vault, open_link: OpenLink) -> None:
    patient.add("contacts", firstname="Ada")
    assert look(link, datetime.now(UTC) + timedelta(minutes=10)) == []
    vault.installation = replace(vault.installation, cursor={}, installed_at=datetime.now(UTC) + timedelta(minutes=1))
    assert look(open_link(vault), datetime.now(UTC) - timedelta(days=1)) == []


def test_a_second_look_begins_where_the_first_ended(patient: Portal, vault: Vault, open_link: OpenLink) -> None:
    look(open_link(vault), datetime.now(UTC) - timedelta(minutes=1))
    assert sorted(vault.installation.cursor) == ["contact", "deal", "ticket"]
    since = int(vault.installation.cursor["contact"]["since"]) / 1000
    assert 290 < time.time() - since < 330, "five minutes of overlap: the search lags"


def test_many_pages(patient: Portal, link: MemoryLink, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    for place in range(230):
        patient.add("contacts", firstname=f"A{place}")
    found = look(link, datetime.now(UTC) - timedelta(minutes=1))
    assert len({event.subject for event in found}) == 230
    assert (len(waits), min(waits)) == (2, 0.25), "five questions a second are allowed"


def test_more_than_a_search_gives(patient: Portal, link: MemoryLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 is the end of one search: the next begins at the last one's time."""
    from bellwire_connectors.hubspot import reconcile

    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(reconcile, "_FOUND_MOST", 200)
    began = datetime.now(UTC)
    for place in range(450):
        number = patient.add("contacts", firstname=f"A{place}")
        patient.records["contacts"][number]["lastmodifieddate"] = (began + timedelta(milliseconds=place)).strftime(
            "%Y-%m-%dT%H:%M:%S.%f"
        )[:-3] + "Z"
    found = look(link, began - timedelta(minutes=1))
    assert len({event.subject for event in found}) == 450


def test_a_missing_scope_leaves_only_its_records_out(patient: Portal, link: MemoryLink) -> None:
    contact = patient.add("contacts", firstname="Ada")
    with patient.without("tickets"):
        assert told(look(link, datetime.now(UTC) - timedelta(minutes=1))) == [("contact.created", f"contact/{contact}")]


# -- the install ----------------------------------------------------------------------------------------------------------


def begun(at: Installation) -> dict[str, list[str]]:
    assert connector.begin_install is not None
    start = connector.begin_install(WebhookRequest(received_at=datetime.now(UTC)), at, CALLBACK, "state-1")
    where = urlsplit(start.redirect)
    assert (where.scheme, where.netloc, where.path, start.account_ref) == ("https", "app.hubspot.com", "/oauth/authorize", "")
    return parse_qs(where.query)


def test_the_browser_is_sent_to_hubspot(portal: Portal) -> None:
    query = begun(replace(at_portal(portal), settings={}))
    assert (query["client_id"], query["redirect_uri"], query["state"]) == (["client-1"], [CALLBACK], ["state-1"])
    assert {"oauth", "automation", "crm.objects.contacts.write"} <= set(query["scope"][0].split())
    assert "tickets" in query["optional_scope"][0].split()


def test_without_a_client_id_nobody_is_sent() -> None:
    assert connector.begin_install is not None
    with pytest.raises(PlatformRejected):
        connector.begin_install(WebhookRequest(received_at=datetime.now(UTC)), installation(connector), CALLBACK, "s")


def finish(portal: Portal, open_link: OpenLink, **query: str) -> Any:
    assert connector.finish_install is not None
    home = replace(at_portal(portal, access_token="", refresh_token="", portal_id=""), account_ref="")
    given = {"code": portal.code(CALLBACK), "state": "state-1", **query}
    request = WebhookRequest(url=f"{CALLBACK}?x=1", query=[(k, v) for k, v in given.items() if v], received_at=datetime.now(UTC))
    return connector.finish_install(request, home, "state-1", open_link(Vault(home)))


def test_the_code_becomes_an_installation(portal: Portal, open_link: OpenLink) -> None:
    made = finish(portal, open_link)
    assert (made.account_ref, made.timezone, made.notes) == ("4711001", "America/New_York", ())
    assert made.credentials["portal_id"] == "4711001"
    assert made.credentials["access_token"] in portal.tokens
    assert made.credentials["refresh_token"] in portal.refresh_tokens
    assert made.settings == {"app_id": "314159", "api_path": "v3"}


def test_what_was_not_granted_is_told(portal: Portal, open_link: OpenLink) -> None:
    with portal.without("automation"):
        assert finish(portal, open_link).notes[0].startswith("Not granted: automation.")


REFUSED = [
    ("another state", {"state": "state-2"}, SignatureMismatch),
    ("no state", {"state": ""}, SignatureMismatch),
    ("no code", {"code": ""}, PayloadInvalid),
    ("a code of somebody else's", {"code": "stolen"}, PlatformUnauthorized),
]


@pytest.mark.parametrize(("label", "query", "kind"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_return_that_is_refused(
    portal: Portal, open_link: OpenLink, label: str, query: dict[str, str], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        finish(portal, open_link, **query)
