"""A tenant's route policy: accounts in the order of preference, rules by country and purpose, and what follows a doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bellwire.domain.country_codes import country_code
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose

MAX_RULES = 200
MAX_ACCOUNTS = 50


class OnAmbiguous(StrEnum):
    """What follows an attempt whose end we can't know."""

    WAIT = "wait"  # for a DLR, a status query or a person
    BACKUP = "backup"  # otp only: a knowing second send


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a policy says for some countries and purposes; empty = all. None: as the policy itself."""

    countries: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    primary: tuple[str, ...] | None = None
    backup: tuple[str, ...] | None = None
    sender_id: str = ""
    on_ambiguous: OnAmbiguous | None = None

    def rank(self, country: str, purpose: Purpose) -> int | None:
        """How closely it fits, None when it doesn't; a named country says more than a named purpose."""
        if (self.countries and country not in self.countries) or (self.purposes and purpose not in self.purposes):
            return None
        return 2 * bool(self.countries) + bool(self.purposes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A tenant's route policy: accounts (by shown id) in the order of preference, and rules; `countries` empty = all."""

    primary: tuple[str, ...] = ()
    backup: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    countries: frozenset[str] = frozenset()
    on_ambiguous: OnAmbiguous = OnAmbiguous.WAIT

    def rule(self, country: str, purpose: Purpose) -> Rule:
        """What holds for a message: the closest rule (the first of equals), filled up from the policy."""
        fits = [(rank, rule) for rule in self.rules if (rank := rule.rank(country, purpose)) is not None]
        best = max(fits, key=lambda fit: fit[0])[1] if fits else Rule()
        wish = best.on_ambiguous or self.on_ambiguous
        return Rule(
            countries=best.countries,
            purposes=best.purposes,
            primary=self.primary if best.primary is None else best.primary,
            backup=self.backup if best.backup is None else best.backup,
            sender_id=best.sender_id,
            on_ambiguous=wish if purpose is Purpose.OTP else OnAmbiguous.WAIT,
        )


def parse_policy(document: object, known: Collection[str] | None = None) -> Policy:
    """The route policy of `PUT /v1/routes`. Raises FieldInvalid naming the place: `rules.0.backup.1`.

    `known`: the tenant's accounts by shown id; None: not checked (a stored policy may name one that is gone since).
    """
    fields = _object(document, "", {"primary", "backup", "rules", "countries", "on_ambiguous"})
    rules = fields.get("rules", ())
    if not isinstance(rules, Sequence) or isinstance(rules, str) or len(rules) > MAX_RULES:
        raise FieldInvalid("rules", f"must be a list of at most {MAX_RULES} rules")
    primary = _accounts(fields.get("primary"), "primary", known)
    if not primary:
        raise FieldInvalid("primary", "must name at least one carrier account")
    return Policy(
        primary=primary,
        backup=_accounts(fields.get("backup"), "backup", known) or (),
        rules=tuple(_rule(rule, f"rules.{number}", known) for number, rule in enumerate(rules)),
        countries=_countries(fields.get("countries"), "countries"),
        on_ambiguous=_on_ambiguous(fields.get("on_ambiguous"), "on_ambiguous") or OnAmbiguous.WAIT,
    )


def _rule(raw: object, place: str, known: Collection[str] | None) -> Rule:
    fields = _object(raw, place, {"country", "purpose", "primary", "backup", "sender_id", "on_ambiguous"})
    rule = Rule(
        countries=_countries(fields.get("country"), f"{place}.country"),
        purposes=_purposes(fields.get("purpose"), f"{place}.purpose"),
        primary=_accounts(fields.get("primary"), f"{place}.primary", known),
        backup=_accounts(fields.get("backup"), f"{place}.backup", known),
        sender_id=_sender_id(fields.get("sender_id"), f"{place}.sender_id"),
        on_ambiguous=_on_ambiguous(fields.get("on_ambiguous"), f"{place}.on_ambiguous"),
    )
    if not rule.countries and not rule.purposes:
        raise FieldInvalid(place, "must name a country or a purpose: what holds for all stands in the policy itself")
    if rule.primary == ():
        raise FieldInvalid(f"{place}.primary", "must name at least one carrier account, or be left out")
    if rule.on_ambiguous is OnAmbiguous.BACKUP and rule.purposes and Purpose.OTP not in rule.purposes:
        raise FieldInvalid(f"{place}.on_ambiguous", "backup is for purpose otp only: it may send twice")
    return rule


def _object(raw: object, place: str, names: Collection[str]) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise FieldInvalid(place or "body", "must be an object")
    for name in raw:
        if name not in names:
            raise FieldInvalid(f"{place}.{name}" if place else str(name), f"unknown: must be one of {', '.join(sorted(names))}")
    return raw


def _accounts(raw: object, place: str, known: Collection[str] | None) -> tuple[str, ...] | None:
    if raw is None:
        return None
    if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) > MAX_ACCOUNTS:
        raise FieldInvalid(place, f"must be a list of at most {MAX_ACCOUNTS} carrier account ids")
    for number, name in enumerate(raw):
        if not isinstance(name, str) or (known is not None and name not in known):
            raise FieldInvalid(f"{place}.{number}", "is no carrier account of this tenant", "unknown_carrier_account")
        if name in raw[:number]:
            raise FieldInvalid(f"{place}.{number}", "is named twice")
    return tuple(raw)


def _several(raw: object) -> Sequence[object]:
    return () if raw is None else raw if isinstance(raw, Sequence) and not isinstance(raw, str) else (raw,)


def _countries(raw: object, place: str) -> frozenset[str]:
    return frozenset(country_code(one, f"{place}.{number}") for number, one in enumerate(_several(raw)))


def _purposes(raw: object, place: str) -> frozenset[Purpose]:
    for one in _several(raw):
        if one not in list(Purpose):
            raise FieldInvalid(place, f"must be one or several of {', '.join(Purpose)}")
    return frozenset(Purpose(str(one)) for one in _several(raw))


def _sender_id(raw: object, place: str) -> str:
    if raw is None:
        return ""
    if not isinstance(raw, str) or not 0 < len(raw) <= 64:
        raise FieldInvalid(place, "must be a sender ID")
    return raw


def _on_ambiguous(raw: object, place: str) -> OnAmbiguous | None:
    if raw is None:
        return None
    if raw not in list(OnAmbiguous):
        raise FieldInvalid(place, f"must be one of {', '.join(OnAmbiguous)}")
    return OnAmbiguous(str(raw))
