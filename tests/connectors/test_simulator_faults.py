"""`simulate-carrier` going wrong on purpose: where it breaks off, what it has taken by then, and that it is strict itself."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from bellwire import Carrier, ErrorClass, HttpAnswer, HttpCall, Msisdn, Verdict
from bellwire.testing import account, outgoing
from bellwire_connectors.sandbox import carrier as sandbox
from bellwire_connectors.sandbox.simulator.knobs import FAULTS, Knobs
from bellwire_connectors.twilio import carrier as twilio
from simulated_carrier import Simulator, simulator, until

MESSAGE = outgoing(
    message_id=UUID(int=1), ref="msg_1", msisdn=Msisdn("+998901234567"), dlr_url="http://127.0.0.1:9/dlr/x/KEY/msg_1"
)
BOTH = pytest.mark.parametrize("carrier", [sandbox, twilio], ids=lambda one: one.name)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator("--dlr", "none") as process:
        yield process


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.control(**Knobs(dlr="none").model_dump(), disarm=True)
    running.post("/reset")
    return running


def call(sim: Simulator, carrier: Carrier) -> HttpCall:
    made = account(carrier, secrets=("token-1",))
    assert carrier.build is not None
    return carrier.build([MESSAGE], replace(made, settings={**made.settings, "base_url": sim.base_url}))


def verdict(carrier: Carrier, answer: HttpAnswer) -> tuple[Verdict, ErrorClass | None]:
    assert carrier.interpret is not None
    (outcome,) = carrier.interpret(answer, [MESSAGE], account(carrier))
    return outcome.verdict, outcome.error_class


NO_ANSWER = (http.client.HTTPException, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class Broken:
    kind: str
    taken: bool
    seen: tuple[Verdict, ErrorClass | None] | None  # None: no answer
    end: str


REJECTED, AMBIGUOUS = Verdict.REJECTED, (Verdict.AMBIGUOUS, ErrorClass.AMBIGUOUS)
BROKEN = [
    Broken("error_500", False, (REJECTED, ErrorClass.CARRIER_DOWN), "answered"),
    Broken("error_503", False, (REJECTED, ErrorClass.CARRIER_DOWN), "answered"),
    Broken("bare_500", False, AMBIGUOUS, "answered"),
    Broken("bare_500_taken", True, AMBIGUOUS, "answered"),
    Broken("throttle", False, (REJECTED, ErrorClass.THROTTLED), "answered"),
    Broken("unauthorized", False, (REJECTED, ErrorClass.AUTH), "answered"),
    Broken("garbage", True, AMBIGUOUS, "answered"),
    Broken("hang", True, None, "gone"),
    Broken("hang_untaken", False, None, "gone"),
    Broken("cut_connect", False, None, "cut"),
    Broken("cut_headers", False, None, "cut"),
    Broken("cut_body", False, None, "cut"),
    Broken("cut_status", True, None, "cut"),
    Broken("cut_answer", True, None, "cut"),
    Broken("cut_end", True, (Verdict.ACCEPTED, None), "answered"),
]


def test_every_fault_has_its_row() -> None:
    assert [one.kind for one in BROKEN] == list(FAULTS)
    assert {one.kind: one.taken for one in BROKEN} == {name: fault.takes for name, fault in FAULTS.items()}


@BOTH
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.kind)
def test_each_fault(sim: Simulator, case: Broken, carrier: Carrier, reset: bool) -> None:
    sim.control(fault={"kind": case.kind}, reset=reset)
    if case.seen is None:
        with pytest.raises(NO_ANSWER):
            sim.call(call(sim, carrier), timeout=0.2 if "hang" in case.kind else 10)
    else:
        assert verdict(carrier, sim.call(call(sim, carrier))) == case.seen
    until(lambda: sim.stats["calls_in_flight"] == 0)
    assert sim.stats["refs"] == ({"msg_1": 1} if case.taken else {})
    (entry,) = sim.log
    assert (entry["fault"], entry["end"], entry["taken"]) == (case.kind, case.end, int(case.taken))
    assert verdict(carrier, sim.call(call(sim, carrier)))[0] is Verdict.ACCEPTED, "one fault was armed, and it is over"


def test_faults_come_in_the_order_they_were_armed(sim: Simulator) -> None:
    sim.control(fault={"kind": "throttle", "count": 2})
    sim.control(fault={"kind": "bare_500"})
    found = [verdict(sandbox, sim.call(call(sim, sandbox)))[1] for _ in range(4)]
    assert found == [ErrorClass.THROTTLED, ErrorClass.THROTTLED, ErrorClass.AMBIGUOUS, None]
    sim.control(fault={"kind": "throttle", "count": 9})
    assert sim.control(disarm=True)["armed"] == []


def test_faults_are_for_sends_only(sim: Simulator) -> None:
    sim.control(fault={"kind": "cut_connect"})
    assert sim.stats["calls"] == 0
    assert sim.get("/v1/account") == {"status": "active"}
    with pytest.raises(NO_ANSWER):
        sim.call(call(sim, sandbox))


def test_half_of_the_answer_is_half_of_the_answer(sim: Simulator) -> None:
    whole = exchange(sim, raw(sim))
    sim.control(fault={"kind": "cut_answer"}, idempotent=False)
    half = exchange(sim, raw(sim))
    assert whole.startswith(half)
    assert 0 < len(half) < len(whole)


def test_a_hanging_send_is_in_flight(sim: Simulator) -> None:
    sim.control(fault={"kind": "hang"})
    with socket.create_connection(("127.0.0.1", sim.port)) as caller:
        caller.sendall(raw(sim))
        until(lambda: sim.stats["accepted"] == 1)
        assert sim.stats["calls_in_flight"] == 1
        assert (sim.log[0]["ended"], sim.log[0]["end"]) == (0.0, "")


def test_a_hanging_send_is_closed_after_a_while(sim: Simulator) -> None:
    sim.control(fault={"kind": "hang"}, hang_s=0.05)
    assert exchange(sim, raw(sim)) == b""
    assert sim.log[0]["end"] == "hung"


@pytest.mark.parametrize(("latency_ms", "read"), [(200, False), (200, True)], ids=["the caller dies", "the caller waits"])
def test_what_was_read_is_taken_whether_or_not_the_caller_lives(sim: Simulator, latency_ms: int, read: bool) -> None:
    sim.control(latency_ms=latency_ms)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", sim.port)) as caller:
        caller.sendall(raw(sim))
        if read:
            assert b"200 OK" in caller.recv(65_536)
            assert time.monotonic() - started >= latency_ms / 1000
    until(lambda: sim.stats["accepted"] == 1)
    until(lambda: sim.stats["calls_in_flight"] == 0)
    assert sim.log[0]["end"] == ("answered" if read else "gone")


def test_half_a_request_is_never_taken(sim: Simulator) -> None:
    for cut in range(1, len(raw(sim)), 40):
        with socket.create_connection(("127.0.0.1", sim.port)) as caller:
            caller.sendall(raw(sim)[:cut])
    assert sim.stats["accepted"] == 0


def test_it_can_be_down_for_a_while(sim: Simulator) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=10)
    kept.request("GET", "/stats")
    kept.getresponse().read()
    sim.control(down_for_s=1)
    until(lambda: refused(sim), 5)
    assert kept.sock.recv(1) == b""  # the connections that stood are cut, too
    kept.close()
    until(lambda: not refused(sim), 5)
    assert verdict(sandbox, sim.call(call(sim, sandbox)))[0] is Verdict.ACCEPTED


def refused(sim: Simulator) -> bool:
    try:
        socket.create_connection(("127.0.0.1", sim.port)).close()
    except ConnectionRefusedError:
        return True
    return False


# -- strictness ---------------------------------------------------------------------------------------------------


def raw(sim: Simulator, **headers: str) -> bytes:
    made = call(sim, sandbox)
    lines = ["POST /v1/messages HTTP/1.1", "Host: x", f"Content-Length: {len(made.body)}"]
    lines += [f"{name}: {value}" for name, value in {**made.headers, **headers}.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + made.body


def exchange(sim: Simulator, *pieces: bytes, closes: bool = False) -> bytes:
    """What comes back until the other side closes or, unless it `closes`, half a second passes."""
    said = b""
    with socket.create_connection(("127.0.0.1", sim.port)) as caller:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller.settimeout(10 if closes else 0.5)
        for piece in pieces:
            caller.sendall(piece)
        try:
            while got := caller.recv(65_536):
                said += got
        except ConnectionError:
            pass
        except TimeoutError:
            if closes:
                raise
    return said


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /stats HTTP/2.0\r\n\r\n", 400),
        (b"GET /stats\r\n\r\n", 400),
        (b"GET stats HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /stats HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /stats HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n", 400),
        (b"GET /stats HTTP/1.1\r\nA : 1\r\n\r\n", 400),
        (b"POST /control HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /control HTTP/1.1\r\nContent-Length: 1 2\r\n\r\n", 400),
        (b"POST /control HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST /control HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n", 413),
        (b"POST /control HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET /" + b"x" * 40_000, 431),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"DELETE /stats HTTP/1.1\r\n\r\n", 404),
    ],
)
def test_it_is_a_strict_server(sim: Simulator, sent: bytes, status: int) -> None:
    assert exchange(sim, sent).startswith(f"HTTP/1.1 {status} ".encode())


def test_bytes_may_come_in_any_pieces(sim: Simulator) -> None:
    whole = raw(sim, Connection="close")
    assert exchange(sim, *(whole[n : n + 7] for n in range(0, len(whole), 7))).startswith(b"HTTP/1.1 200 OK")
    assert sim.stats["refs"] == {"msg_1": 1}


def test_requests_in_one_piece_are_answered_in_order(sim: Simulator) -> None:
    said = exchange(sim, b"GET /nothing HTTP/1.1\r\n\r\n" + raw(sim) + b"GET /v1/account HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", said) == [b"404", b"200", b"200"]


@pytest.mark.parametrize("last", [b"HTTP/1.0\r\n\r\n", b"HTTP/1.1\r\nConnection: close\r\n\r\n"])
def test_a_client_that_says_so_is_closed(sim: Simulator, last: bytes) -> None:
    assert b"connection: close" in exchange(sim, b"GET /v1/account " + last, closes=True)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"messages":[]}', b'{"messages":[1]}', b'{"messages":[{"ref":"r","to":"+1"}]}', b"[" * 99_999]
)
def test_a_send_that_is_none_is_refused_with_the_reason(sim: Simulator, body: bytes) -> None:
    found = sim.call(replace(call(sim, sandbox), body=body))
    assert found.status == 400
    assert json.loads(found.body)["error"]["detail"].startswith("messages")
    assert sim.stats["accepted"] == 0


# -- as a process -------------------------------------------------------------------------------------------------


def test_it_goes_with_its_parent(tmp_path: Path) -> None:
    import subprocess
    import sys

    # a parent that starts it, says its id, and waits to be killed
    script = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'bellwire_connectors.sandbox.simulator', '--port', '0', '--with-parent']\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not alive(pid))


def test_a_parent_that_ended_before_anybody_looked_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    from bellwire_connectors.sandbox.simulator import _run
    from bellwire_connectors.sandbox.simulator.knobs import Knobs

    nobody = os.getppid() + 1  # who started it, as it remembers
    asyncio.run(asyncio.wait_for(_run("127.0.0.1", 0, Knobs(), (), {}, 1, allow_remote=False, parent=nobody), 10))
    assert "listening" in capsys.readouterr().out


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


@pytest.mark.proof
@BOTH
def test_it_takes_8_000_sends_a_second_of_one_core(sim: Simulator, carrier: Carrier) -> None:
    # by the process's own CPU time, best of three, so that a busy machine does not decide
    sim.control(idempotent=False)
    assert max(sends_a_cpu_second(sim, carrier) for _ in range(3)) > 8_000


def sends_a_cpu_second(sim: Simulator, carrier: Carrier, connections: int = 50, rounds: int = 80) -> float:
    made = call(sim, carrier)
    lines = [f"POST {made.url.removeprefix(sim.base_url)} HTTP/1.1", "Host: x", f"Content-Length: {len(made.body)}"]
    request = (
        "\r\n".join([*lines, *(f"{name}: {value}" for name, value in made.headers.items())]).encode() + b"\r\n\r\n" + made.body
    )
    callers = [socket.create_connection(("127.0.0.1", sim.port)) for _ in range(connections)]
    before = cpu_s(sim.process.pid)
    for _ in range(rounds):
        for caller in callers:
            caller.sendall(request)
        for caller in callers:
            assert caller.recv(65_536).startswith(b"HTTP/1.1 20")
    spent = cpu_s(sim.process.pid) - before
    for caller in callers:
        caller.close()
    return connections * rounds / spent


def cpu_s(pid: int) -> float:
    fields: Any = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_signal_ends_it_also_while_it_is_busy() -> None:
    with simulator() as process:
        process.control(fault={"kind": "hang"})
        with pytest.raises(NO_ANSWER):
            process.call(call(process, sandbox), timeout=0.1)
        process.process.send_signal(signal.SIGINT)
        assert process.process.wait(10) == 0
