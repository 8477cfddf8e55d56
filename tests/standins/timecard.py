"""A producer's callback address that runs here: believes only what is signed, takes each event once, answers as it is told."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks.webhooks import Webhook


class Producer:
    """Use as a context manager. `events`: what was taken, in order; `deliveries`: the ids of all that came, repeats too.

    `answers`: (status, headers) of the next calls; 200 when there are none left.
    """

    def __init__(self, secret: str, now: Callable[[], datetime] | None = None) -> None:
        self.secret, self.now = secret, now or (lambda: datetime.now(UTC))
        self.events: list[dict[str, Any]] = []
        self.deliveries: list[str] = []
        self.forged = 0
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/bellwire"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def took(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """What this producer answers to one call."""
        with self._lock:
            if not self._is_signed(headers, body):
                self.forged += 1
                return 401, {}
            self.deliveries.append(headers["webhook-id"])
            if self.answers:
                status, more = self.answers.popleft()
                if status >= 300:
                    return status, more
            event = json.loads(body)
            if event["id"] not in self._seen:
                self._seen.add(event["id"])
                self.events.append(event)
            return 200, {}

    def _is_signed(self, headers: dict[str, str], body: bytes) -> bool:
        """By another implementation of Standard Webhooks, at this producer's own time."""
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        expected = Webhook(self.secret).sign(headers["webhook-id"], at, body.decode())
        return headers["webhook-signature"] == expected and abs((self.now() - at).total_seconds()) <= 300

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        producer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers = producer.took({name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                pass

        return Handler
