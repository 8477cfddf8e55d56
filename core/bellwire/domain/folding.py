"""What a person meant to type: replies brought to one form, so that STOP is found however it was written."""

from __future__ import annotations

import re
import unicodedata

#: A reply is cut here. Ten segments are 1,530 characters; what a keyword is stands long before.
MAX_READ = 2000

# The turned comma and its like, as keyboards put them into Uzbek, and quotes that people use for an apostrophe.
_APOSTROPHES = dict.fromkeys(map(ord, "ʻʼ‘’‛`´′ʹʽ"), "'")
# Letters that no decomposition turns into the one that is typed where a keyboard lacks them.
_PLAIN = str.maketrans({"đ": "d", "ł": "l", "ı": "i", "қ": "к", "ғ": "г", "ҳ": "х", "ө": "о", "ø": "o"})
# Cyrillic letters that look like Latin ones, in either case (Unicode TR39 confusables, as far as keywords have them).
_LOOKALIKES = str.maketrans("авекмнорстухіјѕԛԝ", "abekmhopctyxijsqw")
_DROPPED = re.compile(
    "[\ufe00-\ufe0f\U000e0100-\U000e01ef\u034f\u115f\u1160\u20d0-\u20ff\u3164]"
)  # emoji variants, keycaps, fillers
_NOT_A_WORD = re.compile(r"[^a-z0-9']+", re.ASCII)
_BETWEEN_CLAUSES = re.compile(r"[.,;:!?()\n\r…。，；！？、—–]+")


def normalise(text: str) -> str:
    """The words of a text in lower case, one space between: NFKC, casefolded, without punctuation, emoji and invisible marks.

    Apostrophes stay inside words, all as `'`. Casefolding knows no language: a Turkish `İ` is an `i`, as is wanted here.
    """
    return _words(_folded(text))


def clauses(text: str) -> list[str]:
    """The same for each part of a text between punctuation marks."""
    return [words for words in map(_words, _BETWEEN_CLAUSES.split(_folded(text))) if words]


def bare(words: str) -> str:
    """Normalised words without apostrophes and diacritics: `to'xta` → `toxta`, `no más` → `no mas`."""
    if words.isascii():
        return words.replace("'", "")
    decomposed = unicodedata.normalize("NFD", words.replace("'", "").translate(_PLAIN))
    return unicodedata.normalize("NFC", "".join(char for char in decomposed if unicodedata.category(char) != "Mn"))


def skeleton(words: str) -> str:
    """Normalised words with Cyrillic letters replaced by the Latin ones they look like: Cyrillic `сто` is Latin `cto`."""
    return words if words.isascii() else words.translate(_LOOKALIKES)


def forms(words: str) -> tuple[str, ...]:
    """The forms in which normalised words are compared, the exact one first."""
    plain = bare(words)
    return tuple(dict.fromkeys((words, plain, skeleton(plain))))


def _folded(text: str) -> str:
    if text.isascii():
        return text[:MAX_READ].replace("`", "'").lower()
    # before NFKC, which makes a space and an accent of U+00B4; after it for full-width ones
    cut = unicodedata.normalize("NFKC", text[:MAX_READ].translate(_APOSTROPHES)).translate(_APOSTROPHES)
    return unicodedata.normalize("NFKC", cut.casefold()).replace("i\u0307", "i")


def _words(folded: str) -> str:
    spaced = _NOT_A_WORD.sub(" ", folded) if folded.isascii() else "".join(map(_kept, _DROPPED.sub("", folded)))
    return " ".join(word for word in (word.strip("'") for word in spaced.split()) if word)


def _kept(char: str) -> str:
    if char == "'" or char.isalnum():
        return char
    category = unicodedata.category(char)
    if category == "Cf":  # zero-width and direction marks, soft hyphen
        return ""
    return char if category[0] == "M" else " "
