"""Where a text may be cut without breaking what a reader sees as one character (Unicode UAX #29, looked at near a border only)."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_MARKS = frozenset({"Mn", "Me", "Mc"})
_LETTER_MARKS = frozenset("\u0e33\u0eb3")  # Thai and Lao AM: letters by category, marks by UAX #29
_VIRAMA = 9  # canonical combining class: joins the consonant that follows


def is_border(text: str, place: int) -> bool:
    """Whether `text` may be cut before the character at `place`.

    Kept together: a base and its marks, emoji with skin tone, variation selector or tags, joined emoji, flags, Hangul syllables
    in jamo, Indic conjuncts. CR LF may be cut: a handset joins the segments again, and neither is visible.
    """
    if place <= 0 or place >= len(text):
        return True
    before, after = text[place - 1], text[place]
    if before < "\u0300" and after < "\u0300":
        return True
    if _extends(after):
        return before in "\r\n"
    if before == _JOINER:
        return after.isspace()
    if _is_regional(before) and _is_regional(after):
        return _run_of_regionals(text, place) % 2 == 0
    if "\u1100" <= after <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3"):
        return not _jamo_joins(before, after)
    return not (unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo")


def last_border(text: str, place: int, lowest: int) -> int:
    """The last place at or before `place`, and after `lowest`, where the text may be cut; `place` itself when there is none."""
    for candidate in range(place, lowest, -1):
        if is_border(text, candidate):
            return candidate
    return place


def _extends(char: str) -> bool:
    if char == _JOINER or char in _LETTER_MARKS or "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True
    return unicodedata.category(char) in _MARKS


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _run_of_regionals(text: str, place: int) -> int:
    start = place
    while start and _is_regional(text[start - 1]):
        start -= 1
    return place - start


def _jamo_joins(before: str, after: str) -> bool:
    """GB6 to GB8: L × (L | V | LV | LVT), (LV | V) × (V | T), (LVT | T) × T."""
    if before < "\u1160":
        return after < "\u11a8"
    if before < "\u11a8":
        return after >= "\u1160"
    if before <= "\u11ff":
        return after >= "\u11a8"
    has_final = (ord(before) - 0xAC00) % 28 != 0
    return after >= ("\u11a8" if has_final else "\u1160")
