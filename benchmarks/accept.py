"""Durable webhook accept against the same handler whose store writes nothing: python benchmarks/accept.py

A real server process on one side, signed orders over keep-alive connections on the other. COUNT, ROUNDS, DATABASES change the size.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import rig
from bellwire.model import WebhookRequest

COUNT = int(os.environ.get("COUNT", "3000"))
CONNECTIONS = 16
SERVER = Path(__file__).with_name("accept_server.py")


def main() -> None:
    for database in rig.DATABASES:
        durable, empty, p99, stolen = [], [], [], list[float]()
        with rig.site(database, delay_s=86_400) as site:
            orders = rig.signed_orders(site, COUNT * 3 * rig.ROUNDS)
            batches = iter([orders[start : start + COUNT] for start in range(0, len(orders), COUNT)])
            for _ in range(rig.ROUNDS):
                with serving(site, "noop") as port:
                    empty.append(_load(port, site, next(batches)))
                with serving(site, "durable") as port:
                    durable.append(_load(port, site, next(batches)))
            half = rig.statistics.median(durable) / 2
            for _ in range(rig.ROUNDS):
                with serving(site, "durable") as port, rig.stolen(stolen):
                    p99.append(_paced(port, site, next(batches), half))
        rig.report(f"{database}: accept, store writes nothing", empty, "req/s")
        rig.report(f"{database}: accept, durable", durable, "req/s")
        rig.report(
            f"{database}: durable / nothing written", [a / b for a, b in zip(durable, empty, strict=True)], "ratio", ">= 0.70"
        )
        rig.report(f"{database}: accept p99 at half load", p99, "ms", "<= 25")
        rig.report(f"{database}: CPU time that the host gave to others meanwhile", stolen, "%")


@contextmanager
def serving(site: rig.Site, mode: str, port: int = 0) -> Iterator[int]:
    """A server process on the site's database; its port."""
    port = port or rig.free_port()
    command = [sys.executable, str(SERVER), str(port), mode]
    process = subprocess.Popen(command, env={**os.environ, **site.environ}, stderr=subprocess.PIPE)
    try:
        ends = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                if time.monotonic() > ends or process.poll() is not None:
                    raise RuntimeError(process.stderr.read().decode() if process.stderr else "") from None
                time.sleep(0.05)  # between two tries: the process is coming up
        time.sleep(0.5)  # what follows its start, the worker's row for one, is not what is measured
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def raw_requests(port: int, path: str, requests: Sequence[WebhookRequest]) -> list[bytes]:
    """The bytes of POSTs over a connection that stays open."""
    made = []
    for one in requests:
        headers = "".join(f"{name}: {value}\r\n" for name, value in one.headers.items() if name != "content-length")
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}Content-Length: {len(one.body)}\r\n\r\n"
        made.append(head.encode() + one.body)
    return made


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> None:
    """Send one and read its answer. Raises RuntimeError for any but 200."""
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.split(b"\r\n")[0].decode())
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(length)


def _load(port: int, site: rig.Site, requests: Sequence[WebhookRequest]) -> float:
    """Requests a second with all connections busy."""
    raw = raw_requests(port, site.webhook_path, requests)

    async def run() -> float:
        warm, rest = raw[: CONNECTIONS * 4], iter(raw[CONNECTIONS * 4 :])
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
        for number, one in enumerate(warm):
            await post(*pairs[number % CONNECTIONS], one)

        async def worker(pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
            for one in rest:
                await post(*pair, one)

        started = time.perf_counter()
        await asyncio.gather(*(worker(pair) for pair in pairs))
        took = time.perf_counter() - started
        for _, writer in pairs:
            writer.close()
        return (len(raw) - len(warm)) / took

    return asyncio.run(run())


def _paced(port: int, site: rig.Site, requests: Sequence[WebhookRequest], per_second: float) -> float:
    """The 99th percentile in ms when requests come evenly, each measured from when it was due."""
    raw = raw_requests(port, site.webhook_path, requests)

    async def run() -> float:
        free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        warm, rest = raw[: CONNECTIONS * 4], raw[CONNECTIONS * 4 :]
        for number in range(CONNECTIONS):
            pair = await asyncio.open_connection("127.0.0.1", port)
            for one_warm in warm[number::CONNECTIONS]:  # the first requests load what is loaded on first use
                await post(*pair, one_warm)
            free.put_nowait(pair)
        times: list[float] = []

        async def one(raw_one: bytes, due: float) -> None:
            pair = await free.get()
            await post(*pair, raw_one)
            times.append((time.perf_counter() - due) * 1000)
            free.put_nowait(pair)

        began, tasks = time.perf_counter(), []
        for number, raw_one in enumerate(rest):
            due = began + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(raw_one, due)))
        await asyncio.gather(*tasks)
        return sorted(times)[int(len(times) * 0.99)]

    return asyncio.run(run())


if __name__ == "__main__":
    main()
