"""Proofs say what they counted: one table at the end of the run, promise → cases → result."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Row = tuple[str, str, str, str]
_ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Puts a line into the table: promise, database, cases, and what was counted."""

    def line(promise: str, database: str, cases: str, **counted: object) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counted.items())
        request.config.stash.setdefault(_ROWS, []).append((promise, database, cases, told))

    return line


@pytest.fixture
def counts() -> Callable[[str, int], int]:
    """A count of the proof: BELLWIRE_PROOF_<NAME>, or what it is otherwise."""
    return lambda name, default: int(os.environ.get(f"BELLWIRE_PROOF_{name.upper()}", default))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    heads: Row = ("promise", "database", "cases", "counted")
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in [heads, *rows]]
    terminalreporter.section("proofs")
    for one in lines:
        terminalreporter.write_line(one.rstrip())
    if path := os.environ.get("BELLWIRE_PROOF_REPORT"):
        table = [f"| {' | '.join(row)} |" for row in [heads, ("---",) * 4, *rows]]
        Path(path).write_text("\n".join(table) + "\n", encoding="utf-8")
