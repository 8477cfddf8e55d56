"""Texts and bytes that tell how they are compared, also after they were decoded, stripped or cut."""
# ruff: noqa: D102  # the methods are those of str and bytes

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_SHORT = 12  # what is shorter is an empty header, a version or a prefix


@dataclass
class Seen:
    """How signatures were compared."""

    open: list[str] = field(default_factory=list)
    constant: int = 0


_seen: Seen | None = None  # one watch at a time, as in `watch`


def long(*values: object) -> bool:
    """Whether all are texts or bytes that are long enough to be a signature."""
    return all(isinstance(one, str | bytes | bytearray) and len(one) >= _SHORT for one in values)


def _note(how: str, *values: object) -> None:
    all_came = all(isinstance(one, CameText | CameBytes) for one in values)  # a value with itself in another spelling
    if _seen is not None and long(*values) and not all_came:
        _seen.open.append(how)


class Text(str):
    """A text that tells."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        _note("==", self, other)
        return str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        _note("!=", self, other)
        return str.__eq__(self, other) is not True

    def __hash__(self) -> int:
        return str.__hash__(self)

    def startswith(self, prefix: Any, *place: Any) -> bool:
        _note("startswith", self, prefix)
        return str.startswith(self, prefix, *place)

    def encode(self, *how: Any, **more: Any) -> Any:
        return told(str.encode(self, *how, **more), self)

    def __getitem__(self, place: Any) -> Any:
        return type(self)(str.__getitem__(self, place))

    def partition(self, sep: str) -> Any:
        return tuple(type(self)(one) for one in str.partition(self, sep))

    def rpartition(self, sep: str) -> Any:
        return tuple(type(self)(one) for one in str.rpartition(self, sep))

    def split(self, *how: Any, **more: Any) -> Any:
        return [type(self)(one) for one in str.split(self, *how, **more)]


class Bytes(bytes):
    """Bytes that tell."""

    def __eq__(self, other: object) -> bool:
        _note("==", self, other)
        return bytes.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        _note("!=", self, other)
        return bytes.__eq__(self, other) is not True

    def __hash__(self) -> int:
        return bytes.__hash__(self)

    def decode(self, *how: Any, **more: Any) -> Any:
        return told(bytes.decode(self, *how, **more), self)

    def hex(self, *how: Any) -> Any:
        return told(bytes.hex(self, *how), self)

    def __getitem__(self, place: Any) -> Any:
        found = bytes.__getitem__(self, place)
        return found if isinstance(found, int) else type(self)(found)


class CameText(Text):
    """What came in, not what was computed."""

    __slots__ = ()


class CameBytes(Bytes):
    """The same, decoded."""


def _same_kind(name: str) -> Callable[..., Any]:
    def call(self: Any, *args: Any) -> Any:
        plain = str if isinstance(self, str) else bytes
        return type(self)(getattr(plain, name)(self, *args))

    return call


for _kind in (Text, Bytes):
    for _name in ("strip", "lstrip", "rstrip", "lower", "upper", "removeprefix", "removesuffix", "replace", "swapcase"):
        setattr(_kind, _name, _same_kind(_name))


def told(value: Any, *made_of: object) -> Any:
    """A text or bytes that tell when they are compared. `made_of`: what they were computed from."""
    came = any(isinstance(one, CameText | CameBytes) for one in made_of)
    if isinstance(value, str):
        return CameText(value) if came else Text(value)
    if isinstance(value, bytes):
        return CameBytes(value) if came else Bytes(value)
    return value


class _Plainly(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, bytes)


class BytesName(Bytes, metaclass=_Plainly):
    """What the name `bytes` means in a watched module: `bytes.fromhex` is told of, too."""

    def __new__(cls, *args: Any, **more: Any) -> Any:
        return Bytes(*args, **more)

    @classmethod
    def fromhex(cls, text: str) -> Any:
        return told(bytes.fromhex(text), text)


class Hmac:
    """An HMAC object whose digests are told of."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def digest(self) -> Any:
        return Bytes(self._real.digest())

    def hexdigest(self) -> Any:
        return Text(self._real.hexdigest())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def telling() -> Iterator[Seen]:
    """Note how they are compared meanwhile. One at a time."""
    global _seen
    _seen = seen = Seen()
    try:
        yield seen
    finally:
        _seen = None
