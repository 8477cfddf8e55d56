"""From the platform's webhook to the carrier's door at low load, and what a process costs: python benchmarks/latency.py"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import accept
import requests
import rig
import sqlalchemy as sa
from bellwire.store import schema

EVENTS = int(os.environ.get("EVENTS", "100"))


def main() -> None:
    for database in rig.DATABASES:
        with rig.simulated_carrier("--latency-ms", "5", "--dlr", "none") as url, rig.site(database, carrier_url=url) as site:
            _latency(database, url, site)
    _footprint()


def _latency(database: str, url: str, site: rig.Site) -> None:
    orders = rig.signed_orders(site, EVENTS + 10)
    with accept.serving(site, "durable") as port, requests.Session() as session:
        posted: dict[str, float] = {}
        for number, order in enumerate(orders):
            began = time.time()
            answer = session.post(
                f"http://127.0.0.1:{port}{site.webhook_path}", data=order.body, headers=dict(order.headers), timeout=10
            )
            answer.raise_for_status()
            if number >= 10:  # the first ones load what is loaded on first use
                posted[answer.json()["events"][0]] = began
            time.sleep(0.05)  # low load: one at a time, with pauses
        time.sleep(0.5)  # the last text's way
    m = schema.messages.c
    with site.engine.store.engine.connect() as connection:
        events = {f"msg_{row.id.hex}": f"evt_{row.event_id.hex}" for row in connection.execute(sa.select(m.id, m.event_id))}
    with urllib.request.urlopen(f"{url}/log") as answer:
        calls = json.load(answer)["calls"]
    began_at = {events[ref]: call["started"] for call in calls for ref in call["refs"] if ref in events}
    took = sorted((began_at[event] - at) * 1000 for event, at in posted.items() if event in began_at)
    if len(took) < EVENTS:
        raise RuntimeError(f"{len(took)} of {EVENTS} texts reached the carrier")
    rig.report(f"{database}: webhook → carrier, p50 at low load", [took[len(took) // 2]], "ms", "<= 15")
    rig.report(f"{database}: webhook → carrier, p99 at low load", [took[int(len(took) * 0.99)]], "ms")


def _footprint() -> None:
    helps, starts, cpu, idle = [], [], [], []
    for _ in range(rig.ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bellwire", "--help"], check=True, capture_output=True)
        helps.append(time.perf_counter() - began)
    with rig.site("sqlite") as site:
        site.engine.store.close()
        for _ in range(rig.ROUNDS):
            seconds, busy, megabytes = _serve(site)
            starts.append(seconds)
            cpu.append(busy)
            idle.append(megabytes)
    rig.report("bellwire --help", helps, "s", "<= 0.4")
    rig.report("serve: ready after", starts, "s", "<= 2")
    rig.report("serve: CPU of all its processes until then", cpu, "s")  # what a busy machine changes less
    rig.report("serve: idle memory of the process tree", idle, "MB", "<= 150")


def _serve(site: rig.Site) -> tuple[float, float, float]:
    """Seconds until it is ready, seconds of CPU until then, MB after two seconds more."""
    port = 18_000 + os.getpid() % 1_000
    began = time.perf_counter()
    process = subprocess.Popen(
        rig.bellwire("serve", "--port", str(port)),
        env={**os.environ, **site.environ},
        stderr=subprocess.DEVNULL,
    )
    while True:
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).status == 200:
                break
        except OSError:
            time.sleep(0.01)  # between two tries: the process is coming up
    ready = time.perf_counter() - began
    pids = [process.pid, *_children(process.pid)]
    busy = sum(map(_cpu, pids))
    time.sleep(2)  # at rest: what runs once after the start is over
    megabytes = sum(map(_rss, pids))
    process.send_signal(signal.SIGTERM)
    process.wait(40)
    return ready, busy, megabytes


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process took so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _rss(pid: int) -> float:
    """Resident memory in MB; what processes share counts for each."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
