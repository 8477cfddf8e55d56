"""National language shift tables: Turkish, Spanish and Portuguese letters in 7 bits (3GPP TS 23.038 annex A).

Off unless asked for: a carrier and a handset must both support them, and carriers over HTTP encode by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from bellwire.domain.alphabet import DEFAULT, EXTENSION, Alphabet, alphabet


class National(StrEnum):
    """A language whose single shift table is used, and whether its locking shift table is used too."""

    TURKISH = "tr"
    TURKISH_LOCKING = "tr-locking"
    SPANISH = "es"  # has no locking table
    PORTUGUESE = "pt"
    PORTUGUESE_LOCKING = "pt-locking"

    @property
    def language_id(self) -> int:
        """TS 23.038 6.2.1.2.4: the identifier in the user data header."""
        return _LANGUAGE_IDS[self[:2]]

    @property
    def locking(self) -> bool:
        """Whether the first table is replaced too."""
        return self.endswith("-locking")

    @property
    def alphabet(self) -> Alphabet:
        """The two tables a handset reads the text with."""
        return _alphabet(self)

    @property
    def elements(self) -> bytes:
        """The elements of the user data header: 0x25 locking shift, 0x24 single shift (TS 23.040 9.2.3.24.15, .16)."""
        locking = bytes([0x25, 1, self.language_id]) if self.locking else b""
        return locking + bytes([0x24, 1, self.language_id])


_LANGUAGE_IDS = {"tr": 1, "es": 2, "pt": 3}


def _at(codes: str, chars: str) -> dict[int, str]:
    return dict(zip(bytes.fromhex(codes), chars, strict=True))


# A.2.1, A.2.2, A.2.3: what each single shift table has beside the default extension.
_TURKISH = _at("47 49 53 63 67 69 73", "ĞİŞçğış")
_SPANISH = _at("09 41 49 4F 55 61 69 6F 75", "çÁÍÓÚáíóú")
_PORTUGUESE = _at("05 09 0B 0C 0E 0F 12 13 15 16 17 18 19 1F", "êçÔôÁáΦΓΩΠΨΣΘÊ") | _at(
    "41 49 4F 55 5B 5C 61 69 6F 75 7B 7C 7F", "ÀÍÓÚÃÕÂíóúãõâ"
)

# A.3.1, A.3.3: where each locking shift table differs from the default alphabet.
_TURKISH_LOCKING = _at("04 07 0B 0C 1C 1D 40 60", "€ıĞğŞşİç")
_PORTUGUESE_LOCKING = _at("04 06 07 08 09 0B 0C 0E 0F 12 13 14 15 16 17 18 19 1A", "êúíóçÔôÁáªÇÀ∞^\\€Ó|") | _at(
    "1C 1D 1E 24 40 5B 5C 5D 60 7B 7C 7D", "ÂâÊºÍÃÕÚ~ãõ`"
)


def _first(changes: Mapping[int, str]) -> str:
    return "".join(changes.get(code, char) for code, char in enumerate(DEFAULT))


@cache  # seldom used, and made of patterns that take milliseconds to compile
def _alphabet(language: National) -> Alphabet:
    single, locking = _TABLES[language[:2]]
    return alphabet(_first(locking) if language.locking else DEFAULT, {**EXTENSION, **single})


_TABLES = {"tr": (_TURKISH, _TURKISH_LOCKING), "es": (_SPANISH, {}), "pt": (_PORTUGUESE, _PORTUGUESE_LOCKING)}
