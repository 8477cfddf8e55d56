"""The sandbox over HTTP: what we send, what each answer and callback becomes, and who may call back."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from bellwire import (
    CarrierAccount,
    ErrorClass,
    HttpAnswer,
    Msisdn,
    PayloadInvalid,
    SignatureMismatch,
    StaleSignature,
    Status,
    Verdict,
    WebhookRequest,
)
from bellwire.testing import NOW, Case, account, answer, outgoing, sample, samples
from bellwire_connectors.sandbox import carrier
from bellwire_connectors.sandbox.webhook import SIGNATURE, TIMESTAMP, build, build_query, check, checked, interpret, interpret_query
from forgeries import forgeries
from hypothesis import given, settings
from hypothesis import strategies as st

PACKAGE = "bellwire_connectors.sandbox"
ROOT = Path(__file__).resolve().parents[2]
KEY, OLD = "key-1", "key-0"
ACCOUNT = account(carrier, secrets=(KEY,))
REF = f"msg_{1:032x}"


ORDINARY = outgoing(msisdn=Msisdn("+998901234567"), message_id=UUID(int=1), ref=REF)


ACCEPTED, REJECTED, AMBIGUOUS = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.AMBIGUOUS


def test_build() -> None:
    call = build([ORDINARY, replace(ORDINARY, ref="msg_2")], replace(ACCOUNT, settings={"base_url": "http://127.0.0.1:1/"}))
    assert (call.method, call.url) == ("POST", "http://127.0.0.1:1/v1/messages")
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    first, second = json.loads(call.body)["messages"]
    assert first == {
        "ref": REF,
        "to": "+998901234567",
        "from": "Example",
        "text": "Your order #1001 is on its way.",
        "encoding": "gsm7",
        "segments": 1,
        "validity_s": 3600,
        "dlr_url": "https://bellwire.example/dlr/KEY",
    }
    assert second["ref"] == "msg_2"


def test_a_query_by_id_or_by_reference() -> None:
    assert build_query("sbx_1", ORDINARY, ACCOUNT).url == "http://127.0.0.1:8025/v1/messages/sbx_1"
    assert build_query("", ORDINARY, ACCOUNT).url == f"http://127.0.0.1:8025/v1/messages?ref={REF}"
    found = interpret_query(answer(PACKAGE, "answer_message_delivered"))
    assert found is not None
    assert (found.status, found.price, found.currency, found.segments) == (Status.DELIVERED, Decimal("0.0100"), "USD", 1)
    assert interpret_query(HttpAnswer(status=404, body=b'{"id":"1","status":"delivered"}')) is None
    assert interpret_query(HttpAnswer(status=200, body=b"[]")) is None


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (answer(PACKAGE, "answer_account_active"), ""),
        (HttpAnswer(status=401), "--key"),
        (HttpAnswer(status=200, body=b"<html>"), "base_url"),
        (HttpAnswer(status=502), "HTTP 502"),
    ],
)
def test_a_check_says_what_is_wrong(found: HttpAnswer, says: str) -> None:
    assert says in checked(found)
    assert bool(says) is bool(checked(found))
    assert check(ACCOUNT).url.endswith("/v1/account")


def results(*said: Mapping[str, Any], status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, body=json.dumps({"results": list(said)}).encode())


def refused(code: str, **more: Any) -> dict[str, Any]:
    return {"ref": REF, "status": "rejected", "error": {"code": code, "detail": "no +998901234567", **more}}


TAKEN = {"ref": REF, "id": "sbx_1", "status": "accepted"}


@dataclass(frozen=True)
class Answered:
    label: str
    answer: HttpAnswer
    verdict: Verdict
    error: ErrorClass | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def plain(status: int, body: bytes = b"", **headers: str) -> HttpAnswer:
    return HttpAnswer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


ANSWERED = [
    Answered("taken", results(TAKEN), ACCEPTED, more={"carrier_ref": "sbx_1", "price": None, "currency": ""}),
    Answered(
        "taken, with price and segments",
        results({**TAKEN, "price": "0.02", "currency": "USD", "segments": 2}),
        ACCEPTED,
        more={"price": Decimal("0.02"), "currency": "USD", "segments": 2},
    ),
    Answered(
        "refused, and the number in the words is not kept",
        results(refused("opted_out")),
        REJECTED,
        ErrorClass.OPTED_OUT,
        {"code": "opted_out", "detail": "no …67"},
    ),
    Answered(
        "throttled, told to wait",
        results(refused("throttled", retry_after_s=2)),
        REJECTED,
        ErrorClass.THROTTLED,
        {"retry_after_s": 2.0},
    ),
    Answered("refused with a code nobody knows", results(refused("tired")), REJECTED, ErrorClass.UNKNOWN),
    Answered("refused as ambiguous is no refusal", results(refused("ambiguous")), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("refused without a reason", results({"ref": REF, "status": "rejected"}), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("taken without an id", results({"ref": REF, "status": "accepted"}), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("a result of another message", results({**TAKEN, "ref": "msg_2"}), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("two results for one message: the first counts", results(TAKEN, refused("opted_out")), ACCEPTED),
    Answered("no results", results(), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("results under another status", results(TAKEN, status=500), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered(
        "the whole call throttled", answer(PACKAGE, "answer_throttled"), REJECTED, ErrorClass.THROTTLED, {"retry_after_s": 1.0}
    ),
    Answered(
        "down, with its own error", answer(PACKAGE, "answer_down"), REJECTED, ErrorClass.CARRIER_DOWN, {"code": "carrier_down"}
    ),
    Answered("500 without a body", plain(500), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("500 with another's body", plain(500, b'{"error":"no"}'), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("401", plain(401), REJECTED, ErrorClass.AUTH),
    Answered("400 with its own error", plain(400, b'{"error":{"code":"bad_request"}}'), REJECTED, ErrorClass.BAD_REQUEST),
    Answered("404 of somebody else", plain(404, b"<html>"), REJECTED, ErrorClass.UNKNOWN),
    Answered("408 of a proxy", plain(408), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("a page in between", plain(200, b"<html>"), AMBIGUOUS, ErrorClass.AMBIGUOUS),
    Answered("nested without end", plain(200, b'{"results":' + b"[" * 60_000), AMBIGUOUS, ErrorClass.AMBIGUOUS),
]


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.label)
def test_interpret(case: Answered) -> None:
    (outcome,) = interpret(case.answer, [ORDINARY], ACCOUNT)
    assert (outcome.message_id, outcome.verdict, outcome.error_class) == (ORDINARY.message_id, case.verdict, case.error)
    assert {name: getattr(outcome, name) for name in case.more} == case.more


def test_a_message_the_answer_does_not_name_is_ambiguous() -> None:
    second = replace(ORDINARY, message_id=UUID(int=2), ref="msg_2")
    found = interpret(results(TAKEN), [second, ORDINARY], ACCOUNT)
    assert [(one.message_id, one.verdict) for one in found] == [(UUID(int=2), AMBIGUOUS), (UUID(int=1), ACCEPTED)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(REF),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["results", "ref", "id", "status", "error", "code", "price", "segments"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=120) | JSON.map(lambda value: json.dumps({"results": [value], "error": value}).encode())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 999) | st.just(200), BODIES, st.integers(0, 3))
def test_any_answer_gives_one_outcome_a_message(status: int, body: bytes, count: int) -> None:
    messages = [replace(ORDINARY, message_id=UUID(int=n + 1), ref=REF if n == 0 else f"msg_{n}") for n in range(count)]
    found = interpret(HttpAnswer(status=status, body=body), messages, ACCOUNT)
    assert [one.message_id for one in found] == [one.message_id for one in messages]
    for one in found:
        assert (one.error_class is None) is (one.verdict is ACCEPTED)
        assert (one.verdict is AMBIGUOUS) is (one.error_class is ErrorClass.AMBIGUOUS)
    assert isinstance(checked(HttpAnswer(status=status, body=body)), str)
    assert interpret_query(HttpAnswer(status=status, body=body)) is None or status == 200


# -- in -----------------------------------------------------------------------------------------------------------


def first(**fields: Any) -> Any:
    return lambda body: next(iter(body.values()))[0].update(fields)


def without(name: str) -> Any:
    return lambda body: next(iter(body.values()))[0].pop(name)


READ = [
    Case(
        "the handset has it",
        sample="dlr_delivered",
        dlrs=[
            {
                "status": Status.DELIVERED,
                "price": Decimal("0.01"),
                "currency": "USD",
                "segments": 1,
                "message_ref": f"msg_0190000000007000{'8' + '0' * 14}3",
            }
        ],
    ),
    Case("an operator has it", sample="dlr_handed_over", dlrs=[{"status": Status.SENT, "handed_over": True}]),
    Case(
        "not reached",
        sample="dlr_undelivered",
        dlrs=[{"status": Status.UNDELIVERED, "error_class": ErrorClass.UNREACHABLE, "raw_text": "no handset answers"}],
    ),
    Case("expired", sample="dlr_expired", dlrs=[{"status": Status.EXPIRED, "error_class": ErrorClass.EXPIRED}]),
    Case(
        "a status nobody knows moves nothing",
        sample="dlr_delivered",
        edit=first(status="teleported"),
        dlrs=[{"status": None, "raw_status": "teleported"}],
    ),
    Case(
        "a code nobody knows",
        sample="dlr_undelivered",
        edit=first(code="tired"),
        dlrs=[{"error_class": ErrorClass.UNKNOWN, "raw_code": "tired"}],
    ),
    Case(
        "two receipts in one callback",
        sample="dlr_expired",
        edit=lambda body: body.update(receipts=body["receipts"] * 2),
        dlrs=[{}, {}],
    ),
    Case("fields of tomorrow", sample="dlr_expired", edit=first(colour="blue"), dlrs=[{"status": Status.EXPIRED}]),
    Case("a NUL is not stored", sample="dlr_expired", edit=first(id="sbx\x001"), dlrs=[{"carrier_ref": "sbx1"}]),
    Case("no id", sample="dlr_expired", edit=without("id"), error=PayloadInvalid, names="receipts.0.id"),
    Case("no status", sample="dlr_expired", edit=without("status"), error=PayloadInvalid, names="receipts.0.status"),
    Case("an endless id", sample="dlr_expired", edit=first(id="x" * 201), error=PayloadInvalid, names="receipts.0.id"),
    Case("a price that is none", sample="dlr_expired", edit=first(price="NaN"), error=PayloadInvalid, names="receipts.0.price"),
    Case(
        "a price beyond reason", sample="dlr_expired", edit=first(price="1e999999"), error=PayloadInvalid, names="receipts.0.price"
    ),
    Case(
        "segments beyond reason",
        sample="dlr_expired",
        edit=first(segments=10**30),
        error=PayloadInvalid,
        names="receipts.0.segments",
    ),
    Case("no receipts", sample="dlr_expired", edit=lambda body: body.update(receipts=[]), error=PayloadInvalid, names="receipts"),
    Case("no JSON object", sample="dlr_expired", edit=dict.clear, error=PayloadInvalid, names="receipts"),
    Case(
        "a reply",
        sample="reply_text",
        replies=[{"msisdn": "+12025550143", "to": "Example", "text": "Thanks, see you at 5", "carrier_answered": False}],
    ),
    Case("a STOP that the carrier answered", sample="reply_stop", replies=[{"text": "STOP", "carrier_answered": True}]),
    Case("a reply without its sender", sample="reply_text", edit=without("from"), error=PayloadInvalid, names="replies.0.from"),
]


@pytest.mark.parametrize("case", READ, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(carrier)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"receipts": [value], "replies": [value]}).encode()))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    assert carrier.read_dlrs is not None
    assert carrier.read_replies is not None
    for read in (carrier.read_dlrs, carrier.read_replies):
        try:
            found = read(WebhookRequest(body=body, received_at=NOW), ACCOUNT)
        except PayloadInvalid:
            continue
        assert found


def test_a_refused_body_is_not_quoted() -> None:
    assert carrier.read_replies is not None
    with pytest.raises(PayloadInvalid) as raised:
        carrier.read_replies(WebhookRequest(body=b'{"replies":[{"id":"1","from":"+998901234567"}]}', received_at=NOW), ACCOUNT)
    assert "998901234567" not in f"{raised.value!r} {raised.value.__cause__!r}"


# -- the signature ------------------------------------------------------------------------------------------------


DELIVERED = sample(PACKAGE, "dlr_delivered")


def signed(secret: str = KEY, request: WebhookRequest = DELIVERED) -> WebhookRequest:
    assert carrier.sign is not None
    return carrier.sign(request, replace(ACCOUNT, secrets=(secret,)))


def passes(request: WebhookRequest, at: CarrierAccount = ACCOUNT) -> bool:
    try:
        carrier.verify(request, at, NOW)
    except SignatureMismatch:
        return False
    return True


@pytest.mark.parametrize("secret", [KEY, OLD])
def test_both_keys_of_a_rotation_pass(secret: str) -> None:
    assert passes(signed(secret), replace(ACCOUNT, secrets=(KEY, OLD)))
    assert passes(signed(secret)) is (secret == KEY)


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False), (86_400 * 29, False)]
)
def test_a_signature_is_good_for_five_minutes(seconds: int, good: bool) -> None:
    request, now = signed(), NOW + timedelta(seconds=seconds)
    if good:
        carrier.verify(request, ACCOUNT, now)
    else:
        with pytest.raises(StaleSignature):
            carrier.verify(request, ACCOUNT, now)


def test_no_forgery_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    request = signed()
    assert passes(request)
    real, compared = hmac.compare_digest, []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(1) or real(a, b))
    tried = 0
    for label, forged in forgeries(request, SIGNATURE, meaning=bytes):
        before = len(compared)
        assert not passes(forged), label
        assert len(compared) > before, f"not compared in constant time: {label}"
        tried += 1
    for stamp in ("", "0", "-1", "1e9", "²", "9" * 40, str(int(NOW.timestamp()) + 1), request.header(TIMESTAMP) + " "):
        assert not passes(replace(request, headers={**request.headers, TIMESTAMP: stamp})), stamp
        tried += 1
    for secret in (OLD, KEY.upper(), KEY + " ", ""):
        assert not passes(signed(secret)), secret
        tried += 1
    assert tried >= 200


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_key_nothing_passes(secrets: tuple[str, ...]) -> None:
    assert not passes(signed(""), replace(ACCOUNT, secrets=secrets))


def test_signing_needs_a_key_and_the_url() -> None:
    assert carrier.sign is not None
    for request, at in ((DELIVERED, replace(ACCOUNT, secrets=())), (replace(DELIVERED, url=""), ACCOUNT)):
        with pytest.raises(SignatureMismatch, match="needs"):
            carrier.sign(request, at)
    with pytest.raises(SignatureMismatch, match="PUBLIC_URL"):
        carrier.verify(replace(signed(), url=""), ACCOUNT, NOW)


# -- the value ----------------------------------------------------------------------------------------------------


def test_it_declares_what_it_does() -> None:
    assert {one.value for one in carrier.capabilities} == {
        "idempotent_by_reference", "batch", "status_query", "status_query_by_reference", "dlr", "dlr_url", "mo", "price",
        "validity", "signed", "carrier_auto_reply",
    }  # fmt: skip
    assert not [one for one in carrier.fields if one.required], "an account needs nothing"


def test_every_callback_sample_passes_signed() -> None:
    for name in samples(PACKAGE):
        if not name.startswith("answer"):
            assert passes(signed(request=sample(PACKAGE, name))), name
            assert not passes(sample(PACKAGE, name)), name
