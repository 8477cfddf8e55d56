"""The simulator's calls to Bellwire: a few kept-alive connections, bounded retries, loopback only unless told otherwise."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .wire import Callback

CONNECTIONS = 32
MOST_WAITING = 500_000
TIMEOUT_S = 15.0
_LONGEST_WAIT_S = 30.0
_HEAD_MAX = 64 * 1024

_Origin = tuple[str, str, int]


@dataclass(slots=True)
class _Job:
    make: Callable[[], Callback]  # made at each try, so that its timestamp is fresh
    attempts: int
    counts: dict[str, int]  # those of its time: a reset begins new ones
    tried: int = 0


class Courier:
    """Delivers callbacks. `allow_remote`: also to hosts off this machine."""

    def __init__(self, *, allow_remote: bool = False) -> None:
        self._allow_remote = allow_remote
        self._queue: asyncio.Queue[_Job] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._idle: defaultdict[_Origin, deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = defaultdict(deque)
        self._timers = 0
        self.counts = _none()

    def waiting(self) -> int:
        """Callbacks that are due, or to be tried again later."""
        return self._queue.qsize() + self._timers

    def soon(self, make: Callable[[], Callback], attempts: int) -> None:
        """Deliver in turn, trying again on 5xx, 429 and no answer."""
        if self.waiting() >= MOST_WAITING:
            self.counts["dropped"] += 1
            return
        self._put(_Job(make, attempts, self.counts))

    async def now(self, make: Callable[[], Callback], attempts: int = 1) -> int:
        """Deliver at once; the HTTP status, 0 for none. Tries that may follow are made in the background."""
        return await self._try(_Job(make, attempts, self.counts))

    def forget(self) -> None:
        """Drop what waits, and count from zero."""
        self._queue = asyncio.Queue()
        self._stop_workers()
        self._timers, self.counts = 0, _none()

    async def close(self) -> None:
        """Stop, whatever waits."""
        await asyncio.gather(*self._stop_workers(), return_exceptions=True)
        for pool in self._idle.values():
            for _, writer in pool:
                writer.close()
        self._idle.clear()

    def _stop_workers(self) -> list[asyncio.Task[None]]:
        stopped, self._workers = self._workers, []
        for worker in stopped:
            worker.cancel()
        return stopped

    def _due(self, job: _Job) -> None:
        if job.counts is self.counts:  # not forgotten meanwhile
            self._timers -= 1
            self._put(job)

    def _put(self, job: _Job) -> None:
        self._queue.put_nowait(job)
        if len(self._workers) < CONNECTIONS:
            self._workers.append(asyncio.get_running_loop().create_task(self._work()))

    async def _work(self) -> None:
        while True:
            await self._try(await self._queue.get())

    async def _try(self, job: _Job) -> int:
        callback = job.make()
        origin, allowed = _origin(callback.url, allow_remote=self._allow_remote)
        if not allowed:
            job.counts["forbidden"] += 1
            return 0
        job.counts["tried"] += 1
        job.tried += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status = await self._post(origin, callback)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            status = 0
        if 200 <= status < 300:
            job.counts["ok"] += 1
        elif (status == 0 or status == 429 or status >= 500) and job.tried < job.attempts and job.counts is self.counts:
            self._timers += 1
            asyncio.get_running_loop().call_later(min(0.5 * 2**job.tried, _LONGEST_WAIT_S), self._due, job)
        else:
            job.counts["given_up"] += 1
        return status

    async def _post(self, origin: _Origin, callback: Callback) -> int:
        parts = urlsplit(callback.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(callback.body)}"]
        lines += [f"{name}: {value}" for name, value in callback.headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode() + callback.body
        pool = self._idle[origin]
        while pool:
            reader, writer = pool.popleft()
            if writer.is_closing() or reader.at_eof():
                continue
            try:
                return await self._exchange(origin, reader, writer, data)
            except (ConnectionError, asyncio.IncompleteReadError):
                continue  # the other side had just closed the kept connection
        scheme, host, port = origin
        reader, writer = await asyncio.open_connection(host, port, ssl=scheme == "https" or None, limit=_HEAD_MAX)
        return await self._exchange(origin, reader, writer, data)

    async def _exchange(self, origin: _Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> int:
        keep = False
        try:
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head[9:12])
            _, found, length = head.partition("\r\ncontent-length:")
            if found:
                await reader.readexactly(min(int(length.partition("\r\n")[0]), 1 << 20))
            keep = bool(found) and "\r\nconnection: close" not in head
        finally:
            if keep:
                self._idle[origin].append((reader, writer))
            else:
                writer.close()
        return status


def _none() -> dict[str, int]:
    return {"tried": 0, "ok": 0, "given_up": 0, "forbidden": 0, "dropped": 0}


def _origin(url: str, *, allow_remote: bool) -> tuple[_Origin, bool]:
    """Where a URL leads, and whether we may go there."""
    try:
        parts: Any = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return ("", "", 0), False
    return (parts.scheme, host, port), bool(host) and parts.scheme in {"http", "https"} and (allow_remote or is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine: `localhost` or a loopback address. Nothing is looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
