"""Agreement with a collection of vectors and tables kept beside the project; skipped where it is absent."""

import json
from pathlib import Path
from typing import Any

import pytest
from bellwire.domain.alphabet import DEFAULT, EXTENSION
from bellwire.domain.national import National
from bellwire.domain.segments import clean, measure, smart, split
from bellwire.domain.smart import TYPOGRAPHIC
from bellwire.domain.transliteration import transliterate

FACTS = Path(__file__).resolve().parents[2] / "../shared/sms"
pytestmark = pytest.mark.skipif(not FACTS.is_dir(), reason="the collection of vectors is not beside the project")

NAMES = {"GSM-7": "gsm7", "UCS-2": "ucs2"}


def load(name: str) -> Any:
    path = FACTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"vectors": [], "transliterate": {}}


def char(codepoint: str | None) -> str:
    return "\x1b" if codepoint is None else chr(int(codepoint.removeprefix("U+"), 16))


@pytest.mark.parametrize("vector", load("segment-vectors.json")["vectors"], ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    text = vector["text"]
    size = measure(text)
    assert (size.encoding, size.units, size.segments) == (NAMES[vector["encoding"]], vector["units"], vector["segments"])
    assert list(size.segment_units) == vector["segment_units"]
    assert measure(text, reference_bits=16).segments == vector["segments_16bit"]
    assert measure(text, whole_clusters=True).segments == vector["segments"]
    assert "".join(split(text)) == text

    composed = vector.get("after_nfc", vector)
    cleaned = measure(clean(text)) if "after_nfc" in vector else size
    assert (cleaned.encoding, cleaned.units, cleaned.segments) == (
        NAMES[composed["encoding"]],
        composed["units"],
        composed["segments"],
    )

    swapped = vector.get("after_typographic")
    if swapped:
        assert smart(text) == swapped["text"]
        assert (measure(smart(text)).units, measure(smart(text)).segments) == (swapped["units"], swapped["segments"])
    elif "after_nfc" not in vector:
        assert smart(text) == text


def test_spanish_shift_table_saves_a_segment() -> None:
    text = next(vector["text"] for vector in load("segment-vectors.json")["vectors"] if vector["id"] == "es-long")
    assert (measure(text).segments, measure(text, national="es").segments) == (3, 2)


def test_alphabets() -> None:
    tables = load("gsm0338.json")
    assert "".join(map(char, tables["default"])) == DEFAULT
    assert {int(code, 16): char(value) for code, value in tables["extension"].items()} == EXTENSION
    for language, table in tables["national"].items():
        single = National(language)
        assert single.language_id == table["language_id"]
        assert single.alphabet.shifted == {int(code, 16): char(value) for code, value in table["single_shift"].items()}
        if table["locking"]:
            assert National(f"{language}-locking").alphabet.basic == "".join(map(char, table["locking"]))


def test_typographic_table() -> None:
    table = load("smart-encoding.json")["typographic"]
    assert {char(codepoint): text for codepoint, text in table.items()} == dict(TYPOGRAPHIC)


def test_diacritics_table() -> None:
    for codepoint, text in load("smart-encoding.json")["diacritics"].items():
        assert transliterate(char(codepoint), ["diacritics"]) == text, codepoint


@pytest.mark.parametrize(
    ("table", "kind", "placed"), [("hr", "croatian", ""), ("uz-Cyrl-to-Latn", "uzbek", "ЕеЦц"), ("ru-Cyrl-to-Latn", "russian", "")]
)
def test_transliteration_table(table: str, kind: str, placed: str) -> None:
    letters = {char(key): text for key, text in load("smart-encoding.json")["transliterate"][table].items() if key.startswith("U+")}
    for letter, text in letters.items():
        if letter not in placed:  # these depend on what stands before them
            assert transliterate(letter, [kind]) == text, letter
