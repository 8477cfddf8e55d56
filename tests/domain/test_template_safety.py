"""What hostile templates and values can't do: take long, take much, see more than plain values, be read as templates."""

import os
import re
import time
import tracemalloc
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from bellwire.domain import template_standard
from bellwire.domain.template_filters import Place
from bellwire.domain.template_sandbox import Context, Parsed, sandbox
from bellwire.domain.template_source import read
from bellwire.domain.templates import MAX_SOURCE, Template, check, compile  # noqa: A004
from bellwire.errors import RenderFailed, TemplateInvalid
from hypothesis import example, given, settings
from hypothesis import strategies as st

RENDER_S, RENDER_BYTES = 0.050, 16 * 2**20  # the promise
PARSE_S = 0.250


def fill(unit: str, before: str = "", behind: str = "") -> str:
    """As many units as a template may hold, by its size and its tags."""
    most = (MAX_SOURCE - len(before) - len(behind)) // len(unit)
    tags = unit.count("{{") + unit.count("{%")
    return before + unit * (min(most, 245 // tags) if tags else most) + behind


def many(one: Callable[[int], str]) -> str:
    """`one(0)`, `one(1)`… as far as there is room."""
    source = ""
    for n in range(1000):
        if len(source + one(n)) > MAX_SOURCE:
            break
        source += one(n)
    return source


HOSTILE: dict[str, Any] = {
    "a": "x",
    "n": 100_000_000,
    "long": "a" * 65_000,
    "emoji": "😀" * 65_000,
    "too_long": "a" * 3_000_000,
    "blanks": " a" * 32_000,
    "tags": "<a" * 32_000,
    "scripts": "<script" * 9_000,
    "total": "129.50",
    "currency": "EUR",
    "at": "2026-11-03T15:05:00Z",
    "items": [f"i{n}" for n in range(500)],
    "objects": [{"title": "a" * 300, "price": "3.5", "n": n} for n in range(300)],
    "wide": [{"k": [1] * 45} for _ in range(100)],
    "wider": list(range(1_000_000)),
}
HOSTILE["deep"] = []
for _ in range(500):
    HOSTILE["deep"] = [HOSTILE["deep"]]

LOOP = "{% for i in (1..90) %}{% for j in (1..10) %}"
END = "{% endfor %}{% endfor %}"
AS = "a" * 1_800
TOO_MUCH = "handles too much text"
TOO_MANY = "loops take too many rounds"
TOO_LONG = "the text is longer than a message can be"
CHARACTERS = "more than 65536 characters"
ITEMS = "more than 500 items"

#: label, source, what stops it: a TemplateInvalid's or a RenderFailed's message, "" when it is harmless
BOMBS = [
    ("a long loop", "{% for i in (1..100000000) %}x{% endfor %}", "a range must be"),
    ("a long loop in reverse", "{% for i in (1..n) reversed %}x{% endfor %}", "a range must be"),
    ("a long way to the first round", "{% for i in (1..n) offset: 99999999 limit: 1 %}x{% endfor %}", "a range must be"),
    ("a long range joined", "{{ (1..100000000) | join: '' | size }}", "a range must be"),
    ("ranges added up", "{% assign x = (1..100) %}" + "{% assign x = x | concat: x %}" * 9 + "{{ x.size }}", ITEMS),
    ("loops in loops", LOOP + "{% for k in (1..100) %}x{% endfor %}" + END, TOO_MANY),
    ("loops one after the other", fill("{% for i in (1..100) %}x{% endfor %}"), TOO_MANY),
    ("a loop with much in it", fill("{{a}}", "{% for i in (1..100) %}", "{% endfor %}"), TOO_MANY),
    ("a loop with much in it that prints nothing", fill("{% if 1 %} {% endif %}", LOOP, END), TOO_MANY),
    ("a loop over a long name", fill(".a", "{% for i in (1..100) %}{% for j in a", "%}" + END), TOO_MANY),
    ("a loop over a long list", "{% for i in items %}{% for j in items %}x{% endfor %}{% endfor %}", TOO_MANY),
    ("a loop over a million", "{% for i in wider %}x{% endfor %}", "wider is too large"),
    ("a list as deep as one likes", "{{ deep.size }}", "deep is too large"),
    ("large lists looked at often", "{% for i in (1..100) %}{% if wide %}{% if objects %}x{% endif %}{% endif %}{% endfor %}", ""),
    ("replacing what was replaced", "{{ 'aaaaaaaaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaa'" * 50 + " | size }}", CHARACTERS),
    ("replacing between all letters", "{{ long | replace: '', 'aaaaaaaa' | size }}", CHARACTERS),
    ("replacing by what is long", "{{ long | replace: 'a', long }}", CHARACTERS),
    ("appending to itself", "{% assign x = long %}" + "{% assign x = x | append: x %}" * 60 + "{{ x.size }}", CHARACTERS),
    ("appending to itself in a loop", "{% assign x = a %}" + LOOP + "{% assign x = x | append: x %}" + END, CHARACTERS),
    ("many long texts at once", many(lambda n: f"{{% assign v{n} = long | append: '{n}' %}}"), TOO_MUCH),
    ("many long texts of emoji", many(lambda n: f"{{% assign v{n} = emoji | append: '{n}' %}}"), TOO_MUCH),
    ("capturing what was captured", "{% capture x %}aaaaaaaaaaaaaaaa{% endcapture %}"
     + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 40 + "{{ x }}", TOO_LONG),
    ("capturing in a loop", LOOP + "{% capture x %}{{ x | default: a }}{{ x | default: a }}{% endcapture %}" + END, TOO_LONG),
    ("splitting into letters", "{{ long | split: '' | size }}", ITEMS),
    ("splitting and joining", "{{ long | split: 'a' | join: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | size }}", ITEMS),
    ("joining with what is long", "{{ items | join: long | size }}", CHARACTERS),
    ("a list added to itself", "{% assign x = items %}" + "{% assign x = x | concat: x %}" * 50 + "{{ x.size }}", ITEMS),
    ("a list of the same long text", "{% assign x = long | split: '~' %}"
     + "{% assign x = x | concat: x %}" * 8 + "{{ x | join: '' | size }}", CHARACTERS),
    ("squares of squares", "{% assign x = 99999999999 %}" + "{% assign x = x | times: x %}" * 60 + "{{ x }}", "is not a number"),
    ("a product in a loop", "{% assign x = 10 %}" + LOOP + "{% assign x = x | times: x %}" + END, "is not a number"),
    ("a number of 4,000 digits", fill("9", "{{ ", " | plus: 1 }}"), "is not a number"),
    ("a number of 4,000 digits printed", fill("9", "{{ ", " }}"), "has more than 30 digits"),
    ("a text of 4,000 digits", fill("9", "{{ '", "' | plus: 1 }}"), "is not a number"),
    ("a huge exponent", "{{ '1e999999999' | number }}", "is not a number"),
    ("a billion decimals", "{{ 1 | round: 1000000000 }}", "0 to 10 decimals"),
    ("a billion decimals shown", "{{ 1 | number: decimals: 1000000000 }}", "0 to 6 decimals"),
    ("a slice of nothing but length", "{{ long | slice: 0, 99999999999999999999 | size }}", ""),
    ("cut far behind the end", "{{ a | truncate: 99999999999, long }}", ""),
    ("a strftime width", "{{ at | date: '%" + "9" * 3000 + "d' }}", "needs a form"),
    ("a year of 3,000 digits", "{{ at | date: '" + "y" * 3000 + "' }}", "needs a form"),
    ("dates with the zone's name", fill("{{at|date:'zzzz'}}"), ""),
    ("times with the city's name", fill("{{at|time:'VVVV'}}"), ""),
    ("times in full", fill("{{at|time:'full'}}"), ""),
    ("dates in a loop", LOOP + "{{ at | datetime: 'EEEE d MMMM y HH:mm zzzz' }}" + END, TOO_MUCH),
    ("a new pattern each time", many(lambda n: "{{at|time:'VVVV" + "." * (n % 50) + "'}}"), ""),
    ("amounts", fill("{{total|money:currency}}"), ""),
    ("plurals", fill("{{1|plural:other:a}}"), ""),
    ("capitals of a long text", fill("|upcase", "{{long", "}}"), TOO_MUCH),
    ("capitals of emoji", fill("|upcase", "{{emoji", "}}"), TOO_MUCH),
    ("blanks squeezed", fill("|squish", "{{blanks", "}}"), TOO_MUCH),
    ("tags that never close", fill("|strip_html", "{{tags", "}}"), TOO_MUCH),
    ("scripts that never close", fill("|strip_html", "{{scripts", "}}"), "the text is empty"),
    ("percent signs of emoji", fill("|url_encode", "{{emoji", "}}"), TOO_MUCH),
    ("percent signs read", fill("|url_decode", "{{long", "}}"), TOO_MUCH),
    ("a search that fails late", fill("{% if long contains '" + "a" * 48 + "ba' %}{% endif %}"), TOO_MUCH),
    ("a search in the template's own text", LOOP + "{% if '" + AS + "' contains '" + AS + "b' %}x{% endif %}" + END, TOO_MUCH),
    ("a removal that fails late", fill(" | remove: '" + "a" * 40 + "ba'", "{{ long", " }}"), TOO_MUCH),
    ("long texts compared", fill("{%if long==emoji%}{%endif%}"), TOO_MUCH),
    ("sorting", fill("|sort", "{{items", "|size}}"), TOO_MUCH),
    ("comparing each with each", fill("|uniq", "{{items", "|size}}"), TOO_MUCH),
    ("picking", fill("|where:'n'", "{{objects", "|size}}"), TOO_MUCH),
    ("leaving out", fill("|reject:'n',5", "{{objects", "|size}}"), TOO_MUCH),
    ("turning round", fill("|reverse", "{{items", "|size}}"), TOO_MUCH),
    ("a block that fits many times", "{% case 1 %}{% when 1,1,1,1,1,1,1,1 %}" * 9 + "x" + "{% endcase %}" * 9, ""),
    ("blocks in blocks", "{% if a %}" * 100 + "{% endif %}" * 100, "nesting limit"),
    ("a long condition", fill("and a ", "{% if a ", "%}x{% endif %}"), "parsing error"),
    ("a condition nested too deep for us", "{% if a " + "and a " * 60 + "%}x{% endif %}", "nested too deep"),
    ("a long name", fill(".a", "{{a", "}}"), "is missing"),
    ("names in names", "{{" + "a[" * 1300 + "a" + "]" * 1300 + "}}", "too many brackets"),
    ("filters without end", "{{ a" + "|upcase" * 50_000 + " }}", "octets, 4096 at most"),
    ("defaults", fill("|default:a", "{{q", "}}"), ""),
    ("long outputs", fill("{{long}}"), TOO_LONG),
    ("a value of megabytes", "{{ too_long | size }}", TOO_MUCH),
    ("a value of megabytes printed", "{{ too_long }}", TOO_MUCH),
    ("many outputs", fill("{{a}}"), ""),
    ("too many outputs", "{{a}}" * 800, "more than 250 tags"),
    ("its own text in a loop", fill("x", "{% for i in (1..100) %}", "{% endfor %}"), TOO_LONG),
    ("blanks in an output", "{{" + " " * 4000 + "}}", "blank characters in a row"),
    ("line ends in a tag", "{% if" + "\n" * 4000 + "%}", "blank characters in a row"),
    ("outputs that never close", "{{" * 2000, "{{ is never closed"),
    ("tags that never close", "{%" * 2000, "{% is never closed"),
    ("closed at last", "{{" * 2000 + "}}", "expected"),
    ("parentheses", "{{ a | append: " + "(" * 4000 + " }}", "too many brackets"),
    ("quoted brackets", "{{ a" + "['" * 2000 + " }}", "too many brackets"),
    ("raw blocks", "{% raw %}" * 400, "the tag raw is not available"),
    ("comments that never close", "{% comment %}" * 240, "comment tag was never closed"),
    ("quotes that never close", "{{ a | append: " + "\"'" * 1900 + " }}", "unexpected"),
]  # fmt: skip

REACHING = [
    "include",
    "render",
    "tablerow",
    "cycle",
    "increment",
    "decrement",
    "liquid",
    "ifchanged",
    "layout",
    "block",
    "extends",
    "macro",
]


def outcome(template: Template, variables: Mapping[str, Any]) -> str:
    try:
        template.render(variables, locale="es-ES", timezone="America/Bogota")
    except RenderFailed as e:
        return str(e)
    return ""


def cpu(function: Callable[[], object]) -> float:
    """The least CPU time of three runs of this thread: what the machine does besides doesn't count."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        function()
        times.append(time.thread_time() - start)
    return min(times)


@pytest.fixture(scope="module", autouse=True)
def _locale_data_is_loaded() -> None:
    compile("{{ at | datetime: 'full' }}{{ at | time: 'full' }}{{ 1 | money: 'EUR' }}{{ 1 | plural: other: 'a' }}").render(
        HOSTILE, locale="es-ES", timezone="America/Bogota"
    )


@pytest.mark.parametrize(("label", "source", "stopped"), BOMBS, ids=[row[0] for row in BOMBS])
def test_bombs(label: str, source: str, stopped: str) -> None:
    def parse() -> str:
        try:
            check(source)
            read(source, sandbox())
        except TemplateInvalid as e:
            return str(e)
        return ""

    assert cpu(parse) < PARSE_S, label
    if refused := parse():
        assert stopped in refused, label
        assert stopped
        return
    template = compile(source)
    assert cpu(lambda: outcome(template, HOSTILE)) < RENDER_S, label
    tracemalloc.start()
    try:
        message = outcome(template, HOSTILE)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < RENDER_BYTES, label
    assert stopped in message
    assert bool(stopped) == bool(message), message


def test_there_are_enough_bombs() -> None:
    assert len(BOMBS) >= 30


@pytest.mark.parametrize("tag", REACHING)
def test_tags_that_reach_outside_or_keep_state_are_not_there(tag: str) -> None:
    with pytest.raises(TemplateInvalid, match=re.escape(f"unexpected tag '{tag}'")):
        compile(f"{{% {tag} 'a' %}}")


def test_every_standard_filter_is_bounded() -> None:
    """A filter that grows its value without limit does not get past the wrapper."""
    environment = sandbox()
    for name in template_standard.STANDARD:
        call = environment.filters[name]
        context = Context(Parsed(environment, []), {}, Place("en"))
        try:
            result = call(context, "a" * 65_536, *(["b" * 60_000] * (1 if name not in {"replace_last"} else 2)))
        except RenderFailed:
            continue
        assert not isinstance(result, str) or len(result) <= 65_536, name


# -- nothing but plain values comes out ---------------------------------------------------------------------------

LEAK = "leaked"


class Secret:
    """Every way in which a template engine might get something out of an object."""

    leak = LEAK

    def __str__(self) -> str:
        return LEAK

    __repr__ = __html__ = __liquid__ = __fspath__ = __str__

    def __format__(self, spec: str) -> str:
        return LEAK

    def __getitem__(self, key: object) -> str:
        return LEAK

    def __len__(self) -> int:
        return 1

    def __int__(self) -> int:
        return 1

    def __call__(self) -> str:
        return LEAK


class Text(str):
    """A text with more to it."""

    __slots__ = ()
    leak = LEAK

    def __str__(self) -> str:
        return LEAK

    def __format__(self, spec: str) -> str:
        return LEAK

    def __html__(self) -> str:
        return LEAK

    def upper(self) -> str:
        return LEAK


class Number(int):
    """A number with more to it."""

    def __str__(self) -> str:
        return LEAK

    __repr__ = __format__ = __str__  # type: ignore[assignment]


class Box(dict[str, Any]):
    """A mapping that makes up what it holds."""

    def __missing__(self, key: str) -> str:
        return LEAK


OBJECTS: dict[str, Any] = {
    "object": Secret(),
    "class": Secret,
    "function": test_there_are_enough_bombs,
    "method": "a".upper,
    "module": os,
    "error": ValueError(LEAK),
    "set": {LEAK},
    "bytes": LEAK.encode(),
    "generator": (LEAK for _ in range(1)),
    "complex": 1j,
}
DUNDERS = ["__class__", "__globals__", "__init__", "__dict__", "__mro__", "__subclasses__", "__builtins__", "__doc__", "__code__"]
METHODS = ["upper", "format", "keys", "items", "get", "append", "pop", "as_tuple", "real", "leak", "func", "f_globals", "gi_frame"]
PLAIN: dict[str, Any] = {"s": "text", "n": 1, "d": Decimal(1), "l": [1], "o": {"k": "v"}, "box": Box(k="v"), "t": Text("text")}


@pytest.mark.parametrize("name", DUNDERS + METHODS)
@pytest.mark.parametrize("value", sorted(PLAIN))
def test_attributes_and_methods_are_missing(value: str, name: str) -> None:
    for path in (
        f"{value}.{name}",
        f"{value}['{name}']",
        f"l[0].{name}",
        f"forloop.{name}",
        f"forloop.parentloop.{name}",
        f"x.{name}",
    ):
        source = f"{{% for i in (1..2) %}}{{% assign x = {value} %}}{{{{ {path} }}}}{{% endfor %}}"
        with pytest.raises(RenderFailed, match="is missing"):
            compile(source).render(PLAIN, locale="en")


@pytest.mark.parametrize("kind", sorted(OBJECTS))
@pytest.mark.parametrize(
    "source",
    [
        "{{ x }}",
        "{{ x.leak }}",
        "{{ x['leak'] }}",
        "{{ x[0] }}",
        "{{ x | upcase }}",
        "{{ x | size }}",
        "{{ x | join }}",
        "{{ x | default: 'a' }}",
        "{{ 'a' | append: x }}",
        "{{ 1 | money: x }}",
        "{% for i in x %}{{ i }}{% endfor %}",
        "{% if x %}{{ x }}{% endif %}",
        "{% if x contains 'leaked' %}yes{% endif %}",
        "{% assign y = x %}{{ y }}",
        "{% case x %}{% when 'leaked' %}yes{% endcase %}",
    ],
)
def test_objects_never_reach_the_engine(source: str, kind: str) -> None:
    template = compile(source)
    for variables in ({"x": OBJECTS[kind]}, {"x": [OBJECTS[kind]]}, {"x": {"leak": OBJECTS[kind]}}, {"x.leak": OBJECTS[kind]}):
        try:
            text = template.render(variables, locale="en")
        except RenderFailed as e:
            text = str(e)
        assert LEAK not in text
        assert text != "yes"


def test_subclasses_are_reduced_to_what_they_hold() -> None:
    variables = {"t": Text("quiet"), "n": Number(7), "b": Box(k="v"), "l": [Text("quiet"), Number(7)]}
    template = compile("{{ t }} {{ t | upcase }} {{ n }} {{ n | plus: 1 }} {{ b.k }} {{ l | join }}")
    assert template.render(variables, locale="en") == "quiet QUIET 7 8 v quiet 7"
    with pytest.raises(RenderFailed, match=r"b\.made_up is missing"):
        compile("{{ b.made_up }}").render(variables, locale="en")


@pytest.mark.parametrize(
    "name", ["now", "today", "forloop", "tablerowloop", "partial", "template", "environment", "context", "locale"]
)
def test_the_engine_s_own_names_are_not_there(name: str) -> None:
    with pytest.raises(RenderFailed, match=f"{name} is missing"):
        compile(f"{{{{ {name} }}}}").render({}, locale="en")


def test_no_clock_is_read() -> None:
    for word in ("now", "today"):
        with pytest.raises(RenderFailed, match="is not a date"):
            compile(f"{{{{ '{word}' | date: '%Y' }}}}").render({}, locale="en")


# -- values are never parsed again --------------------------------------------------------------------------------

liquid = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{{ x }}", "{% if x %}", "{{ secret }}", "| upcase", "{%- endfor -%}", "{#", "%", "{"]
)
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\r")  # line ends become LF
values = st.lists(st.one_of(liquid, st.text(letters, max_size=8)), max_size=6).map("".join)


@settings(max_examples=200, deadline=None)
@given(values, values)
@example("{{ secret }}", "{% assign x = secret %}{{ x }}")
def test_liquid_in_values_is_literal(first: str, second: str) -> None:
    variables = {"x": first, "y": {"z": second}, "l": [first, second], "secret": LEAK}
    whole = "<{{ x }}|{{ y.z }}|{% for i in l %}{{ i }}{% endfor %}|{{ l | join }}|{% assign a = x %}{{ a }}|{{ x | append: y.z }}>"
    expected = f"<{first}|{second}|{first}{second}|{first} {second}|{first}|{first}{second}>"
    assert compile(whole).render(variables, locale="en") == expected


@settings(deadline=None)
@given(values)
def test_liquid_put_together_from_values_is_literal(value: str) -> None:
    source = "<{% capture a %}{{ open }}{{ x }}{{ close }}{% endcapture %}{{ a }}{{ 'secret' | prepend: open | append: close }}>"
    text = compile(source).render({"x": value, "open": "{{", "close": "}}", "secret": LEAK}, locale="en")
    assert text == "<{{" + value + "}}{{secret}}>"


@settings(deadline=None)
@given(st.text(letters, max_size=200))
def test_no_source_breaks_the_compiler(source: str) -> None:
    for text in (
        source,
        f"{{{{ {source} }}}}",
        f"{{% {source} %}}",
        f"{{{{ a | {source} }}}}",
        f"{{% if {source} %}}x{{% endif %}}",
    ):
        line = 0
        try:
            outcome(compile(text), {"a": "x"})
        except TemplateInvalid as e:
            line = e.line
        assert 0 <= line <= text.count("\n") + 1


pieces = st.sampled_from([
    "{{ a }}", "{{ a", "}}", "{% if a %}", "{% else %}", "{% endif %}", "{% for i in l %}", "{% endfor %}", "{{ i | default: 1 }}",
    "{% assign a = l | first %}", "{% case a %}", "{% when 'x' %}", "{% endcase %}", "| join: ','", "{% capture a %}", "'", '"',
    "{% endcapture %}", "{% break %}", "{% comment %}", "{% endcomment %}", "(1..3)", "l[0]", ".size", "==", " contains ", "text",
    "\n", "{%- ", "-%}",
])  # fmt: skip


@settings(deadline=None)
@given(st.lists(pieces, max_size=15).map("".join))
def test_no_mixture_of_tags_breaks_the_engine(source: str) -> None:
    try:
        template = compile(source)
    except TemplateInvalid:
        return
    outcome(template, {"a": "x", "l": ["1", "2"]})
    outcome(template, {})


any_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.decimals(), st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=10,
)


@settings(deadline=None)
@given(any_value)
def test_no_value_breaks_a_filter(value: Any) -> None:
    for name in sandbox().filters:
        for source in (
            f"{{{{ x | {name} }}}}",
            f"{{{{ x | {name}: 'a' }}}}",
            f"{{{{ x | {name}: 1, 'b' }}}}",
            f"{{{{ 'a' | {name}: x }}}}",
        ):
            try:
                template = compile(source)
            except TemplateInvalid:
                continue  # not that many arguments
            outcome(template, {"x": value})
