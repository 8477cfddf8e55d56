"""One working process: configuration, store, plugins, engine, pump and jobs, from start to drained."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from datetime import datetime
from pathlib import Path
from typing import IO

from bellwire import logs
from bellwire.config import Config, key_for
from bellwire.engine import cutoffs, deadlines, pending, privacy, replies, sealer, watching
from bellwire.engine.callbacks import Callbacks
from bellwire.engine.crew import Crew
from bellwire.engine.jobs import Jobs, Loop
from bellwire.engine.links import link_to
from bellwire.engine.presence import Presence
from bellwire.engine.pump import Pump
from bellwire.engine.purge import Purge
from bellwire.engine.reconcile import Reconciles
from bellwire.engine.runtime import Engine
from bellwire.engine.writebacks import WriteBacks
from bellwire.errors import ConfigInvalid
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import Store, migrate, schema
from bellwire.store.database import sqlite_path
from bellwire.store.vault import Vault

log = logging.getLogger(__name__)

_LOCK_WAIT_S = 15.0  # the one before us may still be draining


class Process:
    """What `serve` and `work` run in each process; the web's runtime, too."""

    def __init__(self, config: Config, *, kind: str) -> None:
        self.config, self._kind = config, kind
        self._lock: IO[str] | None = None
        self.store: Store
        self.plugins: Plugins
        self.engine: Engine
        self.pump: Pump
        self.jobs: Jobs

    def start(self) -> None:
        """Open everything and begin. Raises ConfigInvalid."""
        self.open()
        self.begin()

    def open(self) -> None:
        """Get everything ready, and start no thread that works. Raises ConfigInvalid."""
        logs.configure(self.config.log_format, self.config.log_level)
        path = sqlite_path(self.config.database_url)
        if path is not None:
            self._lock = lock(path)
            migrate.upgrade(self.config.database_url)
        self.store = open_store(self.config)
        self.plugins = load_plugins(self.config.plugins)
        self.engine = Engine(self.config, self.store, self.plugins)
        self.pump = Pump(self.engine, kind=self._kind)
        self.jobs = Jobs(self.engine, loops(self.engine))

    def begin(self) -> None:
        """Send, and do the jobs beside it. After whatever else is loaded at start: the threads would only take turns with that."""
        self.pump.start()
        self.jobs.start()

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self.engine.now()

    def drain(self, wait_s: float = 30.0) -> None:
        """Stop claiming, wait for what is under way, record, close."""
        ends = time.monotonic() + wait_s
        if not self.pump.drain(wait_s):
            log.warning("calls were still under way at the end: their messages are unknown")
        self.jobs.drain(max(1.0, ends - time.monotonic()))
        self.store.close()
        if self._lock is not None:
            self._lock.close()


def loops(engine: Engine) -> list[Loop]:
    """What runs beside the pump in every working process."""
    presence = Presence(engine, [schema.write_backs, schema.callbacks])
    write_backs = Crew("write-back", engine, WriteBacks(engine), presence)
    callbacks = Crew("callback", engine, Callbacks(engine), presence)
    reconciles = Reconciles(engine)
    return [
        Loop("presence", 1.0, presence.step, timed=True, drain=presence.leave),
        Loop("pending", 1.0, lambda: pending.step(engine, lambda installation: link_to(engine, installation))),
        Loop("write-backs", 0.2, write_backs.step, wake=write_backs.bell, drain=write_backs.drain),
        Loop("callbacks", 0.5, callbacks.step, wake=callbacks.bell, drain=callbacks.drain),
        Loop("deadlines", 1.0, lambda: deadlines.step(engine), timed=True),
        Loop("cutoffs", 60.0, cutoffs.Cutoffs(engine).step, timed=True),
        Loop("reconciles", 5.0, reconciles.step, timed=True, drain=reconciles.drain),
        Loop("replies", 1.0, lambda: replies.step(engine)),
        Loop("watching", 1.0, lambda: watching.step(engine)),
        Loop("sealer", 1.0, lambda: sealer.step(engine), timed=True),
        Loop("privacy", 5.0, lambda: privacy.step(engine)),
        Loop("purge", 60.0, Purge(engine).step, timed=True),
    ]


def open_store(config: Config) -> Store:
    """The store behind the configuration, its schema and key checked. Raises ConfigInvalid, StoreUnavailable."""
    store = Store.open(config.database_url, Vault(key_for(config), config.old_keys))
    try:
        migrate.require(store.engine)
        migrate.check_key(store.engine, store.vault)
    except BaseException:
        store.close()
        raise
    return store


def lock(path: Path) -> IO[str]:
    """Hold the one `serve` that a SQLite file may have. Raises ConfigInvalid when another keeps it."""
    handle = path.with_name(path.name + ".lock").open("a")
    ends = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if time.monotonic() >= ends:
                handle.close()
                raise ConfigInvalid(f"another `bellwire serve` uses {path.name}: stop it, or use PostgreSQL for several") from e
            time.sleep(0.1)
        else:
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            return handle
