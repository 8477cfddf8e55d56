"""The platform's side, played on this machine, so that the certification kit needs no account anywhere.

An author subclasses `HttpStandIn` (which brings the server and its faults) or `StandIn` (around a server of their own), and
overrides what their platform can do. What is left out is shown as not judged.
"""

# ruff: noqa: ARG002  # the arguments are for who overrides the method

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bellwire.model import Json, WebhookRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one call: a status instead of an answer, or a cut, or slowness.

    `cut`: "before" the request is looked at, or "after" it was done. `slow_s`: seconds until the answer; the call is done.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    cut: str = ""
    slow_s: float = 0.0


class NotSupplied(NotImplementedError):
    """The stand-in does not play this part."""


class StandIn:
    """What the kit asks of a platform. A fresh one is made for each rule; `now` is the kit's clock."""

    now: Callable[[], datetime] = staticmethod(lambda: datetime.now(UTC))

    def start(self) -> None:
        """Listen on a port of this machine."""
        raise NotSupplied("start")

    def stop(self) -> None:
        """Stop listening, and leave no thread."""
        raise NotSupplied("stop")

    @property
    def url(self) -> str:
        """Where it listens: the installation's `settings.base_url`."""
        raise NotSupplied("url")

    def credentials(self) -> Mapping[str, Any]:
        """What it lets in; the rest is made up from the connector's fields."""
        return {}

    def settings(self) -> Mapping[str, Any]:
        """Settings besides `base_url`."""
        return {}

    def fail(self, *faults: Fault) -> None:
        """The next calls of the API (not of the token endpoint) go wrong, one after the other."""
        raise NotSupplied("fail")

    def calls(self) -> int:
        """How many calls of the API came so far, those that went wrong among them."""
        raise NotSupplied("calls")

    def subject(self) -> str:
        """The subject (`order/…`) of an object that a status can be written on; another one each time."""
        raise NotSupplied("subject")

    def written(self) -> Json:
        """What stands there of all that was written, as plain values: the same for the same writes, without ids of its own."""
        raise NotSupplied("written")

    def expire_tokens(self) -> None:
        """Every access token given out so far is refused from now on; a refresh brings a new one."""
        raise NotSupplied("expire_tokens")

    def refreshes(self) -> int:
        """How often new tokens were given out."""
        raise NotSupplied("refreshes")

    def person(self) -> tuple[str, str]:
        """Somebody whose consent can be written: the number in E.164, and the platform's reference."""
        raise NotSupplied("person")

    def consent(self, msisdn: str) -> str:
        """What stands there of a number's marketing consent: `opted_in`, `opted_out`, or "" for nothing."""
        raise NotSupplied("consent")

    def happen(self) -> str:
        """Something happens that a webhook would have told, and none comes; the subject it happened to."""
        raise NotSupplied("happen")

    def subscriptions(self) -> int:
        """How many webhook subscriptions stand."""
        raise NotSupplied("subscriptions")

    def drop_subscriptions(self) -> None:
        """The platform deletes them, as it does after failed deliveries."""
        raise NotSupplied("drop_subscriptions")

    def reports(self, subject: str) -> Sequence[WebhookRequest]:
        """The webhooks that the platform would send now for a change of the object, unsigned."""
        raise NotSupplied("reports")


class HttpStandIn(StandIn):
    """A stand-in with a server: override `answer`. Faults, cuts and counting come with it.

    `token_paths`: the endpoints that give tokens; faults pass them by.
    """

    token_paths: Sequence[str] = ()

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._calls = 0
        self.lock = threading.RLock()
        self._server: ThreadingHTTPServer | None = None

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body for one call. `path`: with its query; `headers`: names in lower case."""
        raise NotSupplied("answer")

    def start(self) -> None:
        """Listen."""
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port if self._server else 0}"

    def fail(self, *faults: Fault) -> None:
        """The next calls go wrong."""
        with self.lock:
            self._faults.extend(faults)

    def calls(self) -> int:
        """How many came."""
        return self._calls

    def _take(self, path: str) -> Fault | None:
        if path.partition("?")[0] in self.token_paths:
            return None
        with self.lock:
            self._calls += 1
            return self._faults.pop(0) if self._faults else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _handler(stand_in: HttpStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            with suppress(OSError):  # the caller hung up, as a time-out does
                super().handle_one_request()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = stand_in._take(self.path)
            if fault and fault.cut == "before":
                return self._cut()
            if fault and fault.status:
                return self._reply(fault.status, fault.headers, fault.body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            with stand_in.lock:
                status, more, answer = stand_in.answer(self.command, self.path, headers, body)
            if fault and fault.cut:
                return self._cut()
            if fault:
                time.sleep(fault.slow_s)
            return self._reply(status, more, answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  # http.server's names

        def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _cut(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
