"""Case tables: one row a behaviour, its label a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from bellwire.model import Carrier, Connector, Dlr, Event, Reply, WebhookRequest
from bellwire.testing.accounts import account, installation
from bellwire.testing.samples import bend, sample


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a table: a sample, bent or not, and what is read from it. The label is a sentence.

    `edit`: see `bend`. `headers`: replaced ones; None takes a header away. `query`: replaced pairs.
    `events` (a carrier's: `dlrs`, `replies`): each a whole value, or a mapping of the paths that matter to their values:
    `{"type": "order.created", "customer.phones": ["+15550100001"], "data.order.total": "12.00"}`.
    `error`: the class that reading must raise; `names`: the field it must name.
    """

    label: str
    sample: str = field(kw_only=True)
    edit: Callable[[Any], object] | None = field(default=None, kw_only=True)
    headers: Mapping[str, str | None] = field(default_factory=dict, kw_only=True)
    query: Sequence[tuple[str, str]] | None = field(default=None, kw_only=True)
    settings: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    events: Sequence[Event | Mapping[str, Any]] = field(default=(), kw_only=True)
    dlrs: Sequence[Dlr | Mapping[str, Any]] = field(default=(), kw_only=True)
    replies: Sequence[Reply | Mapping[str, Any]] = field(default=(), kw_only=True)
    error: type[Exception] | None = field(default=None, kw_only=True)
    names: str = field(default="", kw_only=True)

    def request(self, package: str) -> WebhookRequest:
        """The sample with this row's changes."""
        request = sample(package, self.sample)
        if self.edit:
            request = bend(request, self.edit)
        headers = {**request.headers, **{name.lower(): value for name, value in self.headers.items()}}
        request = replace(request, headers={name: value for name, value in headers.items() if value is not None})
        return request if self.query is None else replace(request, query=self.query)

    def check(self, subject: Connector | Carrier) -> None:
        """Read the row's request and compare. Raises AssertionError that says what differs."""
        try:
            read, expected = self._read(subject)
        except Exception as error:
            if self.error is None or not isinstance(error, self.error):
                raise
            if self.names and self.names != getattr(error, "field", None):
                raise AssertionError(f"{self.label}: {error!r} does not name {self.names}") from error
            return
        if self.error is not None:
            raise AssertionError(f"{self.label}: {self.error.__name__} was not raised; read {read!r}")
        if len(read) != len(expected):
            raise AssertionError(f"{self.label}: {len(expected)} expected, {len(read)} read: {read!r}")
        for number, (got, wanted) in enumerate(zip(read, expected, strict=True)):
            wrong = differences(got, wanted)
            if wrong:
                raise AssertionError("\n".join([f"{self.label}: number {number} differs", *wrong]))

    def _read(self, subject: Connector | Carrier) -> tuple[Sequence[Any], Sequence[Any]]:
        request = self.request(subject.samples)
        if isinstance(subject, Connector):
            made = installation(subject)
            return subject.read(request, replace(made, settings={**made.settings, **self.settings})), self.events
        at = account(subject)
        at = replace(at, settings={**at.settings, **self.settings})
        read, expected = (subject.read_replies, self.replies) if self.sample.startswith("reply") else (subject.read_dlrs, self.dlrs)
        if read is None:
            raise AssertionError(f"{subject.name} reads no {self.sample}")
        return read(request, at), expected


def differences(got: object, wanted: object) -> list[str]:
    """One line for each path where `got` is not what is `wanted`: a value of the same class, or a mapping of paths."""
    if isinstance(wanted, Mapping):
        paths: dict[str, Any] = dict(wanted)
    elif is_dataclass(wanted):
        paths = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    else:
        raise TypeError("expected is a value of the model or a mapping of paths")
    found = {path: _look(got, path) for path in paths}
    return [f"  {path}: {found[path]!r}, expected {paths[path]!r}" for path in paths if _plain(found[path]) != _plain(paths[path])]


def _look(value: object, path: str) -> object:
    head, _, rest = path.partition(".")
    if isinstance(value, Event) and rest:
        if head == "data":
            return value.data.get(rest)
        return getattr(value.people.get(head), rest, None)
    return getattr(value, head)


def _plain(value: object) -> object:
    """Tuples and lists are alike here, also inside a person or an event."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
