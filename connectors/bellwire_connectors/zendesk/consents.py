"""The user fields that hold consent, and what stands in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bellwire import ConsentHint, ConsentState, Installation, Purpose

from .shapes import stamp, text, time_of, word

OPT_IN, OPT_OUT = "opt_in", "opt_out"

#: What people write into such a field → ours. Anything else says nothing.
STATES: Mapping[str, ConsentState] = {
    OPT_IN: ConsentState.OPTED_IN,
    "opted_in": ConsentState.OPTED_IN,
    "sms_opt_in": ConsentState.OPTED_IN,
    OPT_OUT: ConsentState.OPTED_OUT,
    "opted_out": ConsentState.OPTED_OUT,
    "sms_opt_out": ConsentState.OPTED_OUT,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A user field by its key, and what it is about."""

    key: str
    purpose: Purpose


def changed_fields(installation: Installation) -> Sequence[Field]:
    """The fields of this account that hold consent."""
    settings = installation.settings
    named = (
        (settings.get("consent_field", "sms_consent"), Purpose.TRANSACTIONAL),
        (settings.get("marketing_consent_field"), Purpose.MARKETING),
    )
    return [Field(str(key), purpose) for key, purpose in named if key]


def at_key(key: str) -> str:
    """The text field beside it that says which state we wrote last, and when that was said."""
    return f"{key}_at"


def since(value: str, at: datetime) -> str:
    """What stands there: `opt_out 2026-01-05T09:00:00Z`."""
    return f"{value} {stamp(at)}"


def said_before(field: object) -> tuple[str, datetime] | None:
    """State and time of the statement that we wrote last."""
    value, _, at = text(field).partition(" ")
    when = time_of(at)
    return (value, when) if when is not None else None


def title_of(key: str) -> str:
    """The title under which we make the field: events name it by that."""
    return key.replace("_", " ").capitalize().replace("Sms", "SMS")


def hints(
    user_fields: Mapping[str, object], installation: Installation, *, at: datetime, source: str, proof: str = ""
) -> Sequence[ConsentHint]:
    """What the fields say. Where marketing has no field of its own, "no" counts for it too; "yes" never does."""
    found = []
    fields = changed_fields(installation)
    alone = len(fields) == 1
    for field in fields:
        state = STATES.get(word(user_fields.get(field.key)))
        if state is None:
            continue
        purposes = [field.purpose, *([Purpose.MARKETING] if alone and state is ConsentState.OPTED_OUT else [])]
        found += [ConsentHint(purpose=one, state=state, at=at, source=source, proof=proof) for one in dict.fromkeys(purposes)]
    return found
