"""`bellwire export`: a tenant's own data as CSV or JSON lines, opened, as a stream."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click

from bellwire.cli.opened import opened_store, tenant_id
from bellwire.cli.output import json_line, note, progress
from bellwire.cli.setup import Setup
from bellwire.domain.cells import neutral
from bellwire.domain.when import parse_since
from bellwire.engine.exports import COLUMNS, What
from bellwire.engine.exports import export as exported
from bellwire.ids import show
from bellwire.store import audit


@click.command()
@click.argument("what", type=click.Choice([str(one) for one in What]))
@click.option("--tenant", required=True, metavar="SLUG", help="Whose data, by slug or ten_… id.")
@click.option("--since", default=None, help="From when on: 30d, 2027-01-31, or 2027-01-31T09:00:00Z. Default: all there is.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), default=None, help="A new file, readable by you alone. Default: stdout."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one object a line, instead of CSV.")
@click.pass_obj
def export(setup: Setup, what: str, tenant: str, since: str | None, output: Path | None, as_json: bool) -> None:
    """Write out a tenant's messages, events, consents, audit trail or replies, newest first.

    Numbers, texts and names are opened: keep the file as you keep the key. In CSV a cell that a spreadsheet would run as a formula
    gets an apostrophe; JSON lines hold everything exactly. An exported list of consents can be imported again, except for what a
    transaction implied and nobody said.

    \b
    Examples:
      bellwire export messages --tenant acme --since 30d > messages.csv
      bellwire export consents --tenant acme -o consents.csv
      bellwire export events --tenant acme --since 2027-01-31 --json
    """
    now, chosen = datetime.now(UTC), What(what)
    start = parse_since(since, now) if since is not None else None
    with opened_store(setup) as store:
        key = tenant_id(store, tenant)
        details = {"what": str(chosen), "since": start.isoformat() if start else None}
        with _target(output) as out:
            store.for_tenant(key).write(
                lambda connection: audit.note(connection, "cli", "data.exported", show("ten", key), now, details)
            )
            with progress(f"Exporting {chosen}") as advance:
                count = 0
                write = _json_writer(out) if as_json else _csv_writer(out, COLUMNS[chosen])
                for row in exported(store, key, chosen, since=start):
                    write(row)
                    count += 1
                    advance(1)
    if output is not None:
        note(f"{count} {chosen} in {output}.")


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO]:
    """Where rows go: stdout, or a new file that nobody else reads and that is gone again when it could not be finished."""
    if output is None:
        yield sys.stdout
        return
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as e:
        raise click.BadParameter(f"{output} exists already; name a new file", param_hint="--output") from e
    except OSError as e:
        raise click.BadParameter(f"{output} can't be made: {e.strerror}", param_hint="--output") from e
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
    except BaseException:
        output.unlink()
        raise


def _json_writer(out: TextIO) -> Callable[[Mapping[str, Any]], None]:
    return lambda row: print(json_line(row), file=out)  # a file, not somebody's eyes


def _csv_writer(out: TextIO, columns: Sequence[str]) -> Callable[[Mapping[str, Any]], None]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    return lambda row: writer.writerow([_cell(row[name]) for name in columns])


def _cell(value: object) -> str:
    if value is None or value in ((), [], {}):
        return ""
    return neutral(value if isinstance(value, str) else json_line(value).strip('"'))
