"""Templates: what they print, what they refuse, what they say of themselves."""

import re
import threading
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from bellwire.domain.templates import Template, compile  # noqa: A004
from bellwire.errors import RenderFailed, TemplateInvalid
from bellwire.model import Purpose

ORDER: dict[str, Any] = {
    "customer.first_name": "Ana",
    "order.name": "#1001",
    "order.number": 1001,
    "order.total": "129.50",
    "order.currency": "EUR",
    "order.created_at": "2026-11-04T01:05:00Z",
    "order.note": None,
    "order.gift": False,
    "order.tags": [],
    "order.line_items": [{"title": "Mug", "quantity": 2, "price": "3.50"}, {"title": "Cup", "quantity": 1, "price": "4"}],
    "shop.name": "Example Shop",
    "tracking.url": "",
}


def render(source: str, variables: Mapping[str, Any] = ORDER, locale: str = "es-ES", timezone: str = "America/Bogota") -> str:
    return compile(source).render(variables, locale=locale, timezone=timezone)


PRINTED = [
    ("a text", "Hello", "Hello"),
    ("a variable", "Hola {{ customer.first_name }}", "Hola Ana"),
    ("a number and a flag", "{{ order.number }} {{ order.gift }}", "1001 false"),
    ("money and date", "{{ order.total | money: order.currency }} {{ order.created_at | date }}", "129,50 € 3 nov 2026"),
    ("time", "{{ order.created_at | time }}", "20:05"),
    ("an empty text was given on purpose", "[{{ tracking.url }}]", "[]"),
    ("blank space around goes, inside it stays", "\n a \n\n\n b \n", "a \n\n\n b"),
    ("whitespace control", "a {{- order.number -}} b", "a1001b"),
    ("a default for what is missing", "{{ customer.last_name | default: 'x' }}", "x"),
    ("a default for null", "{{ order.note | default: 'x' }}", "x"),
    ("a default for an empty text", "{{ tracking.url | default: 'x' }}", "x"),
    ("a default for an empty list", "{{ order.tags | default: 'x' }}", "x"),
    ("a default for false", "{{ order.gift | default: 'x' }}", "x"),
    ("unless false is a value", "{{ order.gift | default: 'x', allow_false: true }}", "false"),
    ("no default for 0", "{{ 0 | default: 'x' }}", "0"),
    ("a default that is empty", "[{{ customer.last_name | default: '' }}]", "[]"),
    ("a default from a variable", "{{ customer.last_name | default: customer.first_name }}", "Ana"),
    ("a default that nobody needs may be missing", "{{ customer.first_name | default: no.such }}", "Ana"),
    ("filters after a default", "{{ customer.last_name | default: 'x' | upcase }}", "X"),
    ("a missing variable in a condition is false", "{% if no.such %}a{% else %}b{% endif %}", "b"),
    ("null too", "{% if order.note %}a{% else %}b{% endif %}", "b"),
    ("missing equals nil", "{% if no.such == nil %}a{% endif %}", "a"),
    ("missing is blank", "{% if no.such == blank %}a{% endif %}{% if no.such != blank %}b{% endif %}", "a"),
    ("missing is empty", "{% if no.such == empty %}a{% endif %}{% if blank != no.such %}b{% endif %}", "a"),
    ("missing is an empty text", "{% if no.such == '' %}a{% endif %}{% if no.such != '' %}b{% endif %}", "a"),
    ("missing is not more or less than anything", "{% if no.such > 1 or no.such <= 1 %}a{% else %}b{% endif %}", "b"),
    ("missing contains nothing", "{% if no.such contains 'a' or order.name contains no.such %}a{% else %}b{% endif %}", "b"),
    ("a condition guards its output", "a{% if no.such != blank %}{{ no.such }}{% endif %}", "a"),
    ("unless", "{% unless no.such %}a{% endunless %}", "a"),
    ("elsif", "{% if no.such %}a{% elsif order.name %}b{% endif %}", "b"),
    ("case", "{% case order.currency %}{% when 'USD', 'EUR' %}a{% else %}b{% endcase %}", "a"),
    ("case of what is missing", "{% case no.such %}{% when 'USD' %}a{% else %}b{% endcase %}", "b"),
    ("a block that fits twice is printed once", "{% case 1 %}{% when 1, 1, 1 %}a{% endcase %}", "a"),
    ("money compares as a number", "{% if order.total > 99 %}a{% endif %}{% if order.total < '1000' %}b{% endif %}", "ab"),
    ("words compare as words", "{% if 'b' > 'a' %}a{% endif %}", "a"),
    ("a loop", "{% for i in order.line_items %}{{ i.title }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "Mug, Cup"),
    ("a loop in reverse", "{% for i in order.line_items reversed %}{{ forloop.index }}{{ i.title }}{% endfor %}", "1Cup2Mug"),
    ("a loop over nothing", "{% for i in order.tags %}a{% else %}b{% endfor %}", "b"),
    ("a loop with limit and offset", "{% for i in (1..9) limit: 3 offset: 1 %}{{ i }}{% endfor %}", "234"),
    ("continue", "{% for i in (1..3) %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"),
    ("break", "{% for i in (1..3) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
    ("amounts in a loop", "{% for i in order.line_items %}{{ i.price | money: order.currency }} {% endfor %}", "3,50 € 4,00 €"),
    ("an item by its place", "{{ order.line_items[1].title }} {{ order.line_items[-1].title }}", "Cup Cup"),
    ("the first and the last item", "{{ order.line_items.first.title }} {{ order.line_items.last.title }}", "Mug Cup"),
    ("the size of a list and of a text", "{{ order.line_items.size }} {{ order.name.size }}", "2 5"),
    ("a name in brackets", "{{ order['total'] }} {{ order[\"line_items\"].size }}", "129.50 2"),
    ("assign", "{% assign x = order.total | times: 2 %}{{ x }}", "259.00"),
    ("assign hides a variable", "{% assign order = 'mine' %}{{ order }}", "mine"),
    ("assigning what is missing is no failure yet", "{% assign x = no.such %}{{ x | default: 'a' }}", "a"),
    ("capture", "{% capture x %}{{ order.name }}!{% endcapture %}{{ x }}{{ x }}", "#1001!#1001!"),
    ("echo", "{% echo order.name %}", "#1001"),
    ("comments", "a{% comment %}{{ order.name }}{% endcomment %}{% # b %}", "a"),
    ("values of a list", "{{ order.line_items | map: 'title' | join: ', ' }}", "Mug, Cup"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "source", "expected"), PRINTED, ids=[row[0] for row in PRINTED])
def test_printed(label: str, source: str, expected: str) -> None:
    assert render(source) == expected, label


class Kind(StrEnum):
    GIFT = "gift"


VALUES = [
    ("text", "a", "a"),
    ("a whole number", 7, "7"),
    ("a float", 1.5, "1.5"),
    ("a large float has no exponent", 1e16, "10000000000000000"),
    ("a small one neither", 1e-7, "0.0000001"),
    ("a Decimal as it is", Decimal("129.50"), "129.50"),
    ("a Decimal has no exponent", Decimal("1E+3"), "1000"),
    ("an enum's member is its value", Purpose.OTP, "otp"),
    ("half a character", "a\ud800b", "a\ufffdb"),
    ("two halves of a character", "\ud83d\ude00", "😀"),
    ("several lines", "a\n\nb", "a\n\nb"),
    ("every line end is LF", "a\r\nb\rc", "a\nb\nc"),
]


@pytest.mark.parametrize(("label", "value", "expected"), VALUES, ids=[row[0] for row in VALUES])
def test_values(label: str, value: object, expected: str) -> None:
    assert render("{{ x }}", {"x": value}) == expected, label
    assert render("{{ x.y }}", {"x.y": value}) == expected, label
    assert render("{{ x.y }}", {"x": {"y": value}}) == expected, label
    assert render("{% for each in x %}{{ each }}{% endfor %}", {"x": [value]}) == expected, label


NAMED = [
    ("flat", {"a.b": 1, "a.c": 2}, "{{ a.b }}{{ a.c }}", "12"),
    ("nested", {"a": {"b": 1, "c": 2}}, "{{ a.b }}{{ a.c }}", "12"),
    ("both", {"a": {"b": 1}, "a.c": 2}, "{{ a.b }}{{ a.c }}", "12"),
    ("both, in another order", {"a.c": 2, "a": {"b": 1}}, "{{ a.b }}{{ a.c }}", "12"),
    ("deep", {"a.b": {"c": {"d": 1}}, "a.b.c.e": 2}, "{{ a.b.c.d }}{{ a.b.c.e }}", "12"),
    ("a name with a value and names below it", {"a": 1, "a.b": 2}, "{{ a }}{{ a.b }}", "12"),
    ("in another order", {"a.b": 2, "a": 1}, "{{ a }}{{ a.b }}", "12"),
    ("an object can be tested", {"a.b": 1}, "{% if a %}x{% endif %}", "x"),
    ("an object in a loop gives pairs", {"a.b": 1}, "{% for pair in a %}{{ pair[0] }}={{ pair[1] }}{% endfor %}", "b=1"),
    ("a list of lists", {"a": [[1, 2], (3,)]}, "{{ a[0][1] }}{{ a[1][0] }}", "23"),
    ("an item of a list that has names below it", {"a.b": [{"c": 1}], "a.b.size": 7}, "{{ a.b[0].c }}{{ a.b.size }}", "17"),
    ("a field called size", {"a.size": "XL"}, "{{ a.size }}", "XL"),
    ("a field called first", {"name.first": "Ana"}, "{{ name.first }}", "Ana"),
    ("a loop's name hides a variable", {"a.b": 1, "x": [{"b": 2}]}, "{% for a in x %}{{ a.b }}{% endfor %}{{ a.b }}", "21"),
    ("not English", {"заказ.сумма": 5, "naïve-name": 6}, "{{ заказ.сумма }}{{ naïve-name }}", "56"),
]


@pytest.mark.parametrize(("label", "variables", "source", "expected"), NAMED, ids=[row[0] for row in NAMED])
def test_names(label: str, variables: dict[str, Any], source: str, expected: str) -> None:
    assert render(source, variables) == expected, label


FAILED = [
    ("missing", "{{ order.tottal }}", "order.tottal", "order.tottal is missing: give it a default"),
    ("null", "{{ order.note }}", "order.note", "order.note is missing"),
    ("before a filter", "{{ order.tottal | upcase }}", "order.tottal", "order.tottal is missing"),
    ("as an argument", "{{ order.total | money: order.curency }}", "order.curency", "order.curency is missing"),
    ("as a default", "{{ no.such | default: nor.this }}", "nor.this", "nor.this is missing"),
    ("a default comes too late", "{{ no.such | upcase | default: 'x' }}", "no.such", "no.such is missing"),
    ("assigned", "{% assign x = no.such %}{{ x }}", "no.such", "no.such is missing"),
    ("in a loop", "{% for i in no.such %}{{ i }}{% endfor %}", "no.such", "no.such is missing"),
    ("a null list in a loop", "{% for i in order.note %}{{ i }}{% endfor %}", "order.note", "order.note is missing"),
    ("as a limit", "{% for i in order.line_items limit: no.such %}a{% endfor %}", "no.such", "no.such is missing"),
    (
        "a field of an item",
        "{% for i in order.line_items %}{{ i.size }}{{ i.colour }}{% endfor %}",
        "i.colour",
        "i.colour is missing",
    ),
    ("an item that is not there", "{{ order.line_items[5].title }}", "order.line_items[5].title", "[5].title is missing"),
    ("a list", "{{ order.line_items }}", "order.line_items", "order.line_items is a list: join it"),
    ("an object", "{{ order }}", "order", "order is not a single value"),
    (
        "an object among joined values",
        "{{ order.line_items | join: ', ' }}",
        "order.line_items",
        "order.line_items is not a single",
    ),
    ("a range", "{{ (1..5) }}", "", "line 1: the value is not a single value"),
    ("the loop itself", "{% for i in (1..5) %}{{ forloop }}{% endfor %}", "forloop", "forloop is not a single value"),
    ("nothing", "a\n{{ nil }}", "", "line 2: the value is empty"),
    ("the first of nothing", "{{ order.tags | first }}", "order.tags", "order.tags is empty"),
    ("no number", "{{ order.name | money: 'EUR' }}", "order.name", "order.name is not a number: write it as 129.50"),
    ("no date", "{{ order.name | date }}", "order.name", "order.name is not a date"),
    ("no number in an assign", "a\n{% assign x = order.name | plus: 1 %}", "", "line 2: a value is not a number"),
    ("a comparison of a word with a number", "{% if order.name > 5 %}a{% endif %}", "", "line 1: '<' and '>' are not supported"),
    ("nothing left", "{% if no.such %}a{% endif %} \n", "", "the text is empty"),
    ("nothing at all", "", "", "the text is empty"),
    ("a limit that is no number", "{% for i in order.line_items limit: 'x' %}a{% endfor %}", "", "line 1: expected an integer"),
]


@pytest.mark.parametrize(("label", "source", "field", "message"), FAILED, ids=[row[0] for row in FAILED])
def test_failed(label: str, source: str, field: str, message: str) -> None:
    with pytest.raises(RenderFailed, match=re.escape(message)) as caught:
        render(source)
    assert caught.value.field == field, label


SECRET = "s3cret value"
LEAKS = [
    "{{ x | money: 'EUR' }}", "{{ x | date }}", "{{ x | plus: 1 }}", "{{ 1 | times: x }}", "{{ x | join }}", "{{ x | sort }}",
    "{{ x | map: x }}", "{{ x | where: x }}", "{{ '2026-11-03' | date: x }}", "{{ 1 | money: x }}", "{% if x < 1 %}a{% endif %}",
    "{% for i in (1..2) limit: x %}a{% endfor %}", "{{ 1 | number: decimals: x }}", "{{ x | slice: x }}", "{{ x | truncate: x }}",
    "{{ 1 | broken: x }}", "{{ x | divided_by: 0 }}",
]  # fmt: skip


@pytest.mark.parametrize("source", LEAKS)
def test_an_error_holds_no_value(source: str) -> None:
    def broken(value: object, argument: object) -> object:
        raise ValueError(f"{value} {argument}")

    template = compile(source, {"broken": broken})
    with pytest.raises(RenderFailed) as caught:
        template.render({"x": SECRET, "y.z": "1"}, locale="en")
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__


INVALID = [
    ("a name from a variable", "\n{{ a[b] }}", 2, "a name in brackets must be written in quotes"),
    ("an output that is not closed", "a\n{{ b", 2, "{{ is never closed by }}"),
    ("a tag that is not closed", "a\n\n{% if b", 3, "{% is never closed by %}"),
    ("a block that is not closed", "{% if b %}\n a", 2, "expected tag endif, found the end"),
    ("an output of nothing", "a\n{{ }}", 2, "expected a primitive expression"),
    ("a filter without a name", "\n{{ a | }}", 2, "expected word, found the end"),
    ("a filter nobody knows", "\n{{ a | upcased }}", 2, "there is no filter upcased"),
    ("a filter nobody knows in an assign", "{% assign b = a | json %}", 1, "there is no filter json"),
    ("a filter of HTML", "{{ a | escape }}", 1, "there is no filter escape"),
    ("too few arguments", "{{ a | money }}", 1, "the filter money: missing a required argument: 'currency'"),
    ("too many arguments", "{{ a | upcase: 1 }}", 1, "the filter upcase: too many positional arguments"),
    ("an argument nobody knows", "{{ a | money: 'EUR', style: 'x' }}", 1, "the filter money: got an unexpected keyword"),
    ("a tag nobody knows", "a\n{% foo %}", 2, "unexpected tag 'foo'"),
    ("a long range", "{{ (1..101) | join }}", 1, "a range must be two whole numbers"),
    ("a range to a variable", "{% for i in (1..n) %}a{% endfor %}", 1, "a range must be two whole numbers"),
    ("a range to a text", "{% for i in (1..'9') %}a{% endfor %}", 1, "a range must be two whole numbers"),
    ("break outside of a loop", "a\n{% break %}", 2, "break stands outside of a loop"),
    ("continue outside of a loop", "{% for i in (1..2) %}a{% endfor %}{% continue %}", 1, "continue stands outside of a loop"),
    ("an unknown operator", "{% if a === b %}c{% endif %}", 1, "expected"),
    ("too long", "a" * 4097, 0, "the template has 4097 octets, 4096 at most"),
    ("too long in octets", "я" * 2049, 0, "the template has 4098 octets, 4096 at most"),
    ("too many tags", "{{a}}" * 250 + "\n{{a}}", 2, "the template has more than 250 tags"),
    ("half a character", "a\nb\udc00", 2, "half a character"),
]


@pytest.mark.parametrize(("label", "source", "line", "message"), INVALID, ids=[row[0] for row in INVALID])
def test_invalid(label: str, source: str, line: int, message: str) -> None:
    with pytest.raises(TemplateInvalid, match=re.escape(message)) as caught:
        compile(source)
    assert caught.value.line == line, label


def test_the_longest_template_there_may_be() -> None:
    assert render("a" * 4096) == "a" * 4096
    assert render("{{ (1..100) | last }}") == "100"


USED = [
    ("an output", "{{ a.b }}", {"a.b"}, {"a.b"}),
    ("with a default", "{{ a.b | default: 'x' }}", {"a.b"}, set()),
    ("with a default too late", "{{ a.b | upcase | default: 'x' }}", {"a.b"}, {"a.b"}),
    ("once with, once without", "{{ a.b | default: 'x' }}{{ a.b }}", {"a.b"}, {"a.b"}),
    ("a default's own variable has none", "{{ a | default: b }}", {"a", "b"}, {"b"}),
    ("an argument", "{{ a | money: b }}", {"a", "b"}, {"a", "b"}),
    ("a condition", "{% if a and b == 1 or c %}x{% endif %}", {"a", "b", "c"}, set()),
    ("behind its condition", "{% if a %}{{ a }}{% endif %}", {"a"}, set()),
    ("behind a condition of two", "{% if a and b.c != blank %}{{ a }}{{ b.c }}{% endif %}", {"a", "b.c"}, set()),
    ("behind either", "{% if a or b %}{{ a }}{% endif %}", {"a", "b"}, {"a"}),
    ("behind neither", "{% if a == nil or b == blank %}x{% else %}{{ a }}{{ b }}{% endif %}", {"a", "b"}, set()),
    ("in the other branch", "{% if a %}x{% else %}{{ a }}{% endif %}", {"a"}, {"a"}),
    ("behind elsif", "{% if b %}x{% elsif a %}{{ a }}{% else %}{{ b }}{% endif %}", {"a", "b"}, {"b"}),
    ("behind unless", "{% unless a == blank %}{{ a }}{% endunless %}", {"a"}, set()),
    ("in unless", "{% unless a %}{{ a }}{% endunless %}", {"a"}, {"a"}),
    ("equal to a value it must be there", "{% if a == 'x' %}{{ a }}{% endif %}", {"a"}, set()),
    ("unequal to a value it need not", "{% if a != 'x' %}{{ a }}{% endif %}", {"a"}, {"a"}),
    ("equal to a variable it need not", "{% if a == b %}{{ a }}{% endif %}", {"a", "b"}, {"a"}),
    ("more than a value", "{% if a > 5 %}{{ a }}{% endif %}", {"a"}, set()),
    ("containing a value", "{% if a contains 'x' %}{{ a }}{% endif %}", {"a"}, set()),
    ("a choice", "{% case a %}{% when b %}{{ c }}{% endcase %}", {"a", "b", "c"}, {"c"}),
    ("a loop", "{% for i in a.b %}{{ i.c }}{{ forloop.index }}{% endfor %}", {"a.b"}, {"a.b"}),
    ("assigned", "{% assign x = a %}{{ x }}", {"a"}, {"a"}),
    ("captured", "{% capture x %}{{ a }}{% endcapture %}{{ x }}", {"a"}, {"a"}),
    ("an item", "{{ a.b[0].c }}{{ a.b.size }}", {"a.b", "a.b.size"}, {"a.b", "a.b.size"}),
    ("a comment", "{% comment %}{{ a }}{% endcomment %}x", set(), set()),
]


@pytest.mark.parametrize(("label", "source", "variables", "required"), USED, ids=[row[0] for row in USED])
def test_what_a_template_uses(label: str, source: str, variables: set[str], required: set[str]) -> None:
    template = compile(source)
    assert (set(template.variables), set(template.required)) == (variables, required), label


@pytest.mark.parametrize(("label", "source", "variables", "required"), USED, ids=[row[0] for row in USED])
def test_what_is_not_required_may_be_missing(label: str, source: str, variables: set[str], required: set[str]) -> None:
    values: dict[str, Any] = {"a": "2026", "b": "USD", "c": "1", "a.b": "x", "b.c": "b", "a.b.size": 1}
    given = {name: values[name] for name in required}
    if "a.b[" in source or " in a.b" in source:
        given["a.b"] = [{"c": 1}]
    assert compile("text " + source).render(given, locale="en").startswith("text"), label


def test_where_variables_and_texts_stand() -> None:
    template = compile("Hi {{ a }}\n{% if b %}\nyes{{ a | default: 1 }}{% endif %}")
    assert [(use.name, use.line, use.required) for use in template.uses] == [("a", 1, True), ("b", 2, False), ("a", 3, False)]
    assert [(passage.text, passage.line, passage.always) for passage in template.passages] == [
        ("Hi ", 1, True),
        ("\n", 1, True),
        ("\nyes", 2, False),
    ]
    assert template.source.startswith("Hi")


def test_the_same_source_is_compiled_once() -> None:
    assert compile("{{ a }} once") is compile("{{ a }} once")


def test_a_plugin_s_filter() -> None:
    def shout(value: object, mark: str = "!") -> object:
        return f"{value}{mark}"

    template = compile("{{ a | shout: '?' | upcase }}", {"shout": shout})
    assert template.render({"a": "hey"}, locale="en") == "HEY?"
    with pytest.raises(TemplateInvalid, match="there is no filter shout"):
        compile("{{ a | shout: '?' | upcase }}")
    with pytest.raises(RenderFailed, match="a is missing"):
        template.render({}, locale="en")


BROKEN = [
    ("raises", lambda _: 1 / 0, "a can't go through the filter broken \\(ZeroDivisionError\\)"),
    ("returns an object of its own", lambda _: object(), "what the filter broken returned holds a object"),
    ("returns too much", lambda _: "a" * 70_000, "a has more than 65536 characters"),
    ("returns too many", lambda _: list(range(501)), "a has more than 500 items"),
    ("returns nothing", lambda _: None, "a is empty"),
]


@pytest.mark.parametrize(("label", "function", "message"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_plugin_s_filter_fails_alone(label: str, function: Any, message: str) -> None:
    template = compile("{{ a | broken }}", {"broken": function})
    with pytest.raises(RenderFailed, match=message):
        template.render({"a": "x"}, locale="en")


def test_a_plugin_can_t_replace_our_filters() -> None:
    template = compile("{{ a | upcase }} {{ a | default: 'b' }}", {"upcase": lambda _: "mine", "default": lambda _: "mine"})
    assert template.render({"a": "x"}, locale="en") == "X x"


def test_what_a_plugin_returns_is_reduced_to_plain_values() -> None:
    class Loud(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "leak"

        __format__ = __html__ = __str__  # type: ignore[assignment]

    template = compile("{{ a | loud }} {{ a | louder | first }} {{ a | kind }}", {
        "loud": lambda _: Loud("quiet"),
        "louder": lambda _: (Loud("quiet"),),
        "kind": lambda _: Kind.GIFT,
    })  # fmt: skip
    assert template.render({"a": "x"}, locale="en") == "quiet quiet gift"


def test_a_filter_written_in_c_is_not_checked_for_its_arguments() -> None:
    assert compile("{{ a | biggest }}", {"biggest": max}).render({"a": ["b", "c"]}, locale="en") == "c"


def test_variables_are_left_as_they_were() -> None:
    items = [{"title": "Mug"}]
    variables = {"a": items, "b": {"c": 1}, "b.d": 2}
    render("{% assign a = a | concat: a %}{{ a.size }}{{ b.d }}{% for i in a %}{{ i.title }}{% endfor %}", variables)
    assert variables == {"a": [{"title": "Mug"}], "b": {"c": 1}, "b.d": 2}
    assert variables["a"] is items


def test_threads_share_a_template() -> None:
    template: Template = compile("{% for i in (1..20) %}{% assign x = a | append: i %}{{ x }} {% endfor %}")
    results: dict[int, set[str]] = {}

    def work(n: int) -> None:
        results[n] = {template.render({"a": f"{n}-"}, locale="en") for _ in range(20)}

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: {" ".join(f"{n}-{i}" for i in range(1, 21))} for n in range(8)}
