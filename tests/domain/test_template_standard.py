"""The standard Liquid filters, as a text message needs them."""

import re
from decimal import Decimal
from typing import Any

import pytest
from bellwire.domain.templates import compile  # noqa: A004
from bellwire.errors import RenderFailed
from hypothesis import given, settings
from hypothesis import strategies as st


def shown(expression: str, **variables: Any) -> str:
    return compile(f"<{{{{ {expression} }}}}>").render(variables, locale="en")[1:-1]


ITEMS = [
    {"title": "Mug", "price": "3.50", "gift": False},
    {"title": "cup", "price": 4, "gift": True},
    {"title": "Bowl", "price": None, "gift": None},
]

SHOWN = [
    ("append", "'a' | append: 'b'", "ab"),
    ("append a number", "'a' | append: 1", "a1"),
    ("prepend", "'a' | prepend: 'b'", "ba"),
    ("upcase", "'aé' | upcase", "AÉ"),
    ("downcase", "'AÉ' | downcase", "aé"),
    ("capitalize", "'aNA' | capitalize", "Ana"),
    ("strip", "' a ' | strip", "a"),
    ("lstrip and rstrip", "' a ' | lstrip | append: '|' | rstrip", "a |"),
    ("squish", "' a \n  b ' | squish", "a b"),
    ("remove", "'a-b-c' | remove: '-'", "abc"),
    ("remove_first", "'a-b-c' | remove_first: '-'", "ab-c"),
    ("remove_last", "'a-b-c' | remove_last: '-'", "a-bc"),
    ("remove_last of what is not there", "'abc' | remove_last: '-'", "abc"),
    ("remove_last of nothing", "'abc' | remove_last: ''", "abc"),
    ("replace", "'a-b-c' | replace: '-', '+'", "a+b+c"),
    ("replace by nothing", "'a-b' | replace: '-'", "ab"),
    ("replace_first", "'a-b-c' | replace_first: '-', '+'", "a+b-c"),
    ("replace_last", "'a-b-c' | replace_last: '-', '+'", "a-b+c"),
    ("replace_last of what is not there", "'abc' | replace_last: '-', '+'", "abc"),
    ("slice", "'hello' | slice: 1, 3", "ell"),
    ("slice one", "'hello' | slice: 1", "e"),
    ("slice from the end", "'hello' | slice: -3, 2", "ll"),
    ("slice from before the beginning", "'hello' | slice: -9, 2", "he"),
    ("slice a list", "items | map: 'title' | slice: 1, 2 | join", "cup Bowl"),
    ("slice a number", "12345 | slice: 0, 2", "12"),
    ("split", "'a,b,,c' | split: ',' | join: '|'", "a|b||c"),
    ("split at blanks", "' a  b ' | split: ' ' | join: '|'", "a|b"),
    ("split into letters", "'abc' | split: '' | join: '|'", "a|b|c"),
    ("split nothing", "'' | split: ',' | size", "0"),
    ("strip_html", "'<p>Hi <b>Ana</b> &amp; co&nbsp;!</p>' | strip_html", "Hi Ana & co !"),
    ("strip_html takes scripts and styles along", "html | strip_html", "abcd"),
    ("strip_html keeps what is no tag", "'a < b' | strip_html", "a < b"),
    ("strip_newlines", "'a\r\nb\nc' | strip_newlines", "abc"),
    ("truncate", "'hello world' | truncate: 8", "hello..."),
    ("truncate with another end", "'hello world' | truncate: 6, '+'", "hello+"),
    ("truncate what is short", "'hello' | truncate: 5", "hello"),
    ("truncate to less than the end", "'hello' | truncate: 2", "..."),
    ("truncatewords", "'one two  three four' | truncatewords: 2", "one two..."),
    ("truncatewords of few", "'one two' | truncatewords: 2", "one two"),
    ("truncatewords, at least one", "'one two' | truncatewords: 0", "one..."),
    ("url_encode", "'a b&ñ' | url_encode", "a+b%26%C3%B1"),
    ("url_decode", "'a+b%26%C3%B1' | url_decode", "a b&ñ"),
    ("plus", "1 | plus: 2", "3"),
    ("plus keeps cents", "'129.50' | plus: '0.50'", "130.00"),
    ("no binary fractions", "0.1 | plus: 0.2", "0.3"),
    ("minus", "5 | minus: 7.5", "-2.5"),
    ("times", "'129.50' | times: 2", "259.00"),
    ("whole numbers divide to whole ones", "7 | divided_by: 2", "3"),
    ("downwards", "-7 | divided_by: 2", "-4"),
    ("others don't", "7 | divided_by: 2.0", "3.5"),
    ("without end", "'1.0' | divided_by: 3", "0.3333333333333333"),
    ("modulo", "7 | modulo: 3", "1"),
    ("modulo has the divisor's sign", "-7 | modulo: 3", "2"),
    ("modulo of nothing left", "-6 | modulo: 3", "0"),
    ("round", "2.5 | round", "3"),
    ("round to decimals", "'2.345' | round: 2", "2.35"),
    ("round a whole number", "2 | round: 1", "2.0"),
    ("ceil", "2.1 | ceil", "3"),
    ("floor", "-2.1 | floor", "-3"),
    ("abs", "-2.50 | abs", "2.5"),
    ("abs of a text", "'-2.50' | abs", "2.50"),
    ("at_least", "2 | at_least: 5", "5"),
    ("at_most", "'7' | at_most: 5", "5"),
    ("join", "items | map: 'title' | join", "Mug cup Bowl"),
    ("join by nothing", "(1..3) | join: ''", "123"),
    ("first and last", "(1..3) | first | plus: 10", "11"),
    ("size of a list", "items | size", "3"),
    ("size of a text", "'añb' | size", "3"),
    ("size of an object", "items | first | size", "3"),
    ("size of a number", "5 | size", "0"),
    ("where", "items | where: 'gift' | map: 'title' | join", "cup"),
    ("where with a value", "items | where: 'title', 'Mug' | size", "1"),
    ("where nothing is", "items | where: 'gift', nil | map: 'title' | join", "Bowl"),
    ("reject", "items | reject: 'gift' | map: 'title' | join", "Mug Bowl"),
    ("reject with a value", "items | reject: 'title', 'Mug' | size", "2"),
    ("has", "items | has: 'title', 'cup'", "true"),
    ("has not", "items | has: 'title', 'x'", "false"),
    ("sort by a key, what has none last", "items | sort: 'price' | map: 'title' | last", "Bowl"),
    ("sort words, capital or not", "items | map: 'title' | sort | join", "Bowl cup Mug"),
    ("sort numbers by their value, before words", "'b 10 9 -1.5 A' | split: ' ' | sort | join", "-1.5 9 10 A b"),
    ("reverse", "(1..3) | reverse | join", "3 2 1"),
    ("uniq", "'a b a' | split: ' ' | uniq | join", "a b"),
    ("compact", "items | map: 'price' | compact | size", "2"),
    ("concat", "items | concat: items | size", "6"),
    ("sum", "items | map: 'price' | compact | sum", "7.50"),
    ("sum by a key", "numbers | sum: 'n'", "6"),
    ("sum of nothing", "nothing | sum", "0"),
]


