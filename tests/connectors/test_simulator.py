"""`simulate-carrier` as a real process: both protocols, receipts, replies, knobs."""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import pytest
from bellwire import Carrier, CarrierAccount, ErrorClass, HttpCall, Msisdn, Outcome, Outgoing, Status, Verdict
from bellwire.testing import account, outgoing
from bellwire_connectors.sandbox import carrier as sandbox
from bellwire_connectors.sandbox.plan import SCENARIOS, outcomes
from bellwire_connectors.sandbox.session import Session
from bellwire_connectors.sandbox.simulator.knobs import Knobs
from bellwire_connectors.twilio import carrier as twilio
from simulated_carrier import Receiver, Simulator, receiver, simulator, until
from twilio.request_validator import RequestValidator

TOKEN = "token-1"
ACCEPTED, REJECTED, AMBIGUOUS = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.AMBIGUOUS


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator() as process:
        yield process


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.control(**Knobs(dlr_delay_ms=0).model_dump(), disarm=True)
    running.post("/reset")
    return running


@pytest.fixture
def ours(listening: Receiver) -> Receiver:
    listening.clear()
    return listening


def at(sim: Simulator, carrier: Carrier) -> CarrierAccount:
    made = account(carrier, secrets=(TOKEN,))
    return replace(made, settings={**made.settings, "base_url": sim.base_url})


def message(n: int = 1, msisdn: str = "+998901234567", dlr_url: str = "", **more: Any) -> Outgoing:
    ref = f"msg_{n:032x}"
    url = f"{dlr_url}/{ref}" if dlr_url else ""
    return outgoing(message_id=UUID(int=n), ref=ref, msisdn=Msisdn(msisdn), dlr_url=url, sender_id="Example", **more)


def send(sim: Simulator, carrier: Carrier, *messages: Outgoing) -> list[Outcome]:
    assert carrier.build is not None
    assert carrier.interpret is not None
    where = at(sim, carrier)
    return list(carrier.interpret(sim.call(carrier.build(messages, where)), messages, where))


BOTH = pytest.mark.parametrize("carrier", [sandbox, twilio], ids=lambda one: one.name)


# -- sends and receipts -------------------------------------------------------------------------------------------


@BOTH
def test_a_text_is_taken_counted_and_reaches_the_handset(sim: Simulator, carrier: Carrier) -> None:
    (outcome,) = send(sim, carrier, message(dlr_url="http://127.0.0.1:9/dlr/x/KEY"))
    assert (outcome.verdict, bool(outcome.carrier_ref)) == (ACCEPTED, True)
    assert (sim.stats["accepted"], sim.stats["refs"]) == (1, {f"msg_{1:032x}": 1})
    (call,) = sim.log
    assert (call["carrier"], call["refs"], call["taken"], call["end"]) == (carrier.name, [f"msg_{1:032x}"], 1, "answered")
    assert call["started"] <= call["ended"]
    until(lambda: bool(sim.get("/received")["texts"]))
    found = sim.get("/received?since=0")
    assert {name: found["texts"][0][name] for name in ("to", "from", "text")} == {
        "to": "+998901234567",
        "from": "Example",
        "text": "Your order #1001 is on its way.",
    }
    assert sim.get(f"/received?since={found['next']}")["texts"] == []


@BOTH
def test_the_receipt_is_signed_and_read(sim: Simulator, ours: Receiver, carrier: Carrier) -> None:
    sim.control(price="0.0075")
    (outcome,) = send(sim, carrier, message(dlr_url=f"{ours.url}/dlr/{carrier.name}/KEY"))
    (request,) = ours.wait(1)
    carrier.verify(request, at(sim, carrier), datetime.now(UTC))
    assert carrier.read_dlrs is not None
    (dlr,) = carrier.read_dlrs(request, at(sim, carrier))
    assert (dlr.status, dlr.carrier_ref) == (Status.DELIVERED, outcome.carrier_ref)
    assert request.url.endswith(f"/KEY/msg_{1:032x}")


def test_twilio_s_own_validator_takes_the_status_callback(sim: Simulator, ours: Receiver) -> None:
    send(sim, twilio, message(dlr_url=f"{ours.url}/dlr/twilio/KEY"))
    (request,) = ours.wait(1)
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert RequestValidator(TOKEN).validate(request.url, fields, request.header("x-twilio-signature"))
    assert (fields["MessageStatus"], fields["AccountSid"]) == ("delivered", "AC00000000000000000000000000000001")


