"""How a subject's requests are signed and verified, with made-up secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from bellwire.certification.rules import NotJudged
from bellwire.errors import SignatureMismatch
from bellwire.model import Carrier, CarrierAccount, Connector, Installation, WebhookRequest
from bellwire.testing import NOW, SECRET, account, installation

OTHER_SECRET = "whsec_" + SECRET.removeprefix("whsec_")[::-1].replace("=", "A") + "AAAA"
_UNSIGNED = "nothing is signed here: the key in the URL is all there is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How one subject signs and verifies; its requests by the sample's name."""

    who: str
    requests: Sequence[tuple[str, WebhookRequest]]
    sign: Callable[[WebhookRequest, Sequence[str]], WebhookRequest]
    verify: Callable[[WebhookRequest, Sequence[str], datetime], None]

    def signed(self, secrets: Sequence[str] = (SECRET,)) -> Iterator[tuple[str, WebhookRequest]]:
        """Every sample, signed. Raises NotJudged where nothing is."""
        if not self.requests:
            raise AssertionError(f"{self.who} has no sample of a request")
        for name, request in self.requests:
            signed = self.sign(request, secrets)
            if signed == request:
                raise NotJudged(_UNSIGNED)
            yield name, signed

    def refuses(self, name: str, request: WebhookRequest, *, now: datetime = NOW, secrets: Sequence[str] = (SECRET,)) -> None:
        """Claim that the request is refused."""
        try:
            self.verify(request, secrets, now)
        except SignatureMismatch:
            return
        raise AssertionError(f"{name}: was believed")


def _connector(connector: Connector, requests: Sequence[tuple[str, WebhookRequest]]) -> Scheme:
    """A connector's scheme, over all its samples."""

    @cache
    def at(secrets: Sequence[str]) -> Installation:
        return installation(connector, secrets=secrets)

    return Scheme(
        who=connector.name,
        requests=requests,
        sign=lambda request, secrets: connector.sign(request, at(secrets)),
        verify=lambda request, secrets, now: connector.verify(request, at(secrets), now),
    )


def _carrier(carrier: Carrier, requests: Sequence[tuple[str, WebhookRequest]]) -> Scheme:
    """A carrier's scheme, over its receipts and replies."""
    sign = carrier.sign

    @cache
    def at(secrets: Sequence[str]) -> CarrierAccount:
        return account(carrier, secrets=secrets)

    return Scheme(
        who=carrier.name,
        requests=[(name, request) for name, request in requests if not name.startswith("answer")],
        sign=lambda request, secrets: sign(request, at(secrets)) if sign else request,
        verify=lambda request, secrets, now: carrier.verify(request, at(secrets), now),
    )


def scheme_of(subject: Connector | Carrier, requests: Sequence[tuple[str, WebhookRequest]]) -> Scheme:
    """The subject's, over these of its samples."""
    return _connector(subject, requests) if isinstance(subject, Connector) else _carrier(subject, requests)
