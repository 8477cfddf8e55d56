"""Bodies bent out of a sample's own: a key missing, a value of another type, too long, too deep, in odd letters. Deterministic."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bellwire.model import WebhookRequest

_DEEP: Any = {"a": 1}
for _ in range(200):
    _DEEP = {"a": [_DEEP]}

_MISSING = object()

#: What stands where something else is documented. As JSON would bring it.
VALUES: Sequence[object] = (
    _MISSING,
    None,
    True,
    0,
    -1,
    7.5,
    10**40,
    1e308,
    "",
    " ",
    "x",
    "NaN",
    "9" * 5_000,
    "a" * 20_000,
    "+1555" * 40,
    "\u202eevil\u200b\ufeff",
    "\ud800",
    "e\u0301" * 50,
    "\x00\r\n",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "٠١٢٣٤٥٦٧٨٩",
    "{{ x }}",
    [],
    [None],
    {},
    {"": {}},
    _DEEP,
)


def bodies(request: WebhookRequest, most: int, seed: str) -> Iterator[tuple[str, WebhookRequest]]:
    """At most so many bent copies, each with what was bent, spread over the body's places and the values."""
    rand = random.Random(seed)  # noqa: S311  # to spread, not to hide
    try:
        found = json.loads(request.body)
    except ValueError:
        yield from _texts(request, most, rand)
        return
    places = list(_places(found))
    pairs = [(place, value) for place in places for value in range(len(VALUES))]
    for place, value in rand.sample(pairs, min(most, len(pairs))):
        body = json.dumps(_with(found, place, VALUES[value])).encode()
        told = "nothing" if VALUES[value] is _MISSING else repr(VALUES[value])[:30]
        yield f"{'.'.join(map(str, place)) or 'the whole'} is {told}", replace(request, body=body)


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, one in items:
        yield from _places(one, (*at, key))


def _with(value: Any, place: tuple[Any, ...], new: object) -> Any:
    if not place:
        return None if new is _MISSING else new
    head, *rest = place
    copy = dict(value) if isinstance(value, dict) else list(value)
    if not rest and new is _MISSING:
        del copy[head]
    else:
        copy[head] = _with(value[head], tuple(rest), new)
    return copy


def _texts(request: WebhookRequest, most: int, rand: random.Random) -> Iterator[tuple[str, WebhookRequest]]:
    """XML, forms and the like: pieces cut out, doubled, and replaced."""
    body = request.body
    inserts = (b"", b"\x00", b"<a/>", b"&", b"&amp;", b"\xff", b"9" * 5_000, "\u202e".encode(), b"<a>" * 200, b"]]>", b"=")
    for number in range(most if body else 0):
        start = rand.randrange(len(body))
        end = min(len(body), start + rand.choice((0, 1, 8, 64, len(body))))
        insert = rand.choice([*inserts, body[start:end] * 2])
        yield f"bytes {start} to {end} replaced ({number})", replace(request, body=body[:start] + insert + body[end:])
