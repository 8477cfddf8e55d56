"""One worker process of a proof: what `bellwire work` runs, on SQLite too. Says "ready"; SIGTERM drains it and ends it with 0.

`python -m bellwire.proving.worker`, its settings in the environment.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from bellwire.asked import stop_signal
from bellwire.config import load
from bellwire.engine.process import Process

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until asked to stop."""
    if sys.platform == "linux":  # a proof that is stopped leaves nothing behind
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    wait = stop_signal(signal.SIGTERM)
    process = Process(load(os.environ, Path.cwd()), kind="work")
    process.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    wait()
    process.drain()


if __name__ == "__main__":
    main()
