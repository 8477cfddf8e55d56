"""Proofs say what they counted: one table at the end of the run, promise → cases → result, also when some of it is broken."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

HEADS = ("promise", "database", "cases", "counted", "result")


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Puts a line into the table: promise, database, cases, and what was counted. The result is the test's."""

    def line(promise: str, database: str, cases: str, **counted: object) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counted.items())
        request.node.user_properties.append(("proof", [promise, database, cases, told]))

    return line


@pytest.fixture
def counts() -> Callable[[str, int], int]:
    """A count of the proof: PROOF_<NAME> of the environment, or what it is otherwise."""
    return lambda name, default: int(os.environ.get(f"PROOF_{name.upper()}", default))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = sorted(
        [*row, result]
        for outcome, result in (("passed", "kept"), ("failed", "BROKEN"))
        for report in terminalreporter.stats.get(outcome, ())
        if report.when == "call"
        for name, row in report.user_properties
        if name == "proof"
    )
    if not rows:
        return
    terminalreporter.section("proofs")
    for promise, database, cases, told, result in rows:
        terminalreporter.write_line(f"{result:6}  {promise}, {database}: {cases}")
        terminalreporter.write_line(f"        {told}")
    if path := os.environ.get("PROOF_REPORT"):
        where = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        table = [f"| {' | '.join(row)} |" for row in [list(HEADS), ["---"] * len(HEADS), *rows]]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("\n".join([f"Measured: {where}.", "", *table]) + "\n", encoding="utf-8")
