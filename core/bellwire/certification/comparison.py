"""Are signatures compared in constant time? Judged by what happens, not by the source's look.

The signature that came in and every digest that is computed are given as values that note when `==`, `in` or `startswith` look
at them, also after they were decoded, stripped or cut. A verification that never compares them so, and calls
`hmac.compare_digest`, is good. Where neither is seen (a comparison inside a library) the rule is not judged.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.certification.scheme import OTHER_SECRET
from bellwire.certification.watch import swap
from bellwire.errors import SignatureMismatch
from bellwire.model import WebhookRequest
from bellwire.testing import NOW, SECRET

_SHORT = 12  # what is shorter is an empty header, a version or a prefix


@dataclass
class Seen:
    """How signatures were compared."""

    open: list[str] = field(default_factory=list)
    constant: int = 0


_seen: Seen | None = None  # one watch at a time, as in `watch`


def _long(*values: object) -> bool:
    return all(isinstance(one, str | bytes | bytearray) and len(one) >= _SHORT for one in values)


def _note(how: str, *values: object) -> None:
    if _seen is not None and _long(*values):
        _seen.open.append(how)


class _Text(str):
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
        return _Bytes(str.encode(self, *how, **more))

    def __getitem__(self, place: Any) -> Any:
        return _Text(str.__getitem__(self, place))

    def partition(self, sep: str) -> Any:
        return tuple(_Text(one) for one in str.partition(self, sep))

    def rpartition(self, sep: str) -> Any:
        return tuple(_Text(one) for one in str.rpartition(self, sep))

    def split(self, *how: Any, **more: Any) -> Any:
        return [_Text(one) for one in str.split(self, *how, **more)]


class _Bytes(bytes):
    def __eq__(self, other: object) -> bool:
        _note("==", self, other)
        return bytes.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        _note("!=", self, other)
        return bytes.__eq__(self, other) is not True

    def __hash__(self) -> int:
        return bytes.__hash__(self)

    def decode(self, *how: Any, **more: Any) -> Any:
        return _Text(bytes.decode(self, *how, **more))

    def hex(self, *how: Any) -> Any:
        return _Text(bytes.hex(self, *how))

    def __getitem__(self, place: Any) -> Any:
        found = bytes.__getitem__(self, place)
        return found if isinstance(found, int) else _Bytes(found)


def _same_kind(name: str) -> Callable[..., Any]:
    def call(self: Any, *args: Any) -> Any:
        return type(self)(getattr(type(self).__mro__[1], name)(self, *args))

    return call


for _kind in (_Text, _Bytes):
    for _name in ("strip", "lstrip", "rstrip", "lower", "upper", "removeprefix", "removesuffix", "replace", "swapcase"):
        setattr(_kind, _name, _same_kind(_name))


def _told(value: Any) -> Any:
    if type(value) is str:
        return _Text(value)
    return _Bytes(value) if type(value) is bytes else value


class _Plainly(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, bytes)


class _BytesName(_Bytes, metaclass=_Plainly):
    """What the name `bytes` means in a watched module: `bytes.fromhex` is told of, too."""

    def __new__(cls, *args: Any, **more: Any) -> Any:
        return _Bytes(*args, **more)

    @classmethod
    def fromhex(cls, text: str) -> Any:
        return _Bytes(bytes.fromhex(text))


class _Hmac:
    """An HMAC object whose digests are told of."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def digest(self) -> Any:
        return _Bytes(self._real.digest())

    def hexdigest(self) -> Any:
        return _Text(self._real.hexdigest())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def watching(kit: Kit) -> Iterator[Seen]:
    """Note how signatures are compared meanwhile."""
    global _seen
    _seen = seen = Seen()
    real, make = hmac.compare_digest, hmac.new

    def compare(one: Any, other: Any) -> bool:
        if _long(one, other):
            seen.constant += 1
        return real(one, other)

    def telling(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: _told(function(*args, **more))

    new: dict[Any, Any] = {
        hmac.compare_digest: compare,
        hmac.digest: telling(hmac.digest),
        make: lambda *args, **more: _Hmac(make(*args, **more)),
    }
    new |= {one: telling(one) for one in _CODECS}
    try:
        with ExitStack() as undo:
            for owner in (hmac, base64, binascii, *kit.watch().modules(also=("bellwire.signing",))):
                for name, value in list(vars(owner).items()):
                    if callable(value) and _hashable(value) and value in new:
                        swap(undo, owner, name, new[value])
            for owner in kit.watch().modules():
                if "bytes" not in vars(owner):
                    swap(undo, owner, "bytes", _BytesName)
            yield seen
    finally:
        _seen = None


_CODECS = (
    base64.b64encode,
    base64.b64decode,
    base64.standard_b64encode,
    base64.standard_b64decode,
    base64.urlsafe_b64encode,
    base64.urlsafe_b64decode,
    base64.b16encode,
    base64.b16decode,
    binascii.hexlify,
    binascii.unhexlify,
)


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _constant_time(kit: Kit) -> None:
    seen_at: set[tuple[str, ...]] = set()
    unseen = 0
    for (_, good), (_, bad) in zip(kit.scheme.signed(), kit.scheme.signed((OTHER_SECRET,)), strict=True):
        changed = [name for name, value in good.headers.items() if bad.headers.get(name) != value]
        if not changed:
            raise NotJudged("the signature is in no header here")
        kind = tuple(sorted(good.headers))
        if kind in seen_at:
            continue  # one scheme serves all samples with the same headers
        seen_at.add(kind)
        seen = _compared(kit, (good, bad), changed)
        how = ", ".join(sorted(set(seen.open)))
        claim(not how, f"a signature is compared with {how}; use bellwire.signing.require or hmac.compare_digest")
        unseen += not seen.constant
    if unseen:
        raise NotJudged("how the signature is compared can't be seen here")


def _compared(kit: Kit, requests: Sequence[WebhookRequest], signed: Sequence[str]) -> Seen:
    """How the headers `signed` are compared, in a request that is believed and in one that is not."""
    found = Seen()
    for request in requests:
        told = replace(request, headers={**request.headers, **{name: _Text(request.headers[name]) for name in signed}})
        with watching(kit) as seen, suppress(SignatureMismatch):
            kit.scheme.verify(told, (SECRET,), NOW)
        found.open += seen.open
        found.constant += seen.constant
    return found


CONSTANT_TIME = Rule(
    "constant-time",
    Level.BRONZE,
    "Signatures are compared in a time that does not tell where they differ.",
    _constant_time,
    needs=("signed", "unsigned"),
)