@pytest.mark.parametrize("code", SCENARIOS)
def test_each_number_does_over_http_what_it_does_in_process(sim: Simulator, ours: Receiver, code: str) -> None:
    one = message(msisdn=f"+9989009000{code}", dlr_url=f"{ours.url}/dlr/sandbox/KEY")
    session = Session()
    in_process = [asyncio.run(session.send([one], at(sim, sandbox)))[0] for _ in range(2)]
    over_http = []
    for _ in range(2):
        try:
            over_http.append(send(sim, sandbox, one)[0])
        except ConnectionError:  # the engine makes of this what a silent number is in process
            over_http.append(Outcome(message_id=one.message_id, verdict=AMBIGUOUS, error_class=ErrorClass.AMBIGUOUS))
    for here, there in zip(in_process, over_http, strict=True):
        assert (there.verdict, there.error_class, there.carrier_ref) == (here.verdict, here.error_class, here.carrier_ref)
        assert there.retry_after_s == here.retry_after_s
    soon = [planned.dlr.status for planned in outcomes(one.msisdn, one.ref) if planned.after_s <= 1]
    if soon:
        assert sandbox.read_dlrs is not None
        receipts = [sandbox.read_dlrs(request, at(sim, sandbox))[0] for request in ours.wait(len(soon))]
        assert [receipt.status for receipt in receipts] == soon


#: What Twilio has no word for, and the class that its nearest word has.
BY_TWILIO = {"16": ErrorClass.AUTH}


@pytest.mark.parametrize("code", [code for code, one in SCENARIOS.items() if one.refusal])
def test_each_refused_number_is_refused_in_twilio_s_words(sim: Simulator, code: str) -> None:
    (outcome,) = send(sim, twilio, message(msisdn=f"+9989009000{code}"))
    assert (outcome.verdict, outcome.error_class) == (REJECTED, BY_TWILIO.get(code, SCENARIOS[code].refusal))
    assert outcome.retry_after_s == (1.0 if outcome.error_class is ErrorClass.THROTTLED else None)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("03", Status.UNDELIVERED, ErrorClass.UNREACHABLE),
        ("12", Status.EXPIRED, ErrorClass.EXPIRED),
        ("14", Status.UNDELIVERED, ErrorClass.BLOCKED_CONTENT),
        ("19", None, None),
    ],
)
def test_unhappy_receipts_in_twilio_s_words(
    sim: Simulator, ours: Receiver, code: str, status: Status | None, error: ErrorClass | None
) -> None:
    send(sim, twilio, message(msisdn=f"+9989009000{code}", dlr_url=f"{ours.url}/dlr/twilio/KEY"))
    assert twilio.read_dlrs is not None
    (dlr,) = twilio.read_dlrs(ours.wait(1)[0], at(sim, twilio))
    assert (dlr.status, dlr.error_class) == (status, error)


def test_a_batch_is_answered_each_and_counted_each(sim: Simulator) -> None:
    found = send(sim, sandbox, message(1), message(2, "+998900900004"), message(3, "+998900900008"), message(4))
    assert [one.verdict for one in found] == [ACCEPTED, REJECTED, AMBIGUOUS, ACCEPTED]
    stats = sim.stats
    assert (stats["calls"], stats["accepted"], stats["rejected"]) == (1, 3, 1)
    assert set(stats["refs"]) == {f"msg_{n:032x}" for n in (1, 3, 4)}


def test_a_repeated_reference_is_taken_once(sim: Simulator) -> None:
    first, second = send(sim, sandbox, message()), send(sim, sandbox, message())
    assert first == second
    stats = sim.stats
    assert (stats["accepted"], stats["refs"], stats["repeats"]) == (1, {f"msg_{1:032x}": 1}, {f"msg_{1:032x}": 1})


def test_where_nobody_recognises_a_repeat_it_is_counted(sim: Simulator) -> None:
    sim.control(idempotent=False)
    send(sim, sandbox, message())
    send(sim, sandbox, message())
    for _ in range(2):
        send(sim, twilio, message(2, dlr_url="http://127.0.0.1:9/dlr/twilio/KEY"))
    assert sim.stats["refs"] == {f"msg_{1:032x}": 2, f"msg_{2:032x}": 2}


