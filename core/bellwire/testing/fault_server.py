"""A stand-in for who brings none: takes any call, goes wrong when told to, and remembers what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping

from bellwire.model import Json
from bellwire.testing.standins import HttpStandIn

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REPEATABLE = frozenset({"PUT", "DELETE"})  # RFC 9110 9.2.2: idempotent by their method


class FaultServer(HttpStandIn):
    """Answers 200 and `{}` to everything.

    Only what HTTP itself says can be judged by it: a PUT repeated is one, a POST repeated is two unless its Idempotency-Key is
    the same. `ambiguous` tells that a POST or PATCH came whose repeat only the platform itself could judge.
    """

    def __init__(self, subject: str) -> None:
        super().__init__()
        self._subject = subject
        self._written: dict[str, str] = {}
        self.ambiguous = False

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """200, and an empty object."""
        key = headers.get("idempotency-key", "")
        if method not in _SAFE:
            self.ambiguous |= method not in _REPEATABLE and not key
            where = f"{method} {path.partition('?')[0]}"
            number = "" if method in _REPEATABLE else f" {key or len(self._written)}"
            self._written[where + number] = body.decode("utf-8", "replace")
        return 200, {}, b"{}"

    def subject(self) -> str:
        """The one that the samples are about."""
        return self._subject

    def written(self) -> Json:
        """Bodies by method and path."""
        with self.lock:
            return dict(self._written)
