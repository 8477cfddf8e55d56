"""What an approver should see before a template is switched on.

Errors block the approval: what can't be parsed, a variable no event brings, marketing without the way out. The rest are warnings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from bellwire.domain import segments
from bellwire.domain.comparison import caseless
from bellwire.domain.locales import script
from bellwire.domain.personal import is_personal
from bellwire.domain.templates import Template, compile, line_at  # noqa: A004  # the module's verb
from bellwire.errors import RenderFailed, TemplateInvalid
from bellwire.model import Purpose

DEFAULT_MAX_SEGMENTS = 4
_DEFAULT_OPT_OUT = ("STOP",)
_NAMED = 8  # of a list in a message

_LINK = re.compile(r"(?:https?://|\bwww\.)[^\s<>\"]+|\b(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"]*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{3,}")


class Severity(StrEnum):
    """An error blocks the approval, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. `code` is stable; `line` counts from 1, 0 when it is about the whole text."""

    code: str
    severity: Severity
    message: str
    line: int = 0


def lint(
    template: Template | str,
    *,
    purpose: Purpose,
    known: Collection[str] | None,
    locale: str,
    samples: Sequence[Mapping[str, Any]] = (),
    timezone: str = "UTC",
    country: str = "",
    allowed_links: Collection[str] = (),
    opt_out_words: Sequence[str] = (),
    max_segments: int = DEFAULT_MAX_SEGMENTS,
    declared: Collection[str] | None = None,
    extra_filters: Mapping[str, Callable[..., Any]] | None = None,
) -> tuple[Finding, ...]:
    """Errors first, then warnings, each by line.

    `known`: the flat names its events bring, None when that can't be told. `samples`: variables of past events, to see the text as
    it would have been. `allowed_links`: the tenant's hosts (their subdomains count). `opt_out_words`: one of them must stand in a
    marketing text under all conditions; STOP when there are none for the country. `max_segments`: more in the worst sample is
    worth a warning. `declared`: the personal fields the template's owner says it prints, None where that is not asked.
    """
    if isinstance(template, str):
        try:
            template = compile(template, extra_filters)
        except TemplateInvalid as e:
            return (Finding("parse_error", Severity.ERROR, str(e), e.line),)
    sampled = _Sampled.of(template, samples, locale, timezone, country)
    words = tuple(filter(None, opt_out_words)) or _DEFAULT_OPT_OUT
    found = [*_unknown(template, known), *_failed(sampled), *_capitals(template, words)]
    found += [*_links(template, sampled, allowed_links), *_undeclared(template, declared)]
    if purpose is Purpose.MARKETING:
        found += _opt_out(template, sampled, words)
    if script(locale) in {"Latn", ""}:  # other scripts are UCS-2 anyway
        found += _ucs2(template, sampled)
    found += _segments(sampled, purpose, max_segments)
    return tuple(sorted(found, key=lambda finding: (finding.severity, finding.line)))


@dataclass(frozen=True, slots=True)
class _Sampled:
    """The texts of the samples that could be rendered, why others could not, and the most segments one takes."""

    texts: tuple[str, ...]
    failures: Counter[str]
    worst: int

    @classmethod
    def of(cls, template: Template, samples: Iterable[Mapping[str, Any]], locale: str, timezone: str, country: str) -> _Sampled:
        texts, failures = [], Counter[str]()
        for sample in samples:
            try:
                texts.append(segments.clean(template.render(sample, locale=locale, timezone=timezone, country=country)))
            except RenderFailed as e:
                failures[str(e)] += 1
        # without a sample, what stands there in any case is the least there is
        least = texts or ["".join(passage.text for passage in template.passages if passage.always)]
        return cls(tuple(texts), failures, max(map(_count, least)))


def _count(text: str) -> int:
    try:
        return segments.measure(text).segments
    except segments.TooManySegments as e:
        return e.segments


def _warning(code: str, message: str, line: int = 0) -> Finding:
    return Finding(code, Severity.WARNING, message, line)


def _unknown(template: Template, known: Collection[str] | None) -> Iterator[Finding]:
    if known is None:
        return
    seen: set[str] = set()
    for use in template.uses:
        if use.name in seen or _is_known(use.name, known):
            continue
        seen.add(use.name)
        near = get_close_matches(use.name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield Finding("unknown_variable", Severity.ERROR, f"no event of this kind has {use.name}{hint}", use.line)


def _is_known(name: str, known: Collection[str]) -> bool:
    if name in known:
        return True
    if any(each.startswith(name + ".") for each in known):  # an object, as in {% if tracking %}
        return True
    parts = name.split(".")
    # `order.line_items.size`, `order.line_items.first.title`: what Liquid itself finds in a list
    return any(parts[n] in {"size", "first", "last"} and ".".join(parts[:n]) in known for n in range(1, len(parts)))


def _undeclared(template: Template, declared: Collection[str] | None) -> Iterator[Finding]:
    if declared is None:
        return
    seen: set[str] = set()
    for use in template.uses:
        if use.name not in seen and use.name not in declared and is_personal(use.name):
            seen.add(use.name)
            yield _warning("personal_field", f"{use.name} is personal and not declared", use.line)


def _failed(sampled: _Sampled) -> Iterator[Finding]:
    total = len(sampled.texts) + sampled.failures.total()
    for why, count in sampled.failures.most_common(_NAMED):
        yield _warning("sample_failed", f"{count} of {total} past events give no text: {why}")


def _capitals(template: Template, words: Sequence[str]) -> Iterator[Finding]:
    spared = {caseless(part) for word in words for part in word.split()}
    found = [word for passage in template.passages for word in _WORD.findall(passage.text) if caseless(word) not in spared]
    loud = [word for word in found if word.isupper()]
    if len(loud) >= 3 and 3 * sum(map(len, loud)) > sum(map(len, found)):
        yield _warning("capitals", f"much of the text is in capitals ({_listed(loud)}): carriers' filters take that for spam")


def _links(template: Template, sampled: _Sampled, allowed: Collection[str]) -> Iterator[Finding]:
    hosts = {_host(each) for each in allowed}
    places = [(passage.text, passage.line) for passage in template.passages] + [(text, 0) for text in sampled.texts]
    seen: set[str] = set()
    for text, line in places:
        for link in _LINK.finditer(text):
            host = _host(link[0])
            if host and host not in seen and not any(host == one or host.endswith(f".{one}") for one in hosts):
                seen.add(host)
                at = line and line + line_at(text, link.start()) - 1
                yield _warning("foreign_link", f"{host} is not on the list of your own links", at)


def _host(link: str) -> str:
    """The host that a link really leads to, whatever stands before an @."""
    try:
        return (urlsplit(link if "://" in link else f"//{link}").hostname or "").rstrip(".")
    except ValueError:  # brackets that hold no IPv6 address
        return link


def _opt_out(template: Template, sampled: _Sampled, words: Sequence[str]) -> Iterator[Finding]:
    patterns = [_as_word(word) for word in words]

    def said(text: str) -> bool:
        return any(pattern.search(caseless(text)) for pattern in patterns)

    if said("".join(passage.text for passage in template.passages if passage.always)):
        return
    if sampled.texts and not sampled.failures and all(map(said, sampled.texts)):
        return
    listed = " or ".join(words[:_NAMED])
    if said(" ".join(passage.text for passage in template.passages)):
        message = f"the way to opt out ({listed}) stands in a condition: it must be in every text"
    else:
        message = f"a marketing text must say how to opt out: with {listed}"
    yield Finding("opt_out_missing", Severity.ERROR, message)


def _as_word(word: str) -> re.Pattern[str]:
    """The word, not as a part of another; scripts without capitals have no blanks between words either."""
    key = caseless(word)
    before = r"(?<!\w)" if key[:1].isalnum() and key[:1].islower() else ""
    behind = r"(?!\w)" if key[-1:].isalnum() and key[-1:].islower() else ""
    return re.compile(before + re.escape(key) + behind)


def _ucs2(template: Template, sampled: _Sampled) -> Iterator[Finding]:
    in_template: set[str] = set()
    for passage in template.passages:
        guilty = [one for one in segments.guilty(segments.clean(passage.text)) if one.char not in in_template]
        if guilty:
            in_template.update(one.char for one in guilty)
            place = min(max(passage.text.find(one.char), 0) for one in guilty)
            yield _warning("ucs2", _forced(guilty), passage.line + line_at(passage.text, place) - 1)
    brought = {one.char: one for text in sampled.texts for one in segments.guilty(text) if one.char not in in_template}
    if brought:
        yield _warning("ucs2", f"in the values of past events: {_forced(list(brought.values()))}")


def _forced(guilty: Sequence[segments.Guilty]) -> str:
    named = _listed([f"{one.char} {one.codepoint}" if one.char.isprintable() else one.codepoint for one in guilty])
    cure = " (smart encoding replaces them)" if all(one.suggestion is not None for one in guilty) else ""
    return f"segments hold 70 characters instead of 160 because of {named}{cure}"


def _segments(sampled: _Sampled, purpose: Purpose, most: int) -> Iterator[Finding]:
    seen = "the longest past event" if sampled.texts else "the fixed text alone"
    if purpose is Purpose.OTP and sampled.worst > 1:
        yield _warning("otp_segments", f"a code should fit one segment; {seen} takes {sampled.worst}")
    elif sampled.worst > most:
        yield _warning("segments", f"{seen} takes {sampled.worst} segments, more than {most}")


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
