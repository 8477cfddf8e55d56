"""A Zendesk user as somebody to text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bellwire import ConsentState, Installation, Person

from .account import id_of
from .consents import hints
from .shapes import text, time_of

STAFF = frozenset({"agent", "admin"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_staff(user: Mapping[str, Any]) -> bool:
    """Whether this is one of the desk's people."""
    return user.get("role") in STAFF


def is_shared(user: Mapping[str, Any]) -> bool:
    """Whether several people use the phone of this profile: then it tells nobody apart."""
    return user.get("shared_phone_number") is True


def needs_identities(user: Mapping[str, Any]) -> bool:
    """Whether a number of the person's own can only be a direct line."""
    return not text(user.get("phone")) or is_shared(user)


def person_of(user: Mapping[str, Any], identities: Sequence[Mapping[str, Any]], installation: Installation) -> Person:
    """The person. A suspended one has no phone: nobody is texted who was shut out.

    Locale and time zone of an end user are the account's until somebody sets them, so that the account's own say nothing. Of
    consent only a "no" is taken from the profile: since when a "yes" stands there, it does not tell.
    """
    suspended = user.get("suspended") is True or user.get("active") is False
    locale, zone = text(user.get("locale"), 35), text(user.get("iana_time_zone"), 64)
    fields = user.get("user_fields")
    at = time_of(user.get("updated_at")) or _EPOCH
    said = hints(fields if isinstance(fields, Mapping) else {}, installation, at=at, source="zendesk")
    return Person(
        ref=f"user/{id_of(user.get('id'))}",
        name=text(user.get("name")),
        phones=() if suspended else phones_of(user, identities),
        email=text(user.get("email")),
        locale=locale if not installation.locale or locale.lower() != installation.locale.lower() else installation.locale,
        timezone=zone if zone != installation.timezone else "",
        countries=[installation.country] if installation.country else [],
        consents=[one for one in said if one.state is ConsentState.OPTED_OUT],
    )


def phones_of(user: Mapping[str, Any], identities: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The profile's phone unless it is shared, then direct lines, each as it was typed."""
    own = "" if is_shared(user) else text(user.get("phone"), 41)
    lines = [text(one.get("value"), 41) for one in identities if one.get("type") == "phone_number"]
    # a field of more than 40 characters holds more than a number, and cut it might hold somebody else's
    return tuple(dict.fromkeys(one for one in (own, *lines) if 0 < len(one) <= 40))


def first_name(user: Mapping[str, Any]) -> str:
    """Zendesk keeps one name; a placeholder's `first_name` is its first word too."""
    return text(user.get("name")).partition(" ")[0]
