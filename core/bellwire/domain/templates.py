"""Templates: Liquid texts, compiled once, rendered with an event's plain values in a recipient's language, place and time zone.

`compile` refuses what is not a safe template, `Template.render` what would send a wrong or empty text. A missing variable is an
error that names it, unless a `default` filter or a condition (`{% if tracking.url %}`) deals with it. Null counts as missing;
"" was given on purpose and prints as nothing. Values are never parsed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bellwire.domain.template_filters import Place
from bellwire.errors import RenderFailed, TemplateInvalid

if TYPE_CHECKING:
    from bellwire.domain.template_sandbox import Parsed

MAX_SOURCE = 4_096  # octets
_MAX_BLANKS = 100
_MAX_BRACKETS = 20  # in one tag
_MAX_TAGS = 250  # parsed, a template takes up to 50 times its size
_CACHED = 512

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BLANKS = re.compile(rf"\s{{{_MAX_BLANKS + 1}}}")
_RAW = re.compile(r"\{%-?\s*(raw|doc)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A variable at one place of a template. `required`: nothing stands in for it when it is missing."""

    name: str
    line: int
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Text that stands in a template as it is. `always`: under no condition and in no loop."""

    text: str
    line: int
    always: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled template; made by `compile`. May be rendered by several threads at once.

    `variables`: the flat names it uses; `required`: those of them that must be there; `uses`: where each stands.
    """

    source: str
    variables: frozenset[str]
    required: frozenset[str]
    uses: tuple[Use, ...] = field(repr=False)
    passages: tuple[Passage, ...] = field(repr=False)
    parsed: Parsed = field(repr=False, compare=False)

    def render(self, variables: Mapping[str, Any], *, locale: str, timezone: str = "UTC", country: str = "") -> str:
        """The text, without blank space around it; its line ends are LF, whatever browsers and platforms sent.

        `variables`: flat names (`order.total`) to plain values. `locale`, `timezone` (IANA) and `country` are the recipient's, for
        amounts and dates. Raises RenderFailed naming the field; its message never holds a value.
        """
        from bellwire.domain.template_sandbox import render

        text = render(self.parsed, variables, Place(locale, timezone, country))
        text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        if not text:
            raise RenderFailed("the text is empty")
        return text


def compile(source: str, extra_filters: Mapping[str, Callable[..., Any]] | None = None) -> Template:  # noqa: A001
    """The template. Raises TemplateInvalid with the line.

    `extra_filters`: those of plugins, by name; they get the limits of our own and can't replace one. The same source and filters
    give the same template from a cache.
    """
    return _compiled(source, frozenset(extra_filters.items()) if extra_filters else frozenset())


@lru_cache(maxsize=_CACHED)
def _compiled(source: str, plugins: frozenset[tuple[str, Callable[..., Any]]]) -> Template:
    check(source)
    # python-liquid takes 100 ms and 20 MB to import: only where a template is compiled
    from bellwire.domain.template_sandbox import sandbox
    from bellwire.domain.template_source import read

    seen = read(source, sandbox(plugins))
    return Template(
        source=source,
        variables=frozenset(use.name for use in seen.uses),
        required=frozenset(use.name for use in seen.uses if use.required),
        uses=seen.uses,
        passages=seen.passages,
        parsed=seen.parsed,
    )


def check(source: str) -> None:
    """Refuse what would take long to parse. Raises TemplateInvalid.

    The library's lexer takes time squared (up to a second in 4 kB) for runs of blanks, brackets and unclosed tags; this is linear.
    """
    try:
        size = len(source.encode())
    except UnicodeEncodeError as e:
        raise TemplateInvalid("the template holds half a character (a lone surrogate)", line_at(source, e.start)) from e
    if size > MAX_SOURCE:
        raise TemplateInvalid(f"the template has {size} octets, {MAX_SOURCE} at most")
    if blanks := _BLANKS.search(source):
        raise TemplateInvalid(f"more than {_MAX_BLANKS} blank characters in a row", line_at(source, blanks.start()))
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        last = source.rfind(opening)
        if last >= 0 and source.find(closing, last) < 0:
            raise TemplateInvalid(f"{opening} is never closed by {closing}", line_at(source, last))
    for count, tag in enumerate(_TAG.finditer(source), 1):
        if count > _MAX_TAGS:
            raise TemplateInvalid(f"the template has more than {_MAX_TAGS} tags", line_at(source, tag.start()))
        if max(tag[0].count("("), tag[0].count("[")) > _MAX_BRACKETS:
            raise TemplateInvalid("too many brackets in one tag", line_at(source, tag.start()))
        if raw := _RAW.match(tag[0]):
            raise TemplateInvalid(f"the tag {raw[1]} is not available", line_at(source, tag.start()))


def line_at(source: str, index: int) -> int:
    """The line of a place in the source, from 1."""
    return source.count("\n", 0, index) + 1
