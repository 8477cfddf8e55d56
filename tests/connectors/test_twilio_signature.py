"""Twilio's signature: both generations, rotation, forgeries (A4), constant time (A7); the vendor's validator as the oracle."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from bellwire import CarrierAccount, SignatureMismatch, WebhookRequest
from bellwire.testing import NOW, account, sample
from bellwire_connectors.twilio import carrier
from bellwire_connectors.twilio.signature import HEADER, SETTINGS_HEADER, form
from forgeries import forgeries
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator, get_signature_algorithm

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "carriers" / "signature-vectors.json"
SECRET, OLD = "authtoken-1", "authtoken-0"
PACKAGE = "bellwire_connectors.twilio"
DELIVERED = sample(PACKAGE, "dlr_delivered")
URL = DELIVERED.url


def holder(*secrets: str, **shared_keys: str) -> CarrierAccount:
    return account(carrier, secrets=secrets, credentials={"shared_keys": shared_keys})


ACCOUNT = holder(SECRET, key_1="shared-secret")


def signed_with(request: WebhookRequest, secret: str) -> WebhookRequest:
    assert carrier.sign is not None
    return carrier.sign(request, replace(ACCOUNT, secrets=(secret,)))


def by_vendor(request: WebhookRequest, secret: str, url: str = "", algorithm: str = "HMAC_SHA1") -> WebhookRequest:
    """The request, signed by Twilio's own code."""
    fields = dict(form(request.body))
    signature = RequestValidator(secret).compute_signature(url or request.url, fields, algorithm)
    more = {SETTINGS_HEADER: f"key=key_1,algorithm={algorithm}"} if algorithm != "HMAC_SHA1" else {}
    return replace(request, headers={**request.headers, HEADER: signature, **more})


def with_settings(request: WebhookRequest, value: str) -> WebhookRequest:
    return replace(request, headers={**request.headers, SETTINGS_HEADER: value})


def vectors() -> list[Any]:
    if not SHARED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no signature vectors beside this checkout"))]
    found = [one for one in json.loads(SHARED.read_text(encoding="utf-8"))["vectors"] if one["carrier"] == "twilio"]
    return [pytest.param(one, id=f"{place}: {one['by']}") for place, one in enumerate(found)]


def vector_request(vector: dict[str, Any]) -> WebhookRequest:
    body = vector.get("raw_body") or urlencode(vector["form"])
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    return WebhookRequest(url=vector["url"], headers=headers, body=body.encode(), received_at=NOW)


def passes(request: WebhookRequest, at: CarrierAccount) -> bool:
    try:
        carrier.verify(request, at, NOW)
    except SignatureMismatch:
        return False
    return True


@pytest.mark.parametrize("vector", vectors())
class TestVectors:
    def test_the_verdict_is_the_vendor_s(self, vector: dict[str, Any]) -> None:
        request, secret = vector_request(vector), vector["secret"]
        said = get_signature_algorithm(request.header(SETTINGS_HEADER))
        oracle = RequestValidator(secret).validate(
            request.url, vector.get("raw_body") or vector["form"], request.header(HEADER), said
        )
        assert passes(request, holder(secret, webhooks_sharedkey_1=secret)) is oracle

    @pytest.mark.parametrize("part", ["url", "body", "secret"])
    def test_one_byte_makes_it_another(self, vector: dict[str, Any], part: str) -> None:
        request, secret = vector_request(vector), vector["secret"]
        if part == "url":
            request = replace(request, url=request.url.replace("https", "httpt"))
        if part == "body":
            request = replace(request, body=request.body[:-1] + b"~")
        if part == "secret":
            secret += "x"
        assert not passes(request, holder(secret, webhooks_sharedkey_1=secret))


# Two letters of the public example's value are often copied the wrong way round: zZ is right, Zz is not.
@pytest.mark.parametrize(("signature", "good"), [("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", True), ("0/KCTR6DLpKmkAf8muZzqo1nDgQ=", False)])
def test_the_public_example(signature: str, good: bool) -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    request = WebhookRequest(
        url="https://mycompany.com/myapp.php?foo=1&bar=2",
        headers={HEADER: signature},
        body=urlencode(fields).encode(),
        received_at=NOW,
    )
    assert passes(request, holder("12345")) is good


@dataclass(frozen=True)
class Good:
    label: str
    request: WebhookRequest
    secrets: tuple[str, ...] = (SECRET,)


