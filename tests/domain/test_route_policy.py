"""A route policy as it comes in: which rule holds for a message, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire.domain.route_policy import OnAmbiguous, Policy, parse_policy
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose

KNOWN = ["acc_a", "acc_b", "acc_c"]
OTP, TRANSACTIONAL, MARKETING = Purpose.OTP, Purpose.TRANSACTIONAL, Purpose.MARKETING
POLICY = parse_policy(
    {
        "primary": ["acc_a"],
        "backup": ["acc_b"],
        "on_ambiguous": "backup",
        "rules": [
            {"purpose": "otp", "primary": ["acc_b"]},
            {"country": "CO", "backup": []},
            {"country": ["uz", "KZ"], "purpose": ["marketing", "transactional"], "primary": ["acc_c"], "sender_id": "4546"},
            {"country": "UZ", "primary": ["acc_b"]},
            {"country": "UZ", "primary": ["acc_c"]},
            {"country": "HR", "on_ambiguous": "wait"},
        ],
    },
    KNOWN,
)

RULES: list[tuple[str, str, Purpose, tuple[str, ...], tuple[str, ...], str]] = [
    ("no rule fits: the policy itself", "MX", MARKETING, ("acc_a",), ("acc_b",), ""),
    ("a rule for the purpose", "MX", OTP, ("acc_b",), ("acc_b",), ""),
    ("a country says more than a purpose", "CO", OTP, ("acc_a",), (), ""),
    ("an empty backup is none", "CO", MARKETING, ("acc_a",), (), ""),
    ("country and purpose say most", "UZ", MARKETING, ("acc_c",), ("acc_b",), "4546"),
    ("one of several countries", "KZ", TRANSACTIONAL, ("acc_c",), ("acc_b",), "4546"),
    ("the first of equals", "UZ", OTP, ("acc_b",), ("acc_b",), ""),
]


@pytest.mark.parametrize(
    ("country", "purpose", "primary", "backup", "sender"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_rule(country: str, purpose: Purpose, primary: tuple[str, ...], backup: tuple[str, ...], sender: str) -> None:
    rule = POLICY.rule(country, purpose)
    assert (rule.primary, rule.backup, rule.sender_id) == (primary, backup, sender)


@pytest.mark.parametrize(
    ("country", "purpose", "expected"),
    [("MX", OTP, "backup"), ("MX", TRANSACTIONAL, "wait"), ("MX", MARKETING, "wait"), ("HR", OTP, "wait"), ("", OTP, "backup")],
)
def test_a_knowing_second_send_is_for_otp_only(country: str, purpose: Purpose, expected: str) -> None:
    assert POLICY.rule(country, purpose).on_ambiguous == expected


def test_the_least_policy_waits() -> None:
    assert parse_policy({"primary": ["acc_a"]}, KNOWN) == Policy(primary=("acc_a",), on_ambiguous=OnAmbiguous.WAIT)


def test_a_stored_policy_may_name_an_account_that_is_gone() -> None:
    assert parse_policy({"primary": ["acc_gone"], "countries": ["CO"]}).countries == {"CO"}


REFUSED: list[tuple[str, Any, str]] = [
    ("a list", [], "body"),
    ("an unknown field", {"primary": ["acc_a"], "fallback": []}, "fallback"),
    ("nobody to send", {}, "primary"),
    ("an empty primary list", {"primary": []}, "primary"),
    ("an account as a text", {"primary": "acc_a"}, "primary"),
    ("somebody else's account", {"primary": ["acc_a", "acc_z"]}, "primary.1"),
    ("an account twice", {"primary": ["acc_a", "acc_a"]}, "primary.1"),
    ("a number as account", {"primary": ["acc_a"], "backup": [1]}, "backup.0"),
    ("rules that are no list", {"primary": ["acc_a"], "rules": {}}, "rules"),
    ("a rule that is no object", {"primary": ["acc_a"], "rules": [1]}, "rules.0"),
    ("a rule for nothing in particular", {"primary": ["acc_a"], "rules": [{"primary": ["acc_b"]}]}, "rules.0"),
    ("a rule with nobody to send", {"primary": ["acc_a"], "rules": [{"country": "CO", "primary": []}]}, "rules.0.primary"),
    ("an unknown account in a rule", {"primary": ["acc_a"], "rules": [{"country": "CO", "backup": ["x"]}]}, "rules.0.backup.0"),
    ("an unknown field in a rule", {"primary": ["acc_a"], "rules": [{"country": "CO", "weight": 1}]}, "rules.0.weight"),
    ("an unknown country", {"primary": ["acc_a"], "rules": [{"country": ["CO", "QQ"]}]}, "rules.0.country.1"),
    ("an unknown purpose", {"primary": ["acc_a"], "rules": [{"purpose": "promo"}]}, "rules.0.purpose"),
    ("an empty sender ID", {"primary": ["acc_a"], "rules": [{"country": "CO", "sender_id": ""}]}, "rules.0.sender_id"),
    ("a country that is a number", {"primary": ["acc_a"], "countries": [57]}, "countries.0"),
    ("an unknown answer to doubt", {"primary": ["acc_a"], "on_ambiguous": "retry"}, "on_ambiguous"),
    (
        "a second send of marketing",
        {"primary": ["acc_a"], "rules": [{"purpose": "marketing", "on_ambiguous": "backup"}]},
        "rules.0.on_ambiguous",
    ),
    ("201 rules", {"primary": ["acc_a"], "rules": [{"country": "CO"}] * 201}, "rules"),
]


@pytest.mark.parametrize(("document", "place"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(document: Any, place: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        parse_policy(document, KNOWN)
    assert caught.value.field == place
