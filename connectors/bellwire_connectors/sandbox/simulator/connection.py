"""The simulator's HTTP/1.1 server side: strict, keep-alive, one request at a time, and able to break off anywhere."""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Any, Protocol, cast

from .book import Call
from .knobs import Cut, Fault
from .wire import Answer, Request

HEAD_MAX = 32 * 1024
BODY_MAX = 8 * 1024 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Send:
    """A send on its way through the server: its log entry, its fault, and where the connection is to be cut."""

    __slots__ = ("call", "carrier", "fault")

    def __init__(self, carrier: str, call: Call, fault: Fault | None) -> None:
        self.carrier, self.call, self.fault = carrier, call, fault

    @property
    def cut(self) -> Cut:
        """Where to close."""
        return self.fault.cut if self.fault is not None else Cut.NONE


class Handler(Protocol):
    """What answers requests."""

    def send_of(self, method: str, path: str) -> Send | None:
        """Whether a request that has begun is a send; it counts as in flight from here."""
        ...

    def handle(self, connection: Connection, request: Request, send: Send | None) -> None:
        """Answer by `connection.answer` or `connection.close_now`, now or later."""
        ...

    def ended(self, send: Send, how: str, status: int) -> None:
        """A send is over."""
        ...

    @property
    def resets(self) -> bool:
        """Whether cuts are made by RST."""
        ...


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, handler: Handler, everybody: set[Connection]) -> None:
        self._handler, self._everybody = handler, everybody
        self._buffer = bytearray()
        self._request: Request | None = None
        self._length = 0
        self._send: Send | None = None
        self._busy = False
        self._keep = True
        self._transport: asyncio.Transport | None = None

    # -- asyncio ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast("asyncio.Transport", transport)
        self._everybody.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client went, or we closed."""
        self._transport = None
        self._everybody.discard(self)
        if self._send is not None:
            self._handler.ended(self._send, "gone", 0)

    def data_received(self, data: bytes) -> None:
        """More bytes."""
        self._buffer += data
        self._advance()
        if self._busy and len(self._buffer) > HEAD_MAX + BODY_MAX:  # pipelined without end
            self.close_now()

    # -- reading ------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        while not self._busy and self._transport is not None and self._buffer:
            if self._request is None and not self._head():
                return
            if self._request is None or not self._body(self._request):
                return

    def _head(self) -> bool:
        """Read the head; False: it is not all there, or the connection is being closed."""
        if self._send is None and (first := self._buffer.find(b"\r\n")) >= 0:
            method, _, target = bytes(self._buffer[:first]).decode("latin-1").partition(" ")
            self._send = self._handler.send_of(method, target.partition(" ")[0].partition("?")[0])
            if self._send is not None and self._send.cut is Cut.CONNECT:
                return self._cut()
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return len(self._buffer) <= HEAD_MAX or self._refuse(431)
        head = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 4]
        line, *fields = head.split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or words[2] not in {"HTTP/1.1", "HTTP/1.0"} or not words[1].startswith("/"):
            return self._refuse(400)
        headers: dict[str, str] = {}
        for one in fields:
            name, colon, value = one.partition(":")
            if not colon or not name or name != name.strip() or name.lower() in headers:
                return self._refuse(400)  # repeated names, too: nothing that we need may stand twice
            headers[name.lower()] = value.strip()
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers:
            return self._refuse(501)
        if not (length.isascii() and length.isdigit()):
            return self._refuse(400)
        if len(length) > 9 or int(length) > BODY_MAX:
            return self._refuse(413)
        path, _, query = words[1].partition("?")
        self._request = Request(method=words[0], path=path, query=query, headers=headers)
        self._length = int(length)
        self._keep = words[2] == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        if self._send is not None and self._send.cut is Cut.HEADERS:
            return self._cut()
        return True

    def _body(self, request: Request) -> bool:
        """Read the body and hand the request over; False: it is not all there, or the connection is being closed."""
        if self._send is not None and self._send.cut is Cut.BODY and len(self._buffer) * 2 >= self._length:
            return self._cut()
        if len(self._buffer) < self._length:
            return False
        request.body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._busy = True
        self._handler.handle(self, request, self._send)
        return True

    # -- writing ------------------------------------------------------------------------------------------------

    def answer(self, answer: Answer) -> None:
        """Write the answer, or the part of it that a fault allows."""
        send, cut = self._send, self._send.cut if self._send is not None else Cut.NONE
        if cut is Cut.STATUS:
            self._cut()
            return
        keep = self._keep and cut is Cut.NONE
        head = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}", f"content-length: {len(answer.body)}"]
        if answer.body:
            head.append(f"content-type: {answer.content_type}")
        head += [f"{name}: {value}" for name, value in answer.headers]
        if not self._keep:
            head.append("connection: close")
        data = ("\r\n".join(head) + "\r\n\r\n").encode() + answer.body
        self._request, self._send, self._busy = None, None, False
        if send is not None:
            self._handler.ended(send, "cut" if cut is Cut.ANSWER else "answered", answer.status)
        if self._transport is None:
            return
        self._transport.write(data[: len(data) // 2] if cut is Cut.ANSWER else data)
        if not keep:
            self._transport.close()
            return
        if self._buffer:  # the next request came with this one
            asyncio.get_running_loop().call_soon(self._advance)

    def close_now(self, how: str = "hung") -> None:
        """Close without an answer."""
        send, self._send = self._send, None
        if send is not None:
            self._handler.ended(send, how, 0)
        if self._transport is not None:
            if self._handler.resets:
                _linger_not(self._transport.get_extra_info("socket"))
            self._transport.abort()

    def _cut(self) -> bool:
        self.close_now("cut")
        return False

    def _refuse(self, status: int) -> bool:
        self._keep = False
        self.answer(Answer(status=status))
        return False


def _linger_not(sock: Any) -> None:
    """Make the close of this socket a reset: the other side sees ECONNRESET instead of an end."""
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
