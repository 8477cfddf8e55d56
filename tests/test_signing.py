"""Signatures: which pass, which do not, and that each comparison takes the same time (A4, A5, A7)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire import signing
from bellwire.errors import SignatureMismatch, StaleSignature
from standardwebhooks.webhooks import Webhook

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
BODY = b'{"order": "\xc3\xa9"}'
KEY, OLD, OTHER = ("whsec_" + signing.base64.b64encode(letter * 24).decode() for letter in (b"k", b"o", b"x"))


def signatures(*secrets: str, message_id: str = "msg_1", timestamp: int = AT, body: bytes = BODY) -> str:
    made = [signing.standard_webhooks_sign(one, message_id, timestamp, body)["webhook-signature"] for one in secrets]
    return " ".join(made)


def test_the_two_forms_of_a_hash() -> None:
    # RFC 4231, test case 2
    assert signing.hmac_hex("Jefe", b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert signing.hmac_base64(b"Jefe", b"what do ya want for nothing?") == "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    assert signing.hmac_hex("Jefe", b"what do ya want for nothing?", "sha1") == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


def test_another_implementation_signs_the_same() -> None:
    assert signatures(KEY) == Webhook(KEY).sign("msg_1", NOW, BODY.decode())


REQUIRED: list[tuple[str, str, list[str], bool]] = [
    ("the only one", "a1", ["a1"], True),
    ("the first of two", "a1", ["a1", "b2"], True),
    ("the last of two", "b2", ["a1", "b2"], True),
    ("none of them", "c3", ["a1", "b2"], False),
    ("nothing given", "", ["a1"], False),
    ("nothing given, nothing expected", "", [], False),
    ("an empty one expected", "", [""], False),
    ("nothing to compare with", "a1", [], False),
    ("other capitals", "A1", ["a1"], False),
    ("a space more", "a1 ", ["a1"], False),
    ("what no encoding knows", "\ud800", ["a1"], False),
]


@pytest.mark.parametrize(("label", "given", "expected", "passes"), REQUIRED, ids=[row[0] for row in REQUIRED])
def test_one_of_the_candidates_must_be_it(
    label: str, given: str, expected: list[str], passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _counted(monkeypatch)
    if passes:
        signing.require(given, expected, "shop")
    else:
        with pytest.raises(SignatureMismatch, match="shop"):
            signing.require(given, expected, "shop")
    assert len(calls) == len(expected) + 1, "all are compared, whichever is the right one"


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    original: Callable[..., bool] = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *pair: calls.append(pair) or original(*pair))
    return calls


FRESH: list[tuple[str, str, bool]] = [
    ("now", str(AT), True),
    *((f"{way * seconds} s", str(AT + way * seconds), seconds <= 300) for way in (-1, 1) for seconds in (299, 300, 301)),
    ("milliseconds", str(AT * 1000), False),
    ("nothing", "", False),
    ("below zero", "-1", False),
    ("a fraction", f"{AT}.5", False),
    ("a sign", f"+{AT}", False),
    ("a space", f" {AT}", False),
    ("digits of another script", "".join(chr(0x660 + int(one)) for one in str(AT)), False),
    ("a square, which is a digit to Python", str(AT)[:-1] + "\u00b2", False),
    ("a million digits", "1" * 1_000_000, False),
]


@pytest.mark.parametrize(("label", "timestamp", "passes"), FRESH, ids=[row[0] for row in FRESH])
def test_five_minutes_either_way(label: str, timestamp: str, passes: bool) -> None:
    if passes:
        signing.fresh(timestamp, NOW, "shop")
    else:
        with pytest.raises(StaleSignature, match="shop"):
            signing.fresh(timestamp, NOW, "shop")


def test_a_tolerance_of_ones_own() -> None:
    signing.fresh(str(AT), NOW + timedelta(seconds=10), "shop", tolerance_s=10)
    with pytest.raises(StaleSignature, match="10 s"):
        signing.fresh(str(AT), NOW + timedelta(seconds=11), "shop", tolerance_s=10)


VERIFIED: list[tuple[str, dict[str, Any], type[Exception] | None]] = [
    ("as it was signed", {}, None),
    ("a secret of before", {"signatures": signatures(OLD)}, None),
    ("one of several signatures", {"signatures": f"v1a,AAAA {signatures(OTHER, KEY)}"}, None),
    ("another's secret", {"signatures": signatures(OTHER)}, SignatureMismatch),
    ("no secret is known", {"secrets": []}, SignatureMismatch),
    ("another body", {"body": BODY + b" "}, SignatureMismatch),
    ("another id", {"message_id": "msg_2"}, SignatureMismatch),
    ("another time", {"timestamp": str(AT + 1)}, SignatureMismatch),
    ("no id", {"message_id": "", "signatures": signatures(KEY, message_id="")}, SignatureMismatch),
    ("no signature", {"signatures": ""}, SignatureMismatch),
    ("a version we don't know", {"signatures": signatures(KEY).replace("v1,", "v2,")}, SignatureMismatch),
    ("no version", {"signatures": signatures(KEY).removeprefix("v1,")}, SignatureMismatch),
    ("a version and nothing", {"signatures": "v1,"}, SignatureMismatch),
    ("signed, but long ago", {"timestamp": str(AT - 301), "signatures": signatures(KEY, timestamp=AT - 301)}, StaleSignature),
]


@pytest.mark.parametrize(("label", "changes", "error"), VERIFIED, ids=[row[0] for row in VERIFIED])
def test_a_standard_webhook(label: str, changes: dict[str, Any], error: type[Exception] | None) -> None:
    given = {"message_id": "msg_1", "timestamp": str(AT), "signatures": signatures(KEY), "body": BODY, "secrets": [KEY, OLD]}
    if error is None:
        signing.standard_webhooks_verify(**{**given, **changes}, now=NOW, who="shop")
    else:
        with pytest.raises(error, match="shop"):
            signing.standard_webhooks_verify(**{**given, **changes}, now=NOW, who="shop")


def test_all_signatures_are_compared_with_all_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _counted(monkeypatch)
    signing.standard_webhooks_verify("msg_1", str(AT), signatures(KEY, OTHER, OTHER), BODY, [KEY, OLD], NOW, "shop")
    assert len(calls) == 6


@pytest.mark.parametrize("shown", ["whsec_", "whsec_not base64", "whsec_YQ", "whsec_YQ==\n"])
def test_a_secret_that_is_none_is_refused_or_empty(shown: str) -> None:
    if shown == "whsec_":
        assert signing.standard_webhooks_secret(shown) == b""
    else:
        with pytest.raises(ValueError, match="whsec_"):
            signing.standard_webhooks_secret(shown)
