"""Does anything secret, or anybody's number, stand in a log line or an error?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.reading import HOSTILE
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.certification.scheme import OTHER_SECRET
from bellwire.masking import mask
from bellwire.model import Carrier, Connector, CredentialField
from bellwire.testing import NOW, SECRET, account

_SEPARATORS = re.compile(r"[ ()./\u00a0-]")
_SHORT = 6  # digits or letters: what is shorter tells nobody


def leak(text: str, secrets: Collection[str], phones: Collection[str]) -> str:
    """What stands in the text that must not: "a secret", "a number", or ""."""
    if any(secret in text for secret in secrets if len(secret) >= _SHORT):
        return "a secret"
    joined = _SEPARATORS.sub("", text)
    digits = {re.sub(r"\D", "", phone) for phone in phones}
    return "a number" if any(one in joined for one in digits if len(one) >= _SHORT) else ""


def secrets_of(fields: Sequence[CredentialField], credentials: Any) -> set[str]:
    """The secret ones among an account's credentials."""
    found: set[str] = set()
    for field in fields:
        value = credentials.get(field.name) if field.secret else None
        found |= {str(one) for one in (value if isinstance(value, list | tuple) else [value]) if one}
    return found


def _refusals(kit: Kit) -> Iterator[tuple[str, Exception]]:
    """What the subject raises for forged requests and for bodies that nobody documents."""
    scheme = kit.scheme
    with suppress(NotJudged):
        for secret in (SECRET, OTHER_SECRET):
            for name, request in scheme.signed((secret,)):
                for bent in (request, replace(request, body=request.body + b" +15550100199")):
                    try:
                        scheme.verify(bent, (SECRET,), NOW)
                    except Exception as e:
                        yield f"verify, {name}", e
    for read in _readers(kit):
        for _, request in kit.requests[: kit.scale.kinds]:
            for label, body in {**HOSTILE, "itself, cut": request.body[:-2], "a field taken out": _less(request.body)}.items():
                try:
                    read(replace(request, body=body))
                except Exception as e:
                    yield f"read, {label}", e


def _readers(kit: Kit) -> list[Any]:
    if isinstance(kit.subject, Connector):
        return [kit.read]
    at = account(kit.subject)
    found = (kit.subject.read_dlrs, kit.subject.read_replies)
    return [lambda request, _one=one: _one(request, at) for one in found if one is not None]


def _less(body: bytes) -> bytes:
    """The body without its first key."""
    return re.sub(rb'"\w+":', b'"x":', body, count=1)


def _phones(kit: Kit) -> set[str]:
    if isinstance(kit.subject, Carrier):
        return {"+15550100001", "+15550100199"}
    people = (person for events in kit.events.values() for event in events for person in event.people.values())
    return {phone for person in people for phone in (*person.phones, *(person.marketing_phones or ()))} | {"+15550100199"}


def _errors(kit: Kit) -> None:
    for what, error in _refusals(kit):
        text = f"{error} {error!r}"
        found = leak(text, {SECRET, OTHER_SECRET}, _phones(kit))
        claim(not found, f"{what}: the {type(error).__name__} quotes {found}")
        claim(mask(str(error)) == str(error), f"{what}: the {type(error).__name__} quotes a number, a token or a digest")


def _logs(kit: Kit) -> None:
    scheme, phones = kit.scheme, _phones(kit)
    with kit.watch().speech() as seen:
        with suppress(Exception):
            for _, request in scheme.signed():
                scheme.verify(request, (SECRET,), NOW)
        for read in _readers(kit):
            for _, request in kit.requests:
                with suppress(Exception):
                    read(request)
        for _ in _refusals(kit):
            pass
    for line in seen.said:
        found = leak(line, {SECRET, OTHER_SECRET}, phones)
        claim(not found, f"a log line tells {found}: {mask(line)[:120]}")


def _repr(kit: Kit) -> None:
    at: Any = kit.at if isinstance(kit.subject, Connector) else account(kit.subject)
    claim(SECRET not in f"{at!r} {at} {replace(at)!r}", "the account's repr shows its secret")
    secret = {one.name for one in kit.subject.fields if one.secret}
    claim(not kit.subject.secret_field or kit.subject.secret_field in secret, f"{kit.subject.secret_field} is not marked as secret")


RULES = (
    Rule("quiet-errors", Level.BRONZE, "No refusal quotes a secret, a digest or a number.", _errors),
    Rule("quiet-logs", Level.BRONZE, "No log line and nothing printed tells a secret or a number.", _logs),
    Rule("secret-fields", Level.BRONZE, "What signs is marked as secret and does not show in the account.", _repr),
)
