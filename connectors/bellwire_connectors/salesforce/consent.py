"""Consent out: an opt-out or opt-in of our ledger, in the checkbox of every Contact and Lead that has the number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from bellwire import ConsentChange, ConsentState, Installation, Link, PlatformError, PlatformRejected

from . import configured
from .client import Org, Row
from .ids import long_id, object_of
from .people import PERSONS, PHONES, consent_fields
from .records import Record, of_json, time_of
from .soql import quoted, searched

_NO_DIGIT = re.compile(r"\D+", re.ASCII)
_EXTENSION = re.compile(r"(?:ext\.?|x|#).*$", re.IGNORECASE)
_LEAST_DIGITS = 7
#: How many of the last digits everybody writes, with whatever before them.
_NATIONAL_DIGITS = 9


def write_consent(change: ConsentChange, link: Link) -> None:
    """Tick or clear the field. Writing the same again changes nothing. Raises PlatformError.

    One box speaks of all purposes in `settings.consent_purposes`: an opt-out of any of them ticks it. An opt-in clears it, unless
    the record was changed after the statement was made: a newer opt-out may be the reason. An implied consent is no statement.
    """
    installation = link.installation
    if change.state not in (ConsentState.OPTED_IN, ConsentState.OPTED_OUT) or not any(consent_fields(installation)):
        return
    if change.purpose not in configured.purposes(installation):
        return
    org = Org(link)
    errors: list[PlatformError] = []
    for kind, record_id, is_known in _holders(org, change):
        try:
            _write(org, kind, record_id, change, installation, is_known=is_known)
        except PlatformRejected as e:  # the other records are written all the same
            errors.append(e)
    if errors:
        raise errors[0]


def same_number(written: str, msisdn: str) -> bool:
    """Whether a field holds this number: with its `+` all digits count, without it the end of the number (seven at least)."""
    shown = _EXTENSION.sub("", written.strip())
    digits = _NO_DIGIT.sub("", shown)
    if shown.startswith("+") or digits.startswith("00"):
        return digits.removeprefix("00") == msisdn[1:]
    national = digits.lstrip("0")
    return len(national) >= _LEAST_DIGITS and msisdn[1:].endswith(national)


def _holders(org: Org, change: ConsentChange) -> Iterator[tuple[str, str, bool]]:
    """(object, id, whether it is the one we texted) of all who may have the number."""
    known = long_id(change.customer_ref)
    if object_of(known) in PERSONS:
        yield object_of(known), known, True
    digits = change.msisdn[1:]
    # Salesforce indexes a phone without its punctuation, however it was typed
    terms = " OR ".join(dict.fromkeys((searched(digits), searched(digits[-_NATIONAL_DIGITS:]))))
    try:
        rows = org.search(f"FIND {{{terms}}} IN PHONE FIELDS RETURNING Contact(Id), Lead(Id) LIMIT 50")
    except PlatformRejected:
        return  # without search there is still the record that we texted
    for row in rows:
        kind, record_id = str(_attributes(row).get("type") or ""), long_id(row.get("Id"))
        if kind in ("Contact", "Lead") and record_id not in ("", known):
            yield kind, record_id, False


def _write(org: Org, kind: str, record_id: str, change: ConsentChange, installation: Installation, *, is_known: bool) -> None:
    fields = [name for name in consent_fields(installation, kind) if name]
    missing: set[str] = set()
    more = ("IsPersonAccount", "AccountId") if kind == "Contact" else ()
    rows = list(
        org.select(
            kind,
            ("Id", "LastModifiedDate", "LastModifiedById"),
            f"WHERE Id = {quoted(record_id)} LIMIT 1",
            optional=(*fields, *PHONES[kind], *more),
            missing=missing,
        )
    )
    record = of_json(kind, rows[0]) if rows else None
    if record is None or not (is_known or any(same_number(record.fields.get(name, ""), change.msisdn) for name in PHONES[kind])):
        return
    if kind == "Contact" and record.flag("IsPersonAccount"):  # can be written on its account only
        _write(org, "Account", record.ref("AccountId"), change, installation, is_known=True)
        return
    if missing & set(fields):
        lacking = ", ".join(sorted(missing & set(fields)))
        raise PlatformRejected(f"salesforce: {kind} has no field {lacking}, or the user may not see it", code="INVALID_FIELD")
    wanted = _wanted(record, change, installation)
    if wanted:
        org.update(kind, record_id, wanted)


def _wanted(record: Record, change: ConsentChange, installation: Installation) -> dict[str, bool]:
    """The fields that have to change, with their values."""
    out, into = consent_fields(installation, record.kind)
    opts_out = change.state is ConsentState.OPTED_OUT
    if not opts_out and out and record.flag(out) and _is_newer(record, change.at):
        return {}
    wanted = {out: opts_out, into: not opts_out}
    return {name: value for name, value in wanted.items() if name and record.flag(name) is not value}


def _is_newer(record: Record, at: datetime) -> bool:
    """Whether the record was changed after the statement: a box has no time of its own, so whatever ticked it may be newer."""
    changed = time_of(record.fields.get("LastModifiedDate"))
    return changed is not None and changed > at


def _attributes(row: Row) -> Row:
    found = row.get("attributes")
    return found if isinstance(found, dict) else {}
