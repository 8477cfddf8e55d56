"""How long things are kept, and what a wrong setting is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire.domain import tenant_settings
from bellwire.domain.retention import DEFAULT_DAYS, Kept, Retention
from bellwire.errors import FieldInvalid

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_defaults_cover_every_class() -> None:
    assert set(DEFAULT_DAYS) == set(Kept)
    assert Retention.from_settings({}).forget_before(Kept.EVENTS, NOW) == NOW - timedelta(days=90)


def test_own_days_change_one_class_and_leave_the_others() -> None:
    found = Retention.from_settings({"retention_days": {"events": 7}})
    assert found.forget_before(Kept.EVENTS, NOW) == NOW - timedelta(days=7)
    assert found.forget_before(Kept.MESSAGES, NOW) == NOW - timedelta(days=365)


def test_a_hold_forgets_nothing() -> None:
    found = Retention.from_settings({"legal_hold": True, "retention_days": {"events": 1}})
    assert {found.forget_before(what, NOW) for what in Kept} == {None}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("not an object", {"retention_days": 90}, "retention_days"),
    ("a class nobody keeps", {"retention_days": {"audit": 1}}, "retention_days.audit"),
    ("no day", {"retention_days": {"events": 0}}, "retention_days.events"),
    ("a thousand years", {"retention_days": {"events": 365_000}}, "retention_days.events"),
    ("a fraction", {"retention_days": {"events": 1.5}}, "retention_days.events"),
    ("true", {"retention_days": {"events": True}}, "retention_days.events"),
    ("a hold that is no word for it", {"legal_hold": "yes"}, "legal_hold"),
]


@pytest.mark.parametrize(("settings", "field"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_setting_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldInvalid) as found:
        Retention.from_settings(settings)
    assert found.value.field == field
    with pytest.raises(FieldInvalid) as told:
        tenant_settings.check(settings)
    assert told.value.field == f"settings.{field}"


KEYWORDS: list[tuple[str, Any, str | None]] = [
    ("own words", {"stop": ["KIFAYA"], "help": ["MADAD"]}, None),
    ("a kind there is not", {"pause": ["X"]}, "settings.keywords.pause"),
    ("a text instead of a list", {"stop": "KIFAYA"}, "settings.keywords.stop"),
    ("an empty word", {"stop": ["OK", " "]}, "settings.keywords.stop.1"),
]


@pytest.mark.parametrize(("value", "field"), [row[1:] for row in KEYWORDS], ids=[row[0] for row in KEYWORDS])
def test_own_keywords(value: Any, field: str | None) -> None:
    if field is None:
        assert tenant_settings.check({"keywords": value}) == {"keywords": value}
        return
    with pytest.raises(FieldInvalid) as found:
        tenant_settings.check({"keywords": value})
    assert found.value.field == field


def test_where_help_is_fits_into_one_text() -> None:
    assert tenant_settings.check({"help_contact": " call  +998 71 200 00 00 "}) == {"help_contact": "call +998 71 200 00 00"}
    with pytest.raises(FieldInvalid):
        tenant_settings.check({"help_contact": "x" * 61})
