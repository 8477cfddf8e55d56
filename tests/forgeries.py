"""Requests that nobody signed, made from one that somebody did: the mutations of promise A4."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bellwire import WebhookRequest

Labelled = tuple[str, WebhookRequest]


def forgeries(
    signed: WebhookRequest, header: str, *, meaning: Callable[[bytes], object], covers_url: bool = True, flips: int = 120
) -> Iterator[Labelled]:
    """At least 250 requests that must be refused, each with what was done to it.

    `header`: the signature's, lower case. `meaning`: what the scheme signs of a body: where two bodies mean the same to it
    (`%2B` and `%2b` in a form), the second is no forgery.
    """
    choose = random.Random(20261121)
    yield from _bodies(signed, meaning, choose, flips)
    yield from _signatures(signed, header, choose, flips)
    if covers_url:
        yield from _urls(signed)


def _bodies(signed: WebhookRequest, meaning: Callable[[bytes], object], choose: random.Random, flips: int) -> Iterator[Labelled]:
    body = signed.body
    changed: list[tuple[str, bytes]] = [
        ("empty body", b""),
        ("one byte less", body[:-1]),
        ("half the body", body[: len(body) // 2]),
        ("body twice", body + body),
        ("a letter more", body + b"x"),
        ("a NUL more", body + b"\x00"),
        ("a field more", body + b"&Extra=1"),
        ("backwards", body[::-1]),
        ("not UTF-8", b"\xff\xfe" + body),
        ("ten thousand fields", b"&".join(b"a=%d" % n for n in range(10_000))),
        ("nested deep", b"[" * 100_000),
    ]
    for _ in range(flips):
        place, bit = choose.randrange(len(body)), 1 << choose.randrange(8)
        flipped = bytearray(body)
        flipped[place] ^= bit
        changed.append((f"bit {bit} of byte {place}", bytes(flipped)))
    original = meaning(body)
    yield from ((label, replace(signed, body=one)) for label, one in changed if meaning(one) != original)


def _signatures(signed: WebhookRequest, header: str, choose: random.Random, flips: int) -> Iterator[Labelled]:
    good = signed.headers[header]
    values = [
        ("no signature", ""),
        ("a space after it", good + " "),
        ("a space before it", " " + good),
        ("a line feed after it", good + "\n"),
        ("a NUL after it", good + "\x00"),
        ("the header twice", f"{good}, {good}"),
        ("the header twice, one wrong", f"{good},AAAA"),
        ("one character less", good[:-1]),
        ("one character more", good + "A"),
        ("only padding", "="),
        ("a star", "*"),
        ("None", "None"),
        ("full-width letters", "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in good)),
        ("half a surrogate pair", good + "\ud800"),
        ("a megabyte", "A" * 1_000_000),
        ("a megabyte after it", good + "=" * 1_000_000),
        ("backwards", good[::-1]),
        ("a scheme before it", "sha256=" + good),
        ("a version before it", "v1," + good),
    ]
    values += [(label, other) for label, other in _other_spellings(good) if other != good]
    for _ in range(flips):
        place, bit = choose.randrange(len(good)), 1 << choose.randrange(7)
        values.append((f"bit {bit} of character {place}", good[:place] + chr(ord(good[place]) ^ bit) + good[place + 1 :]))
    without = {name: value for name, value in signed.headers.items() if name != header}
    yield "header left out", replace(signed, headers=without)
    yield from ((label, replace(signed, headers={**signed.headers, header: one})) for label, one in values)


def _other_spellings(good: str) -> Sequence[tuple[str, str]]:
    spellings = [("upper case", good.upper()), ("lower case", good.lower()), ("url-safe", good.replace("+", "-").replace("/", "_"))]
    try:
        spellings.append(("hex for base64", base64.b64decode(good, validate=True).hex()))
    except ValueError:
        spellings.append(("base64 for hex", base64.b64encode(bytes.fromhex(good)).decode()))
    return spellings


def _urls(signed: WebhookRequest) -> Iterator[Labelled]:
    url = signed.url
    for label, other in [
        ("PUBLIC_URL not set", ""),
        ("another host", url.replace("://", "://other.")),
        ("another message", url + "0"),
        ("another account", url.replace("KEY", "OTHER-KEY")),
        ("a query more", url + "?x=1"),
        ("an empty query", url + "?"),
        ("a body hash of our own", url + "?bodySHA256=" + "0" * 64),
        ("a fragment", url + "#x"),
        ("a slash more", url + "/"),
        ("http for https", url.replace("https://", "http://")),
        ("a user in front", url.replace("https://", "https://user@")),
        ("upper case", url.upper()),
        ("not a URL", "::::"),
        ("half a surrogate pair", url + "\udfff\ud800"),
    ]:
        yield f"url: {label}", replace(signed, url=other)
