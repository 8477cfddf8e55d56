"""The engine as one value: store, plugins, configurations, clock. Web and worker share it in a process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import sqlalchemy as sa

from bellwire.config import Config
from bellwire.engine.configs import Configs
from bellwire.engine.followups import Change, Changes, Followups
from bellwire.plugins import Plugins
from bellwire.store import Store
from bellwire.store.snapshot import Reader

if TYPE_CHECKING:
    from bellwire.engine.http import Http
    from bellwire.engine.replies import Told

T = TypeVar("T")

LOOKS_AGAIN = timedelta(seconds=0.25)  # the pump looks at least that often, unasked
_TOLD_MAX = 10_000  # that plugins were not told of yet; more are forgotten


class Engine:
    """What every part of the shell needs. `now` can be replaced in tests."""

    def __init__(self, config: Config, store: Store, plugins: Plugins, *, now: Callable[[], datetime] | None = None) -> None:
        self.config, self.store, self.plugins = config, store, plugins
        self.vault = store.vault
        self.now = now or (lambda: datetime.now(UTC))
        self.public_url = str(config.public_url or "").rstrip("/")
        self.configs = Configs(
            Reader(
                vault=store.vault,
                public_url=self.public_url,
                connector_secret={name: connector.secret_field for name, connector in plugins.connectors.items()},
                carrier_secret={name: carrier.secret_field for name, carrier in plugins.carriers.items()},
            )
        )
        self.woken = threading.Event()  # something may be due: the pump looks
        self._job_wakers: list[Callable[[], None]] = []
        self.watched = plugins.is_told("status_changed")
        # what the jobs tell plugins of: replies, messages' changes
        self.replied: deque[Told] = deque(maxlen=_TOLD_MAX)
        self.changed: deque[tuple[UUID, Change]] = deque(maxlen=_TOLD_MAX)

    @cached_property
    def http(self) -> Http:
        """The connections to platforms, made when somebody first calls out."""
        from bellwire.engine.http import Http  # requests costs the commands that call nobody 100 ms

        return Http(allow_private=self.config.allow_private_addresses)

    def write(self, run: Callable[[sa.Connection], T], *, wait_s: float = 2.0) -> T:
        """Run a closure in the writer's next transaction. Raises StoreUnavailable."""
        return self.store.writer.run(run, wait_s=wait_s)

    def followups(self) -> Followups:
        """An empty gathering of jobs for one transaction."""
        return Followups(self.vault, self.plugins.connectors, watched=self.watched)

    def notify(self, changes: Changes) -> None:
        """After a commit: wake who writes back, and keep what is to be told to those who watch."""
        if changes:
            self.tell(changes)
            self.wake_jobs()

    def tell(self, changes: Changes) -> None:
        """After a commit: keep changes for the plugins that watch statuses; the jobs tell them."""
        if self.watched:
            self.changed.extend(changes)

    def wake(self, due: datetime | None = None) -> None:
        """Something may be due now, or is from `due` on. What is due later the pump finds by itself: a look is not free."""
        if due is None or due <= self.now() + LOOKS_AGAIN:
            self.woken.set()

    def on_jobs(self, waker: Callable[[], None]) -> None:
        """Call `waker` when a write-back, callback or pending event may be due."""
        self._job_wakers.append(waker)

    def wake_jobs(self) -> None:
        """A write-back, callback or pending event may be due now."""
        for waker in self._job_wakers:
            waker()
