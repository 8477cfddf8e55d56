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

from standins.world import SECRET

WORKER = Path(__file__).with_name("worker.py")


class Worker:
    """One process. `ready` once it pumps."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.began = time.monotonic()
        self._log = folder / "workers.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER)], env=dict(environment), cwd=folder, stdout=subprocess.PIPE, stderr=log
            )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() == b"ready":
            self._ready.set()

    @property
    def ready(self) -> bool:
        return self._ready.is_set() and self.process.poll() is None

    def wait(self, within_s: float = 60.0) -> None:
        ends = time.monotonic() + within_s
        while not self._ready.wait(0.05):
            late = self.process.poll() is not None or time.monotonic() > ends
            assert not late, f"a worker did not start:\n{self._log.read_text()[-2_000:]}"

    def signal(self, number: int) -> None:
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
    """The workers of one database. Closes with all of them gone."""

    def __init__(self, url: str, folder: Path, *, public_url: str) -> None:
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BELLWIRE_")}
        self._environment = kept | {
            "BELLWIRE_DATABASE_URL": url,
            "BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(SECRET).decode(),
            "BELLWIRE_PUBLIC_URL": public_url,
            "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1",
            "BELLWIRE_LOG_LEVEL": "warning",
            "BELLWIRE_LOG_FORMAT": "json",
        }
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

    def wait_for_one(self, within_s: float = 60.0) -> None:
        """Come back once anybody works."""
        ends = time.monotonic() + within_s
        while not self.ready():
            assert time.monotonic() < ends, "no worker came up: see workers.log"
            time.sleep(0.01)

    def kill(self, worker: Worker) -> float:
        self.workers.remove(worker)
        return worker.kill()

    def stop(self, worker: Worker) -> int:
        """SIGTERM, once it works: before that it holds nothing and ends as any process does. Its exit code."""
        worker.wait()
        self.workers.remove(worker)
        return worker.stop()
