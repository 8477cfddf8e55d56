"""The way out to Salesforce: tokens, one renewal, time-outs, one host, and what each answer becomes."""

from __future__ import annotations

import base64
import builtins
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from bellwire import (
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    Retry,
)
from bellwire.masking import mask
from bellwire.testing import installation
from bellwire_connectors.salesforce import connector, hosts, soql, tokens
from bellwire_connectors.salesforce.client import Org
from bellwire_connectors.salesforce.failures import BUSY_WAIT_S, LIMIT_WAIT_S
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standins.link import MemoryLink, Vault
from standins.salesforce import Fault, Organization
from standins.salesforce_installed import installed

OpenLink = Callable[..., MemoryLink]
WORD = "PRIVATE " + "KEY"  # whole it would be taken for one
NAMES = "SELECT Id, Name FROM Organization LIMIT 1"


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TestAToken:
    def test_that_is_there_is_used(self, org: Organization, link: MemoryLink) -> None:
        assert next(Org(link).query(NAMES))["Name"] == "Example Inc."
        assert org.token_calls == []

    def test_is_had_by_the_client_credentials(self, org: Organization, open_link: OpenLink) -> None:
        vault = Vault(installed(org, access_token=""))
        assert next(Org(open_link(vault)).query(NAMES))
        assert [one["grant_type"] for one in org.token_calls] == ["client_credentials"]
        kept = vault.installation.credentials
        assert kept["access_token"] in org.tokens
        assert kept["user_id"] == org.user, "what this user changes, we changed"
        assert kept["instance_url"] == "https://example.my.salesforce.com"

    def test_is_had_by_a_jwt(self, org: Organization, open_link: OpenLink, key: RSAPrivateKey) -> None:
        org.public_key = key.public_key()
        vault = Vault(installed(org, access_token="", consumer_secret="", username="bellwire@example.com", private_key=pem(key)))
        assert next(Org(open_link(vault)).query(NAMES))
        [call] = org.token_calls
        head, claims, _ = (
            json.loads(base64.urlsafe_b64decode(part + "==")) if n < 2 else part
            for n, part in enumerate(call["assertion"].split("."))
        )
        assert head == {"alg": "RS256"}
        assert (claims["iss"], claims["sub"], claims["aud"]) == (
            org.consumer_key,
            "bellwire@example.com",
            "https://login.salesforce.com",
        )

    def test_is_had_by_the_refresh_token(self, org: Organization, open_link: OpenLink) -> None:
        org.refresh_tokens.add("5Aep.good")
        vault = Vault(installed(org, access_token="", refresh_token="5Aep.good"))
        assert next(Org(open_link(vault)).query(NAMES))
        assert [one["grant_type"] for one in org.token_calls] == ["refresh_token"]
        assert vault.installation.credentials["refresh_token"] == "5Aep.good"

    def test_that_is_refused_is_renewed_once(self, org: Organization, vault: Vault, open_link: OpenLink) -> None:
        org.end_sessions()
        talk = Org(open_link(vault))
        assert next(talk.query(NAMES))
        assert next(talk.query(NAMES))
        assert (vault.renewals, len(org.token_calls)) == (1, 1)

    def test_that_ends_again_in_the_same_job_ends_the_job(self, org: Organization, vault: Vault, open_link: OpenLink) -> None:
        """simple-salesforce's own login modes would go on for ever here."""
        talk = Org(open_link(vault))
        org.end_sessions()
        assert next(talk.query(NAMES))
        org.end_sessions()
        with pytest.raises(PlatformUnauthorized) as refused:
            next(talk.query(NAMES))
        assert (refused.value.retry, vault.renewals, org.hits) == (Retry.NEVER, 1, 3)

    def test_refused_for_ever_is_asked_for_twice_and_no_more(self, org: Organization, vault: Vault, open_link: OpenLink) -> None:
        org.fail(*[Fault(401, "INVALID_SESSION_ID")] * 5)
        with pytest.raises(PlatformUnauthorized):
            next(Org(open_link(vault)).query(NAMES))
        assert (org.hits, len(org.token_calls)) == (2, 1)

    def test_of_eight_jobs_is_renewed_once(self, org: Organization, vault: Vault, open_link: OpenLink) -> None:
        org.end_sessions()
        links = [open_link(vault) for _ in range(8)]
        together = threading.Barrier(8)

        def job(link: MemoryLink) -> str:
            together.wait(5)
            return str(next(Org(link).query(NAMES))["Name"])

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(job, links)) == {"Example Inc."}
        assert (vault.renewals, len(org.token_calls)) == (1, 1)

    def test_given_by_hand_can_t_be_renewed(self, org: Organization, open_link: OpenLink) -> None:
        vault = Vault(installed(org, access_token="ended", consumer_key="", consumer_secret=""))
        with pytest.raises(PlatformUnauthorized, match="refused"):
            next(Org(open_link(vault)).query(NAMES))
        assert org.token_calls == []

    def test_that_nobody_can_get_is_missed_before_anything_is_sent(self, org: Organization, open_link: OpenLink) -> None:
        vault = Vault(installed(org, access_token="", consumer_key="", consumer_secret=""))
        with pytest.raises(PlatformUnauthorized, match="nothing to get a token with"):
            Org(open_link(vault))
        assert org.hits == 0


