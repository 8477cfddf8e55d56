"""Connections that check where they lead and end in time: below requests and urllib3, where nothing can get round them.

The address that is connected to is the one that was checked, so that a name cannot change its mind in between; and one clock
counts from the call's start to the last byte of its answer, whatever trickles in meanwhile.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager

from bellwire.domain.addresses import is_private

Resolve = Callable[..., Sequence[tuple[Any, ...]]]  # as socket.getaddrinfo

#: When the call under way in this thread must be over, monotonic seconds. Set by the session.
ENDS: ContextVar[float] = ContextVar("bellwire_call_ends", default=float("inf"))

_ADDRESSES = 3  # of one name that are tried within the time for connecting
_HOSTS = 64  # that connections are kept for
_KEPT = 16  # connections a host


class AddressPrivate(NewConnectionError):
    """Every address of the name is a private one."""


class Adapter(HTTPAdapter):
    """A requests adapter whose connections are guarded. Shared by many sessions."""

    def __init__(self, *, allow_private: bool, resolve: Resolve | None = None) -> None:
        self._allow_private, self._resolve = allow_private, resolve
        super().__init__(pool_connections=_HOSTS, pool_maxsize=_KEPT)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        """Called by requests."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **more)
        self.poolmanager.pool_classes_by_scheme = _pools(self._allow_private, self._resolve)


class _Timed(io.RawIOBase):
    """A socket's bytes until `ends`; then TimeoutError, also for a sender that never stops."""

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock, self._ends = sock, ends
        self._longest_s = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Some bytes."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left if self._longest_s is None else min(left, self._longest_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let the socket go."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer whose status line, headers and body share the call's end."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        plain = self.fp
        self.fp = io.BufferedReader(_Timed(sock, ENDS.get()))
        plain.close()


def _open(connection: HTTPConnection, host: str, *, allow_private: bool, resolve: Resolve | None) -> socket.socket:
    """A connected socket to a permitted address of the connection's host."""
    connect_s = connection.timeout if isinstance(connection.timeout, int | float) else 60.0
    ends = min(time.monotonic() + connect_s, ENDS.get())
    try:
        found = (resolve or socket.getaddrinfo)(host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise NameResolutionError(connection.host, connection, socket.gaierror(str(e))) from e
    allowed = [one for one in found if allow_private or not is_private(ipaddress.ip_address(one[4][0]))]
    if not allowed:
        raise AddressPrivate(connection, "the name leads to a private address" if found else "the name has no address")
    failed: OSError | None = None
    for family, kind, protocol, _, address in allowed[:_ADDRESSES]:
        left = ends - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(left)
            sock.connect(address)
        except OSError as e:
            sock.close()
            failed = e
        else:
            sock.settimeout(max(ends - time.monotonic(), 0.01))  # what is left is for the TLS handshake
            return sock
    if failed is None or isinstance(failed, TimeoutError):
        raise ConnectTimeoutError(connection, "connecting took too long") from failed
    raise NewConnectionError(connection, f"not connected: {type(failed).__name__}") from failed


def _pools(allow_private: bool, resolve: Resolve | None) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools over guarded connections."""

    class Plain(HTTPConnection):
        response_class = _Response

        def _new_conn(self) -> socket.socket:
            return _open(self, self._dns_host, allow_private=allow_private, resolve=resolve)

    class Secure(HTTPSConnection):
        response_class = _Response

        def _new_conn(self) -> socket.socket:
            return _open(self, self._dns_host, allow_private=allow_private, resolve=resolve)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
