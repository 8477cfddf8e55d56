"""The carrier simulator as a process of its own, and a receiver for its callbacks. Loopback only."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bellwire import HttpAnswer, HttpCall, WebhookRequest


class Simulator:
    """`base_url` for an account's settings; the rest steers and watches."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        self.process = process
        self.base_url: str = json.loads(line)["listening"]
        self.port = urlsplit(self.base_url).port or 0

    def call(self, call: HttpCall, *, timeout: float = 10) -> HttpAnswer:
        """Make a carrier's call as it is built."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                call.method, call.url.removeprefix(self.base_url), body=call.body or None, headers=dict(call.headers)
            )
            got = connection.getresponse()
            headers = {name.lower(): value for name, value in got.getheaders()}
            return HttpAnswer(status=got.status, headers=headers, body=got.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return json.loads(self.call(HttpCall(method="GET", url=path)).body)

    def post(self, path: str, **body: Any) -> Any:
        return json.loads(self.call(HttpCall(method="POST", url=path, body=json.dumps(body).encode())).body)

    def control(self, **knobs: Any) -> Any:
        return self.post("/control", **knobs)

    @property
    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/stats")
        return found

    @property
    def log(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/log")["calls"]
        return found


@contextmanager
def simulator(*options: str) -> Iterator[Simulator]:
    """A running simulator on a free port."""
    command = [sys.executable, "-m", "bellwire_connectors.sandbox.simulator", "--port", "0", "--with-parent", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Simulator(process)
        finally:
            process.terminate()
            process.wait(10)


class Receiver(ThreadingHTTPServer):
    """Takes callbacks. `statuses`: answered in turn, then 200 for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[WebhookRequest] = []
        self.statuses: list[int] = []
        self.arrived = threading.Condition()

    def wait(self, count: int, seconds: float = 10) -> Sequence[WebhookRequest]:
        """The requests, as soon as there are `count` of them."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, seconds), f"{len(self.requests)} of {count} callbacks"
            return tuple(self.requests)

    def clear(self) -> None:
        with self.arrived:
            self.requests.clear()
            self.statuses.clear()


class _Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = WebhookRequest(
            url=self.server.url + self.path,
            query=parse_qsl(urlsplit(self.path).query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            received_at=datetime.now(UTC),
        )
        with self.server.arrived:
            self.server.requests.append(request)
            status = self.server.statuses.pop(0) if self.server.statuses else 200
            self.server.arrived.notify_all()
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


def until(found: Callable[[], bool], seconds: float = 10) -> None:
    """Come back as soon as something holds."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.01)
