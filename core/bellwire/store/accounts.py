"""What installations and carrier accounts share: checked credentials and settings, a key for URLs, secrets in their overlap."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bellwire.domain.addresses import check_url
from bellwire.domain.country_codes import country_code
from bellwire.domain.deadline_rules import read_rules
from bellwire.domain.limits import parse_rate
from bellwire.domain.pricing import parse_prices
from bellwire.errors import FieldInvalid
from bellwire.ids import new_key
from bellwire.model import CredentialField
from bellwire.store.vault import Vault, key_hash

DEFAULT_OVERLAP_S = 86_400
MAX_OVERLAP_S = 30 * 86_400
RECONCILE_MIN_S, RECONCILE_MAX_S = 60, 7 * 86_400
_TEXT_MAX = 16_384  # a private key in PEM
_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts",
    dict: "an object",
}

#: Settings that every account takes, whatever its plugin declares.
SHARED = frozenset({"base_url", "secret_overlap_s"})
INSTALLATION = SHARED | {"write_back", "write_back_text", "reconcile_every_s", "deadlines"}
CARRIER = SHARED | {"rate", "burst", "prices", "currency", "countries", "sender_id", "carrier_auto_reply"}


def check_credentials(given: Mapping[str, Any], fields: Sequence[CredentialField], place: str = "credentials") -> dict[str, Any]:
    """Credentials with their defaults. Raises FieldInvalid naming `credentials.shop`: missing, unknown, of the wrong kind."""
    known = {field.name: field for field in fields}
    numbers = {field.name for field in fields if field.number}
    given = {name: str(value) if name in numbers and type(value) is int else value for name, value in given.items()}
    for name, value in given.items():
        if name not in known:
            raise _unknown(f"{place}.{name}", known)
        _check_kind(f"{place}.{name}", value, known[name])
    made = {field.name: field.default for field in fields if field.default is not None}
    made |= {name: _cleaned(f"{place}.{name}", value, known[name]) for name, value in given.items() if value is not None}
    for field in fields:
        if field.required and made.get(field.name) in (None, "", [], {}):
            raise FieldInvalid(f"{place}.{field.name}", f"is required: {field.help}", "required")
    return made


def check_settings(
    given: Mapping[str, Any], fields: Sequence[CredentialField], common: Collection[str], *, allow_private: bool
) -> dict[str, Any]:
    """Settings: those the plugin declares and those in `common`. Raises FieldInvalid naming `settings.base_url`."""
    declared = {field.name for field in fields}
    for name in given:
        if name not in declared and name not in common:
            raise _unknown(f"settings.{name}", sorted(declared | set(common)))
    made = check_credentials({name: value for name, value in given.items() if name in declared}, fields, "settings")
    made |= {name: value for name, value in given.items() if name not in declared and value is not None}
    if made.get("base_url"):
        made["base_url"] = check_url(_text(made, "base_url"), "settings.base_url", allow_private=allow_private)
    _check_common(made)
    return made


def _check_common(settings: dict[str, Any]) -> None:
    overlap = settings.get("secret_overlap_s", 0)
    if isinstance(overlap, bool) or not isinstance(overlap, int) or not 0 <= overlap <= MAX_OVERLAP_S:
        raise FieldInvalid("settings.secret_overlap_s", f"must be a whole number from 0 to {MAX_OVERLAP_S}", "out_of_range")
    if settings.get("write_back", "final") not in ("final", "all", "off"):
        raise FieldInvalid("settings.write_back", "must be final, all or off", "not_one_of")
    for name in ("write_back_text", "carrier_auto_reply"):
        if not isinstance(settings.get(name, False), bool):
            raise FieldInvalid(f"settings.{name}", "must be true or false", "wrong_type")
    every = settings.get("reconcile_every_s", RECONCILE_MIN_S)
    if isinstance(every, bool) or not isinstance(every, int) or not RECONCILE_MIN_S <= every <= RECONCILE_MAX_S:
        wanted = f"must be a whole number from {RECONCILE_MIN_S} to {RECONCILE_MAX_S}"
        raise FieldInvalid("settings.reconcile_every_s", wanted, "out_of_range")
    if settings.get("deadlines") is not None:
        read_rules(settings["deadlines"])
    if settings.get("sender_id") is not None and not 0 < len(_text(settings, "sender_id")) <= 64:
        raise FieldInvalid("settings.sender_id", "must have 1 to 64 characters", "too_long")
    countries = settings.get("countries")
    if countries is not None:
        if not isinstance(countries, list):
            raise FieldInvalid("settings.countries", 'must be a list such as ["UZ", "KZ"]', "wrong_type")
        settings["countries"] = [country_code(one, f"settings.countries.{number}") for number, one in enumerate(countries)]
    parse_rate(settings, None)
    parse_prices(settings, currency="USD")


def _text(settings: Mapping[str, Any], name: str) -> str:
    value = settings[name]
    if not isinstance(value, str):
        raise FieldInvalid(f"settings.{name}", "must be a text", "wrong_type")
    return value


def _unknown(place: str, known: Collection[str]) -> FieldInvalid:
    return FieldInvalid(place, f"is not a field here; there are {', '.join(known) or 'none'}", "unknown_field")


def _check_kind(place: str, value: Any, field: CredentialField) -> None:
    if value is None:
        return
    kind = field.kind
    good = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not good or (isinstance(value, bool) and kind is not bool):
        raise FieldInvalid(place, f"must be {_KINDS.get(kind, 'of another kind')}: {field.help}", "wrong_type")
    if isinstance(value, str) and len(value) > _TEXT_MAX:
        raise FieldInvalid(place, f"must have at most {_TEXT_MAX} characters", "too_long")
    if kind is list and not all(isinstance(one, str) and one for one in value):
        raise FieldInvalid(place, "must be a list of texts", "wrong_type")


def _cleaned(place: str, value: Any, field: CredentialField) -> Any:
    if field.clean is None or value in ("", [], {}):
        return value
    try:
        return field.clean(value)
    except ValueError as e:
        raise FieldInvalid(place, str(e)) from e


def visible(values: Mapping[str, Any], fields: Sequence[CredentialField]) -> dict[str, Any]:
    """The values that may be shown: those of fields that are declared and no secret."""
    shown = {field.name for field in fields if not field.secret}
    return {name: value for name, value in values.items() if name in shown}


def hidden(values: Mapping[str, Any], fields: Sequence[CredentialField]) -> list[str]:
    """The names of the other fields that are set."""
    return sorted(set(values) - set(visible(values, fields)))


def new_url_key(vault: Vault, tenant_id: UUID, table: str, row_id: UUID) -> tuple[str, dict[str, Any]]:
    """A key for an account's URLs, and its columns: the hash that finds it, the sealed value that shows it again."""
    key = new_key()
    return key, {"key_hash": key_hash(key), "key_sealed": vault.seal(key, tenant_id, f"{table}.key_sealed", row_id)}


def replaced_secrets(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    secret_field: str,
    old: Sequence[Mapping[str, Any]] | None,
    overlap_s: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """`secrets_old` after a change of credentials: what was replaced stays valid for `overlap_s`, newest first.

    An overlap of 0 leaves none but the new secret: what was replaced earlier ends with it. Each has its own end otherwise.
    """
    current = _as_list(after.get(secret_field))
    gone = [value for value in _as_list(before.get(secret_field)) if value not in current]
    if gone and overlap_s == 0:
        return []
    kept = [dict(entry) for entry in old or () if datetime.fromisoformat(entry["until"]) > now]
    until = (now + timedelta(seconds=overlap_s)).isoformat()
    fresh = [{"value": value, "until": until} for value in gone]
    values = {*gone, *current}  # one that came back needs no overlap; one that goes again gets a new end
    return fresh + [entry for entry in kept if entry["value"] not in values]


def _as_list(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
