"""Smart encoding: typographic characters for GSM-7 ones, where that makes the whole text GSM-7; and who forces UCS-2."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bellwire.domain.alphabet import GSM7


def _each(chars: Iterable[str], replacement: str) -> dict[str, str]:
    return dict.fromkeys(chars, replacement)


def _range(first: int, last: int) -> Iterable[str]:
    return map(chr, range(first, last + 1))


#: Never changes a letter into another. U+200D and U+FE0F are not here: they belong to emoji, which stay UCS-2 anyway.
TYPOGRAPHIC: Mapping[str, str] = {
    # spaces: one stays one; a TAB is a space, line and paragraph separators are line feeds
    **_each(["\t", "\u00a0", *_range(0x2000, 0x200A), "\u202f", "\u205f", "\u3000"], " "),
    **_each("\v\u0085\u2028\u2029", "\n"),
    # what has no width and no meaning on a handset: controls, soft hyphen, zero-width space and non-joiner, direction marks, BOM
    **_each([*_range(0x00, 0x08), *_range(0x0E, 0x1F), "\x7f", "\u00ad", "\u200b", "\u200c"], ""),
    **_each(["\u200e", "\u200f", *_range(0x202A, 0x202E), "\u2060", *_range(0x2066, 0x2069), "\ufeff"], ""),
    # quotes, apostrophes, primes; ʻ and ʼ (U+02BB, U+02BC) are marks of Uzbek letters
    **_each("`´ʹʻʼʽʾʿˈˊˋ‘’‚‛′‵", "'"),
    **_each("«»ʺˮ“”„‟″‶〝〞", '"'),
    "‹": "<",
    "›": ">",
    # dashes, dots, bullets
    **_each("·‐‑‒–—―•‧⁃−∙▪●﹘﹣", "-"),
    "…": "...",
    "‼": "!!",
    "⁇": "??",
    **_each("✓✔", "+"),
    # signs
    "¦": "|",
    "©": "(C)",
    "®": "(R)",
    "™": "TM",
    "№": "No.",
    "ª": "a",
    "º": "o",
    "¼": "1/4",
    "½": "1/2",
    "¾": "3/4",
    "×": "x",
    **_each("÷⁄∕", "/"),
    "₴": "UAH",
    "₹": "Rs",
    "₺": "TL",
    "₽": "RUB",
    "₿": "BTC",
    # full-width forms of ASCII, but for the grave accent, which has no GSM code
    **{chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F) if code != 0x60},
}

_TRANSLATION = str.maketrans(dict(TYPOGRAPHIC))

# Ends at what a sentence puts behind a link: closing quotes, an ellipsis, invisible characters, ideographic and full-width signs.
_LINK = r"(?:https?://|www\.)[^\s“”„«»‘’…\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u3000-\u303f\uff00-\uff65]+"
_LINKS = re.compile(_LINK, re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guilty:
    """A character that forces UCS-2. `suggestion`: what smart encoding puts for it ("" drops it), None when it has nothing."""

    char: str
    codepoint: str
    name: str
    count: int
    suggestion: str | None


def smart(text: str, *, verbatim: Sequence[str] = ()) -> str:
    """The text with typographic characters replaced, if it is then wholly GSM-7; otherwise the text as it came.

    Links and the strings in `verbatim` (codes, marked variables) are never touched. Whether it is cheaper is for the caller to see.
    """
    composed = unicodedata.normalize("NFC", text)
    if GSM7.fits(composed):
        return composed
    if not GSM7.fits(composed.translate(_TRANSLATION)):
        return text  # the usual end of a Cyrillic or Chinese text
    swapped = outside(composed, verbatim, typographic)
    return swapped if GSM7.fits(swapped) else text


def typographic(text: str) -> str:
    """Every character of the table replaced, whatever comes of it."""
    return text.translate(_TRANSLATION)


def outside(text: str, verbatim: Sequence[str], change: Callable[[str], str]) -> str:
    """The text with `change` applied to all but links and the strings in `verbatim`."""
    fixed = [re.escape(one) for one in sorted(verbatim, key=len, reverse=True) if one]
    pattern = re.compile("|".join([*fixed, _LINK]), re.IGNORECASE) if fixed else _LINKS
    done: list[str] = []
    end = 0
    for kept in pattern.finditer(text):
        done += [change(text[end : kept.start()]), kept.group()]
        end = kept.end()
    return "".join([*done, change(text[end:])])


def guilty(text: str) -> tuple[Guilty, ...]:
    """The characters that keep a text from GSM-7, each once, in the order in which they first stand there."""
    if GSM7.fits(text):
        return ()
    counts = Counter(char for char in text if char not in GSM7.codes)
    return tuple(
        Guilty(char=char, codepoint=f"U+{ord(char):04X}", name=_name(char), count=count, suggestion=TYPOGRAPHIC.get(char))
        for char, count in counts.items()
    )


# Unicode gives control characters no name; these two are met in texts.
_CONTROL_NAMES = {"\t": "CHARACTER TABULATION", "\u0085": "NEXT LINE"}


def _name(char: str) -> str:
    kind = {"Cc": "CONTROL CHARACTER", "Cs": "LONE SURROGATE", "Co": "PRIVATE USE CHARACTER"}
    return unicodedata.name(char, "") or _CONTROL_NAMES.get(char) or kind.get(unicodedata.category(char), "UNNAMED CHARACTER")
