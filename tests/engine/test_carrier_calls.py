"""Calls to carriers over the wire: what is told apart, what is never done twice, what is never done at all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bellwire.engine import wire as wires
from bellwire.engine.wire import BODY_MAX, Wire
from bellwire.errors import CarrierError, Unanswered, Unreachable
from bellwire.model import HttpAnswer, HttpCall
from standins.receiver import Handler, Received, Receiver, certificate, hang_up, mute, status

Ended = HttpAnswer | CarrierError


@pytest.fixture(params=[True, False], ids=["epoll", "select"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire[str]]:
    made: Wire[str] = Wire(allow_private=True, ears=request.param)
    yield made
    made.close()


def call(url: str, body: bytes = b'{"to":"x"}', method: str = "POST", **headers: str) -> HttpCall:
    return HttpCall(method=method, url=url, headers={"Content-Type": "application/json", **headers}, body=body)


def run(wire: Wire[str], *calls: HttpCall, within_s: float = 10.0) -> dict[str, Ended]:
    """All of them at once; what each brought, by its place."""
    for place, one in enumerate(calls):
        wire.begin(one, str(place))
    ended: dict[str, Ended] = {}
    ends = time.monotonic() + within_s
    while len(ended) < len(calls):
        assert time.monotonic() < ends, "it ended in time"
        ended.update(wire.turn(0.5))
    assert len(wire) == 0
    return ended


def one(wire: Wire[str], made: HttpCall) -> Ended:
    return run(wire, made)["0"]


# -- an ordinary call ---------------------------------------------------------------------------------------------------


def test_a_call_goes_out_as_it_was_built_and_comes_back_whole(wire: Wire[str]) -> None:
    with Receiver(status(201, {"Retry-After": "7", "X-Two": "b"}, b'{"sid":"1"}')) as carrier:
        answer = one(wire, call(f"{carrier.url}/v1/send?a=%20b", "Zdravo, čestitamo".encode(), Authorization="Bearer é"))
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body) == (201, b'{"sid":"1"}')
    assert (answer.headers["retry-after"], answer.headers["x-two"]) == ("7", "b")
    (came,) = carrier.received
    assert (came.path, came.body.decode()) == ("/v1/send?a=%20b", "Zdravo, čestitamo")
    assert came.headers["authorization"].encode("latin-1").decode() == "Bearer é"
    assert came.headers["user-agent"] == "Bellwire"
    assert "expect" not in came.headers


def test_a_question_has_no_body(wire: Wire[str]) -> None:
    with Receiver() as carrier:
        one(wire, call(carrier.url))
        one(wire, call(carrier.url, b"", "GET"))
    assert [received.body for received in carrier.received] == [b'{"to":"x"}', b""]


def test_connections_are_kept(wire: Wire[str]) -> None:
    with Receiver() as carrier:
        for _ in range(5):
            one(wire, call(carrier.url))
    assert (len(carrier.received), carrier.connections) == (5, 1)


def test_many_calls_are_under_way_at_once(wire: Wire[str]) -> None:
    gate = threading.Barrier(20, timeout=10)

    def together(handler: Handler, _: Received) -> None:
        gate.wait()
        handler.reply(200, b"ok")

    with Receiver(together) as carrier:
        ended = run(wire, *(call(carrier.url) for _ in range(20)))
    assert {answer.body for answer in ended.values() if isinstance(answer, HttpAnswer)} == {b"ok"}
    assert len(ended) == 20


# -- what may have been sent, and what certainly was not -------------------------------------------------------------


@pytest.fixture
def nobody() -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_who_is_not_there_got_nothing(wire: Wire[str], nobody: str) -> None:
    assert isinstance(one(wire, call(nobody)), Unreachable)


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid/", "http://127.0.0.1:1x/", "gopher://127.0.0.1/", "http://", "http://é/"]
)
def test_what_can_t_be_called_got_nothing(wire: Wire[str], url: str) -> None:
    with pytest.raises(Unreachable):
        raise one(wire, call(url))  # type: ignore[misc]  # an answer is no exception: the test fails


@pytest.mark.parametrize("header", ["a\r\nX-More: 1", "a\nb", "a\x00b"])
def test_a_header_that_would_end_early_is_not_sent(wire: Wire[str], header: str) -> None:
    with Receiver() as carrier, pytest.raises(Unreachable):
        wire.begin(call(carrier.url, X=header), "0")
    assert len(wire) == 0


def test_a_certificate_nobody_vouches_for_gets_nothing(wire: Wire[str], tmp_path: Path) -> None:
    with Receiver(tls=certificate(tmp_path, "localhost")) as carrier:
        answer = one(wire, call(carrier.url.replace("127.0.0.1", "localhost")))
    assert isinstance(answer, Unreachable)
    assert carrier.received == []


def test_silence_after_the_request_is_no_certainty(wire: Wire[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "TOTAL_S", 0.3)
    with Receiver(mute) as carrier:
        assert isinstance(one(wire, call(carrier.url)), Unanswered)
    assert len(carrier.received) == 1


def breaks_off(handler: Handler, _: Received) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "100")
    handler.end_headers()
    handler.wfile.write(b"{")
    hang_up(handler, _)


@pytest.mark.parametrize("answer", [hang_up, breaks_off])
def test_a_cut_is_no_certainty(wire: Wire[str], answer: Callable[[Handler, Received], None]) -> None:
    with Receiver(answer) as carrier:
        assert isinstance(one(wire, call(carrier.url)), Unanswered)
    assert len(carrier.received) == 1


@pytest.mark.parametrize("answer", [hang_up, breaks_off])
def test_a_cut_on_a_kept_connection_is_not_sent_again(wire: Wire[str], answer: Callable[[Handler, Received], None]) -> None:
    """HTTP libraries repeat such a request by themselves; a text would go twice."""
    with Receiver() as carrier:
        assert isinstance(one(wire, call(carrier.url)), HttpAnswer)
        connections: list[int] = []

        def cut(handler: Handler, received: Received) -> None:
            connections.append(carrier.connections)
            answer(handler, received)

        carrier.answer = cut
        assert isinstance(one(wire, call(carrier.url)), Unanswered)
        assert connections == [1], "it came over the connection that was kept, once"
        carrier.answer = status(200)
        assert isinstance(one(wire, call(carrier.url)), HttpAnswer)
    assert len(carrier.received) == 3


def test_an_answer_without_end_is_cut(wire: Wire[str]) -> None:
    with Receiver(status(200, body=b"x" * (BODY_MAX * 4))) as carrier:
        answer = one(wire, call(carrier.url))
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, len(answer.body)) == (200, BODY_MAX)


# -- what is never done ---------------------------------------------------------------------------------------------


def test_redirects_are_not_followed(wire: Wire[str]) -> None:
    with Receiver() as trap, Receiver(status(307, {"Location": trap.url})) as carrier:
        answer = one(wire, call(carrier.url))
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 307
    assert trap.connections == 0


def test_proxies_of_the_environment_are_not_asked(wire: Wire[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as trap, Receiver() as carrier:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
        assert isinstance(one(wire, call(carrier.url)), HttpAnswer)
    assert trap.connections == 0


def test_our_own_network_is_never_called(tmp_path: Path) -> None:
    strict: Wire[str] = Wire(allow_private=False)
    try:
        with Receiver(tls=certificate(tmp_path, "localhost")) as trap, pytest.raises(Unreachable):
            raise one(strict, call(trap.url.replace("127.0.0.1", "localhost")))  # type: ignore[misc]  # as above
        assert trap.connections == 0
        with Receiver() as trap, pytest.raises(Unreachable, match="https"):
            strict.begin(call(trap.url), "0")
        assert trap.connections == 0
    finally:
        strict.close()


# -- the thread that uses it ------------------------------------------------------------------------------------------


def test_waking_ends_the_rest(wire: Wire[str]) -> None:
    threading.Timer(0.05, wire.wake).start()
    began = time.monotonic()
    while time.monotonic() - began < 5:
        if wire.turn(5.0) == []:
            break
    assert time.monotonic() - began < 2


def test_a_call_is_told_of_before_its_first_byte_may_leave(nobody: str) -> None:
    told: list[str] = []
    known: list[int] = []

    def answer(handler: Handler, _: Received) -> None:
        known.append(len(told))
        handler.reply(200, b"ok")

    wire: Wire[str] = Wire(allow_private=True, leaves=told.append)
    try:
        with Receiver(answer) as carrier:
            for made in (call(carrier.url), call(nobody), call(carrier.url)):
                one(wire, made)
    finally:
        wire.close()
    assert known == [1, 2], "of nothing when nobody listens"


def test_closing_cuts_what_is_under_way() -> None:
    wire: Wire[str] = Wire(allow_private=True)
    with Receiver(mute) as carrier:
        wire.begin(call(carrier.url), "0")
        while not carrier.received:
            assert wire.turn(0.05) == []
        wire.close()
        wire.wake()  # afterwards too: a thread may not know yet
