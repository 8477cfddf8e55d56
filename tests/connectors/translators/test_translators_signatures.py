"""Who is believed: vectors, rotation, 200 forgeries and more for each scheme, tokens (A4, A5, A6, A7)."""

from __future__ import annotations

import base64
import hmac
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bellwire import Connector, Installation, SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.signing import hmac_hex
from bellwire.testing import NOW, OLD_SECRET, SECRET, installation, sample
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.clockify.tokens import clean_tokens, tokens_for
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.mapped import connector as mapped
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.translating.tokens import fresh_claims, sign_token, verify_token
from bellwire_connectors.trello import connector as trello

VECTORS = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads"
HMAC = {"scheme": "hmac", "header": "X-Signature"}
STANDARD = {"scheme": "standard_webhooks"}
TOKEN = {"scheme": "token", "header": "X-Api-Key"}


def with_scheme(scheme: dict[str, Any]) -> Installation:
    at = installation(mapped)
    return replace(at, settings={**at.settings, "signature": scheme})


def jira_app() -> Installation:
    """An installation whose webhooks an OAuth app made."""
    at = installation(jira, secrets=())
    return replace(at, credentials={**at.credentials, "client_secret": SECRET})


def signed(connector: Connector, name: str, at: Installation) -> WebhookRequest:
    return connector.sign(sample(connector.samples, name), at)


def with_token(at: Installation, secret: str = SECRET) -> WebhookRequest:
    token = sign_token(secret, fresh_claims(NOW))
    return sample(jira.samples, "task_assigned").with_headers(authorization=f"Bearer {token}")


SCHEMES = [
    pytest.param(asana, "task_assigned", "x-hook-signature", True, installation(asana), id="asana"),
    pytest.param(clockify, "timecard_approved", "clockify-signature", False, installation(clockify), id="clockify"),
    pytest.param(jira, "task_assigned", "x-hub-signature", True, installation(jira), id="jira"),
    pytest.param(monday, "task_assigned", "authorization", False, installation(monday), id="monday"),
    pytest.param(toggl, "entry_flagged", "x-webhook-signature-256", True, installation(toggl), id="toggl"),
    pytest.param(trello, "task_assigned", "x-trello-webhook", True, installation(trello), id="trello"),
    pytest.param(mapped, "timecard_approved", "x-payroll-signature", True, installation(mapped), id="mapped: hmac with a time"),
    pytest.param(mapped, "timecard_approved", "x-signature", True, with_scheme(HMAC), id="mapped: hmac"),
    pytest.param(mapped, "timecard_approved", "x-api-key", False, with_scheme(TOKEN), id="mapped: token"),
    pytest.param(mapped, "timecard_approved", "webhook-signature", True, with_scheme(STANDARD), id="mapped: standard webhooks"),
]


@pytest.mark.parametrize(("connector", "name", "header", "covers_body", "at"), SCHEMES)
def test_no_forgery_passes(connector: Connector, name: str, header: str, covers_body: bool, at: Installation) -> None:
    good = signed(connector, name, at)
    connector.verify(good, at, NOW)
    made = list(mutations(good, header, covers_body=covers_body))
    passed = []
    for label, request in made:
        try:
            connector.verify(request, at, NOW)
        except SignatureMismatch:
            continue
        passed.append(label)
    assert len(made) >= 220 + 200 * covers_body
    assert passed == []


