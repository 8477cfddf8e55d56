"""How many write-backs a second leave, with a connector that does nothing: what the machinery itself costs.

    python benchmarks/jobs.py [--url sqlite:///FILE | postgresql://…] [--jobs 5000] [--installations 1]

Without a URL a SQLite file in a temporary folder. A database that is given must be empty.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bellwire.engine.crew import Crew
from bellwire.engine.followups import Change
from bellwire.engine.presence import Presence
from bellwire.engine.writebacks import WriteBacks
from bellwire.model import Status
from bellwire.store import migrate
from standins.desk import Desk, Platform, connector
from standins.shift import TABLES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--installations", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{folder}/bench.db"
        migrate.upgrade(url)
        platform = Platform()
        desk = Desk(url, connector(platform))
        shops = [desk.installation() for _ in range(asked.installations)]
        messages = desk.messages(asked.jobs)
        for first in range(0, asked.jobs, 1_000):
            desk.moved(
                *(
                    Change(
                        message_id=message,
                        status=Status.DELIVERED,
                        at=desk.clock.now(),
                        installation_id=shops[place % len(shops)],
                        subject=f"order/{message.hex}",
                    )
                    for place, message in enumerate(messages[first : first + 1_000])
                )
            )
        presence = Presence(desk.engine, TABLES)
        crew = Crew("bench", desk.engine, WriteBacks(desk.engine), presence)
        presence.step()
        began = time.perf_counter()
        beat = began
        while len(platform.calls) < asked.jobs:
            if time.perf_counter() - beat > 1:
                presence.step()
                beat = time.perf_counter()
            crew.bell.clear()
            if not crew.step():
                crew.bell.wait(0.5)
        took = time.perf_counter() - began
        crew.drain()
        desk.close()
    print(f"{asked.jobs} write-backs of {asked.installations} installation(s): {asked.jobs / took:,.0f} a second")


if __name__ == "__main__":
    main()
