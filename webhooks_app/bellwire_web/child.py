"""The serving process: writer, web, then pump and jobs, made after the fork and drained before the end."""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bellwire import config as settings
from bellwire.engine.process import Process

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger("bellwire.serve")


def start(*, demo: bool = False) -> Flask:
    """Start the engine in this process and make its web application. `demo`: with the demo's page at `/`.

    What goes wrong is told, and ends the process, as in every command.
    """
    try:
        config = settings.load(os.environ, Path.cwd())
        process = Process(config, kind="serve")
        process.open()
    except Exception as e:  # as the command line does it, whose process this is
        from bellwire.cli import told  # most starts need none of it

        sys.exit(told(e, debug=bool(os.environ.get("BELLWIRE_DEBUG"))))
    # granian's children end without atexit: only multiprocessing's own finalizers run
    multiprocessing.util.Finalize(None, process.drain, exitpriority=100)
    from bellwire_web.app import create_app  # after the engine: a bad setting is told before the web loads

    app = create_app(process)
    if demo:
        from bellwire_web import demo_page  # nothing of it is there in a plain serve

        demo_page.mount(app, process)
    begin(process)
    log.info("serving", extra={"pid": os.getpid()})
    return app


def begin(process: Process) -> None:
    """Let it work. From here on there is something to drain: a signal that comes before granian takes them is a SystemExit."""
    heard: list[int] = []
    working = False

    def end(number: int, _frame: object) -> None:
        heard.append(number)
        if working and len(heard) == 1:
            sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    process.begin()
    working = True
    if heard:
        sys.exit(0)
