"""Logs: lines of known fields, JSON or for a person, with nothing in them that was not expected to be there.

Two walls. Only the fields listed here pass, and only as plain values of the listed kind; anything else becomes "…". What
passes as text is masked besides: see `masking`. A module writes

    log = logger(__name__)
    log.info("message.sent", message=shown_id, carrier="twilio", duration_ms=12)

or, with the standard library's own logger, `log.warning("a worker died", extra={"worker": worker.hex})`. It costs nothing on
import: structlog is loaded by `configure`, in the process that serves.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, TextIO
from uuid import UUID

from bellwire.masking import HIDDEN, mask, told

#: Fields that are words, ids or times.
WORDS = frozenset({
    "account", "attempt_id", "callback", "campaign", "carrier", "carrier_account", "code", "command", "connector", "country",
    "database", "distribution", "error", "error_class", "event_id", "event_type", "field", "file", "hook", "host",
    "installation", "job", "key_id", "kind", "lane", "message", "method", "migration", "outcome", "place", "plugin",
    "platform", "privacy_request", "purpose", "reason", "reply", "request_id", "revision", "route", "sender", "setting",
    "span_id", "state", "status", "step", "subject_kind", "target", "template", "tenant", "trace_id", "trigger", "user_id",
    "version", "what", "why", "worker", "write_back",
})  # fmt: skip

#: Fields that are numbers, or yes and no.
NUMBERS = frozenset({
    "after_s", "age_s", "attempt", "backlog", "beat", "count", "dropped", "duration_ms", "epoch", "exit_code", "http_status",
    "line", "limit_s", "lost", "ok", "pid", "port", "position", "rate", "rows", "segments", "sent", "size_bytes", "stuck",
    "threads", "total", "tries", "ttl_s", "wait_ms", "waiting", "workers",
})  # fmt: skip

#: Ours; every other logger (urllib3, aiohttp, granian, pyactiveresource, asyncio…) speaks from WARNING on.
OURS = ("bellwire", "bellwire_connectors", "bellwire_web")

#: For granian's `log_dictconfig`: its own handlers print to stdout unmasked, and its access lines print the query.
GRANIAN: Mapping[str, Any] = {
    "formatters": {},
    "handlers": {},
    "loggers": {
        "_granian": {"handlers": [], "level": "WARNING", "propagate": True},
        "granian.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}

_LONGEST = 300
_NAME = re.compile(r"[a-z_]{1,20}")  # as a programmer writes it; not a header or a phone number that came in as a key
_TRACES = frozenset({"request_id", "span_id", "trace_id"})  # look like tokens, are none
_TRACE = re.compile(r"[0-9a-f-]{16,36}")
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0 +]*[\d*]*(?:\.[\d*]+)?[a-zA-Z]")
#: What the standard library itself keeps in a record, and what it and pytest add later.
_OF_LOGGING = frozenset(logging.makeLogRecord({}).__dict__) | {"asctime", "fields", "message", "taskName"}
_bound: ContextVar[Mapping[str, object]] = ContextVar("bellwire_log_fields", default=MappingProxyType({}))


class Log:
    """Writes lines of one module. The event is a constant, `thing.happened`; what varies goes into fields."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: object) -> None:
        """What only helps to find a fault."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What happened as it should."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, *, error: BaseException | str | None = None, **fields: object) -> None:
        """What somebody should look at some day."""
        self._write(logging.WARNING, event, fields, error)

    def error(self, event: str, /, *, error: BaseException | str | None = None, **fields: object) -> None:
        """What somebody should look at now."""
        self._write(logging.ERROR, event, fields, error)

    def _write(self, level: int, event: str, fields: dict[str, object], error: BaseException | str | None = None) -> None:
        if not self._logger.isEnabledFor(level):
            return
        failed = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
        if isinstance(error, str):
            fields["error"] = error
        self._logger.log(level, event, extra={"fields": {**_bound.get(), **fields}}, exc_info=failed)


def logger(name: str) -> Log:
    """The module's log; `name` is its `__name__`."""
    return Log(name)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Give every line written inside these fields: `with bound(trace_id=…):`."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def allowed(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields as they may be printed: the first wall."""
    return {name if _NAME.fullmatch(name) else HIDDEN: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: object) -> object:
    if value is None:
        return None
    if name in NUMBERS:
        return value if isinstance(value, bool | int | float) else HIDDEN
    if name not in WORDS:
        return HIDDEN
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return value
    if name in _TRACES:
        return value if isinstance(value, str) and _TRACE.fullmatch(value) else HIDDEN
    if isinstance(value, str | int | UUID | PurePath):
        text = str(value)
        return mask(text[:_LONGEST]) + (HIDDEN if len(text) > _LONGEST else "")
    return HIDDEN


def _event(record: logging.LogRecord) -> str:
    """Our events as they are; another library's sentence with its arguments left out, numbers excepted."""
    if hasattr(record, "fields") or not record.args:
        return mask(str(record.msg)) if isinstance(record.msg, str) else HIDDEN
    if isinstance(record.args, tuple) and all(isinstance(one, int | float) for one in record.args):
        return mask(record.getMessage())
    return mask(_PLACEHOLDER.sub(HIDDEN, str(record.msg)))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What a line was given besides its event, and what stands around it (`bound`): the formatter runs in the writer's thread."""
    ours = record.name.partition(".")[0] in OURS  # what a library keeps in its records is not for our lines
    given = {name: value for name, value in record.__dict__.items() if name not in _OF_LOGGING} if ours else {}
    return {**_bound.get(), **given, **getattr(record, "fields", {})}


class _Formatter(logging.Formatter):
    """Builds a line's fields from any record, ours or a library's, and has structlog write them."""

    def __init__(self, render: Any) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        fields: MutableMapping[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
            **allowed(_fields(record)),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = told(record.exc_info[1])
        line = self._render(None, record.levelname.lower(), fields)
        return line if isinstance(line, str) else line.decode()


class _Handler(logging.StreamHandler[TextIO]):
    """A line that can't be written is dropped: logging's own complaint would print its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        del record


def configure(log_format: str | None = None, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every line of this process to `stream` (stderr). `log_format`: console or json, by default console on a terminal.

    May be called again; the last call counts.
    """
    with _not_loading("rich"):
        import structlog

    out = stream or sys.stderr
    colours = out.isatty()
    render: Any
    if (log_format or ("console" if colours else "json")) == "console":
        render = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback, sort_keys=False)
    else:
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
    handler = _Handler(out)
    handler.setFormatter(_Formatter(render))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _from_structlog],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@contextmanager
def _not_loading(package: str) -> Iterator[None]:
    """Let what is imported here do without `package`, unless somebody has it: structlog would load 6 MB for pictures of errors."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # Python's way to say "not there"
    try:
        yield
    finally:
        del sys.modules[package]


def _from_structlog(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Whoever uses structlog itself goes through the same walls."""
    event, failed = fields.pop("event", ""), fields.pop("exc_info", None)
    return (event,), {"extra": {"fields": dict(fields)}, "exc_info": failed}
