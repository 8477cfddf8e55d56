"""STOP, START and HELP: what a reply asks of us, by words kept as data (`data/keywords.json`)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, TypeAlias

from bellwire.domain.confirmations import Kind, confirmation, may_confirm
from bellwire.domain.countries import rules
from bellwire.domain.folding import MAX_READ, bare, clauses, forms, normalise

__all__ = ["Kind", "Match", "Rule", "classify", "confirmation", "is_carriers_own", "may_confirm"]

#: A stop word acts as the first of a text of so many words; a longer one is read for its intent.
MAX_WORDS = 5
_REPEATED = re.compile(r"(.)\1{2,}")  # stoppppp
_COMPOUND = re.compile(r"\w[-‐‑]\w")


class Rule(StrEnum):
    """How a reply matched."""

    EXACT = "exact"
    FIRST_WORD = "first_word"
    ANSWER = "answer"  # a yes to our question whether to send texts
    INTENT = "intent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a reply asks for; `kind` None: an ordinary reply.

    `keyword`: as in our data, or the phrase. `normalised`: what was compared (personal: store it encrypted). `review`: a person
    should look; only marketing is suppressed, and nothing is answered by itself.
    """

    kind: Kind | None = None
    rule: Rule | None = None
    keyword: str = ""
    review: bool = False
    normalised: str = ""


class _Counts(StrEnum):
    ALWAYS = "always"  # alone anywhere; as the first word where its language is spoken or wanted
    ALONE = "alone"
    LOCAL = "local"  # alone, and only where its language is spoken or wanted
    COUNTRY = "country"  # alone, and only in its country
    ASKED = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    kind: Kind
    text: str
    counts: _Counts
    home: str = ""  # its language or country, "" for all
    hard: bool = False