GOOD = [
    Good("signed by Twilio's code", by_vendor(DELIVERED, SECRET)),
    Good("signed by ours", signed_with(DELIVERED, SECRET)),
    Good("the new token of a rotation", by_vendor(DELIVERED, SECRET), (SECRET, OLD)),
    Good("the old token of a rotation", by_vendor(DELIVERED, OLD), (SECRET, OLD)),
    Good("Twilio wrote the default port", by_vendor(DELIVERED, SECRET, URL.replace(".example/", ".example:443/"))),
    Good("Twilio left our port out", replace(by_vendor(DELIVERED, SECRET), url=URL.replace(".example/", ".example:8443/"))),
    Good(
        "the default port of plain http", by_vendor(replace(DELIVERED, url="http://127.0.0.1/x"), SECRET, "http://127.0.0.1:80/x")
    ),
    Good("a shared key and SHA-256", by_vendor(DELIVERED, "shared-secret", algorithm="HMAC_SHA256")),
    Good("a settings header that names no algorithm means the token", with_settings(by_vendor(DELIVERED, SECRET), "key=key_1")),
    Good(
        "a settings header that names SHA-1 means the token",
        with_settings(by_vendor(DELIVERED, SECRET), "key=key_1,algorithm=HMAC_SHA1"),
    ),
    Good("blank fields are signed too", by_vendor(sample(PACKAGE, "reply_text"), SECRET)),
    Good("an empty form", by_vendor(replace(DELIVERED, body=b""), SECRET)),
    Good(
        "GET: the parameters are in the URL",
        replace(by_vendor(replace(DELIVERED, body=b"", url=URL + "?MessageSid=SM1"), SECRET), method="GET"),
    ),
]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.label)
def test_accepts(case: Good) -> None:
    carrier.verify(case.request, replace(ACCOUNT, secrets=case.secrets), NOW)


def test_accepts_repeated_names_in_any_order_of_their_values() -> None:
    # the vendor's validator takes a framework's multi-dict; values under one name are made distinct and sorted
    class Many(dict[str, list[str]]):
        def getlist(self, name: str) -> list[str]:
            return self[name]

    signature = RequestValidator(SECRET).compute_signature(URL, Many(MediaUrl=["b", "a", "b"], To=["+12025550143"]))
    request = replace(DELIVERED, body=b"MediaUrl=b&To=%2B12025550143&MediaUrl=a&MediaUrl=b", headers={HEADER: signature})
    carrier.verify(request, ACCOUNT, NOW)


@dataclass(frozen=True)
class Bad:
    label: str
    request: WebhookRequest
    secrets: tuple[str, ...] = (SECRET,)
    says: str = "does not match"
    credentials: dict[str, Any] = field(default_factory=dict)


JSON_URL = URL + "?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
JSON_SIGNED = replace(by_vendor(replace(DELIVERED, body=b"", url=JSON_URL), SECRET), body=b'{"a":1}')
BAD = [
    Bad("the old token after the overlap", by_vendor(DELIVERED, OLD)),
    Bad("no token at all", by_vendor(DELIVERED, ""), secrets=(), says="holds no such secret"),
    Bad("an empty token signs for nobody", by_vendor(DELIVERED, ""), secrets=("",), says="holds no such secret"),
    Bad("PUBLIC_URL is not set", replace(by_vendor(DELIVERED, SECRET), url=""), says="PUBLIC_URL"),
    Bad("unknown algorithm", with_settings(by_vendor(DELIVERED, SECRET), "key=key_1,algorithm=HMAC_SHA512"), says="algorithm"),
    Bad("algorithm of another family", with_settings(by_vendor(DELIVERED, SECRET), "algorithm=none"), says="algorithm"),
    Bad(
        "shared key that we don't hold",
        with_settings(by_vendor(DELIVERED, SECRET), "key=key_2,algorithm=HMAC_SHA256"),
        says="no such secret",
    ),
    Bad("shared key without a name", with_settings(by_vendor(DELIVERED, SECRET), "algorithm=HMAC_SHA256"), says="no such secret"),
    Bad(
        "shared keys that are none",
        by_vendor(DELIVERED, "s", algorithm="HMAC_SHA256"),
        credentials={"shared_keys": "s"},
        says="no such secret",
    ),
    Bad(
        "an empty shared key",
        by_vendor(DELIVERED, "", algorithm="HMAC_SHA256"),
        credentials={"shared_keys": {"key_1": ""}},
        says="no such",
    ),
    Bad("the token where the shared key is named", by_vendor(DELIVERED, SECRET, algorithm="HMAC_SHA256")),
    Bad("the shared key by SHA-1", by_vendor(DELIVERED, "shared-secret")),
    Bad("the body under another hash", replace(JSON_SIGNED, body=b'{"a":2}'), says="hash"),
    Bad("the body under a hash left out", replace(JSON_SIGNED, body=b""), says="hash"),
    Bad(
        "the hashed body called a form",
        replace(JSON_SIGNED, body=b"a=1", headers={**JSON_SIGNED.headers, "content-type": "x"}),
        says="hash",
    ),
    Bad("JSON without a hash in the URL", replace(by_vendor(replace(DELIVERED, body=b""), SECRET), body=b'{"MessageSid":"SM1"}')),
    Bad(
        "a body on a GET",
        replace(by_vendor(replace(DELIVERED, body=b""), SECRET), method="GET", body=b"MessageSid=SM1"),
        says="body",
    ),
    Bad("more fields than anybody sends", replace(by_vendor(DELIVERED, SECRET), body=b"&".join([b"a=1"] * 2_000))),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.label)
