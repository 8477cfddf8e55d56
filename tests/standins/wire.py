"""HTTP by hand, for requests that no library would send."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Said:
    """An answer, and how long it took. `status` 0: the connection was closed without one."""

    status: int
    body: bytes
    headers: dict[str, str]
    took_s: float


def exchange(
    url: str, headers: Headers, body: bytes | Iterable[bytes] = b"", *, method: str = "POST", wait_s: float = 10.0, length: int = -1
) -> Said:
    """Send a request as it stands and read what comes back. `body`: bytes, or pieces that are written as they come.

    `length`: what Content-Length says, -1 for the truth, -2 for no such header.
    """
    where = urlsplit(url)
    pieces = [body] if isinstance(body, bytes) else body
    known = len(body) if isinstance(body, bytes) else 0
    lines = [f"{method} {where.path} HTTP/1.1".encode(), f"Host: {where.netloc}".encode(), b"Connection: close"]
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in headers]
    if length != -2:
        lines.append(b"Content-Length: %d" % (known if length == -1 else length))
    began = time.monotonic()
    with socket.create_connection((where.hostname or "", where.port or 80), timeout=wait_s) as connection:
        try:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # it has answered and closed: the answer is what counts
        return _answer(connection, began)


def _answer(connection: socket.socket, began: float) -> Said:
    response = HTTPResponse(connection)
    try:
        response.begin()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Said(response.status, body, headers, time.monotonic() - began)
    except (HTTPException, ConnectionError):
        return Said(0, b"", {}, time.monotonic() - began)
    finally:
        response.close()


def chunks(pieces: Iterable[bytes], *, end: bool = True) -> Iterable[bytes]:
    """The pieces in chunked coding; without `end` the last chunk never comes."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    if end:
        yield b"0\r\n\r\n"


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
