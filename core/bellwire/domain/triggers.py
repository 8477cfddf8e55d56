"""A trigger's conditions: ALL of / ANY of `{field, op, value}`, checked once, judged against an event's data.

How values compare stands in `comparison`. A field that is empty makes `exists` false, `is_not` true and every other line false.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from re import compile as pattern
from typing import TypeAlias

from bellwire.domain.comparison import Wanted, caseless, instant_of, is_empty, items_of, number_of, text_of
from bellwire.domain.personal import is_personal, is_vocabulary
from bellwire.errors import FieldInvalid
from bellwire.model import Json

MAX_LINES = 50  # ALL and ANY together
MAX_CHOICES = 1000  # values of one `in`
MAX_TEXT = 1000  # characters of one value
_MAX_QUOTED = 40

_FIELD = pattern(r"[^\W\d][\w-]*(\.[\w-]+)*")
#: An amount that may be told. Nine digits before the point may be a phone, a card or a passport.
_AMOUNT = pattern(r"-?[0-9]{1,8}(?:\.[0-9]{1,9})?")


class Op(StrEnum):
    """What a line asks of its field."""

    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    EXISTS = "exists"
    CHANGED_TO = "changed_to"


_Test: TypeAlias = Callable[[Json, Mapping[str, Json]], bool]


@dataclass(frozen=True, slots=True)
class LineResult:
    """One line's answer. `text` holds no personal value: those are described by kind and length."""

    place: str  # "all.0", as in the request
    matched: bool
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an event's data meets the conditions, and why. `line`: what decided; `lines`: every line, in order."""

    matched: bool
    line: str
    lines: tuple[LineResult, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One checked line. `test`: the value seen and the event's data → held; `head`, `show`: how it is told."""

    place: str
    field: str
    test: _Test
    head: str
    show: Callable[[Json], str]

    def ask(self, data: Mapping[str, Json]) -> LineResult:
        """This line's answer for an event's flat data."""
        seen = data.get(self.field)
        return LineResult(self.place, self.test(seen, data), self.head + self.show(seen) + ")")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Checked conditions, made by `compile_conditions`; cheap to keep and to judge by."""

    all: tuple[Line, ...] = ()
    any: tuple[Line, ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        """The event fields the lines look at."""
        return frozenset(line.field for line in (*self.all, *self.any))

    def judge(self, data: Mapping[str, Json]) -> Judgement:
        """Match an event's flat data. Never raises: a value of another kind than the line's makes the line false."""
        alls, anys = [line.ask(data) for line in self.all], [line.ask(data) for line in self.any]
        lines = (*alls, *anys)
        for line in alls:
            if not line.matched:
                return Judgement(False, line.text, lines)
        for line in anys:
            if line.matched:
                return Judgement(True, line.text, lines)
        if anys:
            return Judgement(False, anys[0].text if len(anys) == 1 else f"none of {len(anys)}, first {anys[0].text}", lines)
        if alls:
            return Judgement(True, alls[0].text if len(alls) == 1 else f"each of {len(alls)}, last {alls[-1].text}", lines)
        return Judgement(True, "no conditions", ())


def compile_conditions(all: object = (), any: object = ()) -> Conditions:  # noqa: A002  # the request's own names
    """Check the two lists of `{field, op, value}` as they came in. No line at all matches every event.

    Raises FieldInvalid naming the place, counted from 0: `all.2.op`.
    """
    checked = Conditions(_lines("all", all), _lines("any", any))
    if len(checked.all) + len(checked.any) > MAX_LINES:
        raise FieldInvalid("any", f"at most {MAX_LINES} lines in all and any together")
    return checked


# -- checking what came in ----------------------------------------------------------------------------------------


def _lines(name: str, raw: object) -> tuple[Line, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        raise FieldInvalid(name, "must be a list of {field, op, value}")
    if len(raw) > MAX_LINES:
        raise FieldInvalid(name, f"at most {MAX_LINES} lines in all and any together")
    return tuple(_line(f"{name}.{number}", line) for number, line in enumerate(raw))


def _line(place: str, raw: object) -> Line:
    if not isinstance(raw, Mapping):
        raise FieldInvalid(place, "must be an object with field, op and value")
    for key in raw:
        if key in ("all", "any"):
            raise FieldInvalid(f"{place}.{key}", "groups can't be nested: use the trigger's own all and any")
        if key not in ("field", "op", "value"):
            raise FieldInvalid(f"{place}.{str(key)[:_MAX_QUOTED]}", "unknown: a line has field, op and value")
    name = raw.get("field")
    if not isinstance(name, str) or len(name) > 120 or not _FIELD.fullmatch(name):
        raise FieldInvalid(f"{place}.field", "must be the name of an event field, such as order.total")
    op_name = raw.get("op")
    if not isinstance(op_name, str) or op_name not in list(Op):
        raise FieldInvalid(f"{place}.op", f"must be one of {', '.join(Op)}")
    op = Op(op_name)
    value = raw.get("value", True) if op is Op.EXISTS else raw.get("value")
    wanted = _wanted(f"{place}.value", op, value)
    told = "…" if is_personal(name) else _quote(value)
    return Line(place, name, _test(name, op, wanted), f"{place}: {name} {op} {told} (saw ", _show(name, wanted))


def _wanted(place: str, op: Op, value: object) -> tuple[Wanted, ...]:
    """The line's value, or the values of `in`, checked for the operator."""
    if op is Op.IN:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not 0 < len(value) <= MAX_CHOICES:
            raise FieldInvalid(place, f"in takes a list of 1 to {MAX_CHOICES} values")
        return tuple(_one(f"{place}.{number}", item) for number, item in enumerate(value))
    if op is Op.EXISTS and not isinstance(value, bool):
        raise FieldInvalid(place, "exists takes true or false")
    if op is Op.STARTS_WITH and not isinstance(value, str):
        raise FieldInvalid(place, "starts_with takes a text")
    wanted = _one(place, value)
    if op in _COMPARE and wanted.number is None and wanted.instant is None:
        raise FieldInvalid(place, f'{op} takes a number, a money text such as "129.50", or a time such as "2026-01-31T09:00:00Z"')
    return (wanted,)


def _one(place: str, value: object) -> Wanted:
    if value is None or value == "":
        raise FieldInvalid(place, "is missing; to ask for an empty field use exists with false")
    if not isinstance(value, str | int | float):
        raise FieldInvalid(place, "must be one text, number, true or false; several values go with in")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise FieldInvalid(place, f"at most {MAX_TEXT} characters")
    wanted = Wanted.of(value)
    if isinstance(value, float) and wanted.number is None:
        raise FieldInvalid(place, "must be a finite number")
    return wanted


# -- judging ------------------------------------------------------------------------------------------------------

_COMPARE: dict[Op, tuple[Callable[[Decimal, Decimal], bool], Callable[[datetime, datetime], bool]]] = {
    Op.LESS: (Decimal.__lt__, datetime.__lt__),
    Op.AT_MOST: (Decimal.__le__, datetime.__le__),
    Op.MORE: (Decimal.__gt__, datetime.__gt__),
    Op.AT_LEAST: (Decimal.__ge__, datetime.__ge__),
}


def _test(name: str, op: Op, wanted: tuple[Wanted, ...]) -> _Test:
    """The line as a function of the value seen and the event's data."""
    first = wanted[0]
    if op in _COMPARE:
        return _ordered(op, first)
    tests: dict[Op, _Test] = {
        Op.IS: lambda seen, _: first.equals(seen),
        Op.IS_NOT: lambda seen, _: not first.equals(seen),
        Op.IN: lambda seen, _: _is_in(wanted, seen),
        Op.CONTAINS: lambda seen, _: _contains(first, seen),
        Op.STARTS_WITH: lambda seen, _: text_of(seen).startswith(first.key),
        Op.EXISTS: lambda seen, _: is_empty(seen) is not first.flag,
        Op.CHANGED_TO: lambda seen, data: first.equals(seen) and _has_changed(name, first, data),
    }
    return tests[op]


def _ordered(op: Op, wanted: Wanted) -> _Test:
    as_numbers, as_times = _COMPARE[op]

    def test(seen: Json, _: Mapping[str, Json]) -> bool:
        if wanted.number is not None:
            number = number_of(seen)
            return number is not None and as_numbers(number, wanted.number)
        at = instant_of(seen)
        return at is not None and wanted.instant is not None and as_times(at, wanted.instant)

    return test


def _is_in(wanted: Sequence[Wanted], seen: Json) -> bool:
    """The value is one of the wanted; of a list, at least one item is."""
    items = items_of(seen)
    return any(one.equals(item) for item in ((seen,) if items is None else items) for one in wanted)


def _contains(wanted: Wanted, seen: Json) -> bool:
    """A list has the wanted as an item; a text has it somewhere in it."""
    items = items_of(seen)
    return wanted.key in text_of(seen) if items is None else any(wanted.equals(item) for item in items)


def _has_changed(name: str, wanted: Wanted, data: Mapping[str, Json]) -> bool:
    """`changed` lists the field, or its old value is known and was another."""
    if name in (items_of(data.get("changed")) or ()):
        return True
    previous = f"previous.{name}"
    return previous in data and not wanted.equals(data[previous])


# -- telling ------------------------------------------------------------------------------------------------------


def _quote(value: object) -> str:
    if isinstance(value, str):
        cut = value if len(value) <= _MAX_QUOTED else value[: _MAX_QUOTED - 1] + "…"
        if cut.isprintable() and '"' not in cut and "\\" not in cut:  # the usual case, without the encoder
            return f'"{cut}"'
        return json.dumps(cut, ensure_ascii=not cut.isprintable())  # a lone surrogate can't be stored
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_quote, value[:5]))}{', …' if len(value) > 5 else ''}]"
    return text_of(value) if isinstance(value, int | float) else ""


def _show(name: str, wanted: Sequence[Wanted]) -> Callable[[Json], str]:
    """How a value seen may be told: amounts, times, flags and known words are quoted, all else only described."""
    personal, vocabulary, known = is_personal(name), is_vocabulary(name), frozenset(one.key for one in wanted)

    def show(seen: Json) -> str:
        if is_empty(seen):
            return "nothing"
        if isinstance(seen, str):
            if personal or len(seen) > _MAX_QUOTED:
                return f"a text of {len(seen)}"
            told = vocabulary or _AMOUNT.fullmatch(seen) or caseless(seen) in known or instant_of(seen)
            return _quote(seen) if told else f"a text of {len(seen)}"
        if isinstance(seen, int | float):
            return _quote(seen) if not personal and -1e8 < seen < 1e8 else "a number"
        return f"a list of {len(seen)}" if isinstance(seen, Sequence) else "an object"

    return show
