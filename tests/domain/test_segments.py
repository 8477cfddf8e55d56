"""How many segments a text takes and where it is cut: borders, laws, and the errors."""

import math
import unicodedata
from dataclasses import dataclass

import pytest
from bellwire.domain.alphabet import GSM7
from bellwire.domain.segments import (
    NotGsm7,
    TooManySegments,
    clean,
    measure,
    smart_if_cheaper,
    split,
)
from bellwire.errors import BellwireError
from bellwire.model import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"  # 11 units, one picture
FLAG = "\U0001f1fa\U0001f1ff"
THUMB = "\U0001f44d\U0001f3fd"
GRIN = "\U0001f600"


@dataclass(frozen=True)
class Case:
    label: str
    text: str
    encoding: Encoding
    segments: tuple[int, ...]
    segments_16bit: int
    units: int = -1


GSM, UCS = Encoding.GSM7, Encoding.UCS2
CASES = [
    Case("an empty text is one empty segment", "", GSM, (0,), 1),
    Case("160 septets are one segment", "x" * 160, GSM, (160,), 1),
    Case("161 septets are two", "x" * 161, GSM, (153, 8), 2),
    Case("306 septets are two, three with a 16-bit reference", "x" * 306, GSM, (153, 153), 3),
    Case("307 septets are three", "x" * 307, GSM, (153, 153, 1), 3),
    Case("an extension character costs two", "€" * 80, GSM, (160,), 1),
    Case("81 euros are two segments, with a septet left empty", "€" * 81, GSM, (152, 10), 2),
    Case("an escape pair at the border moves whole", "x" * 152 + "€" + "x" * 20, GSM, (152, 22), 2),
    Case("an escape pair that ends at the border stays", "x" * 151 + "€" + "x" * 20, GSM, (153, 20), 2),
    Case("the septet lost at a border costs a segment: 306 are three", "x" * 152 + "€" + "x" * 152, GSM, (152, 153, 1), 3),
    Case("153 pairs are 306 septets and three segments", "€" * 153, GSM, (152, 152, 2), 3),
    Case("CR and LF may be cut apart", "x" * 152 + "\r\n" + "x" * 30, GSM, (153, 31), 2),
    Case("form feed is in the extension table", "a\fb", GSM, (4,), 1),
    Case("70 units are one segment", "я" * 70, UCS, (70,), 1),
    Case("71 units are two", "я" * 71, UCS, (67, 4), 2),
    Case("134 units are two, three with a 16-bit reference", "я" * 134, UCS, (67, 67), 3),
    Case("135 units are three", "я" * 135, UCS, (67, 67, 1), 3),
    Case("one foreign character changes every segment", "x" * 159 + "’", UCS, (67, 67, 26), 3),
    Case("extension characters cost one unit in UCS-2", "Цена: 5€ [x]", UCS, (12,), 1),
    Case("35 emoji are one segment", GRIN * 35, UCS, (70,), 1),
    Case("36 emoji are two, with a unit left empty", GRIN * 36, UCS, (66, 6), 2),
    Case("67 emoji are 134 units and three segments", GRIN * 67, UCS, (66, 66, 2), 3),
    Case("a surrogate pair at the border moves whole", "я" * 66 + GRIN + "я" * 20, UCS, (66, 22), 2),
    Case("an emoji in 150 characters makes three segments of one", "x" * 150 + GRIN, UCS, (67, 67, 18), 3),
    Case("the escape itself is no character of the alphabet", "a\x1bb", UCS, (3,), 1),
    Case("a tab is not GSM-7", "a\tb", UCS, (3,), 1),
    Case("a decomposed letter is not GSM-7: clean first", "cafe\u0301", UCS, (5,), 1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_measure(case: Case) -> None:
    result = measure(case.text)
    assert (result.encoding, result.segment_units, result.segments) == (case.encoding, case.segments, len(case.segments))
    assert result.units == sum(case.segments)
    assert measure(case.text, reference_bits=16).segments == case.segments_16bit
    assert [part.encode("utf-16-be") for part in split(case.text, whole_clusters=False)] == [
        part.encode("utf-16-be") for part in cut_as(case.text, result.segment_units, case.encoding)
    ]


def cut_as(text: str, sizes: tuple[int, ...], encoding: Encoding) -> list[str]:
    parts, left = [], list(text)
    for size in sizes:
        part = ""
        while left and cost(part + left[0], encoding) <= size:
            part += left.pop(0)
        parts.append(part)
    assert not left
    return parts


def cost(text: str, encoding: Encoding) -> int:
    return GSM7.septets(text) if encoding is GSM else len(text.encode("utf-16-be")) // 2


# -- the encoding asked for -----------------------------------------------------------------------------------------


def test_ucs2_is_taken_as_asked() -> None:
    assert measure("plain", "ucs2").encoding is UCS
    assert measure("x" * 71, Encoding.UCS2).segment_units == (67, 4)


def test_gsm7_names_what_does_not_fit_and_the_cure() -> None:
    with pytest.raises(NotGsm7) as caught:
        measure("Oʻzbek – 5°", "gsm7")
    assert isinstance(caught.value, BellwireError)
    assert [one.codepoint for one in caught.value.characters] == ["U+02BB", "U+2013", "U+00B0"]
    assert "U+2013 EN DASH" in str(caught.value)
    assert "ucs2" in str(caught.value)
    assert "Oʻzbek" not in str(caught.value)


def test_a_long_list_of_characters_is_cut_in_the_message() -> None:
    with pytest.raises(NotGsm7, match="and 22 more"):
        measure("абвгдежзийклмнопрстуфхцчшщъыьэюя", "gsm7")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"encoding": "latin1"}, "latin1"), ({"reference_bits": 12}, "12 bits"), ({"national": "fr", "encoding": "auto"}, "fr")],
    ids=["encoding", "reference bits", "national table"],
)
def test_an_unknown_choice_is_refused(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        measure("á", **arguments)  # type: ignore[arg-type]


def test_national_tables_are_used_only_when_asked_for_and_needed() -> None:
    spanish = "Su código está aquí"
    assert measure(spanish).encoding is UCS
    with_table = measure(spanish, national="es")
    assert (with_table.encoding, with_table.units, with_table.national) == (GSM, len(spanish) + 3, "es")
    assert measure("Mañana", national="es").national is None
    assert measure("Žao", national="es").encoding is UCS
    assert measure("Žao", national="es").national is None


def test_national_tables_leave_less_room() -> None:
    assert measure("á" + "x" * 153, national="es").segment_units == (155,)
    assert measure("á" + "x" * 154, national="es").segment_units == (149, 7)
    assert measure("á" + "x" * 154, national="es", reference_bits=16).segment_units == (148, 8)
    assert measure("ã" * 152, national="pt-locking").segment_units == (152,)
    assert measure("ã" * 153, national="pt-locking").segment_units == (146, 7)
    assert "".join(split("á" * 200, national="es")) == "á" * 200


def test_gsm7_with_a_national_table_blames_only_what_that_lacks() -> None:
    with pytest.raises(NotGsm7) as caught:
        measure("áč", "gsm7", national="es")
    assert [one.char for one in caught.value.characters] == ["č"]


@pytest.mark.parametrize("text", ["x" * 153 * 255, "я" * 67 * 255], ids=["gsm7", "ucs2"])
def test_255_segments_pass_and_256_raise(text: str) -> None:
    assert measure(text).segments == 255
    with pytest.raises(TooManySegments, match="256 segments") as caught:
        measure(text + text[0])
    assert caught.value.segments == 256
    with pytest.raises(ValueError):
        split(text + text[0])


# -- clusters -------------------------------------------------------------------------------------------------------


CLUSTERS = [
    ("a family moves whole where there is room", "я" * 60 + FAMILY + "б" * 10, (60, 21)),
    ("a family is cut where moving it would cost a segment", "я" * 61 + FAMILY + "б" * 62, (67, 67)),
    ("a flag is not halved", "я" * 65 + FLAG + "б" * 20, (65, 24)),
    ("the border between two flags may be cut", "я" * 63 + FLAG + FLAG + "б" * 4, (67, 8)),
    ("a skin tone stays with its hand", "я" * 65 + THUMB + "б" * 20, (65, 24)),
    ("an accent stays on its letter", "я" * 66 + "х\u0301" + "б" * 20, (66, 22)),
    ("a keycap stays whole", "я" * 66 + "1\ufe0f\u20e3" + "б" * 5, (66, 8)),
    ("jamo of one syllable stay together", "я" * 66 + "\u1112\u1161\u11ab" + "б" * 5, (66, 8)),
    ("an Indic conjunct stays whole", "я" * 65 + "\u0915\u094d\u0937" + "б" * 5, (65, 8)),
    ("a cluster longer than a segment is cut between code points", "e" + "\u0301" * 90, (67, 24)),
    ("each border moves by itself", "я" * 65 + FLAG + "б" * 61 + FAMILY + "в" * 20, (65, 65, 31)),
    ("CR LF may be cut", "я" * 66 + "\r\n" + "б" * 10, (67, 11)),
    ("plain text is cut where it is full", "я" * 80, (67, 13)),
]


@pytest.mark.parametrize(("label", "text", "sizes"), CLUSTERS, ids=[label for label, _, _ in CLUSTERS])
def test_split_keeps_clusters_whole_where_it_is_free(label: str, text: str, sizes: tuple[int, ...]) -> None:
    parts = split(text)
    assert tuple(cost(part, UCS) for part in parts) == sizes, label
    assert "".join(parts) == text
    assert measure(text, whole_clusters=True).segment_units == sizes
    assert measure(text).segments == len(sizes)


# -- laws -----------------------------------------------------------------------------------------------------------

ATOMS = st.sampled_from(
    ["x", "é", "\n", "€", "[", "^", "Я", "ʻ", "\t", GRIN, FAMILY, FLAG, THUMB, "e\u0301", "1\ufe0f\u20e3", "क्ष"]
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(ATOMS, max_size=120).map("".join),
    st.lists(st.tuples(ATOMS, st.integers(1, 160)).map(lambda run: run[0] * run[1]), max_size=6).map("".join),
)
TABLES = st.sampled_from([None, "es", "pt", "pt-locking", "tr", "tr-locking"])


def reference_count(text: str, encoding: Encoding, whole: int, each: int) -> int:
    """The count by the definition: atoms one after the other, a new segment where the next does not fit."""
    if cost(text, encoding) <= whole:
        return 1
    segments, free = 1, each
    for char in text:
        size = cost(char, encoding)
        if size > free:
            segments, free = segments + 1, each
        free -= size
    return segments


@given(TEXTS, st.sampled_from(["auto", "ucs2"]), st.sampled_from([8, 16]), TABLES, st.booleans())
@settings(max_examples=200)
def test_no_character_is_lost_and_no_segment_is_too_long(
    text: str, encoding: str, bits: int, table: str | None, whole: bool
) -> None:
    size = measure(text, encoding, bits, table, whole_clusters=whole)
    parts = split(text, encoding, bits, table, whole_clusters=whole)

    assert "".join(parts) == text
    assert len(parts) == size.segments == len(size.segment_units)
    assert sum(size.segment_units) == size.units
    room = max(size.segment_units)
    if size.encoding is UCS:
        assert room <= (70 if size.segments == 1 else 67 if bits == 8 else 66)
        assert [len(part.encode("utf-16-be")) // 2 for part in parts] == list(size.segment_units)
        assert size.segments >= math.ceil(size.units / 70)
    else:
        assert room <= (160 if size.segments == 1 else 153 if bits == 8 else 152)
        assert size.segments >= math.ceil(size.units / 160)
    assert all(part for part in parts) or text == ""


@given(TEXTS, st.sampled_from([8, 16]))
@settings(max_examples=200)
def test_the_count_is_the_definitions(text: str, bits: int) -> None:
    size = measure(text, reference_bits=bits)
    whole, each = (160, 153 if bits == 8 else 152) if size.encoding is GSM else (70, 67 if bits == 8 else 66)
    assert size.segments == reference_count(text, size.encoding, whole, each)
    assert measure(text, reference_bits=bits, whole_clusters=True).segments == size.segments


@given(TEXTS)
def test_gsm7_is_taken_exactly_when_everything_fits(text: str) -> None:
    assert (measure(text).encoding is GSM) == all(char in GSM7.codes for char in text)


# -- cleaning -------------------------------------------------------------------------------------------------------


CLEANED = [
    ("plain text is left alone", "Hi Ana, #1001", "Hi Ana, #1001"),
    ("decomposed letters are composed", "cafe\u0301 man\u0303ana", "café mañana"),
    ("look-alikes of GSM letters become those", "\u2126 \u212a \u212b", "Ω K Å"),
    ("control characters go", "a\x00b\x07c\x1bd\x7fe", "abcde"),
    ("line ends, form feed and tab stay", "a\r\nb\fc\td", "a\r\nb\fc\td"),
    ("a vertical tab is a line break", "a\vb", "a\nb"),
    ("a lone surrogate becomes U+FFFD", "a\ud83d b", "a\ufffd b"),
    ("a low one too", "\ude00a", "\ufffda"),
    ("two halves of an emoji are joined", "a\ud83d\ude00b", f"a{GRIN}b"),
    ("emoji sequences stay", FAMILY, FAMILY),
]


@pytest.mark.parametrize(("label", "text", "cleaned"), CLEANED, ids=[label for label, _, _ in CLEANED])
def test_clean(label: str, text: str, cleaned: str) -> None:
    assert clean(text) == cleaned, label


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_a_clean_text_can_be_sent_and_stays_as_it_is(text: str) -> None:
    once = clean(text)
    once.encode("utf-16-be")
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any((char < " " and char not in "\t\n\f\r") or char == "\x7f" for char in once)


# -- thrift ---------------------------------------------------------------------------------------------------------


THRIFTY = [
    ("swapped where it saves segments", "x" * 159 + "’", "x" * 159 + "'"),
    ("left alone where it saves none", "Don’t reply", "Don’t reply"),
    ("left alone where it stays UCS-2", "“Привет” " * 20, "“Привет” " * 20),
    ("left alone where it is GSM-7 already", "x" * 200, "x" * 200),
    ("swapped where only that makes it sendable", "’" * 67 * 256, "'" * 67 * 256),
]


@pytest.mark.parametrize(("label", "text", "expected"), THRIFTY, ids=[label for label, _, _ in THRIFTY])
def test_smart_if_cheaper(label: str, text: str, expected: str) -> None:
    assert smart_if_cheaper(text) == expected, label
