"""Is a request believed exactly when it is signed with one of the account's secrets, unaltered and fresh?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.errors import SignatureMismatch
from bellwire.model import Carrier, CarrierAccount, Connector, Installation, WebhookRequest
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


def connector_scheme(connector: Connector) -> Scheme:
    """A connector's scheme, over all its samples."""

    @cache
    def at(secrets: Sequence[str]) -> Installation:
        return installation(connector, secrets=secrets)

    return Scheme(
        who=connector.name,
        requests=[(name, sample(connector.samples, name)) for name in samples(connector.samples)],
        sign=lambda request, secrets: connector.sign(request, at(secrets)),
        verify=lambda request, secrets, now: connector.verify(request, at(secrets), now),
    )


def carrier_scheme(carrier: Carrier) -> Scheme:
    """A carrier's scheme, over its receipts and replies."""
    sign = carrier.sign

    @cache
    def at(secrets: Sequence[str]) -> CarrierAccount:
        return account(carrier, secrets=secrets)

    return Scheme(
        who=carrier.name,
        requests=[(name, sample(carrier.samples, name)) for name in samples(carrier.samples) if not name.startswith("answer")],
        sign=lambda request, secrets: sign(request, at(secrets)) if sign else request,
        verify=lambda request, secrets, now: carrier.verify(request, at(secrets), now),
    )


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
        try:
            forged = scheme.sign(dict(scheme.requests)[name], ("",))
        except (SignatureMismatch, ValueError):
            continue  # it can't be signed with nothing
        scheme.refuses(f"{name}, signed with an empty secret", forged, secrets=())


def _changed_body(scheme: Scheme) -> None:
    for name, request in scheme.signed():
        unsigned = dict(scheme.requests)[name]
        longer = replace(unsigned, body=unsigned.body + b"x")
        if _without_body(scheme.sign(longer, (SECRET,))) == _without_body(request):
            raise NotJudged("the signature does not cover the body here")
        for body in (request.body + b"x", b"", request.body[:-1]):
            if body != request.body:
                scheme.refuses(name, replace(request, body=body))


def _without_body(request: WebhookRequest) -> WebhookRequest:
    return replace(request, body=b"")


def _changed_header(scheme: Scheme) -> None:
    bent_headers = 0
    for name, request in scheme.signed():
        before = dict(scheme.requests)[name].headers
        for header, value in request.headers.items():
            if before.get(header) == value:
                continue
            bent_headers += 1
            for bent in (
                "",
                value + "x",
                value[1:],
                value[:-1],
                "é" + value[1:],
                value.swapcase() if value.swapcase() != value else "x",
            ):
                scheme.refuses(f"{name}, {header}", replace(request, headers={**request.headers, header: bent}))
    if not bent_headers:
        raise NotJudged("the signature is in no header here")


def _stale(scheme: Scheme) -> None:
    for name, request in scheme.signed():
        unsigned = dict(scheme.requests)[name]
        later = replace(unsigned, received_at=NOW + timedelta(hours=1))
        if replace(scheme.sign(later, (SECRET,)), received_at=NOW) == request:
            raise NotJudged("the signature has no time here: repeats are found by the event's id")
        for seconds in (-TOLERANCE_S, TOLERANCE_S):
            scheme.verify(request, (SECRET,), NOW + timedelta(seconds=seconds))
        for seconds in (-TOLERANCE_S - 1, TOLERANCE_S + 1):
            scheme.refuses(f"{name}, {seconds} s away", request, now=NOW + timedelta(seconds=seconds))


def _asking(check: Callable[[Scheme], None]) -> Callable[[Kit], None]:
    return lambda kit: check(scheme_of(kit.subject))


def scheme_of(subject: Connector | Carrier) -> Scheme:
    """How it signs and verifies."""
    return connector_scheme(subject) if isinstance(subject, Connector) else carrier_scheme(subject)


def _other_account(kit: Kit) -> None:
    """Of another installation: told by its secret, or, where one secret serves all, by the account it names."""
    connector = kit.connector
    there = replace(
        kit.at, account_ref="another.example", credentials={**kit.at.credentials, connector.account_field: "another.example"}
    )
    if not connector.shared_secret:
        there = replace(there, secrets=(OTHER_SECRET,), credentials={**there.credentials, connector.secret_field: OTHER_SECRET})
    served = 0
    for name, request in connector_scheme(connector).signed():
        try:
            connector.verify(request, there, NOW)
        except SignatureMismatch:
            served += 1
            continue
        meant = connector.account_of(request) if connector.account_of is not None else ""
        claim(bool(meant) and meant != there.account_ref, f"{name}: was taken for an account that it is not for")
        served += 1
    claim(served > 0, "there is no sample of a request")


RULES = (
    Rule(
        "signed",
        Level.BRONZE,
        "A request that the platform signed is believed.",
        _asking(lambda scheme: _signed_is_believed(scheme)),
    ),
    Rule(
        "unsigned",
        Level.BRONZE,
        "A request without its signature is refused.",
        _asking(lambda scheme: _unsigned_is_refused(scheme)),
    ),
    Rule(
        "mutated-signature",
        Level.BRONZE,
        "A signature that was changed, cut or written in another case is refused.",
        _asking(lambda scheme: _changed_header(scheme)),
        needs=("signed", "unsigned"),
    ),
    Rule(
        "changed-body",
        Level.BRONZE,
        "A body that was changed after signing is refused.",
        _asking(lambda scheme: _changed_body(scheme)),
        needs=("signed", "unsigned", "mutated-signature"),
    ),
    Rule(
        "other-secret",
        Level.BRONZE,
        "A request signed with another secret is refused.",
        _asking(lambda scheme: _other_secret_is_refused(scheme)),
        needs=("signed", "unsigned", "mutated-signature"),
    ),
    Rule(
        "no-secret",
        Level.BRONZE,
        "Without a secret nobody is believed, nor whoever signs with an empty one.",
        _asking(lambda scheme: _no_secret(scheme)),
        needs=("signed", "unsigned", "mutated-signature", "other-secret"),
    ),
    Rule(
        "two-secrets",
        Level.BRONZE,
        "While a secret is replaced the old and the new one are both good, in either order.",
        _asking(lambda scheme: _either_secret(scheme)),
        needs=("signed",),
    ),
    Rule(
        "stale",
        Level.BRONZE,
        "A signed time more than five minutes away is refused, one within is not.",
        _asking(lambda scheme: _stale(scheme)),
        needs=("signed", "unsigned", "mutated-signature"),
    ),
)

OTHER_ACCOUNT = Rule(
    "other-account",
    Level.BRONZE,
    "A request for another installation, or for an account that nobody installed, is refused or led away.",
    _other_account,
    needs=("signed", "unsigned", "mutated-signature", "other-secret"),
)
