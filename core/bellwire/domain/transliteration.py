"""Spellings that fit GSM-7: letters without their marks; Croatian, Uzbek and Russian in plain Latin.

Off unless a template allows it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from bellwire.domain.alphabet import GSM7
from bellwire.domain.smart import outside, smart, typographic


class Kind(StrEnum):
    """A level that changes spelling."""

    DIACRITICS = "diacritics"
    CROATIAN = "croatian"
    UZBEK = "uzbek"
    RUSSIAN = "russian"


#: How Croatian đ is written without its stroke: a tenant's choice.
DJ = ("dj", "d")

_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC_VOWELS = frozenset("аоуэиўёюяеы")

# Letters whose mark Unicode does not know as a combining one; lower case, the capital follows.
_STROKED = dict(zip("ðđħıĸłŋŧ", "ddhiklnt", strict=True)) | {"þ": "th", "ĳ": "ij", "œ": "oe"}

_CROATIAN = dict(zip("čćšž", "ccsz", strict=True))
# One code point for two letters: the title-case form is its own character.
_CROATIAN_DIGRAPHS = dict(zip("ǆǅǄǉǈǇǌǋǊ", ["dz", "Dz", "DZ", "lj", "Lj", "LJ", "nj", "Nj", "NJ"], strict=True))

# The 1995 Latin alphabet, with the ASCII apostrophe for U+02BB and U+02BC. е and ц depend on their place.
_UZBEK = dict(zip("абвгджзийклмнопрстуфхъэқҳ", "abvgdjziyklmnoprstufx'eqh", strict=True)) | dict(
    zip("ёчшьюяўғ", ["yo", "ch", "sh", "", "yu", "ya", "o'", "g'"], strict=True)
)

# Close to BGN/PCGN, without its apostrophes.
_RUSSIAN = dict(zip("абвгдеёзийклмнопрстуфыэ", "abvgdeeziyklmnoprstufye", strict=True)) | dict(
    zip("жхцчшщъьюя", ["zh", "kh", "ts", "ch", "sh", "shch", "", "", "yu", "ya"], strict=True)
)


def transliterate(text: str, kinds: Sequence[str], *, dj: str = "dj", verbatim: Sequence[str] = ()) -> str:
    """The text in another spelling, if it is then wholly GSM-7; otherwise the text as it came.

    `kinds` (names of `Kind`) are applied one after the other until it fits, so that no letter changes for nothing; typographic
    characters are replaced as well. Links and `verbatim` are never touched. Raises ValueError for an unknown kind or `dj`.
    """
    if dj not in DJ:
        raise ValueError(f"dj is {dj!r}: use one of {', '.join(DJ)}")
    levels = [_level(kind, dj) for kind in kinds]
    result = smart(text, verbatim=verbatim)
    if GSM7.fits(result):
        return result
    result = unicodedata.normalize("NFC", text)
    for level in levels:
        result = outside(result, verbatim, level)
        plain = outside(result, verbatim, typographic)
        if GSM7.fits(plain):
            return plain
    return text


def _level(kind: str, dj: str) -> Callable[[str], str]:
    match kind:
        case Kind.DIACRITICS:
            return _diacritics
        case Kind.CROATIAN:
            letters = {**_CROATIAN, "đ": dj}
            return lambda text: _letters(text.translate(_DIGRAPHS), letters)
        case Kind.UZBEK:
            return _uzbek
        case Kind.RUSSIAN:
            return lambda text: _letters(text, _RUSSIAN)
        case _:
            raise ValueError(f"transliteration {kind!r} is unknown: use one of {', '.join(Kind)}")


_DIGRAPHS = str.maketrans(_CROATIAN_DIGRAPHS)


def _letters(text: str, table: Mapping[str, str]) -> str:
    """Each letter of the table replaced, in the case that it and its word have."""

    def word(match: re.Match[str]) -> str:
        return _spelled(match.group(), [table.get(char.lower()) for char in match.group()])

    return _WORD.sub(word, text)


def _uzbek(text: str) -> str:
    def word(match: re.Match[str]) -> str:
        letters = [char.lower() for char in match.group()]
        return _spelled(match.group(), [_uzbek_letter(letters, place) for place in range(len(letters))])

    return _WORD.sub(word, text)


def _uzbek_letter(word: Sequence[str], place: int) -> str | None:
    letter, before = word[place], word[place - 1] if place else ""
    if letter == "е":
        return "ye" if not before or before in _CYRILLIC_VOWELS or before in "ъь" else "e"
    if letter == "ц":
        return "ts" if before in _CYRILLIC_VOWELS else "s"
    return _UZBEK.get(letter)


def _spelled(word: str, replacements: Sequence[str | None]) -> str:
    """The word with its replacements: Ш is Sh, and SH where the whole word is in capitals."""
    capitals = len(word) > 1 and word.isupper()
    spelled: list[str] = []
    for char, new in zip(word, replacements, strict=True):
        if new is None:
            spelled.append(char)
        elif char.isupper():
            spelled.append(new.upper() if capitals else new.capitalize())
        else:
            spelled.append(new)
    return "".join(spelled)


def _diacritics(text: str) -> str:
    return "".join([char if char in GSM7.codes else _bare(char) for char in text])


def _bare(char: str) -> str:
    """The GSM-7 letter under the marks (á → a, ế → e), or the character itself."""
    stroked = _STROKED.get(char.lower())
    if stroked is not None:
        # Œ and Ĳ are one letter, capital in both halves; Þ is Th
        return stroked if char.islower() else stroked.upper() if char in "ŒĲ" else stroked.capitalize()
    if char == "ẞ":
        return "SS"
    parts = unicodedata.normalize("NFD", char)
    base, marks = parts[0], parts[1:]
    return base if marks and base in GSM7.codes and base.isalpha() and all(map(unicodedata.combining, marks)) else char
