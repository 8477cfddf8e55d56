"""What a template may see and print: text, numbers, flags, lists and objects of them. Nothing else ever reaches the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from bellwire.domain.comparison import number_of
from bellwire.errors import RenderFailed

MAX_DEPTH = 8
MAX_ITEMS = 5_000  # values in one variable, nested ones counted
MAX_DIGITS = 30
_EXACT = frozenset({str, int, float, bool, Decimal})

#: Stands for "no such thing" where None is a value.
ABSENT: Final = object()


class Unusable(RenderFailed):
    """What is wrong with a value, as the rest of a sentence that begins with its name. Who knows the name adds it."""


def is_single(value: object) -> bool:
    """Whether a value is exactly text, a number or a flag: nothing to reduce, nothing to look into."""
    return value.__class__ in _EXACT


def plain(value: object, name: str) -> tuple[Any, int]:
    """The value as exactly str, int, float, bool, Decimal, None, list or dict, and how many values it holds.

    Subclasses (an enum's member) are reduced to these. Raises RenderFailed naming `name` for anything else, and for lists and
    objects that are too deep or too large.
    """
    reduced = _Plain(name)
    return reduced.of(value, MAX_DEPTH), MAX_ITEMS - reduced.left


class _Plain:
    def __init__(self, name: str) -> None:
        self.name = name
        self.left = MAX_ITEMS

    def of(self, value: object, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth < 0:
            raise RenderFailed(f"{self.name} is too large: {MAX_ITEMS} values, {MAX_DEPTH} levels deep at most", self.name)
        if value is None or value.__class__ in _EXACT:
            return value
        if isinstance(value, Mapping):
            return {str(key): self.of(each, depth - 1) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(each, depth - 1) for each in value]
        # the base class's own method: a subclass may print something else
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__index__(value)
        raise RenderFailed(
            f"{self.name} holds a {type(value).__name__}: only text, numbers, lists and objects can be used", self.name
        )


def nest(variables: Mapping[str, object]) -> dict[str, Any]:
    """Flat names as nested objects: `{"order.total": "1"}` → `{"order": {"total": "1"}}`.

    An object given as such is merged with the names below it. Any other value hides them here: they are found by their whole names.
    """
    root: dict[str, Any] = {}
    for name, value in variables.items():
        *parents, last = name.split(".")
        place: Any = root
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                break
        else:
            known = place.get(last)
            if isinstance(value, Mapping):
                value = {**value, **known} if isinstance(known, dict) else dict(value)
            place[last] = value
    return root


def step(value: object, key: object) -> Any:
    """What stands under a key or an index, or `size`, `first`, `last`; ABSENT when there is nothing.

    Only keys of objects and items of lists: never an attribute or a method.
    """
    if isinstance(value, dict):
        if isinstance(key, str):
            return value[key] if key in value else len(value) if key == "size" else ABSENT
    elif isinstance(value, list | tuple):
        if key == "size":
            return len(value)
        index = {"first": 0, "last": -1}.get(key, ABSENT) if isinstance(key, str) else key
        if isinstance(index, int) and not isinstance(index, bool) and -len(value) <= index < len(value):
            return value[index]
    elif isinstance(value, str) and key == "size":
        return len(value)
    return ABSENT


def dotted(path: Sequence[object]) -> str:
    """A path as authors write it: `order.line_items[0].title`."""
    name = str(path[0])
    for segment in path[1:]:
        name += f"[{segment}]" if isinstance(segment, int) else f".{segment}"
    return name


def text_of(value: object) -> str:
    """A single value as text: `true`, `129.50`, `7`; a float without exponent. A lone surrogate becomes U+FFFD.

    Raises Unusable for a list, an object, a range, nothing at all, infinity and numbers too long to be meant.
    """
    if value.__class__ is str:
        return value if value.isascii() else _sendable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if -(10**MAX_DIGITS) < value < 10**MAX_DIGITS:
            return str(value)
        raise Unusable(f"has more than {MAX_DIGITS} digits")
    if isinstance(value, float):
        shown = repr(value)
        return shown if "e" not in shown and "n" not in shown else text_of(Decimal(shown))
    if isinstance(value, Decimal):
        if value.is_finite() and abs(value.adjusted()) < MAX_DIGITS and len(value.as_tuple().digits) <= 2 * MAX_DIGITS:
            return f"{value:f}"
        raise Unusable("is not a number that can be printed")
    if value is None:
        raise Unusable('is empty: give it a default, as in {{ … | default: "…" }}')
    if isinstance(value, list | tuple):
        raise Unusable("is a list: join it, or print its items in a for loop")
    raise Unusable("is not a single value: print one of its fields")


def decimal_of(value: object) -> Decimal:
    """The number a value stands for: a number, or a text such as `129.50`. Raises Unusable."""
    number: Decimal | None
    if isinstance(value, Decimal):
        number = value if value.is_finite() and abs(value.adjusted()) < MAX_DIGITS else None
    elif isinstance(value, int) and not -(10**MAX_DIGITS) < value < 10**MAX_DIGITS:
        number = None
    else:
        number = number_of(value.strip() if isinstance(value, str) else value)
        if number is not None and abs(number.adjusted()) >= MAX_DIGITS:  # 1e300, 1e-300
            number = None
    if number is None:
        raise Unusable("is not a number: write it as 129.50")
    return number


def _sendable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