REFUSED = [
    ("another app", {"consumer_key": "other"}, "invalid_client_id"),
    ("another secret", {"consumer_secret": "wrong"}, "invalid_client"),
    ("a refresh token that was revoked", {"refresh_token": "5Aep.gone"}, "invalid_grant"),
]


class TestTheTokenEndpoint:
    @pytest.mark.parametrize(("_label", "credentials", "code"), REFUSED, ids=[row[0] for row in REFUSED])
    def test_refuses(self, org: Organization, open_link: OpenLink, _label: str, credentials: dict[str, str], code: str) -> None:
        vault = Vault(installed(org, **{"access_token": "", **credentials}))
        with pytest.raises(PlatformUnauthorized) as refused:
            Org(open_link(vault))
        assert (refused.value.code, refused.value.http_status) == (code, 400)
        assert not any(value and value in str(refused.value) for value in ("wrong", "5Aep.gone", org.consumer_secret))

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            ((429, {"Retry-After": "7"}, b""), PlatformThrottled),
            ((503, {}, b"down"), PlatformUnavailable),
            ((200, {}, b"<html>"), PlatformRejected),
            ((200, {}, b"[]"), PlatformRejected),
            ((200, {}, b'{"access_token": 7}'), PlatformRejected),
            ((302, {"Location": "https://evil.example/"}, b""), PlatformRejected),
            ((401, {}, b"no"), PlatformUnauthorized),
        ],
        ids=["too often", "down", "a page", "a list", "no token", "led elsewhere", "unauthorized"],
    )
    def test_says(
        self, org: Organization, open_link: OpenLink, monkeypatch: pytest.MonkeyPatch, reply: Any, error: type[PlatformError]
    ) -> None:
        monkeypatch.setattr(org, "_exchange", lambda _: reply)
        with pytest.raises(error) as told:
            Org(open_link(Vault(installed(org, access_token=""))))
        assert told.value.retry_after_s == (7.0 if reply[0] == 429 else None)

    @pytest.mark.parametrize("given", ["", "no key", f"-----BEGIN {WORD}-----\nAAAA\n-----END {WORD}-----"])
    def test_a_key_that_is_none(self, org: Organization, open_link: OpenLink, given: str) -> None:
        made = installed(org, access_token="", consumer_secret="", username="u@example.com", private_key=given or "x")
        with pytest.raises(PlatformRejected, match="private_key"):
            Org(open_link(Vault(made)))

    def test_does_not_answer(self, org: Organization, open_link: OpenLink) -> None:
        made = installed(org, access_token="")
        made = replace(made, settings={**made.settings, "base_url": "http://127.0.0.1:9"})
        with pytest.raises(PlatformUnreachable):
            Org(open_link(Vault(made)))


