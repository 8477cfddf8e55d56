"""Whoever asks a process to end is heard, whichever thread the kernel tells."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import signal, sys, threading, time
from bellwire.asked import stop_signal

wait = stop_signal(signal.SIGTERM)
if sys.argv[1] == "another":  # the main thread does not take it: the kernel hands it to the other one
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
wait()
print("asked", flush=True)
"""


@pytest.mark.parametrize("thread", ["main", "another"])
def test_the_signal_is_heard(thread: str) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, thread], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.terminate()
        try:
            assert child.wait(20) == 0
        finally:
            child.kill()
        assert child.stdout.read() == "asked\n"
