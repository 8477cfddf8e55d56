"""Are the documented samples read, and is anything else refused quickly and quietly?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bellwire.certification.questions import NotAsked, Question, claim
from bellwire.errors import PayloadInvalid
from bellwire.masking import mask
from bellwire.model import Carrier, Connector, Event, Installation, WebhookRequest
from bellwire.testing import NOW, SECRET, account, installation, sample, samples

LIMIT_S = 1.0
_NUMBER = "+15550100199"

#: Bodies that no documentation shows. Each is read or refused with PayloadInvalid; nothing else may happen.
HOSTILE: Mapping[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "half an object": b'{"id": 1, "na',
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a text": b'"order"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of nothing": b"[null, 5, [], {}]",
    "an event nobody knows": b'{"event": "thing.happened", "type": "thing.happened", "id": "1"}',
    "not UTF-8": b"\xff\xfe{}",
    "UTF-16": '{"id": 1}'.encode("utf-16"),
    "a NUL": b'{"id": "\\u0000", "phone": "\x00"}',
    "a lone surrogate": b'{"id": "\\ud800", "phone": "\\udfff"}',
    "not a number": b'{"id": NaN, "total": Infinity}',
    "a number of 100,000 digits": b'{"id": ' + b"9" * 100_000 + b"}",
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects 50,000 deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a key a hundred times": b'{"id": 1' + b', "id": 2' * 100 + b"}",
    "a form": b"id=1&id=2&From=" + _NUMBER.encode() + b"&Body=hi",
    "ten thousand fields": b"&".join(b"a%d=b" % number for number in range(10_000)),
    "a page": b"<!doctype html><html><body>Bad gateway</body></html>",
    "billion laughs": b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>',
    "a file from outside": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "elements 20,000 deep": b"<a>" * 20_000 + b"</a>" * 20_000,
    "a phone number that is an object": b'{"id": 1, "phone": {"number": "+15550100199"}, "customer": [], "data": "x"}',
}


def connector_reading(connector: Connector) -> list[Question]:
    """The questions on `read`."""
    at = installation(connector)
    return [
        Question("every sample is read", lambda: _all_are_read(connector, at)),
        Question("an event we don't serve gives nothing", lambda: _something_gives_nothing(connector, at)),
        Question("reading twice gives the same", lambda: _twice_the_same(connector, at)),
        Question("event ids are there and differ", lambda: _ids(connector, at)),
        Question("types are those the connector says it has", lambda: _types(connector, at)),
        Question("times are aware, data is plain", lambda: _plain(connector, at)),
        Question(
            "a body that nobody documents is refused or ignored, within a second",
            lambda: _hostile(connector.samples, _reader(connector, at)),
        ),
        Question("secrets do not show", lambda: _no_secret(at)),
    ]


def carrier_reading(carrier: Carrier) -> list[Question]:
    """The questions on `read_dlrs` and `read_replies`."""
    at = account(carrier)
    return [
        Question("every receipt sample is read", lambda: _carrier_samples(carrier, "dlr", carrier.read_dlrs)),
        Question("every reply sample is read", lambda: _carrier_samples(carrier, "reply", carrier.read_replies)),
        *(
            Question(f"a body that nobody documents is refused or ignored by {name}, within a second", _asking(carrier, function))
            for name, function in (("read_dlrs", carrier.read_dlrs), ("read_replies", carrier.read_replies))
            if function is not None
        ),
        Question("secrets do not show", lambda: _no_secret(at)),
    ]


def _asking(carrier: Carrier, function: Callable[[WebhookRequest, Any], object]) -> Callable[[], None]:
    at = account(carrier)
    return lambda: _hostile(carrier.samples, lambda request: function(request, at), skip="answer")


def _carrier_samples(carrier: Carrier, kind: str, function: Callable[[WebhookRequest, Any], Sequence[object]] | None) -> None:
    names = [name for name in samples(carrier.samples) if name.startswith(kind)]
    if function is None:
        raise NotAsked(f"{carrier.name} reads none")
    claim(bool(names), f"there is no {kind}_… sample")
    for name in names:
        claim(bool(function(sample(carrier.samples, name), account(carrier))), f"{name}: nothing was read")


def _reader(connector: Connector, at: Installation) -> Callable[[WebhookRequest], object]:
    return lambda request: connector.read(request, at)


def _read_all(connector: Connector, at: Installation) -> dict[str, Sequence[Event]]:
    return {name: connector.read(sample(connector.samples, name), at) for name in samples(connector.samples)}


def _all_are_read(connector: Connector, at: Installation) -> None:
    found = _read_all(connector, at)
    claim(bool(found), "there is no sample")
    claim(any(found.values()), "no sample gives an event")


def _something_gives_nothing(connector: Connector, at: Installation) -> None:
    claim([] in [list(events) for events in _read_all(connector, at).values()], "no sample shows an event that is not served")


def _twice_the_same(connector: Connector, at: Installation) -> None:
    claim(_read_all(connector, at) == _read_all(connector, at), "`read` is not a pure function")


def _ids(connector: Connector, at: Installation) -> None:
    for name, events in _read_all(connector, at).items():
        ids = [event.id for event in events]
        claim(all(ids), f"{name}: an event has no id")
        claim(len(set(ids)) == len(ids), f"{name}: two events have one id")


def _types(connector: Connector, at: Installation) -> None:
    for name, events in _read_all(connector, at).items():
        strange = sorted({event.type for event in events} - set(connector.events))
        claim(not strange, f"{name}: {', '.join(strange)} stands not in `events`")


def _plain(connector: Connector, at: Installation) -> None:
    for name, events in _read_all(connector, at).items():
        for event in events:
            claim(event.occurred_at.tzinfo is not None, f"{name}: occurred_at has no zone")
            json.dumps(dict(event.data), allow_nan=False)
            floats = [key for key, value in event.data.items() if isinstance(value, float)]
            claim(not floats, f"{name}: {', '.join(floats)} is a float; money is a decimal string")
            phones = [phone for person in event.people.values() for phone in person.phones]
            claim(all(isinstance(phone, str) and phone for phone in phones), f"{name}: a phone is no text")


def _hostile(package: str, read: Callable[[WebhookRequest], object], *, skip: str = "_") -> None:
    """Each hostile body under the headers of each sample: it is the headers that say how to read it."""
    headers = {tuple(sorted(sample(package, name).headers.items())) for name in samples(package) if not name.startswith(skip)}
    for some in sorted(headers or {()}):
        for label, body in HOSTILE.items():
            request = WebhookRequest(headers=dict(some), body=body, url="https://bellwire.example/x", received_at=NOW)
            started = time.thread_time()
            try:
                read(request)
            except PayloadInvalid as e:
                claim(mask(str(e)) == str(e), f"{label}: the refusal quotes the body")
            except Exception as e:
                raise AssertionError(f"{label}: raised {type(e).__name__} instead of PayloadInvalid") from e
            took = time.thread_time() - started
            claim(took < LIMIT_S, f"{label}: took {took:.1f} s")


def _no_secret(at: object) -> None:
    shown = f"{at!r} {at} {replace(at)!r}"  # type: ignore[type-var]  # both accounts are dataclasses
    claim(SECRET not in shown, "the account's repr shows its secret")
