"""Masks payment card numbers in what platforms send: what looks like one never reaches the store (PCI DSS 3.4).

A card number is 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1), together or grouped as on a card. One in ten other
numbers of that length passes it too, so names that hold ids, counts or links are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bellwire.model import Event, Person

_SHORTEST, _LONGEST = 13, 19
_SMALLEST = 10 ** (_SHORTEST - 1)
_SEPARATOR = r"[ .\u00a0\u2009\u202f\u2010-\u2015-]"
_RUN = re.compile(
    rf"""
    (?<![0-9+])                                       # a number behind a plus is a phone's
    (?:
        [0-9]{{{_SHORTEST},{_LONGEST}}}
      | [0-9]{{4}}(?P<four>{_SEPARATOR})[0-9]{{4}}(?P=four)[0-9]{{4}}(?P=four)[0-9]{{1,4}}(?:(?P=four)[0-9]{{1,3}})?
      | [0-9]{{4}}(?P<six>{_SEPARATOR})[0-9]{{6}}(?P=six)[0-9]{{4,5}}      # American Express, Diners
    )
    (?![0-9])
    """,
    re.VERBOSE,
)
_MANY_DIGITS = re.compile(rf"(?:[0-9]{_SEPARATOR}?){{{_SHORTEST}}}")
_LINK = re.compile(r"\S*://[^\s?]*")  # gid://shopify/Order/…, https://… up to its query
#: Words that end the names of ids, references, numbers of things and links.
_IDS = frozenset(
    ["id", "ids", "gid", "ref", "refs", "reference", "url", "uri", "link", "number", "barcode", "sku", "ean", "upc", "gtin", "imei"]
)
_PHONES = frozenset(["phone", "phones", "mobile", "msisdn", "telephone", "tel", "fax"])
_CARDLIKE = frozenset(["card", "pan", "cc"])
_WORDS = re.compile(r"[._\-\s]+|(?<=[a-z0-9])(?=[A-Z])")


def masked_event(event: Event) -> Event:
    """The event without card numbers in its data and in what people wrote of themselves; ids and phones as they are."""
    if not _may_hold([event.data, *(_written_by(person) for person in event.people.values())]):
        return event  # nearly always: looking is cheap, making anew is not
    data = {masked_text(name): masked(value, name) for name, value in event.data.items()}
    people = {role: _masked_person(person) for role, person in event.people.items()}
    if data == event.data and people == event.people:
        return event
    return replace(event, data=data, people=people)


def _may_hold(value: Any) -> bool:
    """Whether anything in it looks like a card's number, whatever it is called."""
    left = [value]
    for one in left:  # which grows by what is in the others
        if isinstance(one, str):
            if len(one) >= _SHORTEST and masked_text(one) != one:
                return True
        elif isinstance(one, int):
            if one >= _SMALLEST and is_card(str(one)):
                return True
        elif one is None:
            continue
        elif isinstance(one, Mapping):
            left += one.keys()
            left += one.values()
        elif isinstance(one, Sequence):
            left += one
    return False


def _written_by(person: Person) -> Sequence[str]:
    return (person.name, person.email, *(hint.proof for hint in person.consents))


def masked(value: Any, name: str = "") -> Any:
    """A JSON value without card numbers. `name`: what it is called; a name's last word tells ids from other numbers."""
    if isinstance(value, str):
        clean = masked_text(value)
        return value if clean == value or _is_exempt(name) else clean
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return value if not is_card(str(value)) or _is_exempt(name) else _mask(str(value))
    if isinstance(value, Mapping):
        return {masked_text(str(key)): masked(inner, f"{name}.{key}" if name else str(key)) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [masked(inner, name) for inner in value]
    return value


def masked_text(text: str) -> str:
    """A text without card numbers; links keep theirs."""
    if len(text) < _SHORTEST:
        return text
    folded = text if text.isascii() else "".join(_digit(char) for char in text)
    if _MANY_DIGITS.search(folded) is None:
        return text
    links = [found.span() for found in _LINK.finditer(folded)]
    parts, end = [], 0
    for found in _RUN.finditer(folded):
        inside = any(first <= found.start() < last for first, last in links)
        if not inside and is_card("".join(char for char in found.group() if char.isdigit())):
            parts += [text[end : found.start()], _mask(found.group())]
            end = found.end()
    return "".join([*parts, text[end:]]) if parts else text


def is_card(digits: str) -> bool:
    """Whether so many digits pass the Luhn check. All zeros are no card."""
    if not _SHORTEST <= len(digits) <= _LONGEST or not digits.isascii() or not digits.isdigit() or not digits.strip("0"):
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        digit = int(char)
        if place % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    return total % 10 == 0


def _mask(run: str) -> str:
    """The last four digits may stand (PCI DSS 3.4.1)."""
    return f"****{''.join(char for char in run if char.isdigit())[-4:]}"


def _digit(char: str) -> str:
    """Full-width and other scripts' digits as ASCII ones; the text keeps its length."""
    return str(int(char)) if char.isdecimal() else char


def _is_exempt(name: str) -> bool:
    """Whether the name is one of an id, a number of something, a link or a phone, and of no card."""
    words = [word.lower() for word in _WORDS.split(name) if word]
    if not words or not _CARDLIKE.isdisjoint(words):
        return False
    return words[-1] in _IDS or words[-1] in _PHONES


def _masked_person(person: Person) -> Person:
    changes: dict[str, Any] = {name: masked_text(getattr(person, name)) for name in ("name", "email")}
    changes["consents"] = tuple(replace(hint, proof=masked_text(hint.proof)) for hint in person.consents)
    return replace(person, **changes)
