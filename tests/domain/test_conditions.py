"""A trigger's conditions: what is refused, what matches, what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from bellwire.domain.triggers import MAX_LINES, compile_conditions
from bellwire.errors import FieldInvalid
from hypothesis import given, settings
from hypothesis import strategies as st

LINE = {"field": "order.total", "op": "is", "value": "1"}


@dataclass(frozen=True)
class Match:
    label: str
    op: str
    value: Any
    seen: Any
    matched: bool
    more: dict[str, Any] = field(default_factory=dict)


MISSING = object()

MATCHES = [
    Match("text is itself", "is", "paid", "paid", True),
    Match("case makes no difference", "is", "Paid", "PAID", True),
    Match("Cyrillic case makes no difference", "is", "тошкент", "ТОШКЕНТ", True),
    Match("sharp s is double s", "is", "STRASSE", "Straße", True),
    Match("a composed accent is a decomposed one", "is", "caf\u00e9", "cafe\u0301", True),
    Match("an accent is a difference", "is", "cafe", "café", False),
    Match("outer spaces are a difference", "is", "paid", "paid ", False),
    Match("money text is money text of another scale", "is", "129.5", "129.50", True),
    Match("a number is money text", "is", 129.5, "129.50", True),
    Match("money text is a number", "is", "129.50", 129.5, True),
    Match("a leading zero makes a text, not a number", "is", "7", "007", False),
    Match("a text with a leading zero is itself", "is", "007", "007", True),
    Match("a large id keeps every digit", "is", "9007199254740993", 9007199254740992, False),
    Match("a boolean is itself", "is", True, True, True),
    Match("a boolean is no other", "is", True, False, False),
    Match("a boolean is its word", "is", "true", True, True),
    Match("the word is its boolean", "is", False, "False", True),
    Match("one is not true", "is", True, 1, False),
    Match("true is not one", "is", 1, True, False),
    Match("one instant in two zones", "is", "2026-01-31T09:00:00Z", "2026-01-31T14:00:00+05:00", True),
    Match("a list is no single value", "is", "a", ["a"], False),
    Match("missing is nothing", "is", "paid", MISSING, False),
    Match("is_not is the contrary of is", "is_not", "paid", "open", True),
    Match("is_not is false for the same", "is_not", "paid", "PAID", False),
    Match("is_not is true for a missing field", "is_not", "paid", MISSING, True),
    Match("is_not is true for an empty text", "is_not", "paid", "", True),
    Match("one of several", "in", ["CO", "UZ"], "uz", True),
    Match("none of several", "in", ["CO", "UZ"], "US", False),
    Match("one of several numbers", "in", [1, 2], "2.0", True),
    Match("an item of a list is one of several", "in", ["vip", "gold"], ["new", "Gold"], True),
    Match("no item of a list is one of several", "in", ["vip", "gold"], ["new"], False),
    Match("missing is none of several", "in", ["CO"], MISSING, False),
    Match("a text contains a part", "contains", "gift", "A GIFT for Ana", True),
    Match("a text does not contain another", "contains", "gift", "plain", False),
    Match("a list contains an item", "contains", "vip", ["new", "VIP"], True),
    Match("a list does not contain a part of an item", "contains", "vi", ["vip"], False),
    Match("a list of numbers contains a number", "contains", 2, [1, 2], True),
    Match("a number's text contains digits", "contains", "45", 12345, True),
    Match("a number of 5,000 digits is searched too", "contains", "1", 10**5000, True),
    Match("an object contains nothing", "contains", "a", {"a": "a"}, False),
    Match("missing contains nothing", "contains", "a", MISSING, False),
    Match("a text starts with", "starts_with", "#10", "#1001", True),
    Match("a text does not start with its end", "starts_with", "01", "#1001", False),
    Match("a number starts with its digits", "starts_with", "10", 1001, True),
    Match("e is not how é starts", "starts_with", "cafe", "cafe\u0301s", False),
    Match("a list starts with nothing", "starts_with", "a", ["a"], False),
    Match("money text above a number", ">", 100, "129.50", True),
    Match("money text is not compared as text", ">", 100, "99.00", False),
    Match("money text above money text", ">", "9", "10", True),
    Match("a tenth is a tenth", ">=", "0.1", 0.1, True),
    Match("above is not equal", ">", 100, "100.00", False),
    Match("at least is", ">=", 100, "100.00", True),
    Match("below", "<", "-1", "-1.01", True),
    Match("at most", "<=", 5, 5, True),
    Match("a boolean is no number", ">=", 0, True, False),
    Match("NaN is no number", "<", 5, float("nan"), False),
    Match("infinity is no number", ">", 5, float("inf"), False),
    Match("a text with an exponent is no number", ">", 5, "1e9", False),
    Match("a word is no number", ">", 5, "many", False),
    Match("a time is no number", ">", 5, "2026-01-31T09:00:00Z", False),
    Match("missing is not below", "<", 5, MISSING, False),
    Match("an instant before another in its own zone", "<", "2026-01-31T09:00:00Z", "2026-01-31T13:59:59+05:00", True),
    Match("a lower-case z is UTC", ">=", "2026-01-31T09:00:00z", "2026-01-31t09:00:00.001z", True),
    Match("a date is its midnight in UTC", "<=", "2026-01-31", "2026-01-31T00:00:00Z", True),
    Match("a day that does not exist is no time", ">", "2026-01-01", "2026-02-31", False),
    Match("a time without a zone is no instant", ">", "2026-01-01", "2026-05-01T10:00:00", False),
    Match("a time beyond the calendar is no instant", "<", "2026-01-01", "0001-01-01T00:00:00+05:00", False),
    Match("a value exists", "exists", True, "x", True),
    Match("zero exists", "exists", True, 0, True),
    Match("false exists", "exists", True, False, True),
    Match("missing does not exist", "exists", True, MISSING, False),
    Match("null does not exist", "exists", True, None, False),
    Match("an empty text does not exist", "exists", True, "", False),
    Match("an empty list does not exist", "exists", True, [], False),
    Match("exists false asks for nothing", "exists", False, MISSING, True),
    Match("exists false is false for a value", "exists", False, 0, False),
    Match("changed to, by the list of changes", "changed_to", "won", "Won", True, {"changed": ["x.field"]}),
    Match("changed to, by the old value", "changed_to", "won", "won", True, {"previous.x.field": "open"}),
    Match("changed from nothing", "changed_to", "won", "won", True, {"previous.x.field": None}),
    Match("another field changed", "changed_to", "won", "won", False, {"changed": ["deal.amount"]}),
    Match("changed to something else", "changed_to", "won", "lost", False, {"changed": ["x.field"]}),
    Match("the old value was the same", "changed_to", "won", "won", False, {"previous.x.field": "WON"}),
    Match("the old amount was the same", "changed_to", 5, "5.00", False, {"previous.x.field": "5"}),
    Match("nobody knows of a change", "changed_to", "won", "won", False),
    Match("changes that are no list", "changed_to", "won", "won", False, {"changed": "x.field"}),
]


@pytest.mark.parametrize("case", MATCHES, ids=lambda case: case.label)
def test_line(case: Match) -> None:
    conditions = compile_conditions([{"field": "x.field", "op": case.op, "value": case.value}])
    data = dict(case.more) if case.seen is MISSING else {"x.field": case.seen, **case.more}
    assert conditions.judge(data).matched is case.matched


def line(name: str, value: str) -> dict[str, str]:
    return {"field": name, "op": "is", "value": value}


GROUPS: list[tuple[str, list[Any], list[Any], bool, str]] = [
    ("no condition matches every event", [], [], True, "no conditions"),
    ("one line that holds", [line("a.kind", "1")], [], True, 'all.0: a.kind is "1" (saw "1")'),
    ("all lines hold", [line("a.kind", "1"), line("b.kind", "2")], [], True, 'each of 2, last all.1: b.kind is "2" (saw "2")'),
    (
        "the first false line decides",
        [line("a.kind", "1"), line("b.kind", "3"), line("c.x", "3")],
        [],
        False,
        'all.1: b.kind is "3" (saw "2")',
    ),
    ("the first true line of any decides", [], [line("a.kind", "9"), line("b.kind", "2")], True, 'any.1: b.kind is "2" (saw "2")'),
    ("none of any holds", [], [line("a.kind", "9"), line("b.kind", "8")], False, 'none of 2, first any.0: a.kind is "9" (saw "1")'),
    ("the only line of any is false", [line("a.kind", "1")], [line("b.kind", "8")], False, 'any.0: b.kind is "8" (saw "2")'),
    (
        "a false line of all beats a true one of any",
        [line("a.kind", "9")],
        [line("b.kind", "2")],
        False,
        'all.0: a.kind is "9" (saw "1")',
    ),
]


@pytest.mark.parametrize(("all_", "any_", "matched", "told"), [row[1:] for row in GROUPS], ids=[row[0] for row in GROUPS])
def test_groups(all_: list[Any], any_: list[Any], matched: bool, told: str) -> None:
    judgement = compile_conditions(all_, any_).judge({"a.kind": "1", "b.kind": "2"})
    assert (judgement.matched, judgement.line) == (matched, told)
    assert [result.place for result in judgement.lines] == [f"all.{n}" for n in range(len(all_))] + [
        f"any.{n}" for n in range(len(any_))
    ]


TOLD: list[tuple[str, dict[str, Any], Any, str]] = [
    ("an amount is quoted", {"field": "order.total", "op": ">", "value": 100}, "59.00", 'order.total > 100 (saw "59.00")'),
    (
        "a word of a status is quoted",
        {"field": "deal.stage", "op": "is", "value": "won"},
        "lost",
        'deal.stage is "won" (saw "lost")',
    ),
    ("a flag is quoted", {"field": "order.gift", "op": "is", "value": True}, False, "order.gift is true (saw false)"),
    ("nothing is called so", {"field": "order.total", "op": "exists"}, None, "order.total exists true (saw nothing)"),
    (
        "a list of values is quoted",
        {"field": "order.country", "op": "in", "value": ["CO", 1]},
        "CO",
        'order.country in ["CO", 1] (saw "CO")',
    ),
    (
        "a list seen is counted",
        {"field": "order.tags", "op": "contains", "value": "vip"},
        ["a", "b"],
        'order.tags contains "vip" (saw a list of 2)',
    ),
    (
        "a free text is counted",
        {"field": "order.choice", "op": "is", "value": "a"},
        "blue one",
        'order.choice is "a" (saw a text of 8)',
    ),
    (
        "a long number is not told",
        {"field": "order.ref", "op": "is", "value": "a"},
        "900000001",
        'order.ref is "a" (saw a text of 9)',
    ),
    ("nor as a number", {"field": "order.ref", "op": "is", "value": "a"}, 900000001, 'order.ref is "a" (saw a number)'),
    (
        "a personal field tells no value at all",
        {"field": "customer.age", "op": ">", "value": 17},
        16,
        "customer.age > … (saw a number)",
    ),
    (
        "nor what was asked for",
        {"field": "contact.email", "op": "is", "value": "ana@example.com"},
        "b",
        "contact.email is … (saw a text of 1)",
    ),
    (
        "a control character is escaped",
        {"field": "a.status", "op": "is", "value": "x\ny"},
        "x\ny",
        r'a.status is "x\ny" (saw "x\ny")',
    ),
    ("a quotation mark is escaped", {"field": "a.status", "op": "is", "value": 'x"y'}, "x", r'a.status is "x\"y" (saw "x")'),
    (
        "half a surrogate pair is escaped",
        {"field": "a.status", "op": "is", "value": "x"},
        "\ud800",
        r'a.status is "x" (saw "\ud800")',
    ),
    (
        "a long value is cut",
        {"field": "a.kind", "op": "is", "value": "x" * 50},
        "y" * 50,
        f'a.kind is "{"x" * 39}…" (saw a text of 50)',
    ),
]


@pytest.mark.parametrize(("raw", "seen", "told"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD])
def test_what_is_told(raw: dict[str, Any], seen: Any, told: str) -> None:
    assert compile_conditions([raw]).judge({raw["field"]: seen}).line == f"all.0: {told}"


REFUSED: list[tuple[str, Any, Any, str]] = [
    ("all is no list", {"field": "a"}, [], "all"),
    ("any is a text", [], "abc", "any"),
    ("a line is no object", [LINE, "x"], [], "all.1"),
    ("a group in a line", [LINE, LINE, {"any": [LINE]}], [], "all.2.any"),
    ("an unknown word in a line", [{**LINE, "values": 1}], [], "all.0.values"),
    ("no field", [{"op": "is", "value": 1}], [], "all.0.field"),
    ("a field that is no name", [{**LINE, "field": "order total"}], [], "all.0.field"),
    ("a field that is too long", [{**LINE, "field": "a" * 121}], [], "all.0.field"),
    ("an unknown operator", [LINE, LINE, {**LINE, "op": "like"}], [], "all.2.op"),
    ("no operator", [], [{"field": "a", "value": 1}], "any.0.op"),
    ("an operator that is no text", [], [{**LINE, "op": ["is"]}], "any.0.op"),
    ("no value", [{"field": "a", "op": "is"}], [], "all.0.value"),
    ("an empty text", [{**LINE, "value": ""}], [], "all.0.value"),
    ("an object as value", [{**LINE, "value": {"a": 1}}], [], "all.0.value"),
    ("several values without in", [{**LINE, "value": ["a"]}], [], "all.0.value"),
    ("NaN", [{**LINE, "value": float("nan")}], [], "all.0.value"),
    ("a text of 1,001 characters", [{**LINE, "value": "x" * 1001}], [], "all.0.value"),
    ("in without a list", [{**LINE, "op": "in", "value": "CO"}], [], "all.0.value"),
    ("in with nothing", [{**LINE, "op": "in", "value": []}], [], "all.0.value"),
    ("a list in the list", [{**LINE, "op": "in", "value": ["a", ["b"]]}], [], "all.0.value.1"),
    ("more than a word", [{**LINE, "op": ">", "value": "many"}], [], "all.0.value"),
    ("more than a boolean", [{**LINE, "op": ">", "value": True}], [], "all.0.value"),
    ("less than a time without zone", [{**LINE, "op": "<", "value": "2026-01-01T10:00:00"}], [], "all.0.value"),
    ("starts with a number", [{**LINE, "op": "starts_with", "value": 10}], [], "all.0.value"),
    ("exists with a text", [{**LINE, "op": "exists", "value": "yes"}], [], "all.0.value"),
    ("51 lines in all", [LINE] * (MAX_LINES + 1), [], "all"),
    ("51 lines together", [LINE] * MAX_LINES, [LINE], "any"),
]


@pytest.mark.parametrize(("all_", "any_", "place"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(all_: Any, any_: Any, place: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        compile_conditions(all_, any_)
    assert caught.value.field == place


def test_fifty_lines_are_taken() -> None:
    assert compile_conditions([LINE] * 25, [LINE] * 25).judge({"order.total": 1}).matched


def test_fields_are_those_of_the_lines() -> None:
    assert compile_conditions([line("a", "1"), line("b.c", "1")], [line("a", "2")]).fields == {"a", "b.c"}


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(alphabet=st.characters(exclude_categories=())))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
)
ops = st.sampled_from(["is", "is_not", "in", "contains", "starts_with", "<", "<=", ">", ">=", "exists", "changed_to"])


@settings(max_examples=200)
@given(op=ops, wanted=values, seen=values, before=values)
def test_any_value_is_judged_or_refused_and_what_is_told_can_be_stored(op: str, wanted: Any, seen: Any, before: Any) -> None:
    try:
        conditions = compile_conditions([{"field": "x.status", "op": op, "value": wanted}])
    except FieldInvalid:
        return
    judgement = conditions.judge({"x.status": seen, "previous.x.status": before, "changed": before})
    assert judgement.line.encode()
    assert judgement.lines[0].matched is judgement.matched


@settings(max_examples=200)
@given(
    op=ops.filter(lambda op: op not in ("<", "<=", ">", ">=", "exists")), secret=st.text(alphabet="qwxzj", min_size=6, max_size=30)
)
@pytest.mark.parametrize(
    "name", ["customer.first_name", "ticket.subject", "order.billing.city", "previous.contact.email", "worker.name"]
)
def test_no_personal_value_is_ever_told(name: str, op: str, secret: str) -> None:
    value = [secret] if op == "in" else secret
    conditions = compile_conditions([{"field": name, "op": op, "value": value}])
    assert secret not in conditions.judge({name: secret, "changed": [name]}).line
    assert secret not in conditions.judge({name: f"{secret} and more"}).line