@BOTH
def test_a_query_brings_status_and_price(sim: Simulator, carrier: Carrier) -> None:
    sim.control(price="0.0075")
    (outcome,) = send(sim, carrier, message())
    assert carrier.build_query is not None
    assert carrier.interpret_query is not None
    query = carrier.build_query(outcome.carrier_ref, message(), at(sim, carrier))
    until(lambda: _status(carrier, sim.call(query)) is Status.DELIVERED)
    found = carrier.interpret_query(sim.call(query))
    assert found is not None
    assert (found.carrier_ref, str(found.price), found.currency) == (outcome.carrier_ref, "0.0075", "USD")
    assert carrier.interpret_query(sim.call(carrier.build_query("SM0", message(), at(sim, carrier)))) is None


def _status(carrier: Carrier, answer: Any) -> Status | None:
    assert carrier.interpret_query is not None
    found = carrier.interpret_query(answer)
    return found.status if found else None


def test_a_query_by_reference_finds_what_was_taken_and_nothing_else(sim: Simulator) -> None:
    send(sim, sandbox, message())
    assert sandbox.build_query is not None
    assert _status(sandbox, sim.call(sandbox.build_query("", message(), at(sim, sandbox)))) in {Status.SENT, Status.DELIVERED}
    assert _status(sandbox, sim.call(sandbox.build_query("", message(2), at(sim, sandbox)))) is None


@BOTH
def test_the_account_is_checked(sim: Simulator, carrier: Carrier) -> None:
    assert carrier.check is not None
    assert carrier.checked is not None
    assert carrier.checked(sim.call(carrier.check(at(sim, carrier)))) == ""


# -- what Twilio refuses ------------------------------------------------------------------------------------------


GOOD = {"To": "+998901234567", "From": "+12025550100", "Body": "Hello", "ValidityPeriod": "60"}


@dataclass(frozen=True)
class Form:
    label: str
    code: int | None
    status: int = 400
    edit: Mapping[str, str | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


FORMS = [
    Form("a good form", None, 201),
    Form("a Messaging Service instead of From", None, 201, {"From": None, "MessagingServiceSid": "MG1"}),
    Form("no To", 21604, edit={"To": None}),
    Form("To is no number", 21211, edit={"To": "0901234567"}),
    Form("no From", 21603, edit={"From": None}),
    Form("no Body", 21602, edit={"Body": ""}),
    Form("Body of 1,601 characters", 21617, edit={"Body": "x" * 1601}),
    Form("Body of 1,600 characters", None, 201, edit={"Body": "x" * 1600}),
    Form("validity of nothing", 21624, edit={"ValidityPeriod": "0"}),
    Form("validity over ten hours", 21624, edit={"ValidityPeriod": "36001"}),
    Form("StatusCallback without a scheme", 21609, edit={"StatusCallback": "sms.example.com"}),
    Form("not a form", 20415, 415, headers={"Content-Type": "application/json"}),
    Form("no credentials", 20003, 401, headers={"Authorization": ""}),
    Form("another account's credentials", 20003, 401, headers={"Authorization": "Basic QUMyOng="}),
    Form("credentials that are no base64", 20003, 401, headers={"Authorization": "Basic *"}),
]


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.label)
def test_twilio_s_form_is_checked_as_documented(sim: Simulator, case: Form) -> None:
    assert twilio.build is not None
    call = twilio.build([message()], at(sim, twilio))
    fields = {name: value for name, value in {**GOOD, **case.edit}.items() if value is not None}
    changed = replace(call, headers={**call.headers, **case.headers}, body=urlencode(fields).encode())
    found = sim.call(changed)
    assert (found.status, json.loads(found.body).get("code")) == (case.status, case.code)
    assert sim.stats["accepted"] == (1 if case.code is None else 0)


def test_only_known_keys_where_keys_are_given() -> None:
    with simulator("--key", "k", "--account", "AC00000000000000000000000000000001:right") as guarded:
        for carrier in (sandbox, twilio):
            (outcome,) = send(guarded, carrier, message())
            assert (outcome.verdict, outcome.error_class) == (REJECTED, ErrorClass.AUTH)
        assert guarded.stats["accepted"] == 0


