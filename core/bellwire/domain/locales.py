"""Locale names: one spelling (BCP 47), and which of a template's variants a person gets.

A script counts: a text in Latin letters is not a variant for somebody who reads Cyrillic ones, so `uz-Cyrl` falls back to the
default before it falls back to `uz-Latn`. A name without a script means the script its language is mostly written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SCRIPT = re.compile(r"[a-z]{4}")
_TERRITORY = re.compile(r"[a-z]{2}|\d{3}")
_EXTENSIONS = re.compile(r"[a-z0-9](-[a-z0-9]{1,8})+")
_VARIANT = re.compile(r"[a-z0-9]{5,8}|\d[a-z0-9]{3}")

# CLDR likely subtags. Languages that are not here are written in Latin letters.
_WRITTEN_IN = """
    Arab: ar ckb fa ps ug ur | Armn: hy | Beng: as bn | Cyrl: be bg kk ky mk mn ru sr tg tt uk | Deva: hi mr ne | Ethi: am
    Geor: ka | Grek: el | Gujr: gu | Guru: pa | Hans: zh | Hant: yue | Hebr: he yi | Jpan: ja | Khmr: km | Knda: kn | Kore: ko
    Laoo: lo | Mlym: ml | Mymr: my | Sinh: si | Taml: ta | Telu: te | Thai: th
"""
# The same, where the country decides.
_WRITTEN_THERE_IN = "Arab: az-IR kk-CN ku-IQ ky-CN pa-PK tg-PK uz-AF | Hant: zh-HK zh-MO zh-TW | Latn: sr-ME | Mong: mn-CN"


def _table(rows: str) -> dict[str, str]:
    pairs = (row.split(":") for row in re.split(r"[|\n]", rows.strip()))
    return {name: script.strip() for script, names in pairs for name in names.split()}


_SCRIPTS, _SCRIPTS_THERE = _table(_WRITTEN_IN), _table(_WRITTEN_THERE_IN)
# glibc names the script behind the territory: `uz_UZ@cyrillic`.
_POSIX_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "arabic": "Arab", "devanagari": "Deva"}
# Codes that old systems still send (ISO 639 changes; macrolanguages that stand for one).
_RENAMED = {"iw": "he", "in": "id", "ji": "yi", "no": "nb", "mo": "ro"}


class _Parts(NamedTuple):
    language: str
    script: str
    territory: str
    rest: str

    @property
    def implied_script(self) -> str:
        there = _SCRIPTS_THERE.get(f"{self.language}-{self.territory}")
        return self.script or there or _SCRIPTS.get(self.language, "Latn")

    def name(self) -> str:
        return "-".join(part for part in self if part)


def normalize(locale: str) -> str:
    """`uz_latn_uz`, `UZ-Latn-UZ` → `uz-Latn-UZ`; `en_US.UTF-8` → `en-US`. What is no locale becomes "".

    Extensions (`-u-…`) and what can't be read behind the language are dropped; codes that were renamed are replaced (`iw` → `he`).
    """
    parts = _parse(locale)
    return parts.name() if parts else ""


def exactly(locale: str) -> str:
    """As `normalize`, but "" also where something behind the language can't be read: for a name that is a setting."""
    parts = _parse(locale)
    return parts.name() if parts and not _read(locale)[1] else ""


def script(locale: str) -> str:
    """The script a text in this locale is written in: `uz-Cyrl` → `Cyrl`, `zh-TW` → `Hant`. "" for what is no locale."""
    parts = _parse(locale)
    return parts.implied_script if parts else ""


def chain(locale: str) -> tuple[str, ...]:
    """The names from the most to the least special: `uz-Latn-UZ` → `uz-Latn-UZ`, `uz-Latn`, `uz-UZ`, `uz`.

    `uz` and `uz-UZ` are left out where they would mean another script: `uz-Cyrl-UZ` → `uz-Cyrl-UZ`, `uz-Cyrl`.
    """
    parts = _parse(locale)
    if parts is None:
        return ()
    steps = [parts, parts._replace(rest="")]
    steps += [
        parts._replace(territory="", rest=""),
        parts._replace(script="", rest=""),
        parts._replace(script="", territory="", rest=""),
    ]
    return tuple(dict.fromkeys(step.name() for step in steps if step.implied_script == parts.implied_script))


def pick(available: Iterable[str], wanted: Sequence[str], default: str) -> str | None:
    """The variant for somebody who wants these locales, as its name is stored; None when nothing fits.

    Each wanted locale in turn: the same name, the less special ones (`chain`), then a variant in the same language and script
    for another country. After them the default in the same way. A variant in another script of a wanted language, or of the
    default's, comes last, when there is nothing else. Case and `_`/`-` don't matter.
    """
    return _pick(tuple(available), tuple(wanted), default)


@lru_cache(maxsize=4096)
def _pick(available: tuple[str, ...], wanted: tuple[str, ...], default: str) -> str | None:
    stored: dict[_Parts, str] = {}
    for name in available:
        parts = _parse(name)
        if parts is not None:
            stored.setdefault(parts, name)
    asked = [parts for parts in map(_parse, (*wanted, default)) if parts is not None]
    for parts in asked:
        for candidate in (*_same(parts, stored), *_elsewhere(parts, stored)):
            return stored[candidate]
    for parts in asked:
        for candidate in stored:
            if candidate.language == parts.language:
                return stored[candidate]
    return None


def _same(parts: _Parts, stored: dict[_Parts, str]) -> Iterator[_Parts]:
    for name in chain(parts.name()):
        step = _parse(name)
        if step in stored:
            yield step


def _elsewhere(parts: _Parts, stored: dict[_Parts, str]) -> Iterator[_Parts]:
    """The same language and script, first for the same country or none (`uz` finds `uz-Latn-UZ`, `uz-UZ` finds `uz-Latn`)."""
    alike = [one for one in stored if one.language == parts.language and one.implied_script == parts.implied_script]
    yield from sorted(alike, key=lambda one: (one.territory != parts.territory, bool(one.territory), bool(one.rest)))


@lru_cache(maxsize=4096)
def _parse(locale: str) -> _Parts | None:
    return _read(locale)[0]


def _read(locale: str) -> tuple[_Parts | None, list[str]]:
    """The parts, and what can't be read behind them; extensions (`-u-…`) are none of it."""
    if len(locale) > 64:  # RFC 5646 4.4.1 advises room for 35 characters
        return None, []
    name, _, modifier = locale.strip().lower().replace("_", "-").partition("@")
    tags = name.partition(".")[0].split("-")
    language = _RENAMED.get(tags[0], tags[0])
    if not _LANGUAGE.fullmatch(language):
        return None, []
    rest = tags[1:]
    written = rest.pop(0).title() if rest and _SCRIPT.fullmatch(rest[0]) else _POSIX_SCRIPTS.get(modifier, "")
    territory = rest.pop(0).upper() if rest and _TERRITORY.fullmatch(rest[0]) else ""
    variants: list[str] = []
    while rest and _VARIANT.fullmatch(rest[0]):
        variants.append(rest.pop(0))
    left = [] if _EXTENSIONS.fullmatch("-".join(rest)) else rest
    return _Parts(language, written, territory, "-".join(variants)), left
