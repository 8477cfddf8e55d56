"""What a text is on the air: its encoding, its units, how many segments it takes, and where it is cut.

Standards: 3GPP TS 23.038 (alphabets) and TS 23.040 (user data, concatenation). Packing is greedy; an escape pair or a surrogate
pair is never cut, so a count by division is wrong. Texts are taken as they are: `clean` them first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bellwire.domain.alphabet import ESCAPE, GSM7, Alphabet
from bellwire.domain.cleaning import clean
from bellwire.domain.graphemes import is_border, last_border
from bellwire.domain.national import National
from bellwire.domain.smart import Guilty, guilty, smart
from bellwire.domain.udh import MAX_SEGMENTS, capacity, udh
from bellwire.errors import BellwireError
from bellwire.model import Encoding

__all__ = [
    "MAX_SEGMENTS",
    "Guilty",
    "National",
    "NotGsm7",
    "Segmented",
    "TooManySegments",
    "clean",
    "guilty",
    "measure",
    "smart",
    "smart_if_cheaper",
    "split",
    "udh",
]

AUTO = "auto"
_ENCODINGS = frozenset({AUTO, Encoding.GSM7, Encoding.UCS2})


class NotGsm7(BellwireError, ValueError):
    """The text was to go out in GSM-7 and has characters that don't fit: `characters`. Cure: replace them, or encoding auto."""

    def __init__(self, characters: tuple[Guilty, ...]) -> None:
        named = ", ".join(f"{one.codepoint} {one.name}" for one in characters[:10])
        more = f" and {len(characters) - 10} more" if len(characters) > 10 else ""
        super().__init__(f"not in the GSM 7-bit alphabet: {named}{more}; replace them, or use encoding auto or ucs2")
        self.characters = characters


class TooManySegments(BellwireError, ValueError):
    """A message can't have more than 255 segments. Cure: a shorter text."""

    def __init__(self, segments: int) -> None:
        super().__init__(f"the text takes {segments} segments; {MAX_SEGMENTS} is the most that a message can have: shorten it")
        self.segments = segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """A text's size. `units`: septets or UTF-16 units without headers; `segment_units`: those of each segment.

    `national`: the shift tables that it needs, None when the default alphabet will do.
    """

    encoding: Encoding
    units: int
    segments: int
    segment_units: tuple[int, ...]
    national: National | None = None


def measure(
    text: str,
    encoding: str = AUTO,
    reference_bits: int = 8,
    national: National | str | None = None,
    *,
    whole_clusters: bool = False,
) -> Segmented:
    """The size of a text in the encoding chosen: `auto` is GSM-7 when all of it fits, else UCS-2.

    `reference_bits`: 8 or 16, of the concatenation header. `national`: shift tables to use where the default one won't do.
    `whole_clusters`: cut as `split` does; the number of segments is the same. An empty text is one empty segment.
    Raises NotGsm7, TooManySegments, ValueError for an unknown encoding, table or number of bits.
    """
    if reference_bits == 8 and encoding != Encoding.UCS2 and len(text) <= 160 and encoding in _ENCODINGS and GSM7.is_basic(text):
        return _SHORT[len(text)]
    packed = _pack(text, encoding, reference_bits, national)
    borders = packed.borders(text, whole_clusters=whole_clusters)
    return Segmented(
        encoding=packed.encoding,
        units=packed.units,
        segments=len(borders),
        segment_units=tuple(end - start for start, end in _spans(borders)),
        national=packed.national,
    )


def split(
    text: str, encoding: str = AUTO, reference_bits: int = 8, national: National | str | None = None, *, whole_clusters: bool = True
) -> list[str]:
    """The text of each segment. Arguments and errors as `measure`, and as many segments as it counts.

    With `whole_clusters` a cut moves before an emoji sequence, a flag or an accented letter that it would break, where that
    adds no segment; a cluster longer than a segment is cut between code points.
    """
    packed = _pack(text, encoding, reference_bits, national)
    borders = packed.borders(text, whole_clusters=whole_clusters)
    return [packed.text(start, end) for start, end in _spans(borders)]