# -- receipts, steered --------------------------------------------------------------------------------------------


def test_no_receipts(sim: Simulator, ours: Receiver) -> None:
    sim.control(dlr="none")
    send(sim, sandbox, message(dlr_url=f"{ours.url}/dlr"))
    until(lambda: bool(sim.get("/received")["texts"]))
    assert (sim.stats["callbacks"]["tried"], ours.requests) == (0, [])


def test_each_receipt_twice(sim: Simulator, ours: Receiver) -> None:
    sim.control(dlr="twice")
    send(sim, sandbox, message(dlr_url=f"{ours.url}/dlr"))
    first, second = (json.loads(request.body)["receipts"][0] for request in ours.wait(2))
    assert {**first, "at": ""} == {**second, "at": ""}
    assert len(sim.get("/received")["texts"]) == 1


@BOTH
def test_the_receipt_before_the_answer(sim: Simulator, ours: Receiver, carrier: Carrier) -> None:
    sim.control(dlr="first")
    send(sim, carrier, message(dlr_url=f"{ours.url}/dlr"))
    assert len(ours.requests) == 1  # it was here when the answer came


def test_late_receipts_are_late(sim: Simulator, ours: Receiver) -> None:
    sim.control(dlr="late", late_ms=300)
    send(sim, sandbox, message(dlr_url=f"{ours.url}/dlr"))
    taken = sim.log[0]["ended"]
    (request,) = ours.wait(1)
    assert request.received_at.timestamp() - taken > 0.25


def test_a_receipt_is_tried_again_until_it_is_taken(sim: Simulator, ours: Receiver) -> None:
    ours.statuses[:] = [503]
    send(sim, sandbox, message(dlr_url=f"{ours.url}/dlr"))
    first, second = ours.wait(2)
    assert json.loads(first.body)["receipts"][0]["id"] == json.loads(second.body)["receipts"][0]["id"]
    until(lambda: bool(sim.stats["callbacks"]["ok"]))


def test_a_receipt_that_is_refused_is_not_tried_again(sim: Simulator, ours: Receiver) -> None:
    ours.statuses[:] = [401]
    send(sim, sandbox, message(dlr_url=f"{ours.url}/dlr"))
    until(lambda: sim.stats["callbacks"]["given_up"] == 1)
    assert (len(ours.requests), sim.stats["callbacks"]["waiting"]) == (1, 0)


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/dlr", "http://sms.example.com/dlr", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", "http://[bad/"],
)
def test_callbacks_stay_on_this_machine(sim: Simulator, url: str) -> None:
    send(sim, sandbox, message(dlr_url=url))
    until(lambda: sim.stats["callbacks"]["forbidden"] == 1)
    assert sim.stats["callbacks"]["tried"] == 0


# -- replies ------------------------------------------------------------------------------------------------------


@BOTH
def test_a_handset_replies(sim: Simulator, ours: Receiver, carrier: Carrier) -> None:
    send(sim, carrier, message())  # its credentials sign the reply
    said = sim.post(
        "/replies",
        carrier=carrier.name,
        url=f"{ours.url}/mo/{carrier.name}/KEY",
        **{"from": "+998901234567"},
        to="Example",
        text="да + 1",
    )
    assert said["status"] == 200
    (request,) = ours.wait(1)
    carrier.verify(request, at(sim, carrier), datetime.now(UTC))
    assert carrier.read_replies is not None
    (reply,) = carrier.read_replies(request, at(sim, carrier))
    assert (reply.id, reply.msisdn, reply.to, reply.text) == (said["id"], "+998901234567", "Example", "да + 1")
    assert not reply.carrier_answered


@BOTH
def test_stop_is_answered_by_the_carrier_which_then_refuses(sim: Simulator, ours: Receiver, carrier: Carrier) -> None:
    send(sim, carrier, message())
    order = {"carrier": carrier.name, "url": f"{ours.url}/mo", "from": "+998901234567", "to": "Example"}
    sim.post("/replies", **order, text=" stop ")
    assert carrier.read_replies is not None
    (reply,) = carrier.read_replies(ours.wait(1)[0], at(sim, carrier))
    assert reply.carrier_answered
    assert "unsubscribed" in sim.get("/received")["texts"][-1]["text"]
    (outcome,) = send(sim, carrier, message(2))
    assert outcome.error_class is ErrorClass.OPTED_OUT
    assert send(sim, carrier, message(3, "+998901234568"))[0].verdict is ACCEPTED
    sim.post("/replies", **order, text="START")
    assert send(sim, carrier, message(4))[0].verdict is ACCEPTED


