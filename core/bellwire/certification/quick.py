"""Is reading quick enough for a platform that waits for the answer?"""

from __future__ import annotations

import time

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, Rule, claim

LIMIT_S = 0.01


def _quick(kit: Kit) -> None:
    for name, request in kit.requests:
        took = []
        for _ in range(5):
            started = time.thread_time()
            kit.read(request)
            took.append(time.thread_time() - started)
        claim(min(took) < LIMIT_S, f"{name}: reading takes {min(took) * 1000:.0f} ms of processor time")


QUICK = Rule("quick", Level.PLATINUM, "Each sample is read within 10 ms.", _quick, needs=("samples",))
