"""The whole way: signed orders in, texts out, a receipt for each, and the status on each order: python benchmarks/whole.py

One server process takes the orders at full speed, calls the simulated carrier, hears its receipts and writes back to a made-up
shop. Says also what the server's memory came to, and on PostgreSQL that of a `bellwire work` that sends TEXTS at full speed. COUNT,
TEXTS, ROUNDS, DATABASES change the size.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import accept
import delivery
import rig
import sqlalchemy as sa
from bellwire.store import schema

COUNT = int(os.environ.get("COUNT", "3000"))
TEXTS = int(os.environ.get("TEXTS", "20000"))
SHOP = """
from bellwire_web.demo_shop import DemoShop
import sys
print(DemoShop().url, flush=True)
sys.stdin.read()
"""


def main() -> None:
    for database in rig.DATABASES:
        whole, memory = [], []
        for _ in range(rig.ROUNDS):
            rate, megabytes = _run(database)
            whole.append(rate)
            memory.append(megabytes)
        rig.report(f"{database}: order to status on the order, a receipt each", whole, "msg/s")
        rig.report(f"{database}: memory of the server at full load", memory, "MB", "<= 120")
        if database == "postgresql":
            rig.report("work: memory at full load", [_worker() for _ in range(rig.ROUNDS)], "MB", "<= 120")


def _run(database: str) -> tuple[float, float]:
    port = rig.free_port()
    with (
        _shop() as shop,
        rig.simulated_carrier("--latency-ms", "20", "--dlr", "once", "--dlr-delay-ms", "50") as carrier,
        rig.site(database, carrier_url=carrier, write_back="final", shop_url=shop, port=port) as site,
    ):
        orders = rig.signed_orders(site, COUNT)
        with accept.serving(site, "durable", port):
            began = time.perf_counter()
            accept._load(port, site, orders)
            while _written(site) < COUNT:
                if time.perf_counter() - began > 120:
                    raise RuntimeError(f"{_written(site)} of {COUNT} statuses stand on their orders")
                time.sleep(0.05)  # to look is work for the same database
            return COUNT / (time.perf_counter() - began), _peak_of_children()


def _worker() -> float:
    """The most memory that a worker used while it sent, in MB."""
    with (
        rig.simulated_carrier("--latency-ms", "20", "--dlr", "none") as carrier,
        rig.site("postgresql", carrier_url=carrier) as site,
    ):
        delivery._send(site, TEXTS)
        worker = subprocess.Popen(rig.bellwire("work"), env={**os.environ, **site.environ})
        try:
            began = time.perf_counter()
            while (left := delivery._waiting(site)) and time.perf_counter() - began < 300:
                time.sleep(0.2)  # to look is work for the same database
            if left:
                raise RuntimeError(f"{left} of {TEXTS} texts still wait")
            return _peak(worker.pid)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(40)


def _peak(pid: int) -> float:
    """The most memory that a process used so far, in MB, with what it shares."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def _shop() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", SHOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("no output")
        yield process.stdout.readline().strip()
        process.stdin.close()


def _written(site: rig.Site) -> int:
    """How many statuses were written back and acknowledged."""
    w = schema.write_backs.c
    with site.engine.store.engine.connect() as connection:
        done = sa.select(sa.func.count()).select_from(schema.write_backs).where(w.status == schema.JOB_DONE)
        return int(connection.execute(done).scalar() or 0)


def _peak_of_children() -> float:
    """The most memory that the server's process used, in MB: of our children's children the largest."""
    peaks = []
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        if "accept_server" not in Path(f"/proc/{child}/cmdline").read_text():
            continue
        for one in [child, *Path(f"/proc/{child}/task/{child}/children").read_text().split()]:
            peaks.append(_peak(int(one)))
    return max(peaks, default=0.0)


if __name__ == "__main__":
    main()
