"""A list as people send it: a CSV's bytes as text, its delimiter, its lines.

What can't be read is told by line and column. It is found before anything is kept, so that no list is kept in part for it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from bellwire.errors import FieldInvalid
from bellwire.masking import one_line

_NAME_MAX = 40
_DELIMITERS = ",;\t"
_LINE = re.compile(r"[^\r\n]++(?:\r\n?|\n)?|\r\n?|\n")  # what a CSV's line ends with, and no other of Unicode's line ends


def decoded(raw: bytes, encoding: str = "utf-8-sig", hint: str = "") -> str:
    """The text. `hint`: what to do about an encoding that is not the file's. Raises FieldInvalid, LookupError for no encoding."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as e:
        first = raw.rfind(b"\n", 0, e.start) + 1
        before = raw[first : e.start].decode(encoding, "replace")
        head = _head(raw[: raw.find(b"\n") + 1 or len(raw)].decode(encoding, "replace"))
        place = _place(raw.count(b"\n", 0, e.start) + 1, len(_cells(before, _delimiter(head))) - 1, _cells(head, _delimiter(head)))
        told = f"{place}: byte 0x{raw[e.start]:02x} is not {encoding.removesuffix('-sig')}{hint}"
        raise FieldInvalid("file", told, "encoding") from e


def lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, the header first, each with its number; comma, semicolon or tab. Raises FieldInvalid."""
    text = text.removeprefix("\ufeff")
    delimiter = _delimiter(_head(text))
    reader = csv.reader(_physical(text), delimiter=delimiter, strict=True)
    header: list[str] = []
    has_nul = "\0" in text
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            header = header or cells
            column = next((number for number, cell in enumerate(cells) if "\0" in cell), None) if has_nul else None
            if column is not None:
                place = _place(reader.line_num, column, header)
                raise FieldInvalid("file", f"{place}: must not hold the NUL character", "nul")
            yield reader.line_num, cells
    except csv.Error as e:
        most = csv.field_size_limit()
        if "field larger" in str(e):
            line = next(one for number, one in enumerate(_physical(text), 1) if number == reader.line_num)
            column = next((number for number, one in enumerate(line.split(delimiter)) if len(one) > most), 0)
            place = _place(reader.line_num, column, header)
            raise FieldInvalid("file", f"{place}: must have at most {most} characters", "too_long") from e
        raise FieldInvalid("file", f"line {reader.line_num}: {e}", "csv_invalid") from e


def _head(text: str) -> str:
    """The first line with anything in it."""
    return next((line for line in _physical(text) if line.strip()), "")


def _physical(text: str) -> Iterator[str]:
    """The lines with their ends; none of them is copied before its turn."""
    return (found.group() for found in _LINE.finditer(text))


def _delimiter(head: str) -> str:
    return max(_DELIMITERS, key=head.count)


def _cells(line: str, delimiter: str) -> list[str]:
    """A line's cells, as far as they can be told."""
    try:
        return next(csv.reader([line], delimiter=delimiter), None) or [""]
    except csv.Error:
        return line.split(delimiter)


def _place(line: int, column: int, header: Sequence[str]) -> str:
    """Where something is, as people find it in their file."""
    name = one_line(header[column].strip().removeprefix("\ufeff"))[:_NAME_MAX] if 0 <= column < len(header) and line > 1 else ""
    return f"line {line}, column {name or column + 1}"
