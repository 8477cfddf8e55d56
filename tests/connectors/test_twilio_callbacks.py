"""Twilio: what each receipt and reply becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bellwire import ErrorClass, PayloadInvalid, Status, WebhookRequest
from bellwire.testing import NOW, Case, account
from bellwire_connectors.twilio import carrier, codes
from bellwire_connectors.twilio.webhook import read_dlrs, read_replies
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.rest.api.v2010.account.message import MessageInstance

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "payloads" / "carriers"
ACCOUNT = account(carrier, secrets=("token-1",))
SID = "SM00000000000000000000000000000001"


def without(*names: str) -> Any:
    return lambda form: [form.pop(name) for name in names]


DELIVERED, SENT = Status.DELIVERED, Status.SENT
READ = [
    Case(
        "the handset has it",
        sample="dlr_delivered",
        dlrs=[
            {
                "carrier_ref": SID,
                "status": DELIVERED,
                "raw_status": "delivered",
                "raw_code": "",
                "error_class": None,
                "occurred_raw": "2601050901",
            }
        ],
    ),
    Case("an operator has it", sample="dlr_sent", dlrs=[{"status": SENT, "handed_over": True}]),
    Case("Twilio's own queue is no hand-over", sample="dlr_queued", dlrs=[{"status": SENT, "handed_over": False}]),
    Case(
        "the handset is off",
        sample="dlr_undelivered",
        dlrs=[{"status": Status.UNDELIVERED, "raw_code": "30003", "error_class": ErrorClass.UNREACHABLE}],
    ),
    Case(
        "undelivered by its validity is expired",
        sample="dlr_expired",
        dlrs=[{"status": Status.EXPIRED, "raw_status": "undelivered", "raw_code": "30036", "error_class": ErrorClass.EXPIRED}],
    ),
    Case(
        "failed by the person's opt-out",
        sample="dlr_failed_opted_out",
        dlrs=[{"status": Status.FAILED, "error_class": ErrorClass.OPTED_OUT}],
    ),
    Case(
        "failed without a code",
        sample="dlr_failed_opted_out",
        edit=without("ErrorCode"),
        dlrs=[{"status": Status.FAILED, "raw_code": "", "error_class": ErrorClass.UNKNOWN}],
    ),
    Case(
        "undelivered with a code nobody mapped",
        sample="dlr_undelivered",
        edit=lambda form: form.update(ErrorCode="39999"),
        dlrs=[{"status": Status.UNDELIVERED, "raw_code": "39999", "error_class": ErrorClass.UNKNOWN}],
    ),
    Case(
        "a code of zero is none",
        sample="dlr_delivered",
        edit=lambda form: form.update(ErrorCode="0"),
        dlrs=[{"raw_code": "", "error_class": None}],
    ),
    Case(
        "a status of tomorrow moves nothing",
        sample="dlr_delivered",
        edit=lambda form: form.update(MessageStatus="teleported"),
        dlrs=[{"status": None, "raw_status": "teleported"}],
    ),
    Case(
        "a status of texts that come in moves nothing",
        sample="dlr_delivered",
        edit=lambda form: form.update(MessageStatus="received"),
        dlrs=[{"status": None}],
    ),
    Case(
        "upper case", sample="dlr_delivered", edit=lambda form: form.update(MessageStatus="DELIVERED"), dlrs=[{"status": DELIVERED}]
    ),
    Case(
        "the deprecated names alone",
        sample="dlr_delivered",
        edit=without("MessageSid", "MessageStatus"),
        dlrs=[{"carrier_ref": SID, "status": DELIVERED}],
    ),
    Case("no id at all", sample="dlr_delivered", edit=without("MessageSid", "SmsSid"), error=PayloadInvalid, names="MessageSid"),
    Case(
        "no status at all",
        sample="dlr_delivered",
        edit=without("MessageStatus", "SmsStatus"),
        error=PayloadInvalid,
        names="MessageStatus",
    ),
    Case("an empty form", sample="dlr_delivered", edit=dict.clear, error=PayloadInvalid, names="MessageSid"),
    Case(
        "a NUL is not stored",
        sample="dlr_delivered",
        edit=lambda form: form.update(MessageStatus="deliv\x00ered"),
        dlrs=[{"raw_status": "delivered"}],
    ),
    Case(
        "a number in the words is not stored",
        sample="dlr_undelivered",
        edit=lambda form: form.update(ErrorMessage="no +1 202 555 0143 here"),
        dlrs=[{"raw_text": "no …43 here"}],
    ),
    Case(
        "a reply",
        sample="reply_text",
        replies=[
            {
                "id": "SM00000000000000000000000000000011",
                "msisdn": "+12025550143",
                "to": "+12025550100",
                "text": "Thanks, see you at 5 + Ana",
                "carrier_answered": False,
            }
        ],
    ),
    Case("a STOP that Twilio answered", sample="reply_stop", replies=[{"text": "STOP", "carrier_answered": True}]),
    Case(
        "a STOP that Twilio left to us",
        sample="reply_stop",
        edit=without("OptOutType"),
        replies=[{"text": "STOP", "carrier_answered": False}],
    ),
    Case(
        "an OptOutType we don't know",
        sample="reply_stop",
        edit=lambda form: form.update(OptOutType="PAUSE"),
        replies=[{"carrier_answered": False}],
    ),
    Case(
        "a plus that nobody encoded",
        sample="reply_text",
        edit=lambda form: form.update(From=" 12025550143", To=" 12025550100"),
        replies=[{"msisdn": "+12025550143", "to": "+12025550100"}],
    ),
    Case("to a short code", sample="reply_text", edit=lambda form: form.update(To="384387"), replies=[{"to": "384387"}]),
    Case(
        "a picture without words", sample="reply_text", edit=lambda form: form.update(NumMedia="1", Body=""), replies=[{"text": ""}]
    ),
    Case("no Body at all", sample="reply_text", edit=without("Body"), replies=[{"text": ""}]),
    Case("no sender", sample="reply_text", edit=without("From"), error=PayloadInvalid, names="From"),
    Case("no id", sample="reply_text", edit=without("MessageSid", "SmsSid"), error=PayloadInvalid, names="MessageSid"),
    Case(
        "a receipt that went to the replies' URL",
        sample="reply_text",
        edit=lambda form: form.update(SmsStatus="delivered"),
        replies=[],
    ),
]


@pytest.mark.parametrize("case", READ, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(carrier)


@pytest.mark.parametrize(("raw", "expected"), codes.STATUSES.items())
def test_each_status(raw: str, expected: tuple[Status, bool]) -> None:
    form = f"MessageSid=SM1&MessageStatus={raw}".encode()
    (dlr,) = read_dlrs(WebhookRequest(body=form, received_at=NOW), ACCOUNT)
    assert ((dlr.status, dlr.handed_over), dlr.raw_status) == (expected, raw)


def test_every_status_of_the_vendor_s_client_is_known() -> None:
    theirs = {value for name, value in vars(MessageInstance.Status).items() if name.isupper()}
    assert theirs == set(codes.STATUSES) | codes.INBOUND


def test_get_and_json_are_read_as_the_form_is() -> None:
    pairs = [("MessageSid", "SM1"), ("MessageStatus", "delivered"), ("MessageSid", "SM2")]
    by_get = WebhookRequest(method="GET", query=pairs, received_at=NOW)
    by_json = WebhookRequest(
        headers={"content-type": "application/json"}, body=json.dumps(dict(pairs[:2])).encode(), received_at=NOW
    )
    by_form = WebhookRequest(body=b"MessageSid=SM1&MessageStatus=delivered&MessageSid=SM2", received_at=NOW)
    assert read_dlrs(by_get, ACCOUNT) == read_dlrs(by_json, ACCOUNT) == read_dlrs(by_form, ACCOUNT)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["POST", "GET", "PUT"]), st.sampled_from(["", "application/json", "text/xml"]))
def test_any_body_is_read_or_refused(body: bytes, method: str, kind: str) -> None:
    request = WebhookRequest(method=method, headers={"content-type": kind}, body=body, received_at=NOW)
    for read in (read_dlrs, read_replies):
        refused = ""
        try:
            read(request, ACCOUNT)
        except PayloadInvalid as e:
            refused = e.field
        assert refused in {"", "MessageSid", "MessageStatus", "From"}


SHARED_FORMS = sorted(SHARED.glob("twilio-*.form.txt")) or [
    pytest.param(None, marks=pytest.mark.skip(reason="no recorded forms beside this checkout"))
]
EXPECTED = {
    "twilio-mo-shortcode.form.txt": ("+14133881111", "384387", "John Cruz"),
    "twilio-mo.form.txt": ("+14133881111", "+12028831111", "Msg"),
    "twilio-status-delivered-minimal.form.txt": ("SMe287d7109a5a925f182f0e07fe5b223b", DELIVERED, None),
    "twilio-status-failed-21610.form.txt": ("SMe287d7109a5a925f182f0e07fe5b223b", Status.FAILED, ErrorClass.OPTED_OUT),
    "twilio-status-sent.form.txt": ("SM0b6e2697aae04182a9f5b5c7a8994c7f", SENT, None),
}


@pytest.mark.parametrize("path", SHARED_FORMS, ids=lambda path: path.name if path else "none")
def test_recorded_forms_are_read(path: Path) -> None:
    request = WebhookRequest(body=path.read_bytes().strip(), received_at=NOW)
    if "-mo" in path.name:
        (reply,) = read_replies(request, ACCOUNT)
        assert (reply.msisdn, reply.to, reply.text) == EXPECTED[path.name]
    else:
        (dlr,) = read_dlrs(request, ACCOUNT)
        assert (dlr.carrier_ref, dlr.status, dlr.error_class) == EXPECTED[path.name]
