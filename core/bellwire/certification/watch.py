"""What a connector's code did while it ran: clocks it read, addresses it called, time it waited, lines it wrote.

Everything is put back afterwards. One watch at a time; meant for a process that certifies, not for one that serves.
"""

from __future__ import annotations

import contextlib
import datetime as real_datetime
import io
import logging
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

_CLOCKS = ("time", "time_ns", "localtime", "gmtime")
_NOW = ("now", "utcnow", "today")


class Watch:
    """What was seen. `roots`: the top-level packages whose code is watched."""

    def __init__(self, roots: Collection[str]) -> None:
        self.roots = frozenset(roots)
        self.clocks: list[str] = []
        self.addresses: list[str] = []
        self.waited_s = 0.0
        self.lines: list[str] = []
        self._output = io.StringIO()

    @property
    def said(self) -> list[str]:
        """Every line that was logged or printed."""
        return [*self.lines, *self._output.getvalue().splitlines()]

    # -- what can be watched --------------------------------------------------------------------------------------

    @contextmanager
    def speech(self) -> Iterator[Watch]:
        """Note log records of every level and what is printed."""
        root, handler = logging.getLogger(), _Noting(self.lines)
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            with contextlib.redirect_stdout(self._output), contextlib.redirect_stderr(self._output):
                yield self
        finally:
            root.setLevel(level)
            root.removeHandler(handler)

    @contextmanager
    def network(self, *, loopback: bool = False) -> Iterator[Watch]:
        """Note what is called and refuse it; `loopback`: this machine may be called, and only others are noted."""
        with ExitStack() as undo:
            for owner, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
                swap(undo, owner, name, self._guard(getattr(owner, name), owner is socket, loopback))
            yield self

    @contextmanager
    def sleep(self) -> Iterator[Watch]:
        """Waiting costs no time in this thread: it is only added up."""
        real, mine = time.sleep, threading.get_ident()

        def sleep(seconds: float) -> None:
            if threading.get_ident() != mine:
                return real(seconds)
            self.waited_s += seconds
            return None

        with ExitStack() as undo:
            swap(undo, time, "sleep", sleep)
            for module in self.modules():
                for name, value in list(vars(module).items()):
                    if value is real:
                        swap(undo, module, name, sleep)
            yield self

    @contextmanager
    def clock(self) -> Iterator[Watch]:
        """Note each look at a clock from the watched packages; the clock goes on."""
        with ExitStack() as undo:
            told = {name: self._told(getattr(time, name), f"time.{name}") for name in _CLOCKS}
            originals = {getattr(time, name): name for name in _CLOCKS}
            fakes: dict[Any, Any] = {
                real_datetime.datetime: _noting(real_datetime.datetime, self._note),
                real_datetime.date: _noting(real_datetime.date, self._note),
            }
            module_copy = types.ModuleType("datetime")
            vars(module_copy).update(vars(real_datetime))
            module_copy.datetime, module_copy.date = fakes[real_datetime.datetime], fakes[real_datetime.date]  # type: ignore[attr-defined]  # a stand-in of the module
            fakes[real_datetime] = module_copy
            for module in self.modules():
                for name, value in list(vars(module).items()):
                    if isinstance(value, type | types.ModuleType) and value in fakes:
                        swap(undo, module, name, fakes[value])
                    elif isinstance(value, types.BuiltinFunctionType) and value in originals:
                        swap(undo, module, name, told[originals[value]])
            for name in _CLOCKS:
                swap(undo, time, name, told[name])
            sys.modules["datetime"] = module_copy  # for who imports it inside a function
            undo.callback(sys.modules.__setitem__, "datetime", real_datetime)
            yield self

    # -- how ------------------------------------------------------------------------------------------------------

    def modules(self, *, also: Collection[str] = ()) -> list[types.ModuleType]:
        """The loaded modules of the watched packages, and `also` these."""
        names = _names(self.roots, len(sys.modules))
        return [sys.modules[name] for name in (*names, *also) if name in sys.modules]

    def _note(self, what: str) -> None:
        frame = sys._getframe(2)
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in self.roots:
            self.clocks.append(f"{what} in {module}:{frame.f_lineno}")

    def _told(self, real: Callable[..., Any], what: str) -> Callable[..., Any]:
        def look(*args: Any) -> Any:
            if not args:  # localtime(seconds) reads none
                self._note(what)
            return real(*args)

        return look

    def _guard(self, real: Callable[..., Any], resolves: bool, loopback: bool) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            where = args[0] if resolves else (args[1][0] if isinstance(args[1], tuple) else "a local socket")
            if loopback and str(where) in ("127.0.0.1", "localhost", "::1"):
                return real(*args, **kwargs)
            self.addresses.append(str(where))
            raise OSError(101, "the certification kit lets nobody out")

        return call


@lru_cache(maxsize=8)
def _names(roots: frozenset[str], loaded: int) -> tuple[str, ...]:
    """The loaded modules below these packages. `loaded`: how many there are of all, so that a new one is looked for."""
    del loaded
    return tuple(name for name in list(sys.modules) if name.partition(".")[0] in roots)


class _Noting(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("urllib3", "asyncio")):  # in production these speak from WARNING on, masked
            return
        own = [f"{name}={value}" for name, value in vars(record).items() if name not in _USUAL]
        error = f" {record.exc_info[1]!r}" if record.exc_info and record.exc_info[1] is not None else ""
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            said = f"{record.msg} {record.args}"
        self._lines.append(" ".join([said, *own]) + error)


_USUAL = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


class _Meta(type):
    """So that what is a `datetime` stays one for `isinstance`."""

    _real: type

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls._real)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls._real)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls._real

    def __hash__(cls) -> int:
        return hash(cls._real)


def _noting(real: Any, note: Callable[[str], None]) -> Any:
    """The class, with a `now` and `today` that are noted. What it makes are real values."""

    def look(name: str) -> Any:
        def call(_cls: type, *args: Any, **kwargs: Any) -> Any:
            note(f"{real.__name__}.{name}")
            return getattr(real, name)(*args, **kwargs)

        return classmethod(call)

    own: dict[str, Any] = {name: look(name) for name in _NOW if hasattr(real, name)}
    own["__new__"] = lambda _cls, *args, **kwargs: real(*args, **kwargs)
    own["_real"] = real
    made = _Meta(real.__name__, (real,), own)
    made._real = real
    return made


def swap(undo: ExitStack, owner: Any, name: str, value: Any) -> None:
    """Give a module or class another attribute until `undo` is closed."""
    before = vars(owner).get(name)
    setattr(owner, name, value)
    if before is None:
        undo.callback(delattr, owner, name)
    else:
        undo.callback(setattr, owner, name, before)
