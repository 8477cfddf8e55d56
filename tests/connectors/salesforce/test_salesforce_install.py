"""Installing in the browser: to Salesforce with PKCE, back with a code, and whose organization it is."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from bellwire import (
    Installation,
    Installed,
    PayloadInvalid,
    PlatformRejected,
    PlatformUnauthorized,
    SignatureMismatch,
    WebhookRequest,
)
from bellwire.testing import NOW
from bellwire_connectors.salesforce import connector, install
from standins.link import MemoryLink, Vault
from standins.salesforce import Fault, Organization
from standins.salesforce_installed import installed

OpenLink = Callable[..., MemoryLink]
CALLBACK = "https://sms.example.com/install/salesforce/callback"
STATE = "a state that nobody guesses"


@pytest.fixture
def app(org: Organization) -> Installation:
    """What an admin made: the app's key and secret, and nothing that the install brings."""
    made = installed(org, access_token="")
    settings = {name: value for name, value in made.settings.items() if name not in ("organization_id", "integration_user")}
    return replace(made, settings=settings, account_ref="example.my.salesforce.com")


def begin(app: Installation, state: str = STATE) -> str:
    assert connector.begin_install is not None
    start = connector.begin_install(WebhookRequest(method="GET", received_at=NOW), app, CALLBACK, state)
    assert start.account_ref == "example.my.salesforce.com"
    return start.redirect


def allowed(redirect: str) -> WebhookRequest:
    """The request that comes back once the admin has allowed the app."""
    answer = requests.get(redirect, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    back = answer.headers["Location"]
    return WebhookRequest(method="GET", url=back, query=parse_qsl(urlsplit(back).query), received_at=NOW)


def finish(app: Installation, back: WebhookRequest, open_link: OpenLink, state: str = STATE) -> Installed:
    assert connector.finish_install is not None
    return connector.finish_install(back, app, state, open_link(Vault(app)))


def test_the_browser_is_sent_to_salesforce_with_a_challenge(app: Installation, org: Organization) -> None:
    there = urlsplit(begin(app))
    asked = dict(parse_qsl(there.query))
    assert (f"{there.scheme}://{there.netloc}", there.path) == (org.url, "/services/oauth2/authorize")
    assert (asked["response_type"], asked["client_id"], asked["redirect_uri"], asked["state"]) == (
        "code",
        org.consumer_key,
        CALLBACK,
        STATE,
    )
    assert asked["scope"].split() == ["api", "refresh_token"]
    assert asked["code_challenge_method"] == "S256"
    assert org.consumer_secret not in there.query


def test_the_verifier_is_one_by_the_standard_and_another_for_each_state(app: Installation) -> None:
    """RFC 7636, 4.1: 43 to 128 unreserved characters."""
    one, other = install.verifier(app, "one"), install.verifier(app, "other")
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", one)
    assert one != other
    expected = base64.urlsafe_b64encode(hashlib.sha256(one.encode()).digest()).rstrip(b"=").decode()
    assert install.challenge(app, "one") == expected


def test_a_domain_of_their_own_is_where_the_browser_goes(app: Installation) -> None:
    real = replace(app, settings={})
    assert begin(real).startswith("https://example.my.salesforce.com/services/oauth2/authorize?")


def test_it_comes_back_with_tokens_and_what_the_organization_is(app: Installation, org: Organization, open_link: OpenLink) -> None:
    done = finish(app, allowed(begin(app)), open_link)
    assert done.account_ref == app.account_ref
    assert done.credentials["access_token"] in org.tokens
    assert done.credentials["refresh_token"] in org.refresh_tokens
    assert (done.credentials["user_id"], done.credentials["consumer_key"]) == (org.user, org.consumer_key)
    assert done.settings == {"organization_id": org.id, "shop_name": "Example Inc."}
    assert (done.country, done.locale, done.timezone, list(done.notes)) == ("US", "en_US", "America/New_York", [])
    assert set(done.credentials) <= {field.name for field in connector.fields}
    assert set(done.settings) <= {field.name for field in connector.settings}


def test_again_for_the_same_organization(app: Installation, org: Organization, open_link: OpenLink) -> None:
    known = replace(app, settings={**app.settings, "organization_id": org.id})
    assert finish(known, allowed(begin(known)), open_link).settings["organization_id"] == org.id


REFUSED: list[tuple[str, Callable[[Installation], Installation], Callable[[WebhookRequest], WebhookRequest], type[Exception]]] = [
    (
        "another organization than before",
        lambda app: replace(app, settings={**app.settings, "organization_id": "00Dxx0000001gPMEAY"}),
        lambda back: back,
        SignatureMismatch,
    ),
    ("another state", lambda app: app, lambda back: replace(back, query=[*back.query[:1], ("state", "x")]), SignatureMismatch),
    ("no code", lambda app: app, lambda back: replace(back, query=[("state", STATE)]), PayloadInvalid),
    ("another code", lambda app: app, lambda back: replace(back, query=[("code", "x"), ("state", STATE)]), PlatformUnauthorized),
    ("another address", lambda app: app, lambda back: replace(back, url="https://evil.example/x"), PlatformUnauthorized),
]


@pytest.mark.parametrize(("label", "other", "bend", "error"), REFUSED, ids=[row[0] for row in REFUSED])
def test_is_refused(app: Installation, open_link: OpenLink, label: str, other: Any, bend: Any, error: type[Exception]) -> None:
    back = allowed(begin(app))
    with pytest.raises(error):
        finish(other(app), bend(back), open_link)


def test_a_code_of_another_browser_is_worth_nothing(app: Installation, open_link: OpenLink) -> None:
    """PKCE: the verifier belongs to the state with which it began."""
    back = allowed(begin(app, "somebody else's state"))
    stolen = replace(back, query=[("code", dict(back.query)["code"]), ("state", STATE)])
    with pytest.raises(PlatformUnauthorized):
        finish(app, stolen, open_link)


def test_what_is_missing_is_said(app: Installation, org: Organization, open_link: OpenLink) -> None:
    redirect = begin(app).replace("api+refresh_token", "api")
    back = allowed(redirect)
    org.fail(Fault(500))  # what the organization is can't be asked: the token must not be lost
    done = finish(app, back, open_link)
    assert done.credentials["access_token"] in org.tokens
    assert [note.partition(":")[0] for note in done.notes] == ["Salesforce gave no refresh token", "Set settings.organization_id"]


@pytest.mark.parametrize("lacking", ["consumer_key", "consumer_secret"])
def test_an_app_is_needed(app: Installation, lacking: str) -> None:
    with pytest.raises(PlatformRejected, match="consumer_key and consumer_secret"):
        begin(replace(app, credentials={**app.credentials, lacking: ""}))


def test_a_state_is_needed(app: Installation, open_link: OpenLink) -> None:
    with pytest.raises(PayloadInvalid):
        begin(app, "")
    with pytest.raises(SignatureMismatch):
        finish(app, WebhookRequest(method="GET", query=[("code", "x"), ("state", "")], received_at=NOW), open_link, "")
