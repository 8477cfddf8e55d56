"""`bellwire prove`: workers are killed while they send, on the machine where it is to run."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from bellwire.cli.output import json_option, note, print_json, print_table, progress, say
from bellwire.proving import killing


@click.command()
@click.option("--kills", type=click.IntRange(1, 1_000), default=5, show_default=True, help="How often a worker is killed.")
@click.option("--texts", type=click.IntRange(1, 100_000), default=500, show_default=True, help="How many texts are sent.")
@click.option("--workers", type=click.IntRange(1, 16), default=2, show_default=True, help="Processes that send; SQLite has one.")
@click.option(
    "--database-url", default=None, metavar="URL", help="An empty PostgreSQL database. Default: SQLite in a folder that goes."
)
@json_option
@click.pass_context
def prove(context: click.Context, kills: int, texts: int, workers: int, database_url: str | None, as_json: bool) -> None:
    """Kill workers while they send, and count what was lost, sent twice, or left in doubt.

    The texts go to a simulated carrier on this machine, whose own log is what is compared; nobody gets one. A database of its own
    is used, never yours. Exit code 1 when a promise was broken.

    \b
    Examples:
      bellwire prove
      bellwire prove --kills 50 --texts 5000
      createdb scratch && bellwire prove --workers 4 --database-url postgresql://me@db.example.com/scratch
    """
    with tempfile.TemporaryDirectory(prefix="bellwire-prove-") as made, progress("Workers killed", kills) as done:
        folder = Path(made)
        url = database_url or f"sqlite:///{folder / 'prove.db'}"
        many = workers if database_url else 1
        counted = killing.run(url, folder, kills=kills, texts=texts, workers=many, done=done)
    if as_json:
        print_json({**asdict(counted), "kept": counted.kept})
    else:
        print_table(["counted", "", "must be"], _lines(counted))
        say("Kept." if counted.kept else "BROKEN: please report it with this table.")
    if database_url:
        note("The database keeps what was written into it: drop it.")
    context.exit(0 if counted.kept else 1)


def _lines(counted: killing.Counted) -> list[tuple[str, object, str]]:
    return [
        ("database, workers", f"{counted.database}, {counted.workers}", ""),
        ("kills, seconds", f"{counted.kills}, {counted.took_s:g}", ""),
        ("texts asked for", counted.texts, ""),
        ("texts at the carrier", counted.at_the_carrier, ""),
        ("lost", counted.lost, "0"),
        ("sent twice", counted.twice, "0"),
        ("still being sent", counted.stuck, "0"),
        ("unknown: under way at a kill, not sent again", counted.unknown, ""),
        ("calls under way at the kills, by the carrier's log", counted.under_way, ""),
        ("unknown, and not under way then", counted.unknown_not_under_way, "0"),
        ("balance off, in millionths", counted.balance_off, "0"),
    ]