@pytest.mark.parametrize(("label", "expression", "expected"), SHOWN, ids=[row[0] for row in SHOWN])
def test_shown(label: str, expression: str, expected: str) -> None:
    html = "a<SCRIPT>if (1 < 2) x</script >b<style>p {}</style>c<br/>d<script>never closed"
    assert shown(expression, items=ITEMS, html=html, numbers=[{"n": n} for n in (1, 2, 3)], nothing=[]) == expected, label


def test_find() -> None:
    text = "{% assign found = items | find: 'title', 'cup' %}{{ found.price }}"
    assert compile(text).render({"items": ITEMS}, locale="en") == "4"


REFUSED = [
    ("a word is no number", "'x' | plus: 1", "is not a number"),
    ("nor is an empty text", "'' | times: 1", "is not a number"),
    ("nor a flag", "true | plus: 1", "is not a number"),
    ("nor a comma", "'1,5' | plus: 1", "is not a number"),
    ("division by nothing", "1 | divided_by: 0", "can't be divided by 0"),
    ("nor its rest", "1 | modulo: '0.0'", "can't be divided by 0"),
    ("half a place", "'abc' | slice: 0.5", "needs a whole number"),
    ("a text is no list", "'a' | join", "is not a list"),
    ("nor is an object", "items | first | map: 'a'", "is not a list"),
    ("texts have no fields", "'a b' | split: ' ' | map: 'a'", "holds something else than objects"),
    ("objects have no order", "items | sort", "is not a single value"),
    ("a list is no text", "items | upcase", "is a list"),
    ("an object is no text", "items | first | upcase", "is not a single value"),
    ("nothing is no text", "nil | upcase", "is empty before the filter upcase"),
    ("nothing to join", "items | map: 'price' | join", "is empty"),
    ("a list added to a text", "items | concat: 'a'", "is not a list"),
]


@pytest.mark.parametrize(("label", "expression", "why"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(label: str, expression: str, why: str) -> None:
    with pytest.raises(RenderFailed, match=re.escape(why)):
        shown(expression, items=ITEMS)


amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=2)


@settings(deadline=None)
@given(amounts, amounts)
def test_arithmetic_is_exact(left: Decimal, right: Decimal) -> None:
    def result(name: str) -> Decimal:
        return Decimal(shown(f"a | {name}: b", a=left, b=f"{right:f}"))

    assert result("plus") == left + right
    assert result("minus") == left - right
    assert result("times") == left * right
    if right:
        whole = (left - result("modulo")) / right
        assert whole == whole.to_integral_value()
        assert abs(result("modulo")) < abs(right)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=50), st.integers(0, 60))
def test_cutting_never_adds(text: str, length: int) -> None:
    cut = shown(f"a | truncate: {length}, ''", a=text)
    assert text.startswith(cut)
    assert len(cut) <= length