def mutations(good: WebhookRequest, header: str, *, covers_body: bool) -> Iterator[tuple[str, WebhookRequest]]:
    """At least 220 requests that nobody signed."""
    choose = random.Random(20261121)
    value = good.headers[header]
    scheme, _, rest = value.rpartition("=" if value.startswith("sha") else ",")
    changed = [
        ("nothing", ""),
        ("a NUL after it", value + "\x00"),
        ("a letter after it", value + "A"),
        ("twice", f"{value},{value}"),
        ("without its end", value[:-1]),
        ("backwards", value[::-1]),
        ("upper case", value.upper() if value.upper() != value else value.lower()),
        ("no scheme", rest if scheme else f"sha256={value}"),
        ("another scheme", f"sha1={rest}"),
        ("another version", f"v2,{rest}"),
        ("full-width letters", "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value)),
        ("half a surrogate pair", value + "\ud800"),
        ("a megabyte", "A" * 1_000_000),
        ("a megabyte after it", value + "=" * 1_000_000),
        ("hex of it", value.encode().hex()),
        ("base64 of it", base64.b64encode(value.encode()).decode()),
        ("None", "None"),
        ("a star", "*"),
    ]
    for _ in range(220):
        place, bit = choose.randrange(len(value)), 1 << choose.randrange(7)
        changed.append((f"bit {bit} of character {place}", value[:place] + chr(ord(value[place]) ^ bit) + value[place + 1 :]))
    yield "left out", replace(good, headers={name: one for name, one in good.headers.items() if name != header})
    yield from ((label, replace(good, headers={**good.headers, header: one})) for label, one in changed)
    bodies = [b"", good.body[:-1], good.body + b"x", good.body * 2, good.body[::-1], b"[" * 100_000, b"\xff\xfe" + good.body]
    for _ in range(200):
        flipped = bytearray(good.body)
        flipped[choose.randrange(len(flipped))] ^= 1 << choose.randrange(8)
        bodies.append(bytes(flipped))
    yield from ((f"body {number}", replace(good, body=one)) for number, one in enumerate(bodies) if covers_body)


@pytest.mark.parametrize(("connector", "name", "header", "covers_body", "at"), SCHEMES)
def test_either_secret_is_good_while_both_are_and_no_other(
    connector: Connector, name: str, header: str, covers_body: bool, at: Installation
) -> None:
    both = replace(at, secrets=(SECRET, OLD_SECRET))
    for secret in (SECRET, OLD_SECRET):
        connector.verify(signed(connector, name, replace(at, secrets=(secret,))), both, NOW)
    with pytest.raises(SignatureMismatch):
        connector.verify(signed(connector, name, replace(at, secrets=(OLD_SECRET,))), at, NOW)


@pytest.mark.parametrize(("connector", "name", "header", "covers_body", "at"), SCHEMES)
def test_an_installation_without_a_secret_believes_nobody(
    connector: Connector, name: str, header: str, covers_body: bool, at: Installation
) -> None:
    good = signed(connector, name, at)
    for secrets in ((), ("",)):
        for request in (good, sample(connector.samples, name), good.with_headers(**{header.replace("-", "_"): ""})):
            with pytest.raises(SignatureMismatch):
                connector.verify(request, replace(at, secrets=secrets), NOW)
        with pytest.raises(SignatureMismatch):
            connector.sign(sample(connector.samples, name), replace(at, secrets=secrets))


@pytest.mark.parametrize(("connector", "name", "header", "covers_body", "at"), SCHEMES)
def test_every_secret_is_compared_in_constant_time(
    connector: Connector, name: str, header: str, covers_body: bool, at: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = signed(connector, name, replace(at, secrets=(OLD_SECRET,)))
    compared: list[Any] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(a) or real(a, b))
    with pytest.raises(SignatureMismatch):
        connector.verify(wrong, replace(at, secrets=(SECRET, SECRET)), NOW)
    assert len(compared) >= 2


class TestVectors:
    """Signatures that others computed."""

    @staticmethod
    def vectors() -> dict[str, Any]:
        file = VECTORS / "signature_vectors-crm.json"
        if not file.exists():
            pytest.skip("no recorded vectors beside this checkout")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def test_jira(self) -> None:
        known = self.vectors()["jira_admin"]
        body = (VECTORS / "jira" / "worklog_created.json").read_bytes()
        at = installation(jira, secrets=(known["secret"],))
        jira.verify(WebhookRequest(headers={"x-hub-signature": known["header"]}, body=body, received_at=NOW), at, NOW)

    def test_trello(self) -> None:
        known = self.vectors()["trello"]
        at = replace(installation(trello, secrets=(known["app_secret"],)), settings={"callback_url": known["callback_url"]})
        request = WebhookRequest(headers={"x-trello-webhook": known["header"]}, body=known["body"].encode(), received_at=NOW)
        trello.verify(request, at, NOW)
        assert trello.sign(replace(request, headers={}), at).header("x-trello-webhook") == known["header"]


def test_a_known_body_has_the_known_signature() -> None:
    """As `printf '{"id":1}' | openssl dgst -sha256 -hmac hush` prints it."""
    made = toggl.sign(WebhookRequest(body=b'{"id":1}', received_at=NOW), installation(toggl, secrets=("hush",)))
    assert made.header("x-webhook-signature-256") == "sha256=5672948d9b0bb8de626568e7e449ed70154217d90c378dcb825cc2135fc649e6"


class TestTrello:
    """The URL is part of what is signed, and it is ours to say."""

    def test_the_url_as_registered_wins_over_ours(self) -> None:
        at = replace(installation(trello), settings={"callback_url": "https://old.example/hooks/trello/KEY"})
        trello.verify(signed(trello, "task_due", at), at, NOW)
        with pytest.raises(SignatureMismatch):
            trello.verify(signed(trello, "task_due", installation(trello)), at, NOW)

    def test_the_url_of_the_request_counts_for_nothing(self) -> None:
        at = installation(trello)
        trello.verify(replace(signed(trello, "task_due", at), url="https://elsewhere.example/"), at, NOW)

    def test_without_a_known_url_nobody_is_believed(self) -> None:
        with pytest.raises(SignatureMismatch, match="PUBLIC_URL"):
            trello.verify(signed(trello, "task_due", installation(trello)), replace(installation(trello), webhook_url=""), NOW)

    def test_letters_beyond_ascii_are_signed_as_bytes(self) -> None:
        at, request = installation(trello), replace(sample(trello.samples, "task_due"), body='{"name":"Ñandú 打印"}'.encode())
        trello.verify(trello.sign(request, at), at, NOW)


class TestClockify:
    """One token a webhook, one event a webhook."""

    AT = installation(clockify, secrets=("NEW_TASK=the-token-of-tasks", "ASSIGNMENT_PUBLISHED=the-token-of-shifts"))

    def test_a_token_proves_its_own_event_only(self) -> None:
        request = sample(clockify.samples, "task_assigned")
        clockify.verify(request.with_headers(Clockify_Signature="the-token-of-tasks"), self.AT, NOW)
        for token in ("the-token-of-shifts", "NEW_TASK=the-token-of-tasks", ""):
            with pytest.raises(SignatureMismatch):
                clockify.verify(request.with_headers(Clockify_Signature=token), self.AT, NOW)

    def test_an_event_without_a_token_is_believed_from_nobody(self) -> None:
        request = sample(clockify.samples, "timecard_approved")
        for token in ("the-token-of-tasks", ""):
            with pytest.raises(SignatureMismatch):
                clockify.verify(request.with_headers(Clockify_Signature=token), self.AT, NOW)

    def test_tokens_are_given_by_event(self) -> None:
        assert clean_tokens({"NEW_TASK": "a", "TASK_UPDATED": "b="}) == ["NEW_TASK=a", "TASK_UPDATED=b="]
        assert clean_tokens(clean_tokens({"NEW_TASK": "a"})) == ["NEW_TASK=a"]
        assert tokens_for("TASK_UPDATED", ["NEW_TASK=a", "TASK_UPDATED=b=", "plain"]) == ["b=", "plain"]

    @pytest.mark.parametrize("given", [{"NEW_TASK": ""}, {"new task": "a"}, {"NEW_TASK": 7}, 7, [7], [""], None])
    def test_other_forms_are_refused_and_not_quoted(self, given: Any) -> None:
        with pytest.raises(ValueError, match="must be"):
            clean_tokens(given)


class TestJiraApps:
    """Webhooks that an OAuth app made bring a token instead of a signature."""

    def test_the_app_s_token_is_believed(self) -> None:
        jira.verify(with_token(jira_app()), jira_app(), NOW)

    def test_another_app_s_token_is_not(self) -> None:
        with pytest.raises(SignatureMismatch):
            jira.verify(with_token(jira_app(), OLD_SECRET), jira_app(), NOW)

    def test_a_signature_is_judged_where_there_is_one(self) -> None:
        with pytest.raises(SignatureMismatch):
            jira.verify(with_token(jira_app()).with_headers(X_Hub_Signature="sha256=00"), jira_app(), NOW)

    def test_without_the_app_s_secret_a_token_proves_nothing(self) -> None:
        with pytest.raises(SignatureMismatch):
            jira.verify(with_token(jira_app()), installation(jira), NOW)

    def test_an_empty_signature_under_no_secret_is_refused(self) -> None:
        request = sample(jira.samples, "task_assigned").with_headers(X_Hub_Signature=f"sha256={hmac_hex('', b'')}")
        with pytest.raises(SignatureMismatch):
            jira.verify(replace(request, body=b""), installation(jira, secrets=()), NOW)


class TestMonday:
    """A token for our URL; boards' own webhooks only where somebody says so."""

    def test_a_token_for_another_url_is_refused(self) -> None:
        at = installation(monday)
        other = signed(monday, "task_due", replace(at, webhook_url="https://bellwire.example/hooks/monday/OTHER"))
        with pytest.raises(SignatureMismatch, match="another URL"):
            monday.verify(other, at, NOW)

    def test_without_a_token_nobody_is_believed(self) -> None:
        with pytest.raises(SignatureMismatch):
            monday.verify(sample(monday.samples, "task_due"), installation(monday), NOW)

    def test_unless_somebody_says_so(self) -> None:
        open_ = replace(installation(monday, secrets=()), settings={"accept_unsigned": True})
        monday.verify(sample(monday.samples, "task_due"), open_, NOW)

    def test_a_wrong_token_is_refused_all_the_same(self) -> None:
        open_ = replace(installation(monday), settings={"accept_unsigned": True})
        wrong = signed(monday, "task_due", installation(monday, secrets=(OLD_SECRET,)))
        with pytest.raises(SignatureMismatch):
            monday.verify(wrong, open_, NOW)


class TestTokens:
    """HS256 and nothing else."""

    @staticmethod
    def told(token: str, **more: Any) -> dict[str, Any]:
        return verify_token(token, [SECRET], NOW + timedelta(**more), "test")

    def test_the_claims_come_out(self) -> None:
        assert self.told(sign_token(SECRET, {"sub": "7", "exp": NOW.timestamp() + 1}))["sub"] == "7"

    def test_a_known_token_is_made(self) -> None:
        """The example that jwt.io shows."""
        made = sign_token("your-256-bit-secret", {"sub": "1234567890", "name": "John Doe", "iat": 1516239022})
        assert made.startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")
        assert made.endswith(".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")

    @pytest.mark.parametrize(("late", "good"), [(0, True), (300, True), (301, False), (86_400, False), (-300, True), (-301, False)])
    def test_a_token_is_good_for_five_minutes_either_way(self, late: int, good: bool) -> None:
        token = sign_token(SECRET, fresh_claims(NOW))
        if good:
            self.told(token, seconds=late)
        else:
            with pytest.raises(StaleSignature):
                self.told(token, seconds=late)

    @pytest.mark.parametrize("claims", [{}, {"exp": None}, {"exp": "never"}, {"exp": True}, {"exp": 1e300}])
    def test_a_token_without_an_end_is_refused(self, claims: dict[str, Any]) -> None:
        with pytest.raises(SignatureMismatch, match="no end"):
            self.told(sign_token(SECRET, claims))

    @pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256", "", None])
    def test_another_algorithm_is_refused(self, algorithm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bellwire_connectors.translating.tokens._HEADER", {"alg": algorithm})
        token = sign_token(SECRET, fresh_claims(NOW))
        for one in (token, token.rpartition(".")[0] + "."):
            with pytest.raises(SignatureMismatch):
                self.told(one)

    @pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "a.b", "é.b.c", "x" * 100_000, "\ud800.b.c"])
    def test_what_is_no_token_is_refused(self, token: str) -> None:
        with pytest.raises(SignatureMismatch):
            self.told(token)

    def test_parts_that_are_no_objects_are_refused(self) -> None:
        from bellwire_connectors.translating import tokens

        for part in ("W10", "bnVsbA", "!!!!", "eyI"):
            text = f"{part}.{part}"
            with pytest.raises(SignatureMismatch):
                self.told(f"{text}.{tokens._signature(SECRET, text)}")
