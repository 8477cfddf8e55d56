"""A tenant's settings: the closed list of what decisions read of them, each checked where it comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bellwire.domain import conversations
from bellwire.domain.consent import Policy
from bellwire.domain.country_codes import country_code
from bellwire.domain.folding import normalise
from bellwire.domain.keywords import Kind, classify
from bellwire.domain.quiet import read_quiet
from bellwire.domain.retention import Retention
from bellwire.domain.when import parse_span
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose

MAX_TTL_DAYS = 7
_MAX_LINKS = 100
_MAX_WORDS, _MAX_WORD, _MAX_CONTACT = 50, 40, 60
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)  # ISO 4217


def check(settings: Mapping[str, Any], field: str = "settings") -> dict[str, Any]:
    """The settings in their stored form; null stays null (it takes a setting out). Raises FieldInvalid naming the place."""
    made: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in _CHECKS:
            raise FieldInvalid(f"{field}.{name}", f"is no setting; there are {', '.join(_CHECKS)}", "unknown_field")
        made[name] = None if value is None else _CHECKS[name](value, f"{field}.{name}")
    return made


def _consent(value: Any, field: str) -> Any:
    try:
        Policy.from_settings({"consent": value})
    except FieldInvalid as e:
        raise FieldInvalid(f"{field}{e.field.removeprefix('consent')}", e.message, e.code) from e
    return value


def _quiet_hours(value: Any, field: str) -> Any:
    read_quiet(value, field)
    return value


def _countries(value: Any, field: str) -> list[str]:
    if not isinstance(value, list):
        raise FieldInvalid(field, 'must be a list such as ["UZ", "KZ"]; an empty one allows all', "wrong_type")
    return sorted({country_code(one, f"{field}.{number}") for number, one in enumerate(value)})


def _links(value: Any, field: str) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_LINKS:
        raise FieldInvalid(field, f'must be a list of at most {_MAX_LINKS} hosts such as ["example.com"]', "wrong_type")
    for number, one in enumerate(value):
        if not isinstance(one, str) or not _HOST.fullmatch(one):
            raise FieldInvalid(f"{field}.{number}", "must be a host such as example.com, without https:// and path", "pattern")
    return list(value)


def _currency(value: Any, field: str) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise FieldInvalid(field, "must be a currency code of three capital letters, such as USD", "pattern")
    return value


def _expires_in(value: Any, field: str) -> dict[str, int]:
    """Seconds by purpose after which a text is worthless."""
    if not isinstance(value, Mapping):
        raise FieldInvalid(field, 'must be an object such as {"otp": "10m"}', "wrong_type")
    made: dict[str, int] = {}
    for name, span in value.items():
        if name not in list(Purpose):
            raise FieldInvalid(f"{field}.{name}", f"is no purpose; there are {', '.join(Purpose)}", "unknown_field")
        made[name] = int(parse_span(span, field=f"{field}.{name}", max_days=MAX_TTL_DAYS, min_s=1).total_seconds())
    return made


def _keywords(value: Any, field: str) -> dict[str, list[str]]:
    """The tenant's own words for STOP, START and HELP, beside ours."""
    if not isinstance(value, Mapping):
        raise FieldInvalid(field, 'must be an object such as {"stop": ["KIFAYA"]}', "wrong_type")
    made: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for kind, words in value.items():
        if kind not in set(Kind):
            raise FieldInvalid(f"{field}.{str(kind)[:40]}", f"is no kind of keyword; there are {', '.join(Kind)}", "unknown_field")
        if not isinstance(words, list) or len(words) > _MAX_WORDS:
            raise FieldInvalid(f"{field}.{kind}", f"must be a list of at most {_MAX_WORDS} words", "wrong_type")
        for number, word in enumerate(words):
            if not isinstance(word, str) or not word.strip() or len(word) > _MAX_WORD:
                raise FieldInvalid(f"{field}.{kind}.{number}", f"must be a text of 1 to {_MAX_WORD} characters", "pattern")
            _keyword(word, kind, kinds, f"{field}.{kind}.{number}")
        made[kind] = list(words)
    return made


def _keyword(word: str, kind: str, kinds: dict[str, str], field: str) -> None:
    """Refuse a word that could never be found in a reply, or that says two things. `kinds`: of the words before, as compared."""
    compared = normalise(word)
    if not compared:
        raise FieldInvalid(field, "must hold a letter or a digit: marks alone are not read; write a word such as KIFAYA", "pattern")
    other = kinds.setdefault(compared, kind)
    if other != kind:
        raise FieldInvalid(field, f"is also a word for {other}; leave it at one of them", "conflict")
    if kind != Kind.STOP and classify(word).kind is Kind.STOP:
        raise FieldInvalid(field, f"means stop wherever it is written; choose another word for {kind}", "conflict")


def _help_contact(value: Any, field: str) -> str:
    """Where help is, as the answer to HELP says it: a number, a link."""
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_CONTACT:
        raise FieldInvalid(field, f"must be a text of 1 to {_MAX_CONTACT} characters, such as +998 71 200 00 00", "pattern")
    return " ".join(value.split())


def _retention_days(value: Any, field: str) -> Any:
    Retention.from_settings({"retention_days": value}, field.removesuffix("retention_days"))
    return dict(value)


def _legal_hold(value: Any, field: str) -> Any:
    Retention.from_settings({"legal_hold": value}, field.removesuffix("legal_hold"))
    return value


_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "consent": _consent,
    "quiet_hours": _quiet_hours,
    "countries": _countries,
    "links": _links,
    "currency": _currency,
    "expires_in": _expires_in,
    "keywords": _keywords,
    "help_contact": _help_contact,
    "replies": conversations.check_setting,
    "retention_days": _retention_days,
    "legal_hold": _legal_hold,
}
