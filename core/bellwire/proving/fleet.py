"""Worker processes that a proof starts, kills, stops and wakes."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from bellwire.errors import BellwireError

UP_S = 60.0  # a worker that is not ready by then does not come up


def settings(url: str, *, secret: bytes, public_url: str) -> dict[str, str]:
    """The environment of workers of this database, with nothing of ours from the one that starts them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BELLWIRE_")}
    return kept | {
        "BELLWIRE_DATABASE_URL": url,
        "BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(secret).decode(),
        "BELLWIRE_PUBLIC_URL": public_url,
        "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1",
        "BELLWIRE_LOG_LEVEL": "warning",
        "BELLWIRE_LOG_FORMAT": "json",
    }


class NotUp(BellwireError):
    """A worker did not start, or no worker is left."""


class Worker:
    """One process; `ready` once it pumps. What it says goes into `workers.log` in the folder."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.began = time.monotonic()
        self._log = folder / "workers.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bellwire.proving.worker"],
                env=dict(environment),
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        if self.process.stdout is not None and self.process.stdout.readline().strip() == b"ready":
            self._ready.set()

    @property
    def ready(self) -> bool:
        """Whether it works now."""
        return self._ready.is_set() and self.process.poll() is None

    def wait(self, within_s: float = UP_S) -> None:
        """Come back once it works. Raises NotUp."""
        ends = time.monotonic() + within_s
        while not self._ready.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > ends:
                raise NotUp(f"a worker did not start: {self._log.read_text()[-2_000:]}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> float:
        """kill -9; the wall time of it."""
        self.process.send_signal(signal.SIGKILL)
        at = time.time()
        self._end()
        return at

    def stop(self, within_s: float = 40.0) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end(within_s)

    def _end(self, within_s: float = 40.0) -> int:
        code = self.process.wait(within_s)
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


class Fleet:
    """The workers of one database, whose settings stand in the environment given. Closes with all of them gone."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self.workers: list[Worker] = []

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGCONT)
            worker.kill()

    def start(self, count: int = 1, *, wait: bool = True) -> None:
        """More workers."""
        more = [Worker(self._environment, self._folder) for _ in range(count)]
        self.workers += more
        for worker in more if wait else ():
            worker.wait()

    def ready(self) -> list[Worker]:
        """Those that work now."""
        return [worker for worker in self.workers if worker.ready]

    def wait_for_one(self, within_s: float = UP_S) -> None:
        """Come back once anybody works. Raises NotUp."""
        ends = time.monotonic() + within_s
        while not self.ready():
            if time.monotonic() >= ends:
                raise NotUp(f"no worker came up: {self._folder / 'workers.log'} says why")
            time.sleep(0.01)

    def kill(self, worker: Worker) -> float:
        """kill -9 one of them; the wall time of it."""
        self.workers.remove(worker)
        return worker.kill()

    def stop(self, worker: Worker) -> int:
        """SIGTERM, once it works: before that it holds nothing and ends as any process does. Its exit code."""
        worker.wait()
        self.workers.remove(worker)
        return worker.stop()
