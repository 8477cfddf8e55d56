"""Is a request believed exactly when it is signed with one of the account's secrets, unaltered and fresh?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bellwire.certification.questions import NotAsked, Question, claim
from bellwire.errors import SignatureMismatch
from bellwire.masking import mask
from bellwire.model import Carrier, Connector, WebhookRequest
from bellwire.signing import TOLERANCE_S
from bellwire.testing import NOW, OLD_SECRET, SECRET, account, installation, sample, samples

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
        """Every sample, signed. Raises NotAsked where nothing is."""
        if not self.requests:
            raise AssertionError(f"{self.who} has no sample of a request")
        for name, request in self.requests:
            signed = self.sign(request, secrets)
            if signed == request:
                raise NotAsked(_UNSIGNED)
            yield name, signed

    def refuses(self, name: str, request: WebhookRequest, *, now: datetime = NOW, secrets: Sequence[str] = (SECRET,)) -> None:
        """Claim that the request is refused, in words that tell no secret."""
        try:
            self.verify(request, secrets, now)
        except SignatureMismatch as e:
            claim(mask(str(e)) == str(e), f"{name}: the refusal quotes a number or a secret")
        else:
            raise AssertionError(f"{name}: was believed")


def connector_scheme(connector: Connector) -> Scheme:
    """A connector's scheme, over all its samples."""
    return Scheme(
        who=connector.name,
        requests=[(name, sample(connector.samples, name)) for name in samples(connector.samples)],
        sign=lambda request, secrets: connector.sign(request, installation(connector, secrets=secrets)),
        verify=lambda request, secrets, now: connector.verify(request, installation(connector, secrets=secrets), now),
    )


def carrier_scheme(carrier: Carrier) -> Scheme:
    """A carrier's scheme, over its receipts and replies."""
    sign = carrier.sign
    return Scheme(
        who=carrier.name,
        requests=[(name, sample(carrier.samples, name)) for name in samples(carrier.samples) if not name.startswith("answer")],
        sign=lambda request, secrets: sign(request, account(carrier, secrets=secrets)) if sign else request,
        verify=lambda request, secrets, now: carrier.verify(request, account(carrier, secrets=secrets), now),
    )


def signatures(scheme: Scheme) -> list[Question]:
    """The questions on who is believed."""
    return [
        Question("a signed request is believed", lambda: _signed_is_believed(scheme)),
        Question("an unsigned request is refused", lambda: _unsigned_is_refused(scheme)),
        Question("a request signed with another secret is refused", lambda: _other_secret_is_refused(scheme)),
        Question("either of two secrets is enough", lambda: _either_secret(scheme)),
        Question("no secret, nobody is believed", lambda: _no_secret(scheme)),
        Question("a changed body is refused", lambda: _changed_body(scheme)),
        Question("a changed signature header is refused", lambda: _changed_header(scheme)),
        Question("a stale request is refused", lambda: _stale(scheme)),
    ]


def _signed_is_believed(scheme: Scheme) -> None:
    for _, request in scheme.signed():
        scheme.verify(request, (SECRET,), NOW)


def _unsigned_is_refused(scheme: Scheme) -> None:
    for name, _ in scheme.signed():
        scheme.refuses(name, dict(scheme.requests)[name])


def _other_secret_is_refused(scheme: Scheme) -> None:
    for name, request in scheme.signed((OTHER_SECRET,)):
        scheme.refuses(name, request)


def _either_secret(scheme: Scheme) -> None:
    for secret in (SECRET, OLD_SECRET):
        for _, request in scheme.signed((secret,)):
            scheme.verify(request, (SECRET, OLD_SECRET), NOW)
            scheme.verify(request, (OLD_SECRET, SECRET), NOW)


def _no_secret(scheme: Scheme) -> None:
    for name, request in scheme.signed():
        scheme.refuses(name, request, secrets=())


def _changed_body(scheme: Scheme) -> None:
    for name, request in scheme.signed():
        unsigned = dict(scheme.requests)[name]
        longer = replace(unsigned, body=unsigned.body + b"x")
        if _without_body(scheme.sign(longer, (SECRET,))) == _without_body(request):
            raise NotAsked("the signature does not cover the body here")
        for body in (request.body + b"x", b"", request.body[:-1]):
            if body != request.body:
                scheme.refuses(name, replace(request, body=body))


def _without_body(request: WebhookRequest) -> WebhookRequest:
    return replace(request, body=b"")


def _changed_header(scheme: Scheme) -> None:
    for name, request in scheme.signed():
        before = dict(scheme.requests)[name].headers
        for header, value in request.headers.items():
            if before.get(header) == value:
                continue
            for bent in (
                "",
                value + "x",
                value[1:],
                value[:-1],
                "é" + value[1:],
                value.swapcase() if value.swapcase() != value else "x",
            ):
                scheme.refuses(f"{name}, {header}", replace(request, headers={**request.headers, header: bent}))


def _stale(scheme: Scheme) -> None:
    for name, request in scheme.signed():
        unsigned = dict(scheme.requests)[name]
        later = replace(unsigned, received_at=NOW + timedelta(hours=1))
        if replace(scheme.sign(later, (SECRET,)), received_at=NOW) == request:
            raise NotAsked("the signature has no time here: repeats are found by the event's id")
        for seconds in (-TOLERANCE_S, TOLERANCE_S):
            scheme.verify(request, (SECRET,), NOW + timedelta(seconds=seconds))
        for seconds in (-TOLERANCE_S - 1, TOLERANCE_S + 1):
            scheme.refuses(f"{name}, {seconds} s away", request, now=NOW + timedelta(seconds=seconds))
