"""Waits until somebody asks the process to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable


def stop_signal(*numbers: signal.Signals) -> Callable[[], None]:
    """Take these signals from now on; what is returned waits for the first of them. To be called in the main thread.

    The kernel may hand a signal to any thread. A main thread that waits for an Event is not woken then, and the handler, which
    Python runs in the main thread only, never runs; the wake-up descriptor is written to in every case.
    """
    heard, bell = socket.socketpair()
    bell.setblocking(False)
    signal.set_wakeup_fd(bell.fileno())
    for number in numbers:
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        heard.recv(1)
        signal.set_wakeup_fd(-1)
        heard.close()
        bell.close()

    return wait
