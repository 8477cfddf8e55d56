"""Cells of a CSV: nothing in them is run, and what is no formula stays as it is."""

from __future__ import annotations

import csv
import io
import re

import pytest
from bellwire.domain.cells import neutral
from hypothesis import given
from hypothesis import strategies as st

CELLS = [
    ("plain text", "Your order is ready", "Your order is ready"),
    ("a formula", "=1+1", "'=1+1"),
    ("a command", '=cmd|"/C calc"!A1', '\'=cmd|"/C calc"!A1'),
    ("a plus", "+1+cmd", "'+1+cmd"),
    ("a minus", "-2+3+cmd", "'-2+3+cmd"),
    ("an at sign", "@SUM(1)", "'@SUM(1)"),
    ("full width", "＝1+1", "'＝1+1"),
    ("behind blanks", "  =1+1", "'  =1+1"),
    ("behind a tab, which is spelled out", "\t=1+1", "\\x09=1+1"),
    ("on the second line", "Hi\n=1+1", "Hi\n'=1+1"),
    ("behind an empty line", "Hi\n\n=1+1", "Hi\n\n'=1+1"),
    ("behind a carriage return", "Hi\r=1+1", "Hi\n'=1+1"),
    ("a line end of Windows", "Hi\r\nthere", "Hi\nthere"),
    ("what steers a terminal", "a\x1b[31mb\x9bc", "a\\x1b[31mb\\x9bc"),
    ("a number in E.164", "+998901234567", "+998901234567"),
    ("an amount", "-5.00", "-5.00"),
    ("an equals sign inside", "a=b", "a=b"),
    ("empty", "", ""),
]


@pytest.mark.parametrize(("text", "cell"), [row[1:] for row in CELLS], ids=[row[0] for row in CELLS])
def test_a_cell(text: str, cell: str) -> None:
    assert neutral(text) == cell


@given(st.text(st.sampled_from("=+-@\t\r\n '\"1a,;＝\u00a0") | st.characters(codec="utf-8"), max_size=20))
def test_no_line_of_any_cell_begins_a_formula(text: str) -> None:
    for line in neutral(text).split("\n"):
        assert re.fullmatch(r"[+-]?\d+(\.\d+)?", line) or not line.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=4))
def test_a_cell_stays_in_its_place(texts: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow([neutral(text) for text in texts])
    (row,) = csv.reader(io.StringIO(written.getvalue(), newline=""), strict=True)
    assert row == [neutral(text) for text in texts]
