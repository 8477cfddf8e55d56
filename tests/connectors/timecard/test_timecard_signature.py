"""Who is believed: the recorded vector, another implementation's signature, rotation, five minutes, forgeries, binary mode."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bellwire import SignatureMismatch, WebhookRequest
from bellwire.errors import FieldInvalid
from bellwire.store.accounts import check_credentials
from bellwire.testing import NOW, OLD_SECRET, SECRET, installation, sample
from bellwire_connectors.timecard import connector
from forgeries import forgeries
from standardwebhooks.webhooks import Webhook

PACKAGE = "bellwire_connectors.timecard"
HERE = installation(connector)
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "timecard_canonical"


def signed(name: str = "timecard_approved", secrets: tuple[str, ...] = (SECRET,)) -> WebhookRequest:
    return connector.sign(sample(PACKAGE, name), replace(HERE, secrets=secrets))


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded payloads are not here")
def test_the_recorded_vector_is_believed_and_read() -> None:
    vector = json.loads((RECORDED / "signature_vector.json").read_text())
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name: vector[name] for name in names} | {"content-type": "application/cloudevents+json"}
    at = NOW.fromtimestamp(int(vector["webhook-timestamp"]), NOW.tzinfo)
    request = WebhookRequest(headers=headers, body=vector["body"].encode(), received_at=at)
    here = replace(HERE, secrets=(vector["secret"],))
    connector.verify(request, here, at)
    [event] = connector.read(request, here)
    assert (event.type, event.subject, event.data["timecard.hours"]) == ("timecard.approved", "timecard/881", "40")
    with pytest.raises(SignatureMismatch):
        connector.verify(replace(request, body=request.body + b" "), here, at)


def test_another_implementation_signs_the_same() -> None:
    request = signed()
    theirs = Webhook(SECRET).sign(request.header("webhook-id"), NOW, request.body.decode())
    assert request.header("webhook-signature") == theirs


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (-301, "stale_timestamp"),
        (-300, ""),
        (-299, ""),
        (299, ""),
        (300, ""),
        (301, "stale_timestamp"),
        (30 * 86_400, "stale_timestamp"),
    ],
)
def test_five_minutes_either_way(seconds: int, code: str) -> None:
    now = NOW + timedelta(seconds=seconds)
    if not code:
        connector.verify(signed(), HERE, now)
        return
    with pytest.raises(SignatureMismatch) as raised:
        connector.verify(signed(), HERE, now)
    assert raised.value.code == code
    assert now.strftime("%Y-%m-%dT%H:%M:%SZ") in str(raised.value), "the sender must be told our time"


def test_a_thousand_signed_alternately_during_a_rotation_pass_and_none_with_the_old_secret_after_it() -> None:
    both = replace(HERE, secrets=(SECRET, OLD_SECRET))
    old, new = signed(secrets=(OLD_SECRET,)), signed()
    for number in range(1000):
        connector.verify(old if number % 2 else new, both, NOW)
    for _ in range(10):
        with pytest.raises(SignatureMismatch):
            connector.verify(old, HERE, NOW)


def test_one_of_several_signatures_is_enough() -> None:
    request = signed()
    theirs = signed(secrets=(OLD_SECRET,)).header("webhook-signature")
    both = request.with_headers(webhook_signature=f"{theirs} {request.header('webhook-signature')} v1a,AAAA")
    connector.verify(both, HERE, NOW)


@pytest.mark.parametrize("name", ["timecard_approved", "binary"])
def test_no_forgery_passes(name: str) -> None:
    good, header = signed(name), "webhook-signature"
    digest = replace(good, headers={**good.headers, header: good.header(header).removeprefix("v1,")})
    made = list(forgeries(digest, header, meaning=lambda body: body, covers_url=False, flips=100))
    passed = []
    for label, forged in made:
        value = forged.headers.get(header)
        request = forged if value is None else replace(forged, headers={**forged.headers, header: f"v1,{value}"})
        try:
            connector.verify(request, HERE, NOW)
        except SignatureMismatch:
            continue
        passed.append(label)
    assert len(made) >= 200
    assert passed == []


@pytest.mark.parametrize("secrets", [(), ("",), ("not-a-secret",), ("whsec_!!!",)])
def test_without_a_usable_secret_nobody_is_believed(secrets: tuple[str, ...]) -> None:
    with pytest.raises(SignatureMismatch):
        connector.verify(signed(), replace(HERE, secrets=secrets), NOW)


BINARY = [
    ("another id than the signed one", {"ce-id": "task-9004-assigned-2"}),
    ("no id", {"ce-id": ""}),
]


@pytest.mark.parametrize(("label", "headers"), BINARY, ids=[label for label, _ in BINARY])
def test_in_binary_mode_the_id_is_the_signed_one(label: str, headers: dict[str, str]) -> None:
    request = signed("binary")
    connector.verify(request, HERE, NOW)
    with pytest.raises(SignatureMismatch):
        connector.verify(replace(request, headers={**request.headers, **headers}), HERE, NOW)


def test_a_binary_request_that_names_another_source_is_the_same_event() -> None:
    request = signed("binary")
    [first] = connector.read(request, HERE)
    [second] = connector.read(replace(request, headers={**request.headers, "ce-source": "/somebody/else"}), HERE)
    assert first.id != second.id
    assert first.fact == second.fact != ""


SECRETS = [
    ("one", [SECRET], ""),
    ("two", [SECRET, OLD_SECRET], ""),
    ("three", [SECRET, OLD_SECRET, SECRET[:-4] + "AAA="], "credentials.secrets"),
    ("none", [], "credentials.secrets"),
    ("not base64", ["whsec_$$$"], "credentials.secrets"),
    ("without its prefix", [SECRET.removeprefix("whsec_")], "credentials.secrets"),
    ("too short", ["whsec_" + "QUFB" * 7], "credentials.secrets"),
    ("too long", ["whsec_" + "QUFB" * 22], "credentials.secrets"),
]


@pytest.mark.parametrize(("label", "given", "place"), SECRETS, ids=[row[0] for row in SECRETS])
def test_which_secrets_an_installation_takes(label: str, given: list[str], place: str) -> None:
    if not place:
        assert check_credentials({"secrets": given}, connector.fields)["secrets"] == given
        return
    with pytest.raises(FieldInvalid) as raised:
        check_credentials({"secrets": given}, connector.fields)
    assert raised.value.field == place
    assert not any(one and one in str(raised.value) for one in given), "the refusal quotes a secret"