ANSWERS: list[tuple[str, Fault, type[PlatformError], Retry, float | None]] = [
    (
        "the day's calls are used up",
        Fault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        PlatformThrottled,
        Retry.LATER,
        LIMIT_WAIT_S,
    ),
    (
        "too many at once",
        Fault(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        PlatformThrottled,
        Retry.LATER,
        BUSY_WAIT_S,
    ),
    ("429", Fault(429, "", headers={"Retry-After": "12"}), PlatformThrottled, Retry.LATER, 12.0),
    ("the user may not", Fault(403, "INSUFFICIENT_ACCESS"), PlatformRejected, Retry.NEVER, None),
    ("the API is off", Fault(403, "API_DISABLED_FOR_ORG"), PlatformUnauthorized, Retry.NEVER, None),
    ("no such thing", Fault(404, "NOT_FOUND"), PlatformRejected, Retry.NEVER, None),
    ("an external id stands twice", Fault(300, ""), PlatformRejected, Retry.NEVER, None),
    ("a rule of the organization", Fault(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"), PlatformRejected, Retry.NEVER, None),
    ("a row is locked", Fault(400, "UNABLE_TO_LOCK_ROW"), PlatformUnavailable, Retry.LATER, None),
    ("a query takes too long", Fault(400, "QUERY_TIMEOUT"), PlatformUnavailable, Retry.LATER, None),
    ("down", Fault(503, "SERVER_UNAVAILABLE", headers={"Retry-After": "30"}), PlatformUnavailable, Retry.LATER, 30.0),
    ("broken", Fault(500, body=b"<html>oops"), PlatformUnavailable, Retry.LATER, None),
    ("no JSON", Fault(200, body=b"<html>"), PlatformUnavailable, Retry.LATER, None),
    ("no records", Fault(200, body=b"{}"), PlatformUnavailable, Retry.LATER, None),
    ("led elsewhere", Fault(302, headers={"Location": "https://evil.example/"}), PlatformRejected, Retry.NEVER, None),
    ("cut before", Fault(cut="before"), PlatformUnreachable, Retry.LATER, None),
    ("cut after", Fault(cut="after"), PlatformUnreachable, Retry.LATER, None),
]


@pytest.mark.parametrize(("label", "fault", "error", "retry", "wait_s"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_what_an_answer_becomes(
    org: Organization,
    link: MemoryLink,
    caplog: pytest.LogCaptureFixture,
    label: str,
    fault: Fault,
    error: type[PlatformError],
    retry: Retry,
    wait_s: float | None,
) -> None:
    told = replace(fault, message=fault.message + " +12025550101 ana@example.com") if fault.body is None else fault
    org.fail(told)
    with caplog.at_level(logging.DEBUG), pytest.raises(error) as raised:
        list(Org(link).query(NAMES))
    assert type(raised.value) is error or issubclass(type(raised.value), error)
    assert (raised.value.retry, raised.value.retry_after_s) == (retry, wait_s)
    said = f"{raised.value} {raised.value.__cause__} {caplog.text}"
    assert "2025550101" not in said
    assert "ana@example" not in said
    assert mask(str(raised.value)) == str(raised.value)
    assert link.installation.credentials["access_token"] not in said


class TestTheOrganization_s_limit:  # noqa: N801
    def test_is_a_throttle_with_a_wait(self, org: Organization, link: MemoryLink) -> None:
        org.daily_limit = 2
        talk = Org(link)
        list(talk.query(NAMES))
        assert talk.usage == "api-usage=1/2"
        list(talk.query(NAMES))
        with pytest.raises(PlatformThrottled) as throttled:
            list(talk.query(NAMES))
        assert (throttled.value.http_status, throttled.value.retry_after_s) == (403, LIMIT_WAIT_S)


class TestPages:
    def test_are_followed(self, org: Organization, link: MemoryLink) -> None:
        for number in range(450):
            org.add("Contact", LastName=f"Example {number}")
        assert len(list(Org(link).query("SELECT Id FROM Contact"))) == 450
        assert len(list(Org(link).query("SELECT Id FROM Contact", most=250))) == 250

    def test_of_another_host_are_not(self, org: Organization, link: MemoryLink) -> None:
        page = {"done": False, "records": [{"Id": "1"}], "nextRecordsUrl": "@evil.example/services/data/v66.0/query/x"}
        org.fail(Fault(200, body=json.dumps(page).encode()))
        with pytest.raises(PlatformError):
            list(Org(link).query(NAMES))
        assert org.hits == 2, "the second call came here, not there"


class TestEachCall:
    def test_has_a_time_out_follows_nobody_and_names_no_one_else(self, org: Organization, link: MemoryLink) -> None:
        seen: list[tuple[str, dict[str, Any]]] = []
        real = link.http.request

        def spy(method: str, url: str, **kwargs: Any) -> Any:
            seen.append((url, kwargs))
            return real(method, url, **kwargs)

        link.http.request = spy
        talk = Org(link)
        list(talk.query(NAMES))
        talk.limits()
        talk.create("Contact", {"LastName": "x"})
        for url, kwargs in seen:
            assert url.startswith(org.url + "/services/data/v66.0/")
            assert kwargs["timeout"] == tokens.TIMEOUT_S
            assert kwargs["allow_redirects"] is False
            assert "X-PrettyPrint" not in kwargs["headers"]

    def test_goes_to_the_version_of_the_settings(self, link_with: Callable[..., MemoryLink]) -> None:
        assert list(Org(link_with(api_version="65.0")).query(NAMES))
        with pytest.raises(PlatformRejected):
            list(Org(link_with(api_version="31.0")).query(NAMES))

    def test_names_the_extra_where_it_is_missing(self, link: MemoryLink, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.partition(".")[0] == "simple_salesforce":
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        for module in [name for name in sys.modules if name.partition(".")[0] == "simple_salesforce"]:
            monkeypatch.delitem(sys.modules, module)
        with pytest.raises(PlatformRejected, match=r"bellwire\[salesforce\]") as caught:
            list(Org(link).query(NAMES))
        assert caught.value.code == "extra_missing"


class TestSelecting:
    def test_a_field_that_we_may_not_see_is_left_out_and_remembered(self, org: Organization, link: MemoryLink) -> None:
        org.add("Contact", LastName="Example", Phone="(202) 555-0101")
        org.hidden.add(("Contact", "MobilePhone"))
        missing: set[str] = set()
        optional = ("MobilePhone", "Phone", "MailingCountryCode")
        [row] = Org(link).select("Contact", ("Id", "LastName"), "LIMIT 5", optional=optional, missing=missing)
        assert (row["Phone"], missing) == ("(202) 555-0101", {"MobilePhone", "MailingCountryCode"})
        before = org.hits
        assert list(Org(link).select("Contact", ("Id",), "LIMIT 5", optional=optional, missing=missing))
        assert org.hits == before + 1

    def test_one_that_has_to_be_there_is_an_error(self, org: Organization, link: MemoryLink) -> None:
        org.hidden.add(("Contact", "LastName"))
        with pytest.raises(PlatformRejected) as refused:
            list(Org(link).select("Contact", ("Id", "LastName"), "LIMIT 5", optional=("Phone",)))
        assert refused.value.code == "INVALID_FIELD"

    def test_when_nothing_says_which_all_are_left_out(self, org: Organization, link: MemoryLink) -> None:
        org.add("Contact", LastName="Example")
        org.fail(Fault(400, "INVALID_FIELD", "something is wrong"))
        [row] = Org(link).select("Contact", ("Id",), "LIMIT 5", optional=("Phone",))
        assert set(row) == {"attributes", "Id"}


QUOTED = ["plain", "O'Neil", 'a "b"', "back\\slash", "line\nbreak", "' OR Id != '", "tab\t", "per%cent_", "Ö 中 🙂"]


@pytest.mark.parametrize("value", QUOTED)
def test_a_value_stays_a_value(org: Organization, link: MemoryLink, value: str) -> None:
    wanted = org.add("Contact", LastName=value)
    org.add("Contact", LastName="somebody else")
    rows = list(Org(link).query(f"SELECT Id FROM Contact WHERE LastName = {soql.quoted(value)}"))  # noqa: S608  # that is what is tested
    assert [row["Id"] for row in rows] == [wanted]


DOMAINS = [
    ("acme.my", "acme.my.salesforce.com"),
    ("acme.my.salesforce.com", "acme.my.salesforce.com"),
    ("https://Acme.my.salesforce.com/", "acme.my.salesforce.com"),
    ("https://acme.lightning.force.com/lightning/page/home", "acme.my.salesforce.com"),
    ("acme--dev.sandbox.my", "acme--dev.sandbox.my.salesforce.com"),
    ("login", "login.salesforce.com"),
]


@pytest.mark.parametrize(("given", "host"), DOMAINS)
def test_a_domain_has_one_spelling(given: str, host: str) -> None:
    assert hosts.clean_domain(given) == host
    made = installation(connector, credentials={"domain": given}, settings={})
    assert hosts.login_url(made) == f"https://{host}"


@pytest.mark.parametrize("given", ["evil.example/", "a b", "acme.my.salesforce.com.evil.example/x?y", "user@evil.example", "-", ""])
def test_a_domain_leads_nowhere_else(given: str) -> None:
    made = installation(connector, credentials={"domain": given}, settings={})
    with suppress(PlatformRejected):
        assert hosts.login_url(made).endswith(".salesforce.com")


INSTANCES: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    (
        "the setting",
        {"instance_url": "https://told.my.salesforce.com"},
        {"instance_url": "https://acme.my.salesforce.com"},
        "https://acme.my.salesforce.com",
    ),
    (
        "what the token says",
        {"domain": "login", "instance_url": "https://told.my.salesforce.com"},
        {},
        "https://told.my.salesforce.com",
    ),
    (
        "not what anybody's token says",
        {"domain": "acme.my", "instance_url": "https://evil.example"},
        {},
        "https://acme.my.salesforce.com",
    ),
    (
        "nor in the clear",
        {"domain": "acme.my", "instance_url": "http://told.my.salesforce.com"},
        {},
        "https://acme.my.salesforce.com",
    ),
    ("a stand-in", {"domain": "acme.my"}, {"base_url": "http://127.0.0.1:9/"}, "http://127.0.0.1:9"),
]


@pytest.mark.parametrize(("label", "credentials", "settings", "url"), INSTANCES, ids=[row[0] for row in INSTANCES])
def test_where_the_api_is(label: str, credentials: dict[str, str], settings: dict[str, str], url: str) -> None:
    assert hosts.instance_url(installation(connector, credentials=credentials, settings=settings)) == url


def test_nobody_says_where_the_api_is() -> None:
    with pytest.raises(PlatformRejected, match="which organization"):
        hosts.instance_url(installation(connector, credentials={"domain": "login"}, settings={}))


AUDIENCES = [("acme.my", "login"), ("login", "login"), ("test", "test"), ("acme--dev.sandbox.my", "test"), ("acme--dev.my", "test")]


@pytest.mark.parametrize(("domain", "who"), AUDIENCES)
def test_whom_a_jwt_is_for(domain: str, who: str) -> None:
    made = installation(connector, credentials={"domain": domain}, settings={})
    assert hosts.audience(made) == f"https://{who}.salesforce.com"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    for record in caplog.records:
        assert "Bearer " not in record.getMessage()
