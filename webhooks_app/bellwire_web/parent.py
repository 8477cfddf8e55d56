"""The process a person sees: it listens, starts the children and passes signals on. Run as a script, so that it stays thin.

It imports granian and nothing of ours: what serves is imported in the child, after the fork, where threads may start.
"""

import gc
import sys
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import Interfaces


def load(_target: str) -> Callable[..., Any]:
    """In the child: import and start everything that serves."""
    gc.disable()  # a tenth of the start would go into looking through modules of which nothing is garbage
    from bellwire_web.child import start  # the parent must not import it

    app = start(demo=sys.argv[5:] == ["demo"])
    gc.enable()
    return app


def main() -> None:
    """Serve until SIGTERM. Arguments: host, port, workers, threads, and perhaps `demo`: with the demo's page."""
    host, port, workers, threads = sys.argv[1], *map(int, sys.argv[2:5])
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
    server.serve(target_loader=load)


if __name__ == "__main__":
    main()
