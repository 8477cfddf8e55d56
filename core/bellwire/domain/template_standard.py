"""The standard Liquid filters that are harmless in a text message. What only makes sense in HTML or in binary is left out.

They differ from the reference where that would send a wrong text: arithmetic is exact (Decimal) and refuses what is no number,
`default` also stands in for a missing variable, a list is never printed as such. Sizes are limited by the caller (`Bounded`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from html import unescape
from itertools import filterfalse
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from bellwire.domain.comparison import number_of
from bellwire.domain.template_values import Unusable, decimal_of, text_of

MAX_TEXT = 65_536  # characters of one value: a Zendesk comment's own limit
MAX_LIST = 500

_EXACT = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow])
_SHORT = Context(prec=16)


@dataclass(frozen=True, slots=True)
class Standard:
    """A filter. `texts`: its value and arguments become text first. `searches`: time grows with value × argument.

    `lenient`: also takes what is missing or empty. `weight`: what a character (an eighth of an item) costs, 1 for a plain copy.
    """

    function: Callable[..., Any]
    texts: bool = False
    searches: bool = False
    lenient: bool = False
    weight: int = 1


# -- text ---------------------------------------------------------------------------------------------------------


def _replace(text: str, old: str, new: str = "") -> str:
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise Unusable(f"would have more than {MAX_TEXT} characters")
    return text.replace(old, new)


def _replace_last(text: str, old: str, new: str) -> str:
    before, found, after = text.rpartition(old) if old else (text, "", "")
    return before + new + after if found or not old else text


def _split(text: str, separator: str) -> list[str]:
    if separator == "":
        return list(text[: MAX_LIST + 1])
    if separator == " ":
        return text.split(None, MAX_LIST + 1)
    return text.split(separator, MAX_LIST + 1) if text else []


def _slice(value: Any, start: object, length: object = 1) -> Any:
    sliced = value if isinstance(value, list) else text_of(value)
    first, count = _whole(start), max(_whole(length), 0)
    first = max(first + len(sliced), 0) if first < 0 else first
    return sliced[first : first + count]


def _truncate(text: str, length: object = 50, end: str = "...") -> str:
    room = _whole(length)
    return text if len(text) <= room else text[: max(room - len(end), 0)] + end


def _truncate_words(text: str, count: object = 15, end: str = "...") -> str:
    words = text.split(None, max(_whole(count), 1))
    shown = max(_whole(count), 1)
    return " ".join(words[:shown]) + end if len(words) > shown else " ".join(words)


def _strip_html(text: str) -> str:
    """The text without tags, scripts and styles; entities become characters. Linear in its length."""
    for opening, closing in _UNSEEN:
        kept, place = [], 0
        while opened := opening.search(text, place):
            kept.append(text[place : opened.start()])
            closed = closing.search(text, opened.end())
            place = closed.start() if closed else len(text)
        text = "".join([*kept, text[place:]])
    return unescape(_TAG.sub("", text)).replace("\u00a0", " ")  # &nbsp; would force UCS-2


_UNSEEN = tuple((re.compile(rf"<{tag}\b", re.IGNORECASE), re.compile(rf"</{tag}\b", re.IGNORECASE)) for tag in ("script", "style"))
_TAG = re.compile(r"<[^<>]*>")
_SPACES = re.compile(r"\s+")
_LINE_END = re.compile(r"\r?\n")


# -- numbers ------------------------------------------------------------------------------------------------------


def _whole(value: object) -> int:
    number = decimal_of(value)
    if number != number.to_integral_value():
        raise Unusable("needs a whole number")
    return int(number)


def _number(result: Decimal) -> Decimal | int:
    """Whole results of whole numbers print without a point; 259.00 keeps its cents."""
    return int(result) if result.as_tuple().exponent == 0 else result


def _calculate(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[[object, object], Decimal | int]:
    def calculate(value: object, other: object) -> Decimal | int:
        return _number(operation(decimal_of(value), decimal_of(other)))

    return calculate


def _divide(left: Decimal, right: Decimal) -> Decimal:
    """As Liquid does: of two whole numbers the whole quotient, rounded down."""
    if not right:
        raise Unusable("can't be divided by 0")
    if left.as_tuple().exponent == 0 and right.as_tuple().exponent == 0:
        return _EXACT.divide_int(_EXACT.subtract(left, _modulo(left, right)), right)
    return _SHORT.divide(left, right)


def _modulo(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise Unusable("can't be divided by 0")
    rest = _EXACT.remainder(left, right)
    return _EXACT.add(rest, right) if rest and (rest < 0) != (right < 0) else rest


def _round(value: object, digits: object = 0) -> Decimal | int:
    places = _whole(digits)
    if not 0 <= places <= 10:
        raise Unusable("can be rounded to 0 to 10 decimals")
    return _number(decimal_of(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_EXACT))


def _to(rounding: str) -> Callable[[object], int]:
    return lambda value: int(decimal_of(value).to_integral_value(rounding))


def _sum(items: object, key: str | None = None) -> Decimal | int:
    total = Decimal(0)
    for item in _items(items):
        total = _EXACT.add(total, decimal_of(item if key is None else _field(item, key)))
    return _number(total)


# -- lists --------------------------------------------------------------------------------------------------------


def _items(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Unusable("is not a list")
    return value


def _field(item: object, key: str) -> Any:
    if not isinstance(item, Mapping):
        raise Unusable("holds something else than objects")
    return item.get(key)


def _join(items: object, separator: str = " ") -> str:
    texts, size = [], 0
    for item in _items(items):
        texts.append(text_of(item))
        size += len(texts[-1]) + len(text_of(separator))
        if size > MAX_TEXT:
            raise Unusable(f"would have more than {MAX_TEXT} characters")
    return text_of(separator).join(texts)


def _meets(key: str, wanted: tuple[object, ...]) -> Callable[[object], bool]:
    if wanted:
        return lambda item: bool(_field(item, key) == wanted[0])
    return lambda item: _field(item, key) not in (None, False)


def _where(items: object, key: str, *wanted: object) -> list[Any]:
    return list(filter(_meets(key, wanted), _items(items)))


def _sort(items: object, key: str | None = None) -> list[Any]:
    """In ascending order: numbers (also as texts) by their value, words without regard to capitals, items without the key last."""

    def rank(item: object) -> tuple[int, Decimal, str]:
        value = item if key is None else _field(item, key)
        if value is None:
            return 2, Decimal(0), ""
        number = number_of(value)
        return (1, Decimal(0), text_of(value).lower()) if number is None else (0, number, "")

    return sorted(_items(items), key=rank)


def _concat(items: object, more: object) -> list[Any]:
    return [*_items(items), *_items(more)]


def _default(value: object, otherwise: object = "", *, allow_false: bool = False) -> object:
    if value is False:
        return value if allow_false else otherwise
    return otherwise if value is None or value in ("", [], {}) else value


def _texts(function: Callable[..., Any], *, searches: bool = False, weight: int = 1) -> Standard:
    return Standard(function, texts=True, searches=searches, weight=weight)


STANDARD: Mapping[str, Standard] = {
    "default": Standard(_default, lenient=True),
    # text
    "append": _texts(lambda text, more: text + more),
    "capitalize": _texts(lambda text: text.capitalize()),
    "downcase": _texts(lambda text: text.lower()),
    "upcase": _texts(lambda text: text.upper()),
    "lstrip": _texts(lambda text: text.lstrip()),
    "rstrip": _texts(lambda text: text.rstrip()),
    "strip": _texts(lambda text: text.strip()),
    "squish": _texts(lambda text: _SPACES.sub(" ", text.strip()), weight=5),
    "prepend": _texts(lambda text, before: before + text),
    "remove": _texts(_replace, searches=True),
    "remove_first": _texts(lambda text, old: text.replace(old, "", 1), searches=True),
    "remove_last": _texts(lambda text, old: _replace_last(text, old, "") if old else text, searches=True),
    "replace": _texts(_replace, searches=True),
    "replace_first": _texts(lambda text, old, new="": text.replace(old, new, 1), searches=True),
    "replace_last": _texts(_replace_last, searches=True),
    "slice": Standard(_slice),
    "split": _texts(_split, searches=True),
    "strip_html": _texts(_strip_html, weight=3),
    "strip_newlines": _texts(lambda text: _LINE_END.sub("", text)),
    "truncate": _texts(_truncate),
    "truncatewords": _texts(_truncate_words),
    "url_encode": _texts(lambda text: quote_plus(text), weight=20),
    "url_decode": _texts(lambda text: unquote_plus(text), weight=3),
    # numbers
    "abs": Standard(lambda value: _number(decimal_of(value).copy_abs())),
    "at_least": Standard(_calculate(max)),
    "at_most": Standard(_calculate(min)),
    "ceil": Standard(_to(ROUND_CEILING)),
    "floor": Standard(_to(ROUND_FLOOR)),
    "round": Standard(_round),
    "plus": Standard(_calculate(_EXACT.add)),
    "minus": Standard(_calculate(_EXACT.subtract)),
    "times": Standard(_calculate(_EXACT.multiply)),
    "divided_by": Standard(_calculate(_divide)),
    "modulo": Standard(_calculate(_modulo)),
    # lists
    "join": Standard(_join),
    "first": Standard(lambda value: value[0] if _items(value) else None),
    "last": Standard(lambda value: value[-1] if _items(value) else None),
    "size": Standard(lambda value: len(value) if isinstance(value, str | list | dict) else 0),
    "map": Standard(lambda value, key: [_field(item, key) for item in _items(value)]),
    "where": Standard(_where, weight=5),
    "reject": Standard(lambda value, key, *wanted: list(filterfalse(_meets(key, wanted), _items(value))), weight=5),
    "find": Standard(lambda value, key, *wanted: next(iter(_where(value, key, *wanted)), None), weight=5),
    "has": Standard(lambda value, key, *wanted: bool(_where(value, key, *wanted)), weight=5),
    "sort": Standard(_sort, weight=15),
    "sum": Standard(_sum),
    "reverse": Standard(lambda value: _items(value)[::-1]),
    "uniq": Standard(lambda value: list(dict.fromkeys(map(text_of, _items(value)))), weight=5),
    "compact": Standard(lambda value: [item for item in _items(value) if item is not None]),
    "concat": Standard(_concat),
}
