"""Are signatures compared in constant time? Judged by what happens, not by the source's look.

The signature that came in and every digest that is computed are given as values that note when `==`, `in` or `startswith` look
at them. A verification that never compares them so, and calls `hmac.compare_digest`, is good. Where neither is seen (a comparison
inside a library) the rule is not judged.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.certification.scheme import OTHER_SECRET
from bellwire.certification.tainted import Bytes, BytesName, CameText, Hmac, Seen, long, telling, told
from bellwire.certification.watch import swap
from bellwire.errors import SignatureMismatch
from bellwire.model import WebhookRequest
from bellwire.testing import NOW, SECRET


@contextmanager
def watching(kit: Kit) -> Iterator[Seen]:
    """Note how signatures are compared meanwhile."""
    real, make, digest = hmac.compare_digest, hmac.new, hmac.digest

    def told_of(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: told(function(*args, **more), *args)

    with telling() as seen, ExitStack() as undo:

        def compare(one: Any, other: Any) -> bool:
            seen.constant += long(one, other)
            return real(one, other)

        new: dict[Any, Any] = {one: told_of(one) for one in _CODECS} | {
            real: compare,
            make: lambda *args, **more: Hmac(make(*args, **more)),
            digest: lambda *args, **more: Bytes(digest(*args, **more)),
        }
        for owner in (hmac, base64, binascii, *kit.watch().modules(also=("bellwire.signing",))):
            for name, value in list(vars(owner).items()):
                if callable(value) and _hashable(value) and value in new:
                    swap(undo, owner, name, new[value])
        for owner in kit.watch().modules():
            if "bytes" not in vars(owner):
                swap(undo, owner, "bytes", BytesName)
        yield seen


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
        told = replace(request, headers={**request.headers, **{name: CameText(request.headers[name]) for name in signed}})
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
