"""HTTP calls to carriers over libcurl: one pool of connections, many calls at once, and the knowledge whether bytes left.

Used by one thread. libcurl does its work outside the interpreter's lock, so that it goes on beside a transaction that computes
(docs/decisions/carrier-calls.md has the figures).
"""

from __future__ import annotations

import ipaddress
import select
import socket
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import certifi
import pycurl

from bellwire.domain.addresses import is_private
from bellwire.errors import CarrierError, Unanswered, Unreachable
from bellwire.model import HttpAnswer, HttpCall

CONNECT_S = 3.05
TOTAL_S = 15.0
BODY_MAX = 64 * 1024
USER_AGENT = "Bellwire"

_IDLE_S = 20  # a connection that was not used for so long is not used again: its other end may have closed it
_KEPT = 512  # connections that stay open between calls
_MANY = 16  # from so many calls under way on, answers that come close together are taken together:
_GATHER_S = 0.001
_LOOK_S = 0.05  # the longest we wait for a socket to speak while calls are under way
_DEAF_S = 0.01  # the same where the system has no epoll and nobody can wake us

#: libcurl's codes in words that hold no address.
_WORDS = {
    pycurl.E_URL_MALFORMAT: "the URL can't be read",
    pycurl.E_COULDNT_RESOLVE_HOST: "the name does not resolve",
    pycurl.E_COULDNT_CONNECT: "no connection",
    pycurl.E_OPERATION_TIMEDOUT: "no answer in time",
    pycurl.E_SSL_CONNECT_ERROR: "no TLS connection",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate is not good",
    pycurl.E_GOT_NOTHING: "closed without an answer",
    pycurl.E_SEND_ERROR: "cut while sending",
    pycurl.E_RECV_ERROR: "cut before the answer was whole",
    pycurl.E_PARTIAL_FILE: "cut before the answer was whole",
    pycurl.E_ABORTED_BY_CALLBACK: "cut after the request was written",
}

Key = TypeVar("Key")


class Wire(Generic[Key]):
    """The calls under way. `begin` starts one under a key, `turn` brings what has ended.

    `leaves` gets a call's key when its connection stands, just before the first byte of the request may leave.
    """

    def __init__(
        self, *, allow_private: bool, leaves: Callable[[Key], object] = lambda _: None, ears: bool = hasattr(select, "epoll")
    ) -> None:
        self._allow_private, self._leaves = allow_private, leaves
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, _KEPT)
        self._free: list[_Slot[Key]] = []
        self._busy: dict[pycurl.Curl, tuple[_Slot[Key], Key]] = {}
        self._epoll = select.epoll() if ears else None
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)
        if self._epoll is not None:
            self._epoll.register(self._bell.fileno(), select.EPOLLIN)

    def __len__(self) -> int:
        return len(self._busy)

    def wake(self) -> None:
        """End a `turn` that waits; from any thread."""
        try:
            self._rope.send(b"\0")
        except OSError:  # it is ringing already, or closed
            return

    def begin(self, call: HttpCall, key: Key) -> None:
        """Start a call. Raises Unreachable when it can't be made at all."""
        if not self._allow_private and not call.url.lower().startswith("https://"):
            raise Unreachable("carriers are called over https")
        slot = self._free.pop() if self._free else _Slot(self._hear, self._leaves, allow_private=self._allow_private)
        try:
            slot.load(call, key)
        except (pycurl.error, UnicodeError, TypeError) as e:
            self._free.append(slot)
            raise Unreachable("the call can't be made: its URL or a header can't be sent") from e
        self._busy[slot.handle] = slot, key
        self._multi.add_handle(slot.handle)

    def turn(self, wait_s: float) -> list[tuple[Key, HttpAnswer | CarrierError]]:
        """What ended; waits up to `wait_s` seconds until something does, or until woken."""
        self._multi.perform()
        ended = self._ended()
        if not ended:
            self._listen(wait_s)
            self._multi.perform()
            ended = self._ended()
        return ended

    def close(self) -> None:
        """Cut what is under way and close the connections."""
        for handle in list(self._busy):
            self._multi.remove_handle(handle)
        self._busy.clear()
        self._free.clear()
        self._multi.close()
        if self._epoll is not None:
            self._epoll.close()
        self._bell.close()
        self._rope.close()

    def _hear(self, descriptor: int) -> None:
        """A socket is new. We are told once of each change: libcurl then reads all there is, or asks to be called again."""
        if self._epoll is not None:
            self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def _listen(self, wait_s: float) -> None:
        if self._busy:
            asked_ms = self._multi.timeout()
            wait_s = min(wait_s, _LOOK_S, asked_ms / 1000 if asked_ms >= 0 else _LOOK_S)
        if self._epoll is None:
            self._multi.select(min(wait_s, _DEAF_S)) if self._busy else time.sleep(min(wait_s, _DEAF_S))
        else:
            self._epoll.poll(max(0.0, wait_s), 64)
            if len(self._busy) >= _MANY:
                time.sleep(_GATHER_S)
        try:
            self._bell.recv(4096)
        except BlockingIOError:
            return

    def _ended(self) -> list[tuple[Key, HttpAnswer | CarrierError]]:
        ended: list[tuple[Key, HttpAnswer | CarrierError]] = []
        more = len(self._busy)
        while more:
            more, good, bad = self._multi.info_read()
            for handle in good:
                slot, key = self._taken(handle)
                ended.append((key, slot.answer()))
            for handle, code, _ in bad:
                slot, key = self._taken(handle)
                ended.append((key, slot.failed(code)))
        return ended

    def _taken(self, handle: pycurl.Curl) -> tuple[_Slot[Key], Key]:
        self._multi.remove_handle(handle)
        slot, key = self._busy.pop(handle)
        self._free.append(slot)
        return slot, key


