"""`bellwire db`: the schema of the database."""

from __future__ import annotations

import click

from bellwire.cli.output import json_option, print_json, say
from bellwire.cli.setup import Setup
from bellwire.store import migrate
from bellwire.store.database import open_database


@click.group()
def db() -> None:
    """Check the database's schema, or bring it up to date."""


@db.command()
@json_option
@click.pass_obj
def upgrade(setup: Setup, as_json: bool) -> None:
    """Bring the schema to this version. A SQLite file with data is copied first; stop `serve` before."""
    changed = migrate.upgrade(setup.config.database_url)
    if as_json:
        print_json({"revision": migrate.HEAD, "changed": changed})
    else:
        say(f"The database is at revision {migrate.HEAD}{'' if changed else ' already'}.")


@db.command()
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Tell whether the database is reachable and current. Exit code 1 when it is not current."""
    engine = open_database(context.obj.config.database_url, pool_size=1)
    found = migrate.revision(engine)
    engine.dispose()
    current = found == migrate.HEAD
    if as_json:
        print_json({"revision": found, "wanted": migrate.HEAD, "current": current})
    else:
        say(f"revision {found or 'none'}, this version needs {migrate.HEAD}" + ("" if current else ": run `bellwire db upgrade`"))
    context.exit(0 if current else 1)