def test_a_reply_that_is_not_acknowledged_comes_again(sim: Simulator, ours: Receiver) -> None:
    ours.statuses[:] = [503]
    order = {"carrier": "sandbox", "url": f"{ours.url}/mo", "from": "+998901234567", "secret": TOKEN, "text": "hello"}
    assert sim.post("/replies", **order)["status"] == 503
    first, second = ours.wait(2)
    assert first.body == second.body


# -- knobs and the process ----------------------------------------------------------------------------------------


def test_above_its_rate_it_throttles(sim: Simulator) -> None:
    sim.control(rate=1)
    first, second = (send(sim, sandbox, message(n))[0] for n in (1, 2))
    assert first.verdict is ACCEPTED
    assert (second.error_class, second.retry_after_s) == (ErrorClass.THROTTLED, 1.0)
    assert (sim.stats["accepted"], sim.stats["rejected"]) == (1, 1)


def test_the_error_rate_is_kept(sim: Simulator) -> None:
    sim.control(error_rate=0.3, error="error_503")
    found = [send(sim, sandbox, message(n))[0].error_class for n in range(1, 301)]
    wrong = found.count(ErrorClass.CARRIER_DOWN)
    assert 60 <= wrong <= 120
    assert sim.stats["accepted"] == 300 - wrong


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"latency": 5}, "latency"),
        ({"error_rate": 2}, "error_rate"),
        ({"error": "gremlins"}, "error"),
        ({"dlr": "maybe"}, "dlr"),
        ({"fault": {"kind": "gremlins"}}, "kind"),
        ({"fault": {"kind": "hang", "count": 0}}, "count"),
        ({"down_for_s": "soon"}, "soon"),
    ],
)
def test_a_knob_that_is_none_is_named(sim: Simulator, body: dict[str, Any], says: str) -> None:
    before = sim.get("/control")
    found = sim.call(HttpCall(method="POST", url="/control", body=json.dumps(body).encode()))
    assert found.status == 400
    assert says in json.loads(found.body)["error"]["detail"]
    assert sim.get("/control") == before


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"{", b"[" * 50_000])
def test_control_needs_an_object(sim: Simulator, body: bytes) -> None:
    before = sim.get("/control")
    status = sim.call(HttpCall(method="POST", url="/control", body=body)).status
    assert status == 400 or body == b"[]"  # an empty list of changes changes nothing
    assert sim.get("/control") == before


def test_every_fault_and_every_call_is_listed(sim: Simulator) -> None:
    assert "cut_status" in sim.get("/control")["faults"]
    assert "POST /replies" in sim.get("/")["calls"]


def test_it_ends_when_it_is_told_to() -> None:
    with simulator() as process:
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(10) == 0


def test_a_wrong_option_is_a_usage_error() -> None:
    from bellwire_connectors.sandbox.simulator import simulate_carrier
    from click.testing import CliRunner

    found = CliRunner().invoke(simulate_carrier, ["--error-rate", "2"])
    assert (found.exit_code, "--error-rate" in found.output) == (2, True)
    with simulator() as first:
        found = CliRunner().invoke(simulate_carrier, ["--port", str(first.port)])
        assert found.exit_code == 1
        assert "can't listen" in found.output


def test_the_command_is_registered_by_the_place_it_stands() -> None:
    from bellwire_connectors import sandbox as plugin

    module, _, name = plugin.register_commands()["simulate-carrier"].partition(":")
    assert getattr(importlib.import_module(module), name).name == "simulate-carrier"


def test_the_options_name_every_fault() -> None:
    from bellwire_connectors.sandbox.simulator import simulate_carrier
    from bellwire_connectors.sandbox.simulator.knobs import FAULTS, FaultName

    (option,) = [one for one in simulate_carrier.params if one.name == "error"]
    assert list(option.type.choices) == list(FAULTS) == list(FaultName.__args__)  # type: ignore[attr-defined]