class _Slot(Generic[Key]):
    """One libcurl handle, used for one call after another, and what its call has brought so far."""

    _key: Key

    def __init__(self, hear: Callable[[int], None], leaves: Callable[[Key], object], *, allow_private: bool) -> None:
        self._hear, self._leaves = hear, leaves
        self._written = False
        self._lines: list[bytes] = []
        self._parts: list[bytes] = []
        self._left = BODY_MAX
        self.handle = handle = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROXY, ""),  # the environment's is not asked
            (pycurl.CAINFO, certifi.where()),
            (pycurl.CONNECTTIMEOUT_MS, int(CONNECT_S * 1000)),
            (pycurl.TIMEOUT_MS, int(TOTAL_S * 1000)),
            (pycurl.MAXAGE_CONN, _IDLE_S),
            (pycurl.USERAGENT, USER_AGENT),
            (pycurl.SOCKOPTFUNCTION, self._opened),
            (pycurl.PREREQFUNCTION, self._about_to_write),
            (pycurl.HEADERFUNCTION, self._lines.append),
            (pycurl.WRITEFUNCTION, self._took),
        ):
            handle.setopt(option, value)
        if not allow_private:
            handle.setopt(pycurl.OPENSOCKETFUNCTION, _public_socket)

    def load(self, call: HttpCall, key: Key) -> None:
        """Make it this call's. Raises pycurl.error, UnicodeError, TypeError."""
        self._key, self._written, self._left = key, False, BODY_MAX
        self._lines.clear()
        self._parts.clear()
        handle = self.handle
        handle.setopt(pycurl.URL, call.url.encode("ascii"))
        if call.body or call.method == "POST":
            handle.setopt(pycurl.POSTFIELDS, call.body)
        else:
            handle.setopt(pycurl.HTTPGET, 1)
        handle.setopt(pycurl.CUSTOMREQUEST, call.method)
        handle.setopt(pycurl.HTTPHEADER, [b"Expect:", *(_header(name, value) for name, value in call.headers.items())])

    def answer(self) -> HttpAnswer:
        """What came back, whole or cut at BODY_MAX."""
        headers: dict[str, str] = {}
        for line in self._lines:
            if line.startswith(b"HTTP/"):  # an interim answer (100, 103) went before this one
                headers.clear()
                continue
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        return HttpAnswer(status=int(self.handle.getinfo(pycurl.RESPONSE_CODE)), headers=headers, body=b"".join(self._parts))

    def failed(self, code: int) -> HttpAnswer | CarrierError:
        """What a call's failure means: nothing left this machine, or something may have."""
        if code == pycurl.E_WRITE_ERROR and self._left == 0:
            return self.answer()  # it was we who stopped reading
        words = _WORDS.get(code, f"libcurl's error {code}")
        return Unanswered(words) if self._written else Unreachable(words)

    def _opened(self, descriptor: int, _purpose: int) -> int:
        self._hear(descriptor)
        return int(pycurl.SOCKOPT_OK)

    def _about_to_write(self, *_connection: Any) -> int:
        """Called with a connection that stands, before the first byte of the request.

        A second time: libcurl means to repeat what it wrote to a kept connection that was closed without an answer. The carrier
        may have taken it: it is not sent twice.
        """
        if self._written:
            return int(pycurl.PREREQFUNC_ABORT)
        self._leaves(self._key)
        self._written = True
        return int(pycurl.PREREQFUNC_OK)

    def _took(self, data: bytes) -> int:
        part = data[: self._left]
        self._parts.append(part)
        self._left -= len(part)
        return len(data) if len(part) == len(data) else 0


def _public_socket(_purpose: int, address: Any) -> Any:
    """The address that is really connected to is the one that is checked: a name cannot change its mind in between."""
    family, kind, protocol, target = address
    if family not in (socket.AF_INET, socket.AF_INET6) or is_private(ipaddress.ip_address(target[0])):
        return pycurl.SOCKET_BAD
    return socket.socket(family, kind, protocol)


def _header(name: str, value: str) -> bytes:
    """One header line. Raises UnicodeError for what would end it early."""
    line = f"{name}: {value}" if value else f"{name};"
    if not line.isprintable():
        raise UnicodeError("a control character in a header")
    return line.encode()
