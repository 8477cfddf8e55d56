"""The GSM 7-bit alphabets: which characters fit, what each costs, text to septets and back (3GPP TS 23.038)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ESCAPE = 0x1B  # TS 23.038 6.2.1.1: the next septet is read from the second table; the two are one character

#: TS 23.038 6.2.1, position = septet. 0x1B is the escape, no character.
DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: TS 23.038 6.2.1.1: reached by the escape.
EXTENSION: Mapping[int, str] = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """A table of single septets and one of escaped septets, as a handset reads them. Made by `alphabet`."""

    basic: str
    shifted: Mapping[int, str]
    codes: Mapping[str, bytes]
    only_basic: re.Pattern[str]
    only_known: re.Pattern[str]
    costly: re.Pattern[str]

    def fits(self, text: str) -> bool:
        """Whether every character has a code."""
        return self.only_known.fullmatch(text) is not None

    def is_basic(self, text: str) -> bool:
        """Whether every character costs one septet."""
        return self.only_basic.fullmatch(text) is not None

    def septets(self, text: str) -> int:
        """What a text that fits costs: one septet a character, two where the escape is needed."""
        return len(text) + len(self.costly.findall(text))

    def encode(self, text: str) -> bytes:
        """Unpacked septets, one an octet. Raises KeyError with the character that has no code."""
        codes = self.codes
        return b"".join([codes[char] for char in text])

    def decode(self, septets: bytes) -> str:
        """The text of unpacked septets; never raises, since what comes from the air is what it is.

        TS 23.038 6.2.1.1: an escape with an unknown code shows the character of the first table, a second escape a space.
        """
        text: list[str] = []
        escaped = False
        for septet in septets:
            code = septet & 0x7F
            if escaped:
                text.append(" " if code == ESCAPE else self.shifted.get(code, self.basic[code]))
                escaped = False
            elif code == ESCAPE:
                escaped = True
            else:
                text.append(self.basic[code])
        return "".join(text)


def alphabet(basic: str, shifted: Mapping[int, str]) -> Alphabet:
    """An alphabet of a first table (128 characters) and a second one. A character in both is sent by its single septet."""
    single = {char: bytes([code]) for code, char in enumerate(basic) if code != ESCAPE}
    double = {char: bytes([ESCAPE, code]) for code, char in shifted.items() if char not in single}
    return Alphabet(
        basic=basic,
        shifted=dict(shifted),
        codes={**double, **single},
        only_basic=_only(single),
        only_known=_only({**single, **double}),
        costly=re.compile(f"[{_escaped(double)}]"),
    )


def _only(chars: Mapping[str, bytes]) -> re.Pattern[str]:
    return re.compile(f"[{_escaped(chars)}]*+")


def _escaped(chars: Mapping[str, bytes]) -> str:
    return "".join(re.escape(char) for char in sorted(chars))


GSM7 = alphabet(DEFAULT, EXTENSION)
