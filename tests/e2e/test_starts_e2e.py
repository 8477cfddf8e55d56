"""A start that is interrupted: whenever the signal comes, nothing is left of it, and soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from standins.served import Server, until

GONE_WITHIN_S = 5.0  # a few milliseconds; the machine starts processes at the same time


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path)
    try:
        yield one
    finally:
        for pid in one.processes():  # orphans, too
            os.kill(pid, signal.SIGKILL)
        one.end()


def _is_made(server: Server) -> bool:
    return bool(server.children())


def _imports(server: Server) -> bool:
    return any("pydantic_core" in Path(f"/proc/{child}/maps").read_text() for child in server.children())


def _has_tables(server: Server) -> bool:
    return server.database.exists() and bool(server.ask("SELECT name FROM sqlite_master WHERE name = 'workers'"))


MOMENTS = [
    pytest.param(_is_made, id="the child is made"),
    pytest.param(_imports, id="it imports"),
    pytest.param(_has_tables, id="it has the tables"),
]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_start_that_is_interrupted_leaves_nothing(
    server: Server, moment: Callable[[Server], bool], number: signal.Signals
) -> None:
    process = server.launch()
    ends = time.monotonic() + 30
    while not moment(server):
        assert process.poll() is None, server.said
        assert time.monotonic() < ends, "it never came so far"
    process.send_signal(number)
    assert process.wait(GONE_WITHIN_S) == (0 if number == signal.SIGTERM else -number)
    until(lambda: not server.processes(), lambda: f"alive: {server.processes()}", GONE_WITHIN_S)
    assert "Traceback" not in server.said


def test_a_killed_demo_takes_its_server_with_it(server: Server) -> None:
    command = [sys.executable, "-m", "bellwire", "demo", "--port", str(server.port)]
    demo = subprocess.Popen(command, cwd=server.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: len([one for one in server.processes() if _serves(one)]) == 2, "parent and child were not made", 30)
    finally:
        demo.kill()
        demo.wait(10)
    until(lambda: not server.processes(), lambda: f"alive: {server.processes()}", GONE_WITHIN_S)


def _serves(pid: int) -> bool:
    with suppress(OSError):
        return b"parent.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
