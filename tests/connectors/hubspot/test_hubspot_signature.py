"""Who may speak for HubSpot: the three signatures, the URL they are over, and their time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bellwire import Installation, SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.testing import NOW, SECRET, installation, sample
from bellwire_connectors.hubspot import connector, signature

PACKAGE = "bellwire_connectors.hubspot"
VECTORS = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "signature_vectors-crm.json"
AT = installation(connector)


def signed(name: str = "contact_created", **changes: Any) -> WebhookRequest:
    return connector.sign(replace(sample(PACKAGE, name), **changes), AT)


@pytest.fixture(scope="module")
def vector() -> dict[str, str]:
    if not VECTORS.exists():
        pytest.skip("no recorded signatures beside this checkout")
    found: dict[str, str] = json.loads(VECTORS.read_text())["hubspot"]
    return found


def test_the_recorded_signatures_are_ours(vector: dict[str, str]) -> None:
    body = (VECTORS.parent / vector["body_file"]).read_bytes()
    secret, uri = vector["client_secret"], vector["uri"]
    assert signature.decoded(uri) == vector["uri_after_decoding"]
    assert signature.v1(secret, body) == vector["v1"]
    assert signature.v2(secret, vector["method"], uri, body) == vector["v2"]
    assert signature.v3(secret, vector["method"], uri, body, vector["timestamp_ms"]) == vector["v3"]


def test_a_recorded_request_is_believed_at_its_time(vector: dict[str, str]) -> None:
    body = (VECTORS.parent / vector["body_file"]).read_bytes()
    headers = {"x-hubspot-signature-v3": vector["v3"], "x-hubspot-request-timestamp": vector["timestamp_ms"]}
    at = datetime.fromtimestamp(int(vector["timestamp_ms"]) / 1000, UTC)
    request = WebhookRequest(url=vector["uri"], headers=headers, body=body, received_at=at)
    ours = replace(AT, secrets=(vector["client_secret"],))
    connector.verify(request, ours, at)
    with pytest.raises(SignatureMismatch):
        connector.verify(replace(request, url=vector["uri"].replace("https", "http")), ours, at)


@pytest.mark.parametrize(("escaped", "plain"), sorted(signature.ESCAPES.items()))
def test_the_librarys_signature_over_the_decoded_url_is_ours(escaped: str, plain: str) -> None:
    hubspot = pytest.importorskip("hubspot.utils.signature")
    url = f"https://bellwire.example/hooks/hubspot/KEY?a={escaped}b&c={escaped.lower()}"
    theirs = hubspot.Signature.get_signature(
        "secret", '[{"é":1}]', "v3", url.replace(escaped, plain).replace(escaped.lower(), plain), "POST", "1767603600000"
    )
    assert signature.v3("secret", "POST", url, '[{"é":1}]'.encode(), "1767603600000") == theirs


@pytest.mark.parametrize("kept", ["%20", "%26", "%3D", "%25", "%253A", "%2B", "%C3%A9"])
def test_other_escapes_stay(kept: str) -> None:
    assert signature.decoded(f"https://x.example/?a={kept}") == f"https://x.example/?a={kept}"


AGES = [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False), (86_400, False)]


@pytest.mark.parametrize(("age_s", "good"), AGES)
def test_the_signed_time_must_be_near(age_s: int, good: bool) -> None:
    request = signed()
    if good:
        connector.verify(request, AT, NOW + timedelta(seconds=age_s))
    else:
        with pytest.raises(StaleSignature):
            connector.verify(request, AT, NOW + timedelta(seconds=age_s))


def old(version: str, name: str) -> WebhookRequest:
    request = sample(PACKAGE, name)
    made = signature.v2(SECRET, "POST", request.url, request.body) if version == "v2" else signature.v1(SECRET, request.body)
    return request.with_headers(X_HubSpot_Signature=made, X_HubSpot_Signature_Version=version)


def allowing(*versions: str) -> Installation:
    return replace(AT, settings={**AT.settings, "accept_signature_versions": list(versions)})


OLD = [
    ("v2 is refused unless it is switched on", "v2", "message_requested", ("v3",), False),
    ("v2 is good for the action where it is switched on", "v2", "message_requested", ("v3", "v2"), True),
    ("v2 is good for the action's options, too", "v2", "template_options", ("v3", "v2"), True),
    ("v2 is never good for webhooks", "v2", "contact_created", ("v3", "v2", "v1"), False),
    ("v1 is refused unless it is switched on", "v1", "contact_created", ("v3", "v2"), False),
    ("v1 is good for webhooks where it is switched on", "v1", "contact_created", ("v3", "v1"), True),
    ("v1 is never good for the action", "v1", "message_requested", ("v3", "v2", "v1"), False),
    ("a version nobody knows is refused", "v9", "message_requested", ("v3", "v2", "v1", "v9"), False),
]


@pytest.mark.parametrize(("label", "version", "name", "versions", "good"), OLD, ids=[row[0] for row in OLD])
def test_older_versions(label: str, version: str, name: str, versions: tuple[str, ...], good: bool) -> None:
    request = old(version, name)
    if good:
        connector.verify(request, allowing(*versions), NOW)
        with pytest.raises(SignatureMismatch):
            connector.verify(replace(request, body=request.body + b" "), allowing(*versions), NOW)
    else:
        with pytest.raises(SignatureMismatch):
            connector.verify(request, allowing(*versions), NOW)


def test_a_wrong_v3_is_not_saved_by_a_right_v2() -> None:
    request = old("v2", "message_requested").with_headers(
        X_HubSpot_Signature_v3="AAAA", X_HubSpot_Request_Timestamp="1767603600000"
    )
    with pytest.raises(SignatureMismatch):
        connector.verify(request, allowing("v3", "v2"), NOW)


BENT: list[tuple[str, Callable[[WebhookRequest], WebhookRequest]]] = [
    ("another path", lambda r: replace(r, url=r.url + "x")),
    ("another query", lambda r: replace(r, url=r.url + "?a=1")),
    ("another method", lambda r: replace(r, method="PUT")),
    ("another time", lambda r: r.with_headers(X_HubSpot_Request_Timestamp="1767603600001")),
    ("seconds for milliseconds", lambda r: r.with_headers(X_HubSpot_Request_Timestamp="1767603600")),
    ("no public URL", lambda r: replace(r, url="")),
]


@pytest.mark.parametrize(("label", "bend"), BENT, ids=[row[0] for row in BENT])
def test_what_is_signed_may_not_change(label: str, bend: Callable[[WebhookRequest], WebhookRequest]) -> None:
    with pytest.raises(SignatureMismatch):
        connector.verify(bend(signed()), AT, NOW)


def test_a_full_batch_is_believed_and_read_at_once() -> None:
    change = json.loads(sample(PACKAGE, "contact_updated").body)[0]
    body = json.dumps([{**change, "eventId": number, "objectId": 9000 + number} for number in range(100)]).encode()
    request = signed(body=body)
    best = 1e9
    for _ in range(5):
        began = time.perf_counter()
        connector.verify(request, AT, NOW)
        [(_, part)] = connector.parts(request) if connector.parts else []
        events = connector.read(part, AT)
        best = min(best, time.perf_counter() - began)
    assert len({event.id for event in events}) == 100
    assert best < 0.1, "HubSpot gives up after 5 s, and there are ten such requests at once"
