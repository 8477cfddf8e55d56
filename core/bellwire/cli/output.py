"""Printing: tables for people, one JSON document for programs, progress only where somebody watches."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, TextIO
from uuid import UUID

import click

from bellwire.domain import pricing
from bellwire.masking import one_line

PATIENCE_S = 1.0  # what takes no longer shows no progress
_WIDE = 400  # columns when nobody's terminal sets a width: cells must not be cut for a pipe

#: `--json`, on every command that prints: `def command(as_json: bool)`.
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def print_json(value: object) -> None:
    """One JSON document on stdout: indented on a terminal, one line in a pipe. Times as RFC 3339, money as the API shows it."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=_plain))


def json_line(value: object) -> str:
    """A JSON document that is one line, as `print_json` writes it into a pipe."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "There is nothing to show.") -> None:
    """A table on stdout, or the sentence `empty`. Cells are shown as they are: nothing in them is read as markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if not table.row_count:
        click.echo(empty)
        return
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(table)


def say(text: str) -> None:
    """One line for a person on stdout."""
    click.echo(one_line(text))


def note(text: str) -> None:
    """One line beside the result, on stderr."""
    click.echo(one_line(text), err=True)


@contextmanager
def progress(
    label: str, total: int | None = None, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with how much was done since the last call; shows a bar on stderr when somebody watches.

    A bar appears only on a terminal, and only once the work has taken more than a second.
    """
    out = stream or sys.stderr
    if not out.isatty():
        yield lambda _done: None
        return
    started, done, bar = clock(), 0, None

    def advance(more: int) -> None:
        nonlocal done, bar
        done += more
        if bar is None and clock() - started > PATIENCE_S:
            bar = _bar(label, total, out)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def _bar(label: str, total: int | None, out: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(file=out), transient=True)
    bar.add_task(one_line(label), total=total)
    bar.start()
    return bar


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | frozenset):
        return ", ".join(_cell(one) for one in value)
    return one_line(str(_plain(value) if isinstance(value, Enum | datetime | Decimal) else value))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return pricing.shown(value)
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} can't be printed as JSON")