def smart_if_cheaper(text: str, reference_bits: int = 8, verbatim: tuple[str, ...] = ()) -> str:
    """The text in smart encoding when that takes fewer segments, else the text as it came. Raises TooManySegments."""
    swapped = smart(text, verbatim=verbatim)
    if swapped == text:
        return text
    try:
        before = measure(text, reference_bits=reference_bits).segments
    except TooManySegments as e:
        before = e.segments
    return swapped if measure(swapped, reference_bits=reference_bits).segments < before else text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A text as units: unpacked septets, or UTF-16 big endian. `limit`: units of one segment. Borders are counted in units."""

    encoding: Encoding
    alphabet: Alphabet | None
    national: National | None
    data: bytes
    units: int
    limit: int

    def text(self, start: int, end: int) -> str:
        if self.alphabet is not None:
            return self.alphabet.decode(self.data[start:end])
        return self.data[2 * start : 2 * end].decode("utf-16-be", "surrogatepass")

    def end(self, start: int) -> int:
        """Where a segment that begins at `start` must end at the latest."""
        end = start + self.limit
        if end >= self.units:
            return self.units
        if self.alphabet is not None:
            return end - 1 if self.data[end - 1] == ESCAPE else end
        # a high surrogate before the cut and a low one behind it are one character
        pair = self.data[2 * end - 2] & 0xFC == 0xD8 and self.data[2 * end] & 0xFC == 0xDC
        return end - 1 if pair else end

    def ends(self, start: int) -> Iterator[int]:
        """The ends of all segments from `start` on, each filled as far as it goes."""
        while start < self.units:
            start = self.end(start)
            yield start

    def borders(self, text: str, *, whole_clusters: bool) -> tuple[int, ...]:
        """The ends of all segments; with `whole_clusters` moved before the clusters they cut where that adds no segment."""
        greedy = tuple(self.ends(0)) or (0,)
        if not whole_clusters or self.alphabet is not None or len(greedy) == 1:
            return greedy
        places = _Places(text, self.units)
        if all(is_border(text, places.of_unit(border)) for border in greedy):
            return greedy
        borders: list[int] = []
        start = 0
        while start < self.units:
            end = self.end(start)
            if end < self.units:
                whole = places.unit(last_border(text, places.of_unit(end), places.of_unit(start)))
                left = len(greedy) - len(borders) - 1
                if whole != end and sum(1 for _ in self.ends(whole)) <= left:
                    end = whole
            borders.append(end)
            start = end
        return tuple(borders)


class _Places:
    """From UTF-16 units to code points and back."""

    def __init__(self, text: str, units: int) -> None:
        self._of_unit: list[int] | None = None
        if units != len(text):
            self._units, self._of_unit = [0], []
            for place, char in enumerate(text):
                width = 2 if char > "\uffff" else 1
                self._of_unit += [place] * width
                self._units.append(self._units[-1] + width)
            self._of_unit.append(len(text))

    def of_unit(self, unit: int) -> int:
        return unit if self._of_unit is None else self._of_unit[unit]

    def unit(self, place: int) -> int:
        return place if self._of_unit is None else self._units[place]


def _pack(text: str, encoding: str, reference_bits: int, national: National | str | None) -> _Packed:
    if encoding not in _ENCODINGS:
        raise ValueError(f"encoding is {encoding!r}: use one of auto, gsm7, ucs2")
    language = None if national is None else National(national)
    alphabet: Alphabet | None = None
    if encoding != Encoding.UCS2:
        if GSM7.fits(text):
            alphabet, language = GSM7, None
        elif language is not None and language.alphabet.fits(text):
            alphabet = language.alphabet
        elif encoding == Encoding.GSM7:
            known = language.alphabet.codes if language is not None else GSM7.codes
            raise NotGsm7(tuple(one for one in guilty(text) if one.char not in known))
    if alphabet is None:
        chosen, language = Encoding.UCS2, None
        data = text.encode("utf-16-be", "surrogatepass")
        units = len(data) // 2
    else:
        chosen = Encoding.GSM7
        data = alphabet.encode(text)
        units = len(data)

    limit = capacity(chosen, concatenated=False, bits=reference_bits, national=language)
    if units > limit:
        limit = capacity(chosen, concatenated=True, bits=reference_bits, national=language)
    packed = _Packed(encoding=chosen, alphabet=alphabet, national=language, data=data, units=units, limit=limit)
    segments = sum(1 for _ in packed.ends(0))
    if segments > MAX_SEGMENTS:
        raise TooManySegments(segments)
    return packed


def _spans(borders: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip((0, *borders), borders, strict=False)


_SHORT = tuple(
    Segmented(encoding=Encoding.GSM7, units=units, segments=1, segment_units=(units,))
    for units in range(capacity(Encoding.GSM7, concatenated=False) + 1)
)
