"""The server of accept.py: python accept_server.py PORT durable|noop. With `noop` the writer says "stored" and stores nothing."""

from __future__ import annotations

import os
import sys
from typing import Any

from granian import Granian
from granian.constants import Interfaces


def load(_target: str) -> object:
    from bellwire.store.writer import Group, Writer
    from bellwire_web.child import start

    if sys.argv[2] == "noop":

        def nothing(_self: Writer, _group: Group[Any], item: Any, **_more: Any) -> list[bool]:
            return [True] * len(item)

        Writer.run_in = nothing  # type: ignore[method-assign,assignment]  # the one line that is measured away
    return start()


if __name__ == "__main__":
    server = Granian(
        "bench",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=16,
        runtime_threads=1,
        websockets=False,
        log_enabled=False,
    )
    os.environ.setdefault("BELLWIRE_LOG_LEVEL", "error")
    server.serve(target_loader=load)
