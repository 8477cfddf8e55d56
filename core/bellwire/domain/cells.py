"""Cells of a CSV that a spreadsheet shows and never runs: whatever people or platforms wrote into them."""

from __future__ import annotations

import re

from bellwire.masking import one_line

# What spreadsheets take for the beginning of a formula (owasp.org/www-community/attacks/CSV_Injection), also in full width, after
# blanks, and on a further line of the cell: not every reader keeps to the quotes.
_FORMULA = re.compile(r"^(?=[^\S\n]*[=+\-@\t＝＋－＠])", re.MULTILINE)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,9})?", re.ASCII)  # +998901234567 and -5.00 compute nothing


def neutral(text: str) -> str:
    """The text as a cell: with an apostrophe before what would be a formula, and no control characters but line ends."""
    if _NUMBER.fullmatch(text):
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _FORMULA.sub("'", "\n".join(one_line(line) for line in lines))
