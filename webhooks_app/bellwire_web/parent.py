"""The process a person sees: it listens, starts the children and passes signals on. Run as a script, so that it stays thin.

It imports granian and nothing of ours: what serves is imported in the child, after the fork, where threads may start.
"""

import ctypes
import gc
import mmap
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import Interfaces

_PR_SET_PDEATHSIG = 1
_LIBC: Any = ctypes.CDLL(None)  # before the fork: a child has no time for that
_ENDS = (signal.SIGTERM, signal.SIGINT)
_LOOK_S, _ORPHAN_S = 0.25, 2.0


def main() -> None:
    """Serve until SIGTERM. Arguments: host, port, workers, threads, and perhaps `demo PID`: with the demo's page, for that demo."""
    host, port, workers, threads = sys.argv[1], *map(int, sys.argv[2:5])
    demo = sys.argv[5:6] == ["demo"]
    if demo:
        die_with(int(sys.argv[6]))
    multiprocessing.set_start_method("fork")  # everywhere: a child has what its parent has, and no time in between
    children_die_with_us()
    ended = mmap.mmap(-1, 1)  # shared with the children: how one that could not start has ended
    first, mark = os.pipe()  # the child that reads the mark is the one that says where we serve
    os.set_blocking(first, False)
    os.write(mark, b"." if not demo else b"")
    server = Granian(
        "bellwire",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        runtime_threads=1,
        backlog=1024,
        backpressure=max(64, threads * 4),
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=workers > 1,
        workers_kill_timeout=40,
    )
    try:
        server.serve(
            target_loader=partial(load, os.getpid(), demo, ended, partial(say_where, first, host, port)), wrap_loader=False
        )
    except SystemExit:
        # granian counts a child that a signal to all of us ended before we did as one that failed
        if not server.interrupt_signal:
            sys.exit(ended[0] or 1)


def load(parent: int, demo: bool, ended: mmap.mmap, serving: Callable[[], None]) -> Callable[..., Any]:
    """In the child: import and start everything that serves. `ended` gets the exit code when that fails."""
    threading.Thread(target=outlive_briefly, args=(parent,), name="parent-watch", daemon=True).start()
    gc.disable()  # a tenth of the start would go into looking through modules of which nothing is garbage
    from bellwire_web.child import start  # the parent must not import it

    try:
        app = start(demo=demo)
    except SystemExit as e:
        ended[0] = e.code if isinstance(e.code, int) else 1
        raise
    gc.enable()
    threading.Thread(target=serving, name="serving", daemon=True).start()
    return app


def say_where(first: int, host: str, port: int) -> None:
    """Say once where we serve, when it is so: the server listens some time after everything is loaded."""
    try:
        if not os.read(first, 1):
            return
    except BlockingIOError:
        return
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.01)
    sys.stderr.write(f"Serving on http://{f'[{host}]' if ':' in host else host}:{port}. Stop with Ctrl-C.\n")


# -- the end ------------------------------------------------------------------------------------------------------


def children_die_with_us() -> None:
    """Make every child, from its first moment on, one that ends with this process and by SIGTERM.

    A child has its parent's handlers until granian sets its own, after everything is loaded: a signal to it would only be noted.
    Until there is something to drain (`child.start`), it ends where it stands instead. Signals wait while the process is forked.
    """
    parent, kept = os.getpid(), None

    def before() -> None:
        nonlocal kept
        kept = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS) if os.getpid() == parent else None

    def in_parent() -> None:
        if kept is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, kept)

    def in_child() -> None:
        if kept is None:  # a child's child
            return
        for number in _ENDS:
            signal.signal(number, signal.SIG_DFL)
        die_with(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)


def die_with(parent: int) -> None:
    """Get SIGTERM when `parent` ends, whose child this process is; end at once when it is gone."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(os.EX_SOFTWARE)


def outlive_briefly(parent: int) -> None:
    """End when the process that the person sees is gone: by SIGTERM, so that what is quick is finished, and soon in any case.

    Whoever killed it wants an end, and the next one waits for our lock; a carrier may let us wait for half a minute.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    if sys.platform != "linux":
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHAN_S)
    os._exit(os.EX_SOFTWARE)


if __name__ == "__main__":
    main()
