"""What the law and the carriers of a country ask of a sender: `data/countries.json` as values, read when first needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from bellwire.domain.week import Week, read_week


class AlphaSender(StrEnum):
    """Whether a name may stand as the sender."""

    YES = "yes"
    PREREGISTER = "preregister"
    NO = "no"
    OVERWRITTEN = "overwritten"


class TwoWay(StrEnum):
    """The kind of number that can take replies."""

    NO = "no"
    SHORT_CODE = "short_code"
    LONG_CODE = "long_code"
    YES = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRules:
    """What a sender_id may be. `alpha_max`: characters of a name (3GPP TS 23.040: 11)."""

    alpha: AlphaSender
    alpha_max: int = 11
    digits_only_alpha: bool = False  # a name of digits alone would be taken for a number
    kinds: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When marketing may arrive. `law` names what sets the hours, "" for custom.

    `bounds`: what a tenant that loosens `week` can't pass, None where nothing forbids it. `holidays`: they count as Sundays, by
    `calendar` (`domain.holidays`), "" when we hold none. `collection`: debt collection keeps to the hours too.
    """

    week: Week
    law: str = ""
    bounds: Week | None = None
    holidays: bool = False
    calendar: str = ""
    collection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """How a marketing text must say the way out. `texts`: one ready line a language.

    `words`: what a person answers. `link_words`: what says that a link or a number to call is the way out, where senders can't be
    answered.
    """

    words: Sequence[str]
    link_words: Sequence[str] = ()
    law: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    def stands_in(self, text: str) -> bool:
        """Whether a text, or a template's source, names the way out. Case and typographic apostrophes don't matter."""
        plain = text.translate(_APOSTROPHES).casefold()
        if any(_word(word).search(plain) for word in self.words):
            return True
        by_link = bool(self.link_words) and bool(_LINK.search(plain)) and any(_word(word).search(plain) for word in self.link_words)
        return by_link or bool(self.link_words and _VARIABLE.search(plain))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryRules:
    """One country's rules. `listed` False: nothing is known of it, the cautious default holds.

    `timezones`: all its zones; for the US the contiguous ones, as rules for a number without a place ask.
    `transactional_exempt`: order messages may arrive at any hour. `registry`: people who refused advertising, "" for none;
    `registry_mandatory`: marketing needs its list, 30 days old at most. `certainty`: field → documented, custom or unverified.
    """

    country: str
    listed: bool
    name: str
    dial: str
    languages: Sequence[str]
    timezones: Sequence[str]
    sender: SenderRules
    two_way: TwoWay
    hours: Hours
    opt_out: OptOut
    transactional_exempt: bool = True
    registry: str = ""
    registry_mandatory: bool = False
    marketing_per_day: int | None = None
    content: Sequence[str] = ()
    encoding: str = ""
    data_localisation: str = ""
    certainty: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=300)
def rules(country: str) -> CountryRules:
    """The rules of a country by ISO 3166 alpha-2, any case; "" and what we don't know get the default."""
    code = country.upper()
    entries = _entries()
    raw = {**entries["default"], **entries.get(code, {})}
    registry = raw.get("registry", {})
    return CountryRules(
        country=code,
        listed=code in entries,
        name=raw.get("name", code),
        dial=raw.get("dial", ""),
        languages=tuple(raw.get("languages", ())),
        timezones=tuple(raw.get("timezones") or _zones().get(code, ())),
        sender=_sender(raw["sender"]),
        two_way=TwoWay(raw["two_way"]),
        hours=_hours(raw["hours"]),
        opt_out=_opt_out(raw["opt_out"]),
        transactional_exempt=raw.get("transactional_exempt", True),
        registry=registry.get("name", ""),
        registry_mandatory=registry.get("mandatory", False),
        marketing_per_day=raw.get("marketing_per_day"),
        content=tuple(raw.get("content", ())),
        encoding=raw.get("encoding", ""),
        data_localisation=raw.get("data_localisation", ""),
        certainty=raw["certainty"],
    )


def listed() -> Sequence[str]:
    """The countries of which more than the default is known."""
    return tuple(sorted(code for code in _entries() if code != "default"))


def _sender(raw: Mapping[str, Any]) -> SenderRules:
    return SenderRules(alpha=AlphaSender(raw["alpha"]), kinds=tuple(raw.get("kinds", ())), note=raw.get("note", ""))


def _opt_out(raw: Mapping[str, Any]) -> OptOut:
    words, link_words = tuple(raw["words"]), tuple(raw.get("link_words", ()))
    return OptOut(words=words, link_words=link_words, law=raw.get("law", ""), texts=raw["texts"])


def _hours(raw: Mapping[str, Any]) -> Hours:
    law, week = raw.get("law", ""), read_week(raw["week"], "hours.week")
    bounds = read_week(raw["bounds"], "hours.bounds") if "bounds" in raw else week if law else None
    return Hours(
        week=week,
        law=law,
        bounds=bounds,
        holidays=raw.get("holidays", False),
        calendar=raw.get("calendar", ""),
        collection=raw.get("collection", False),
    )


@cache
def _entries() -> dict[str, dict[str, Any]]:
    raw = json.loads((files("bellwire.domain") / "data" / "countries.json").read_text(encoding="utf-8"))
    return {code: entry for code, entry in raw.items() if code != "about"}


@cache
def _zones() -> Mapping[str, Sequence[str]]:
    """Each country's zones, from the time zone database's own table."""
    zones: dict[str, list[str]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, zone, *_ = line.split("\t")
            zones.setdefault(code, []).append(zone)
    return zones


_APOSTROPHES = dict.fromkeys(map(ord, "ʻʼ‘’`´"), "'")
_LINK = re.compile(r"https?://|\bwww\.|\{\{[^}]*(?:link|url)[^}]*\}\}|\+?\d[\d ()-]{5,}\d")
_VARIABLE = re.compile(r"\{\{[^}]*(?:opt_?out|unsubscribe)[^}]*\}\}")


@cache
def _word(word: str) -> re.Pattern[str]:
    folded = re.escape(word.casefold())
    # Chinese is written without spaces; elsewhere "nonstop" says nothing of a way out
    return re.compile(folded if word[0] >= "\u2e80" else rf"(?<![\w'-]){folded}(?![\w'-])")
