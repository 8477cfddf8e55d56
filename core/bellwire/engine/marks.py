"""Which calls a process has begun, and which of them were answered: marks in shared memory, which outlive the process.

A worker that is killed leaves its claimed messages in `sending`. Its marks tell those whose request never began to leave (they
wait again) from those that the carrier answered (they are sent) and those of which nobody can know (`unknown`). They are believed
only when the kernel vouches for them: the machine has not been started again since, and the lock that the worker held until its
last moment is free. A worker on another machine, or one that merely stands still, has left nothing that can be believed.

A mark is a few bytes written to memory, with no system call: the sender makes two for each message.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from bellwire.engine.calls import Finished, Job
from bellwire.errors import ErrorClass
from bellwire.model import Verdict

log = logging.getLogger(__name__)

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MEMORY = Path("/dev/shm")  # noqa: S108  # names are random, made with O_EXCL, and read only when they are this user's
_KEEP_S = 600.0  # a claim of a worker that died can commit later, but not by that much
_REF_MAX = 200  # bytes; of a longer reference nothing is kept: its message is unknown

_HEADER = struct.Struct("<16s40s")  # what this is; the machine's boot
_MAGIC = b"bellwire marks 1"
_SLOT = 256
_CLAIM = struct.Struct("<x16sid")  # message, epoch, when the call began
_ANSWER = struct.Struct("<dB200s")  # when the answer came, and the carrier's reference
_NOTHING, _BEGUN, _TAKEN = range(3)  # a slot's first byte, written last

#: A claim: the message, and the epoch that fences it.
Key: TypeAlias = tuple[UUID, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """A call that had begun. `carrier_ref`: the carrier took the message and calls it so; None: nobody knows."""

    began_at: datetime
    ended_at: datetime | None = None
    carrier_ref: str | None = None


class Marks:
    """The marks of one living worker, none where `many` is 0. The sender's thread writes them; `forget` is the pump's, after its
    commit.
    """

    def __init__(self, worker_id: UUID, many: int) -> None:
        self._free = list(range(many))
        self._slots: dict[Key, int] = {}
        self._path = folder() / _name(worker_id)
        self._file: int | None = None
        self._map: mmap.mmap | None = None  # never closed by hand: the other thread may be writing
        if many:
            self._open(_SLOT * (many + 1))

    def _open(self, size: int) -> None:
        try:
            header = _HEADER.pack(_MAGIC, _boot())
            _sweep_out(self._path.parent)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(self._file, 0, size)  # there is room for all of it: a write to memory can't fail later
            self._map = mmap.mmap(self._file, size)
            self._map[: _HEADER.size] = header
        except (OSError, AttributeError) as e:  # no shared memory: whatever is claimed when we die is unknown
            log.info("no marks of calls are kept", extra={"error": type(e).__name__})
            self.close()

    def begun(self, job: Job, at: datetime) -> None:
        """The next bytes that leave may be this call's."""
        memory = self._map
        if memory is None:
            return
        for key in _keys(job):
            if not self._free:  # what has no mark would be sent again: better none at all
                self.close()
                return
            slot = self._slots[key] = self._free.pop()
            start = _SLOT * (slot + 1)
            memory[start] = _NOTHING
            _CLAIM.pack_into(memory, start, key[0].bytes, key[1], at.timestamp())
            memory[start] = _BEGUN

    def ended(self, finished: Finished) -> None:
        """The carrier's answer: taken, or certainly not. What stays uncertain stays begun."""
        memory = self._map
        if memory is None:
            return
        for key, outcome in zip(_keys(finished.job), finished.outcomes, strict=True):
            slot = self._slots.get(key)
            if slot is None:
                continue
            start = _SLOT * (slot + 1)
            if outcome.verdict is Verdict.ACCEPTED:
                ref = outcome.carrier_ref.encode()
                if len(ref) <= _REF_MAX:
                    _ANSWER.pack_into(memory, start + _CLAIM.size, finished.ended_at.timestamp(), len(ref), ref)
                    memory[start] = _TAKEN
            elif outcome.verdict is Verdict.REJECTED and outcome.error_class is not ErrorClass.AMBIGUOUS:
                memory[start] = _NOTHING

    def forget(self, job: Job) -> None:
        """What became of it stands in the database."""
        for key in _keys(job):
            slot = self._slots.pop(key, None)
            if slot is not None:
                self._free.append(slot)

    def beat(self) -> None:
        """The worker lives: who comes up removes only what has been left for a while."""
        if self._file is not None:
            with suppress(OSError):  # the sender's thread may have closed it by now
                os.utime(self._file)

    def close(self) -> None:
        """Nothing is in doubt any more, or nothing can be marked: the file goes."""
        file, self._file, self._map = self._file, None, None
        if file is not None:
            self._path.unlink(missing_ok=True)
            os.close(file)


def left(worker_id: UUID) -> Mapping[Key, Mark] | None:
    """The calls that a dead worker had begun; None when nothing it left can be believed."""
    try:
        file = os.open(folder() / _name(worker_id), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(file).st_uid != os.geteuid():
            return None
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: others may be reading it at this moment
        found = os.pread(file, os.fstat(file).st_size, 0)
        if _HEADER.unpack_from(found) != (_MAGIC, _boot().ljust(40, b"\0")):
            return None
        return dict(_marks(found))
    except (OSError, struct.error, UnicodeDecodeError):  # it lives, or the file is not whole
        return None
    finally:
        os.close(file)


def folder() -> Path:
    """Where marks are kept: memory that outlives a process and not the machine. systemd names a service's own (systemd.exec(5),
    RUNTIME_DIRECTORY): it removes what a service left in the machine's.
    """
    own = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if own:
        return Path(own)
    return _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())


def _name(worker_id: UUID) -> str:
    return f"bellwire-{worker_id.hex}.marks"


def _boot() -> bytes:
    """Which start of the machine this is. Raises OSError where the system does not say."""
    return _BOOT.read_bytes().strip()[:40]


def _keys(job: Job) -> list[Key]:
    return [(claim.row.id, claim.epoch) for claim in job.claims]


def _marks(found: bytes) -> list[tuple[Key, Mark]]:
    marks = []
    for start in range(_SLOT, len(found), _SLOT):
        state = found[start]
        if state == _NOTHING:
            continue
        message, epoch, began = _CLAIM.unpack_from(found, start)
        mark = Mark(datetime.fromtimestamp(began, UTC))
        if state == _TAKEN:
            ended, length, ref = _ANSWER.unpack_from(found, start + _CLAIM.size)
            mark = Mark(mark.began_at, datetime.fromtimestamp(ended, UTC), ref[:length].decode())
        marks.append(((UUID(bytes=message), epoch), mark))
    return marks


def _sweep_out(where: Path) -> None:
    """Remove what workers left that died a while ago."""
    for path in where.glob("bellwire-*.marks"):
        try:
            if time.time() - path.stat().st_mtime < _KEEP_S:
                continue
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except OSError:  # it lives, or is another user's
            continue
        finally:
            os.close(file)
