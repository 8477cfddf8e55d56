"""The serving process: writer, web, then pump and jobs, made after the fork and drained before the end."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing.util
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellwire import config as settings
from bellwire.engine.process import Process
from bellwire.errors import ConfigInvalid

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger("bellwire.serve")

_PR_SET_PDEATHSIG = 1
_LOOK_S, _ORPHAN_S = 0.25, 2.0


def start(*, demo: bool = False) -> Flask:
    """Start the engine in this process and make its web application. `demo`: with the demo's page at `/`."""
    parent = os.getppid()
    die_with_parent(parent)
    try:
        config = settings.load(os.environ, Path.cwd())
        process = Process(config, kind="serve")
        process.open()
    except ConfigInvalid as e:
        sys.stderr.write(f"{e}\n")
        sys.exit(2)
    # granian's children end without atexit: only multiprocessing's own finalizers run
    multiprocessing.util.Finalize(None, process.drain, exitpriority=100)
    from bellwire_web.app import create_app  # after the engine: a bad setting is told before the web loads

    app = create_app(process)
    if demo:
        from bellwire_web import demo_page  # nothing of it is there in a plain serve

        demo_page.mount(app, process)
    process.begin()
    log.info("serving", extra={"pid": os.getpid()})
    return app


def die_with_parent(parent: int) -> None:
    """End when the process that the person sees is gone: by SIGTERM, so that what is quick is finished, and soon in any case.

    Whoever killed it wants an end, and the next one waits for our lock; a carrier may let us wait for half a minute.
    """
    linux = sys.platform == "linux"
    if linux:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        if not linux:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_ORPHAN_S)
        os._exit(os.EX_SOFTWARE)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    if linux and os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
