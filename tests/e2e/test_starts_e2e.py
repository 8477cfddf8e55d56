"""A start that is interrupted: whenever the signal comes, nothing is left of it, and soon."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from standins.served import KEY, Server, until

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
    until(lambda: process.poll() is not None or moment(server), "it never came so far", 30)
    assert process.poll() is None, server.said
    process.send_signal(number)
    assert process.wait(GONE_WITHIN_S) == (0 if number == signal.SIGTERM else -number)
    until(lambda: not server.processes(), lambda: f"alive: {server.processes()}", GONE_WITHIN_S)
    assert "Traceback" not in server.said


def test_where_it_serves_is_said_when_it_serves(server: Server) -> None:
    server.port = 0  # any that is free
    process = server.launch()
    until(lambda: "Serving on " in server.said or process.poll() is not None, "nothing was said", 30)
    [url] = re.findall(r"^Serving on (http://127\.0\.0\.1:[1-9]\d+)\. Stop with Ctrl-C\.$", server.said, re.MULTILINE)
    assert requests.get(f"{url}/livez", timeout=5).ok
    assert server.stop() == 0


def spoilt(server: Server) -> None:
    server.database.write_bytes(b"no database at all" * 1_000)


def another_key(server: Server) -> None:
    server.command("tenant", "create", "acme", "--country", "US")
    server.environ["BELLWIRE_SECRET_KEY"] = KEY


STARTS = [
    pytest.param(spoilt, 2, "bellwire: DATABASE_URL: ", id="a spoilt file"),
    pytest.param(another_key, 2, "bellwire: SECRET_KEY: is not the key this database was written with", id="another key"),
]


@pytest.mark.parametrize(("how", "code", "line"), STARTS)
def test_a_start_that_can_t_be_is_one_line_and_the_exit_code_of_every_command(
    server: Server, how: Callable[[Server], None], code: int, line: str
) -> None:
    how(server)
    assert server.launch().wait(30) == code
    assert server.said.startswith(line)
    assert server.said.count("\n") == 1


def test_a_demo_on_a_port_that_is_taken_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        command = [sys.executable, "-m", "bellwire", "demo", "--once", "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"bellwire: port: something else listens on {port}; stop it, or choose another with --port\n"


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
