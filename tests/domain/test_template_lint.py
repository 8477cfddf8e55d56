"""What an approver is told about a template."""

from typing import Any

import pytest
from bellwire.domain import segments
from bellwire.domain.template_lint import Finding, Severity, lint
from bellwire.domain.templates import compile  # noqa: A004
from bellwire.model import Purpose

KNOWN = {"order.name", "order.total", "order.currency", "order.line_items", "customer.first_name", "tracking.url"}


def codes(source: str, **options: Any) -> list[tuple[str, str, int]]:
    arguments: dict[str, Any] = {"purpose": Purpose.TRANSACTIONAL, "known": None, "locale": "en", **options}
    return [(finding.severity.value, finding.code, finding.line) for finding in lint(source, **arguments)]


def error(code: str, line: int = 0) -> tuple[str, str, int]:
    return ("error", code, line)


def warning(code: str, line: int = 0) -> tuple[str, str, int]:
    return ("warning", code, line)


MARKETING: dict[str, Any] = {"purpose": Purpose.MARKETING}
CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str, int]]]] = [
    ("nothing to say", "Hi {{ customer.first_name }}, {{ order.name }} is on its way", {"known": KNOWN}, []),
    ("not a template", "Hi\n{{ order.name", {}, [error("parse_error", 2)]),
    ("a filter nobody knows", "{{ order.name | shout }}", {}, [error("parse_error", 1)]),
    ("unless a plugin brings it", "{{ order.name | shout }}", {"extra_filters": {"shout": str}}, []),
    # variables
    ("an unknown variable", "Hi\n{{ order.tottal }}", {"known": KNOWN}, [error("unknown_variable", 2)]),
    ("unknown twice is said once", "{{ a }}{{ a }}", {"known": KNOWN}, [error("unknown_variable", 1)]),
    ("unknown also with a default", "{{ order.tottal | default: 1 }}", {"known": KNOWN}, [error("unknown_variable", 1)]),
    ("unknown in a condition", "{% if order.tottal %}a{% endif %}", {"known": KNOWN}, [error("unknown_variable", 1)]),
    ("a field of a known list's items", "{{ order.line_items[0].title }}", {"known": KNOWN}, []),
    ("a known list's size and ends", "{{ order.line_items.size }}{{ order.line_items.first.title }}", {"known": KNOWN}, []),
    ("a field of a text", "{{ order.name.upper }}", {"known": KNOWN}, [error("unknown_variable", 1)]),
    ("an object is known by its fields", "{% if tracking %}a{% endif %}", {"known": KNOWN}, []),
    ("a loop's own names", "{% for i in order.line_items %}{{ i.title }}{{ forloop.index }}{% endfor %}", {"known": KNOWN}, []),
    ("nobody can tell what there is", "{{ anything }}", {"known": None}, []),
    ("nothing is known", "{{ anything }}", {"known": ()}, [error("unknown_variable", 1)]),
    # the way out
    ("marketing without a way out", "Sale!", MARKETING, [error("opt_out_missing")]),
    ("marketing with one", "Sale! Reply STOP to end", MARKETING, []),
    ("in any case of letters", "Sale! reply stop", MARKETING, []),
    ("not as a part of another word", "NonStop sale!", MARKETING, [error("opt_out_missing")]),
    ("the country's own word", "¡Oferta! Responde BAJA", {**MARKETING, "opt_out_words": ["STOP", "baja"]}, []),
    ("not another country's", "Sale! STOP", {**MARKETING, "opt_out_words": ["BAJA"]}, [error("opt_out_missing")]),
    ("Chinese has no blanks", "促销，拒收请回复R", {**MARKETING, "opt_out_words": ["拒收请回复R"], "locale": "zh-CN"}, []),
    ("but Latin letters behind it count", "促销，退订回Today", {**MARKETING, "opt_out_words": ["退订回T"], "locale": "zh"},
     [error("opt_out_missing")]),
    ("in a condition", "Sale!{% if a %} Reply STOP{% endif %}", MARKETING, [error("opt_out_missing")]),
    ("in a comment", "Sale!{% comment %} Reply STOP{% endcomment %}", MARKETING, [error("opt_out_missing")]),
    ("from a variable in every sample", "Sale! {{ a }}", {**MARKETING, "samples": [{"a": "Reply STOP"}, {"a": "STOP"}]}, []),
    ("from a variable in some", "Sale! {{ a }}", {**MARKETING, "samples": [{"a": "Reply STOP"}, {"a": "x"}]},
     [error("opt_out_missing")]),
    ("no other purpose needs one", "Your code: 1", {"purpose": Purpose.OTP}, []),
    # tone and links
    ("capitals", "BIG SALE TODAY", {}, [warning("capitals")]),
    ("a few capitals", "Your PIN and BIC for IBAN DE11 are ready now", {}, []),
    ("capitals that the law wants", "Ana's sale! STOP STOP STOP", {}, []),
    ("capitals in values are not the author's", "{{ a }}", {"samples": [{"a": "BIG SALE TODAY"}]}, []),
    ("a foreign link", "Hi\nsee https://bit.ly/x", {}, [warning("foreign_link", 2)]),
    ("one's own link", "https://shop.example/o?id={{ a }}", {"allowed_links": ["shop.example"]}, []),
    ("one's own, given as a link", "https://shop.example/o", {"allowed_links": ["https://shop.example/x"]}, []),
    ("one's own subdomain", "https://go.shop.example/o", {"allowed_links": ["shop.example"]}, []),
    ("a name that only ends alike", "https://myshop.example/o", {"allowed_links": ["shop.example"]}, [warning("foreign_link", 1)]),
    ("what stands before an @ does not count", "https://shop.example@evil.example/", {"allowed_links": ["shop.example"]},
     [warning("foreign_link", 1)]),
    ("capital letters", "HTTPS://Shop.Example/o", {"allowed_links": ["shop.example"]}, []),
    ("without a scheme", "bit.ly/x", {}, [warning("foreign_link", 1)]),
    ("www", "www.other.example", {}, [warning("foreign_link", 1)]),
    ("a missing blank is no link", "Hola Ana.Gracias", {}, []),
    ("a link in a value", "{{ a }}", {"samples": [{"a": "https://bit.ly/x"}] * 3}, [warning("foreign_link")]),
    ("a link that is none", "https://[x/", {}, [warning("foreign_link", 1)]),
    # letters
    ("a letter that forces UCS-2", "Hi\nsu código", {"locale": "es"}, [warning("ucs2", 2)]),
    ("a quote that does", "It’s {{ a }}", {}, [warning("ucs2", 1)]),
    ("each letter once", "código\n{{ a }}\ncódigo", {"locale": "es"}, [warning("ucs2", 1)]),
    ("decomposed letters are composed first", "cafe\u0301", {}, []),
    ("Cyrillic texts are UCS-2 anyway", "Привет – “{{ a }}”", {"locale": "uz-Cyrl"}, []),
    ("one in a value", "{{ a }}", {"samples": [{"a": "ok"}, {"a": "😀"}]}, [warning("ucs2")]),
    # size
    ("a code of one segment", "{{ a }}" + "x" * 153, {"purpose": Purpose.OTP, "samples": [{"a": "1234567"}]}, []),
    ("a code of two", "{{ a }}" + "x" * 153, {"purpose": Purpose.OTP, "samples": [{"a": "1"}, {"a": "12345678"}]},
     [warning("otp_segments")]),
    ("a code of two by itself", "{{ a }}" + "x" * 161, {"purpose": Purpose.OTP}, [warning("otp_segments")]),
    ("a long text", "{{ a }}", {"samples": [{"a": "x" * 153 * 4}]}, []),
    ("a longer text", "{{ a }}", {"samples": [{"a": "x"}, {"a": "x" * (153 * 4 + 1)}]}, [warning("segments")]),
    ("a lower limit", "{{ a }}", {"samples": [{"a": "x" * 161}], "max_segments": 1}, [warning("segments")]),
    ("more than any message can have", "{{ a }}", {"samples": [{"a": "x" * 39_999}]}, [warning("segments")]),
    # samples
    ("a past event without a field", "{{ a }}", {"samples": [{"a": "x"}, {}]}, [warning("sample_failed")]),
    ("many without it are one finding", "{{ a }}", {"samples": [{}, {}, {"a": "x"}]}, [warning("sample_failed")]),
    ("two reasons are two", "{{ a }}{{ b | number }}", {"samples": [{}, {"a": 1, "b": "x"}]}, [warning("sample_failed")] * 2),
    # personal fields
    ("a personal field nobody declared", "{{ worker.name }}{{ order.total }}", {"declared": ()}, [warning("personal_field", 1)]),
    ("declared", "{{ customer.first_name }}", {"declared": {"customer.first_name"}}, []),
    ("errors first", "https://bit.ly/x\n{{ a }}", {"known": KNOWN}, [error("unknown_variable", 2), warning("foreign_link", 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("label", "source", "options", "expected"), CASES, ids=[row[0] for row in CASES])
def test_findings(label: str, source: str, options: dict[str, Any], expected: list[tuple[str, str, int]]) -> None:
    assert codes(source, **options) == expected, label


def messages(source: str, **options: Any) -> str:
    arguments: dict[str, Any] = {"purpose": Purpose.TRANSACTIONAL, "known": None, "locale": "en", **options}
    return "\n".join(finding.message for finding in lint(source, **arguments))


SAID = [
    ("what is meant", "{{ order.tottal }}", {"known": KNOWN}, "no event of this kind has order.tottal; did you mean order.total?"),
    ("where the way out stands", "{% if a %}STOP{% endif %}", MARKETING, "the way to opt out (STOP) stands in a condition"),
    ("which words would do", "Hi", {**MARKETING, "opt_out_words": ["STOP", "BAJA"]}, "say how to opt out: with STOP or BAJA"),
    ("which letters", "códigos “así” – ñ", {"locale": "es"}, "because of ó U+00F3, “ U+201C, í U+00ED, ” U+201D, – U+2013"),
    ("that smart encoding helps", "It’s", {}, "’ U+2019 (smart encoding replaces them)"),
    ("no more letters than one can read", "āăąćĉċčďđē", {}, "and 2 more"),
    ("a letter one can't see", "a\u00a0b", {}, "because of U+00A0 (smart"),
    ("which host", "https://shop.example@evil.example/", {"allowed_links": ["shop.example"]}, "evil.example is not on the list"),
    ("how many events", "{{ a }}", {"samples": [{}, {"a": 1}]}, "1 of 2 past events give no text: a is missing"),
    ("how many segments", "{{ a }}", {"samples": [{"a": "x" * 1000}]}, "the longest past event takes 7 segments, more than 4"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "source", "options", "said"), SAID, ids=[row[0] for row in SAID])
def test_messages(label: str, source: str, options: dict[str, Any], said: str) -> None:
    assert said in messages(source, **options), label


def test_only_three_things_block() -> None:
    hostile = "BIG SALE TODAY “x” https://bit.ly/x {{ customer.first_name }}" + "1" * 2000
    found = lint(hostile, purpose=Purpose.OTP, known=None, locale="en", samples=[{}, {"customer.first_name": "é"}], declared=())
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert {finding.code for finding in found} == {
        "capitals", "foreign_link", "otp_segments", "personal_field", "sample_failed", "ucs2",
    }  # fmt: skip


def test_a_compiled_template_will_do() -> None:
    template = compile("{{ a }}")
    assert lint(template, purpose=Purpose.OTP, known={"b"}, locale="en") == (
        Finding("unknown_variable", Severity.ERROR, "no event of this kind has a", 1),
    )


def test_the_count_is_that_of_the_text_as_it_is_sent() -> None:
    """A sample is rendered for its locale, and cleaned, as a message is."""
    source, sample = "{{ t | money: 'UZS' }}" + "\x00" * 10, {"t": "1234567.5"}
    text = segments.clean(compile(source).render(sample, locale="uz"))
    assert text == "1 234 567,50 so'm"
    options: dict[str, Any] = {"samples": [sample], "locale": "uz", "max_segments": segments.measure(text).segments}
    assert codes(source, **options) == []