_Index: TypeAlias = Mapping[str, Sequence[_Word]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intent:
    phrase: str
    pattern: re.Pattern[str]
    negations: frozenset[str]
    fillers: frozenset[str]

    def is_negated(self, before: list[str]) -> bool:
        """Whether the words before the phrase turn it round: `don't ever` stop texting."""
        while before and before[-1] in self.fillers:
            before = before[:-1]
        return bool(before) and before[-1] in self.negations


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """Where a reply came from, and what it may mean there."""

    country: str
    languages: Collection[str] | None  # None: nothing is known, all count
    asked: bool
    indexes: Sequence[_Index]

    def speaks(self, language: str) -> bool:
        return not language or self.languages is None or language in self.languages

    def admits(self, word: _Word) -> bool:
        """Whether a word that is the whole reply counts."""
        if word.counts is _Counts.COUNTRY:
            return word.home == self.country
        if word.counts is _Counts.ASKED:
            return self.asked
        # an opt-out counts in every language; a start or help word of a language nobody speaks here is another word
        return self.speaks(word.home) or (word.kind is Kind.STOP and word.counts is not _Counts.LOCAL)


def classify(
    text: str,
    *,
    country: str = "",
    languages: Sequence[str] = (),
    awaiting: Collection[str] = (),
    asked: bool = False,
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Match:
    """What a whole reply (segments joined) asks for.

    `country`: of the number, ISO 3166 alpha-2. `languages`: the person's and the tenant's locales. `awaiting`: the options of a
    conversation that waits for this answer; they win over soft words (CANCEL, END), never over hard ones (STOP). `asked`: we asked
    whether to send texts (double opt-in), so that YES means START. `extra`: the tenant's own words by kind.
    Never raises; an empty text is an ordinary reply.
    """
    text = text[:MAX_READ]
    words = normalise(text)
    if not words or _is_reaction(text):
        return Match(normalised=words)
    indexes = (
        (_known_index(), _index(tuple((kind, tuple(added)) for kind, added in sorted(extra.items()))))
        if extra
        else (_known_index(),)
    )
    ground = _Ground(country=country.upper(), languages=_spoken(country, languages), asked=asked, indexes=indexes)
    whole = _whole(words, ground)
    word, rule = (whole, Rule.EXACT) if whole else (_first(text, words, ground), Rule.FIRST_WORD)
    if asked and word and word.kind is Kind.START:
        return Match(kind=Kind.START, rule=Rule.ANSWER, keyword=word.text, normalised=words)
    said = {bare(words), bare(normalise(word.text))} if word else {bare(words)}
    if not (word and word.hard) and not said.isdisjoint(bare(normalise(option)) for option in awaiting):
        return Match(normalised=words)
    if word:
        return Match(kind=word.kind, rule=rule, keyword=word.text, normalised=words)
    phrase = _intent(text)
    if phrase:
        return Match(kind=Kind.STOP, rule=Rule.INTENT, keyword=phrase, review=True, normalised=words)
    return Match(normalised=words)


def is_carriers_own(match: Match) -> bool:
    """Whether a carrier that answers keywords by itself has answered this one: a single word of those that all of them know.

    `STOP please`, and words of other languages, reach only us.
    """
    return (
        match.kind is not None and match.rule is Rule.EXACT and " " not in match.normalised and match.normalised in _carriers_own()
    )


@cache
def _carriers_own() -> frozenset[str]:
    return frozenset(normalise(word) for words in _data()["always"].values() for word in words)


def _spoken(country: str, languages: Sequence[str]) -> Collection[str] | None:
    """The languages whose words count; None: all, where nobody knows what is spoken in a country."""
    there = rules(country).languages
    if not there and (country or not languages):
        return None
    return {"en", *there, *(language.replace("_", "-").split("-")[0].lower() for language in languages)}


def _whole(words: str, ground: _Ground) -> _Word | None:
    """The keyword that a whole reply is, also with drawn-out (`stoppp`) and spaced letters (`s t o p`)."""
    found = _look(words, ground) or _look(_REPEATED.sub(r"\1", words), ground)
    letters = words.split()
    if found is None and len(letters) > 2 and all(len(letter) == 1 for letter in letters):
        found = _look("".join(letters), ground)
    return found


def _look(words: str, ground: _Ground) -> _Word | None:
    found = [word for form in forms(words) for index in ground.indexes for word in index.get(form, ()) if ground.admits(word)]
    # where a word is a stop in one language and something else in another, it is a stop
    return next((word for word in found if word.kind is Kind.STOP), found[0] if found else None)


def _first(text: str, words: str, ground: _Ground) -> _Word | None:
    """The stop word that a short reply begins with."""
    parts = words.split()
    if len(parts) > MAX_WORDS:
        return None
    head = text.split(maxsplit=1)[0]
    if _COMPOUND.search(head) and _look(normalise(head), ground) is None:  # stop-motion
        return None
    for length in range(len(parts) - 1, 0, -1):
        found = _look(" ".join(parts[:length]), ground)
        if found and found.kind is Kind.STOP and found.counts is _Counts.ALWAYS and ground.speaks(found.home):
            return found
    return None


def _intent(text: str) -> str:
    """The phrase inside a sentence that a reasonable person reads as a revocation (47 CFR 64.1200(a)(10)), or ""."""
    for clause in map(bare, clauses(text)):
        for intent in _intents():
            match = intent.pattern.search(clause)
            if match and not intent.is_negated(clause[: match.start()].split()):
                return intent.phrase
    return ""


def _is_reaction(text: str) -> bool:
    """Whether a handset reports a tap on our own text, and quotes it: `Liked “… Reply STOP to opt out”`."""
    return bool(_reactions().match(text))


@cache
def _data() -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((files("bellwire.domain") / "data" / "keywords.json").read_text(encoding="utf-8"))
    return raw


@cache
def _known_index() -> _Index:
    return _indexed(_known())


@lru_cache(maxsize=256)
def _index(extra: tuple[tuple[str, tuple[str, ...]], ...]) -> _Index:
    """A tenant's own words."""
    return _indexed(
        _Word(kind=Kind(kind), text=text, counts=_Counts.ALWAYS)
        for kind, texts in extra
        if kind in set(Kind)
        for text in texts
        if normalise(text)
    )


def _indexed(words: Iterable[_Word]) -> _Index:
    index: dict[str, list[_Word]] = {}
    for word in words:
        for form in forms(normalise(word.text)):
            index.setdefault(form, []).append(word)
    return index


@cache
def _known() -> tuple[_Word, ...]:
    data = _data()
    hard = {normalise(word) for word in data["hard"]}

    def made(kind: Kind, counts: _Counts, texts: Sequence[str], home: str = "") -> Iterator[_Word]:
        return (_Word(kind=kind, text=text, counts=counts, home=home, hard=normalise(text) in hard) for text in texts)

    words = [word for kind in Kind for word in made(kind, _Counts.ALWAYS, data["always"][kind])]
    for language, entry in data["languages"].items():
        for kind in Kind:
            words += made(kind, _Counts.ALWAYS, entry.get(kind, ()), language)
        words += made(Kind.STOP, _Counts.ALONE, entry.get("alone", ()), language)
        words += made(Kind.STOP, _Counts.LOCAL, entry.get("local", ()), language)
        words += made(Kind.START, _Counts.ASKED, entry.get("answers", ()), language)
    for country, texts in data["countries"].items():
        words += made(Kind.STOP, _Counts.COUNTRY, texts, country)
    return tuple(words)


@cache
def _intents() -> Sequence[_Intent]:
    data = _data()
    found = []
    for language, phrases in data["intents"].items():
        guard = data["negations"].get(language, {"words": (), "fillers": ()})
        negations, fillers = frozenset(map(bare, guard["words"])), frozenset(map(bare, guard["fillers"]))
        found += [_Intent(phrase=one, pattern=_pattern(one), negations=negations, fillers=fillers) for one in phrases]
    return found


def _pattern(phrase: str) -> re.Pattern[str]:
    if phrase[0] >= "\u2e80":  # Chinese is written without spaces
        return re.compile(re.escape(phrase))
    pattern = ""
    for part in phrase.split():
        if part == "$":
            pattern += r"$"
        elif part.startswith("!"):
            pattern += rf"(?! {re.escape(part[1:])}\b)"
        else:
            either = "|".join(
                re.escape(bare(one.rstrip("*"))) + (r"\S*" if one.endswith("*") else r"(?!\S)") for one in part.split("|")
            )
            pattern += (" " if pattern else r"(?<!\S)") + f"(?:{either})"
    return re.compile(pattern)


@cache
def _reactions() -> re.Pattern[str]:
    either = "|".join(re.escape(one) for one in _data()["reactions"])
    quote = '[“”"«„‘「]'
    return re.compile(rf"\W*(?:(?:{either})\W{{0,3}}|reacted \S+ to ){quote}|\W+to {quote}", re.IGNORECASE)
