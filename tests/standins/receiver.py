"""HTTP receivers on a port of this machine: well-behaved, slow and hostile ones. Needs nothing of Bellwire.

    with Receiver() as receiver:               answers 200 and keeps what came
    with Receiver(answer=status(503)) as …     answers something else
    with Receiver(answer=drip) as …            never comes to an end
    with Receiver(tls=certificate("good.example")) as …

`connections` counts who connected, also without a word: a trap has none.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[["Handler", Received], None]


class Handler(BaseHTTPRequestHandler):
    """Keeps the request, lets the receiver's answer do the rest."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        received = Received(
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("content-length") or 0)),
        )
        with self.server.receiver.lock:
            self.server.receiver.received.append(received)
        self.server.receiver.came.set()
        with suppress(OSError):  # the caller has hung up
            self.server.receiver.answer(self, received)

    do_GET = do_POST  # noqa: N815  # the library's name

    def reply(self, code: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    receiver: Receiver

    def get_request(self) -> tuple[Any, Any]:
        self.receiver.connections += 1
        return super().get_request()

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = self.receiver.tls.context if self.receiver.tls else None
        if context is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), context.wrap_socket(request, server_side=True) as secure:  # a caller may not trust us
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Server6(Server):
    address_family = socket.AF_INET6


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """Answers with this, always."""
    return lambda handler, _: handler.reply(code, body, headers)


class Receiver:
    """A receiver, running while it is a context."""

    def __init__(self, answer: Answer | None = None, *, host: str = "127.0.0.1", tls: Certificate | None = None) -> None:
        self.answer, self.tls = answer or status(200), tls
        self.received: list[Received] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.came = threading.Event()
        self.closing = threading.Event()
        self._server = (Server6 if ":" in host else Server)((host, 0), Handler)
        self._server.receiver = self
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


# -- hostile ones ---------------------------------------------------------------------------------------------------


def mute(handler: Handler, _: Received) -> None:
    """Takes the request and says nothing."""
    handler.server.receiver.closing.wait(60)
    handler.close_connection = True


def _drip(handler: Handler, piece: bytes) -> None:
    while not handler.server.receiver.closing.wait(0.05):
        handler.wfile.write(piece)


def drip_status(handler: Handler, _: Received) -> None:
    """A status line that comes byte by byte and never ends."""
    handler.wfile.write(b"HTTP/1.1 200 ")
    _drip(handler, b"O")


def drip_headers(handler: Handler, _: Received) -> None:
    """A header that comes byte by byte and never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler, b"a")


def drip_body(handler: Handler, _: Received) -> None:
    """200 at once, then a body that comes byte by byte."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _drip(handler, b"a")


def endless_headers(handler: Handler, _: Received) -> None:
    """Headers as fast as they are taken."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.receiver.closing.is_set():
        handler.wfile.write(b"X-Much: " + b"a" * 1000 + b"\r\n")


def endless_continues(handler: Handler, _: Received) -> None:
    """ "100 Continue" for ever."""
    while not handler.server.receiver.closing.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)


def huge_body(handler: Handler, _: Received) -> None:
    """A body of one gigabyte."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _piece in range(16_384):
        handler.wfile.write(b"a" * 65_536)


def bad_gzip(handler: Handler, _: Received) -> None:
    """Says gzip and is none."""
    handler.reply(200, b"\x1f\x8b\x08" + b"\xff" * 500, {"Content-Encoding": "gzip"})


def nonsense(handler: Handler, _: Received) -> None:
    """No HTTP at all."""
    handler.wfile.write(b"220 smtp.example ESMTP\r\n")
    handler.close_connection = True


def hang_up(handler: Handler, _: Received) -> None:
    """Closes without an answer."""
    handler.close_connection = True


# -- certificates ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """A server's TLS context, and the file that makes a caller trust it."""

    context: ssl.SSLContext
    trusted: str


def certificate(folder: Path, name: str) -> Certificate:
    """A self-signed certificate for a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = folder / f"{name}.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = folder / f"{name}.key"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return Certificate(context=context, trusted=str(public))
