"""The limits of every filter, and what stands for a variable that is not there.

Work is counted, not timed: a filter is charged for the characters it reads and writes and, where it searches, for value × argument.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn, Protocol, TypeAlias

from liquid.undefined import Undefined

from bellwire.domain.template_filters import Place
from bellwire.domain.template_standard import MAX_LIST, MAX_TEXT, Standard
from bellwire.domain.template_values import Unusable, is_single, plain, text_of
from bellwire.errors import RenderFailed

_COST, _LOCALIZED_COST = 100, 3_000  # what a call is charged besides its characters

Filter: TypeAlias = Callable[..., object]


class Render(Protocol):
    """What a filter knows of the render it works for."""

    place: Place

    def charge(self, work: int) -> None:
        """Count work that was done, or is about to be. Raises RenderFailed beyond the limit."""


class Missing(Undefined):
    """A variable that the event has not, or has as null: nil in a condition, the cue for `default`; anything else refuses."""

    def refuse(self, *_: object) -> NoReturn:
        """Say which variable it is."""
        raise RenderFailed(f'{self.name} is missing: give it a default, as in {{{{ {self.name} | default: "…" }}}}', self.name)

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __bool__(self) -> bool:
        return False

    __str__ = __int__ = __len__ = __iter__ = __getitem__ = __contains__ = __reversed__ = __hash__ = refuse


def standard(name: str, one: Standard) -> Filter:
    """A standard filter with limits."""
    if one.lenient:
        return _lenient(one.function)
    return _bounded(name, one.function, texts=one.texts, searches=one.searches, weight=one.weight)


def localized(name: str, function: Filter) -> Filter:
    """A filter that is told the place, with limits."""
    return _bounded(name, function, localized=True)


def foreign(name: str, function: Filter) -> Filter:
    """A plugin's filter with limits; what it returns is reduced to plain values."""

    def call(value: object, *args: object, **named: object) -> object:
        result = function(value, *args, **named)
        return result if is_single(result) else plain(result, f"what the filter {name} returned")[0]

    return _bounded(name, call)


def search_cost(text: str | list[Any], needle: object) -> int:
    """What looking for a needle is charged: in the worst case the search goes over the needle at every place."""
    return len(text) + (len(text) * len(needle) // 32 if isinstance(needle, str) else 0)


def _lenient(function: Filter) -> Filter:
    """`default`: takes what is missing, and hands on a default that is missing as well."""

    def call(render: Render, value: object, *args: object, **named: object) -> object:
        render.charge(_COST)
        return function(None if type(value) is Missing else value, *args, **named)

    return call


def _bounded(
    name: str, function: Filter, *, texts: bool = False, searches: bool = False, localized: bool = False, weight: int = 1
) -> Filter:
    """The filter with its sizes limited and charged. Whatever it raises becomes Unusable: a plugin's failure stays its own."""
    cost = _LOCALIZED_COST if localized else _COST

    def call(render: Render, value: object, *args: object, **named: object) -> object:
        value = _taken(value)
        args = tuple(map(_taken, args))
        named = {key: _taken(each) for key, each in named.items()}
        if value is None:
            raise Unusable(f"is empty before the filter {name}: give it a default")
        if texts:
            value, args = text_of(value), tuple(map(text_of, args))
        render.charge(cost + weight * sum(map(_size, (value, *args, *named.values()))))
        if searches and args:
            render.charge(search_cost(str(value), args[0]))
        try:
            result = function(render.place, value, *args, **named) if localized else function(value, *args, **named)
        except RenderFailed:
            raise
        except Exception as e:
            raise Unusable(f"can't go through the filter {name} ({type(e).__name__})") from None
        render.charge(_size(result))
        return result

    return call


def _taken(value: object) -> object:
    """A filter's value or argument as it may be. Raises for a missing variable."""
    if type(value) is Missing:
        value.refuse()
    return list(value) if isinstance(value, range | tuple) else value


def _size(value: object) -> int:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise Unusable(f"has more than {MAX_TEXT} characters")
        return len(value)
    if isinstance(value, list):
        if len(value) > MAX_LIST:
            raise Unusable(f"has more than {MAX_LIST} items")
        return 8 * len(value)
    if value is None or isinstance(value, int | float | Decimal | dict):
        return 1
    raise Unusable("is nothing that a filter can take")
