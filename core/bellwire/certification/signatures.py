"""Is a request believed exactly when it is signed with one of the account's secrets, unaltered and fresh?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.certification.scheme import OTHER_SECRET, Scheme
from bellwire.errors import SignatureMismatch
from bellwire.model import WebhookRequest
from bellwire.signing import TOLERANCE_S
from bellwire.testing import NOW, OLD_SECRET, SECRET


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
    return lambda kit: check(kit.scheme)


def _other_account(kit: Kit) -> None:
    """Of another installation: told by its secret, or, where one secret serves all, by the account it names.

    A platform that signs nothing may still name the account: then the author says what another account's installation has.
    """
    connector, other = kit.connector, kit.quality.other_account
    there = replace(
        kit.at,
        account_ref="another.example",
        credentials={**kit.at.credentials, connector.account_field: "another.example"},
        settings={**kit.at.settings, **other},
    )
    if not connector.shared_secret:
        there = replace(there, secrets=(OTHER_SECRET,), credentials={**there.credentials, connector.secret_field: OTHER_SECRET})
    served = 0
    for name, request in _named(kit) if other else kit.scheme.signed():
        try:
            connector.verify(request, there, NOW)
        except SignatureMismatch:
            served += 1
            continue
        meant = connector.account_of(request) if connector.account_of is not None else ""
        claim(bool(meant) and meant != there.account_ref, f"{name}: was taken for an account that it is not for")
        served += 1
    claim(served > 0, "there is no sample of a request")


def _named(kit: Kit) -> Iterator[tuple[str, WebhookRequest]]:
    """Every sample, signed where anything is, which its own account believes."""
    for name, unsigned in kit.requests:
        request = kit.scheme.sign(unsigned, (SECRET,))
        try:
            kit.connector.verify(request, kit.at, NOW)
        except SignatureMismatch as e:
            raise AssertionError(f"{name}: is refused for its own account") from e
        yield name, request


RULES = (
    Rule(
        "signed",
        Level.BRONZE,
        "A request that the platform signed is believed.",
        _asking(_signed_is_believed),
    ),
    Rule(
        "unsigned",
        Level.BRONZE,
        "A request without its signature is refused.",
        _asking(_unsigned_is_refused),
    ),
    Rule(
        "mutated-signature",
        Level.BRONZE,
        "A signature that was changed, cut or written in another case is refused.",
        _asking(_changed_header),
        needs=("signed", "unsigned"),
    ),
    Rule(
        "changed-body",
        Level.BRONZE,
        "A body that was changed after signing is refused.",
        _asking(_changed_body),
        needs=("signed", "unsigned", "mutated-signature"),
    ),
    Rule(
        "other-secret",
        Level.BRONZE,
        "A request signed with another secret is refused.",
        _asking(_other_secret_is_refused),
        needs=("signed", "unsigned", "mutated-signature"),
    ),
    Rule(
        "no-secret",
        Level.BRONZE,
        "Without a secret nobody is believed, nor whoever signs with an empty one.",
        _asking(_no_secret),
        needs=("signed", "unsigned", "mutated-signature", "other-secret"),
    ),
    Rule(
        "two-secrets",
        Level.BRONZE,
        "While a secret is replaced the old and the new one are both good, in either order.",
        _asking(_either_secret),
        needs=("signed",),
    ),
    Rule(
        "stale",
        Level.BRONZE,
        "A signed time more than five minutes away is refused, one within is not.",
        _asking(_stale),
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