def test_refuses(case: Bad, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(1) or real(a, b))
    with pytest.raises(SignatureMismatch, match=case.says):
        carrier.verify(
            case.request, replace(ACCOUNT, secrets=case.secrets, credentials={**ACCOUNT.credentials, **case.credentials}), NOW
        )
    assert compared, "each failing path compares in constant time"


def test_json_with_its_hash_in_the_url_is_accepted() -> None:
    carrier.verify(JSON_SIGNED, ACCOUNT, NOW)


FORGERIES = {
    "token": (by_vendor(DELIVERED, SECRET), lambda body: form_or_nothing(body)),
    "shared key": (by_vendor(DELIVERED, "shared-secret", algorithm="HMAC_SHA256"), lambda body: form_or_nothing(body)),
    "body hash": (JSON_SIGNED, bytes),
}


def form_or_nothing(body: bytes) -> object:
    try:
        return sorted(set(form(body)))
    except ValueError:
        return None


@pytest.mark.parametrize("scheme", FORGERIES)
def test_no_forgery_passes(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    signed, meaning = FORGERIES[scheme]
    carrier.verify(signed, ACCOUNT, NOW)
    real, compared = hmac.compare_digest, []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(1) or real(a, b))
    tried = 0
    for label, forged in forgeries(signed, HEADER, meaning=meaning):
        before = len(compared)
        assert not passes(forged, ACCOUNT), label
        assert len(compared) > before, f"not compared in constant time: {label}"
        tried += 1
    for other in (OLD, SECRET.upper(), SECRET + " ", ""):
        assert not passes(by_vendor(replace(signed, headers=DELIVERED.headers), other), ACCOUNT), f"signed with {other!r}"
        tried += 1
    assert tried >= 200


FIELDS = st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=20), max_size=8)


@settings(max_examples=150, deadline=None)
@given(FIELDS)
def test_agrees_with_the_vendor_on_any_form(fields: dict[str, str]) -> None:
    request = replace(DELIVERED, body=urlencode(fields).encode())
    signature = RequestValidator(SECRET).compute_signature(URL, fields)
    signed = replace(request, headers={HEADER: signature})
    carrier.verify(signed, ACCOUNT, NOW)
    assert carrier.sign is not None
    assert carrier.sign(request, ACCOUNT).headers[HEADER] == signature


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=60), st.text(max_size=40), st.text(max_size=60))
def test_any_request_is_refused_or_accepted_never_an_accident(body: bytes, url: str, signature: str, said: str) -> None:
    request = WebhookRequest(url=url, headers={HEADER: signature, SETTINGS_HEADER: said}, body=body, received_at=NOW)
    with pytest.raises(SignatureMismatch):
        carrier.verify(request, ACCOUNT, NOW)


def test_signing_without_a_token_or_url_is_an_error() -> None:
    assert carrier.sign is not None
    for request, holder in ((DELIVERED, replace(ACCOUNT, secrets=())), (replace(DELIVERED, url=""), ACCOUNT)):
        with pytest.raises(SignatureMismatch, match="needs"):
            carrier.sign(request, holder)
