"""The GSM 7-bit alphabets: every character there and back, national tables, the user data header."""

import string

import pytest
from bellwire.domain.alphabet import DEFAULT, ESCAPE, EXTENSION, GSM7
from bellwire.domain.national import National
from bellwire.domain.udh import capacity, udh
from bellwire.model import Encoding
from hypothesis import given
from hypothesis import strategies as st

GSM_CHARACTERS = [char for char in DEFAULT if char != "\x1b"] + list(EXTENSION.values())


def test_the_alphabet_has_127_characters_and_10_behind_the_escape() -> None:
    assert len(DEFAULT) == 128
    assert len(set(GSM_CHARACTERS)) == 137


@pytest.mark.parametrize("char", GSM_CHARACTERS, ids=lambda char: f"U+{ord(char):04X}")
def test_every_character_comes_back_at_its_price(char: str) -> None:
    septets = GSM7.encode(char)
    assert GSM7.decode(septets) == char
    assert len(septets) == GSM7.septets(char) == (2 if char in EXTENSION.values() else 1)


# Code by code from TS 23.038 6.2.1: the ones that are not where ASCII has them.
@pytest.mark.parametrize(
    ("char", "septets"),
    [
        *[("@", b"\x00"), ("$", b"\x02"), ("_", b"\x11"), ("\n", b"\x0a"), ("\r", b"\x0d"), (" ", b"\x20")],
        *[("é", b"\x05"), ("Ç", b"\x09"), ("Δ", b"\x10"), ("Σ", b"\x18"), ("§", b"\x5f"), ("¿", b"\x60"), ("à", b"\x7f")],
        *[("€", b"\x1b\x65"), ("{", b"\x1b\x28"), ("\f", b"\x1b\x0a"), ("\\", b"\x1b\x2f"), ("|", b"\x1b\x40")],
    ],
)
def test_codes(char: str, septets: bytes) -> None:
    assert GSM7.encode(char) == septets


def test_letters_and_digits_are_where_ascii_has_them() -> None:
    plain = string.ascii_letters + string.digits + "!\"#%&'()*+,-./:;<=>?"
    assert GSM7.encode(plain) == plain.encode()


FOREIGN = "áíóúÁÍÓÚçêãõºª`\t\u00a0°©®™“”‘’–—…čćđšžʻʼΑΒαβ«»\x1b\x00\x7f"


@pytest.mark.parametrize("char", FOREIGN, ids=lambda char: f"U+{ord(char):04X}")
def test_characters_that_only_look_like_gsm(char: str) -> None:
    assert not GSM7.fits(char)
    assert not GSM7.fits(f"code {char} 1234")
    with pytest.raises(KeyError):
        GSM7.encode(char)


@given(st.text(st.sampled_from(GSM_CHARACTERS)))
def test_a_text_comes_back_whole(text: str) -> None:
    assert GSM7.fits(text)
    assert GSM7.decode(GSM7.encode(text)) == text
    assert GSM7.septets(text) == len(GSM7.encode(text))
    assert GSM7.is_basic(text) == (ESCAPE not in GSM7.encode(text))


@given(st.binary())
def test_decoding_never_raises(septets: bytes) -> None:
    assert len(GSM7.decode(septets)) <= len(septets)


def test_an_escape_before_an_unknown_code_shows_the_plain_character() -> None:
    assert GSM7.decode(b"\x1b\x41") == "A"
    assert GSM7.decode(b"\x1b\x1b") == " "
    assert GSM7.decode(b"A\x1b") == "A"


NATIONAL_TEXTS = [
    (National.SPANISH, "áíóúÁÍÓÚç", 18),
    (National.TURKISH, "ğışçĞİŞ", 14),
    (National.TURKISH_LOCKING, "ğışçĞİŞ€", 8),
    (National.PORTUGUESE, "ãõâêôçÃÕ", 16),
    (National.PORTUGUESE_LOCKING, "ãõâêôçÃÕ", 8),
]


@pytest.mark.parametrize(("language", "text", "septets"), NATIONAL_TEXTS, ids=lambda value: str(value))
def test_national_letters_cost_two_septets_behind_the_escape_and_one_in_a_locking_table(
    language: National, text: str, septets: int
) -> None:
    assert not GSM7.fits(text)
    assert language.alphabet.septets(text) == septets
    assert language.alphabet.decode(language.alphabet.encode(text)) == text


@pytest.mark.parametrize("language", list(National))
def test_every_national_character_comes_back(language: National) -> None:
    for char, septets in language.alphabet.codes.items():
        assert language.alphabet.decode(septets) == char


@pytest.mark.parametrize("language", [one for one in National if not one.locking])
def test_a_single_shift_table_keeps_the_default_alphabet(language: National) -> None:
    assert all(language.alphabet.fits(char) for char in GSM_CHARACTERS)


# TS 23.040 9.2.3.24.1, .8, .15, .16
@pytest.mark.parametrize(
    ("label", "header", "expected"),
    [
        ("one segment needs none", udh(7, 1, 1), ""),
        ("first of two", udh(0xA5, 2, 1), "05 00 03 A5 02 01"),
        ("last of 255", udh(255, 255, 255), "05 00 03 FF FF FF"),
        ("16-bit reference", udh(0x1234, 3, 2, 16), "06 08 04 12 34 03 02"),
        ("Spanish single shift alone", udh(0, 1, 1, national=National.SPANISH), "03 24 01 02"),
        (
            "Portuguese, both tables, two segments",
            udh(1, 2, 2, 8, National.PORTUGUESE_LOCKING),
            "0B 00 03 01 02 02 25 01 03 24 01 03",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_header(label: str, header: bytes, expected: str) -> None:
    assert header == bytes.fromhex(expected), label


@pytest.mark.parametrize(
    ("reference", "total", "index", "bits"),
    [(0, 256, 1, 8), (0, 2, 0, 8), (0, 2, 3, 8), (256, 2, 1, 8), (65536, 2, 1, 16), (-1, 2, 1, 8), (0, 2, 1, 7)],
)
def test_a_header_out_of_range_is_refused(reference: int, total: int, index: int, bits: int) -> None:
    with pytest.raises(ValueError):
        udh(reference, total, index, bits)


@pytest.mark.parametrize(
    ("septets", "units", "concatenated", "bits", "national"),
    [
        (160, 70, False, 8, None),
        (153, 67, True, 8, None),
        (152, 66, True, 16, None),
        (155, None, False, 8, National.SPANISH),
        (152, None, False, 8, National.TURKISH_LOCKING),
        (149, None, True, 8, National.SPANISH),
        (146, None, True, 8, National.TURKISH_LOCKING),
        (148, None, True, 16, National.SPANISH),
        (145, None, True, 16, National.TURKISH_LOCKING),
    ],
)
def test_room_behind_the_header(septets: int, units: int | None, concatenated: bool, bits: int, national: National | None) -> None:
    assert capacity(Encoding.GSM7, concatenated=concatenated, bits=bits, national=national) == septets
    if units is not None:
        assert capacity(Encoding.UCS2, concatenated=concatenated, bits=bits) == units
