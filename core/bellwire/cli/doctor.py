"""`bellwire doctor`: looks at everything that must be well, from the settings to the carriers, and says what to do."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import sqlalchemy as sa

from bellwire.cli.output import json_option, print_json, progress, say
from bellwire.cli.setup import Setup
from bellwire.config import KEY_FILE, Config, key_for
from bellwire.engine import inquiry
from bellwire.engine.checkup import Finding, Verdict, look, ok, running, wrong
from bellwire.engine.runtime import Engine
from bellwire.errors import ConfigInvalid, DatabaseUnusable, StoreUnavailable
from bellwire.masking import one_line
from bellwire.plugins.facade import PluginState
from bellwire.store import Store, checkup, migrate
from bellwire.store.database import open_database, translated
from bellwire.store.vault import Vault

_DISK_LOOK, _DISK_WRONG = 2 * 1024**3, 200 * 1024**2


@click.command()
@click.option("--offline", is_flag=True, help="Ask no platform, carrier or PUBLIC_URL.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, help="Seconds for all answers together."
)
@json_option
@click.pass_context
def doctor(context: click.Context, offline: bool, wait_s: float, as_json: bool) -> None:
    """Check settings, key, database, disk, clock, workers, accounts and what waits; say what to do. Sends and changes nothing.

    Each line is ok, look (worth a person's eye) or wrong (something does not work). Exit code 1 when a line is wrong.

    \b
    Examples:
      bellwire doctor
      bellwire doctor --offline --json
    """
    found = list(_findings(context.obj, wait_s, offline=offline))
    count = Counter(one.verdict for one in found)
    if as_json:
        print_json({"ok": not count[Verdict.WRONG], "findings": found})
    else:
        for one in found:
            _show(one)
        say(", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict if count[verdict]))
    context.exit(1 if count[Verdict.WRONG] else 0)


_COLOURS = {Verdict.OK: "green", Verdict.LOOK: "yellow", Verdict.WRONG: "red"}


def _show(one: Finding) -> None:
    click.echo(f"{click.style(f'{one.verdict:<5}', fg=_COLOURS[one.verdict])}  {one_line(f'{one.what}: {one.detail}')}")
    if one.do:
        click.echo(f"       → {one_line(one.do)}")


def _findings(setup: Setup, wait_s: float, *, offline: bool) -> Iterator[Finding]:
    """Everything, in an order in which each needs only what came before it."""
    try:
        config = setup.config
    except ConfigInvalid as e:
        for line in str(e).splitlines():
            name, _, rest = line.partition(": ")
            yield wrong(f"setting {name}" if rest else "settings", rest or line, "docs/reference/settings.md lists all there are")
        return
    yield ok("settings", "all known and well-formed")
    yield from _key(config)
    yield from _plugins(setup)
    yield _public_url(config)
    store = None
    for found in _database(config):
        if isinstance(found, Store):
            store = found
        else:
            yield found
    yield from _disk(config)
    if store is None:
        return
    try:
        engine = Engine(config, store, setup.plugins)
        yield from running(engine)
        if not offline:
            yield from _asked(engine, wait_s)
    except StoreUnavailable as e:
        yield wrong("database", str(e), "look at the database's own log, then run this again")
    finally:
        store.close()


def _key(config: Config) -> Iterator[Finding]:
    place = config.sqlite_file.absolute().with_name(KEY_FILE) if config.sqlite_file else None
    given = config.secret_key or config.secret_key_file or config.secret_key_command
    if not given and place is not None and not place.exists() and not _exists(config):
        yield look("key", f"there is none yet: the first start makes {place}", "bellwire tenant create, or bellwire serve")
        return
    try:
        key_for(config, make=False)
    except ConfigInvalid as e:
        yield wrong("key", str(e), "without the key nothing that is stored can be read: restore it from its backup")
        return
    source = "the settings" if config.secret_key else "a command" if config.secret_key_command else config.secret_key_file or place
    yield ok("key", f"from {source}" + (f", and {len(config.secret_keys_old)} earlier one(s)" if config.secret_keys_old else ""))


def _plugins(setup: Setup) -> Iterator[Finding]:
    listing = setup.plugins.listing()
    for one in listing:
        if one.state in (PluginState.BROKEN, PluginState.NOT_INSTALLED):
            yield wrong(
                f"plugin {one.name}", one.error or str(one.state), "install or repair it, or take it out of the setting plugins"
            )
    yield ok("plugins", f"{len(setup.plugins.connectors)} connector(s), {len(setup.plugins.carriers)} carrier(s)")


def _public_url(config: Config) -> Finding:
    if not config.public_url:
        return look(
            "PUBLIC_URL",
            "unset: carriers are given no URL for receipts, platforms can't reach us, signatures over URLs are refused",
            "set BELLWIRE_PUBLIC_URL=https://… to how this installation is reached from outside",
        )
    if not config.public_url.startswith("https://"):
        return look(
            "PUBLIC_URL", f"{config.public_url} is not https", "for tests on one machine only; else put a proxy with TLS in front"
        )
    return ok("PUBLIC_URL", config.public_url)


def _database(config: Config) -> Iterator[Finding | Store]:
    """Findings; and the store at the end, when everything else may be looked at."""
    if not _exists(config):
        yield look("database", f"{config.sqlite_file} does not exist yet", "bellwire tenant create, or bellwire serve, makes it")
        return
    try:
        engine = open_database(config.database_url, pool_size=1)
        try:
            found = migrate.revision(engine)
        finally:
            engine.dispose()
    except DatabaseUnusable as e:
        yield wrong("database", e.detail, e.do)
        return
    except (StoreUnavailable, ConfigInvalid) as e:
        yield wrong("database", str(e), "is DATABASE_URL right, and does the database run?")
        return
    except sa.exc.SQLAlchemyError as e:
        yield wrong("database", f"can't be read ({type(e).__name__})", "is DATABASE_URL right, and is it a database?")
        return
    if found != migrate.HEAD:
        do = "bellwire db upgrade" if found is None or found < migrate.HEAD else "install the newer bellwire"
        yield wrong("database", f"at revision {found or 'none'}, this version needs {migrate.HEAD}", do)
        return
    try:
        vault = Vault(key_for(config, make=False), config.old_keys)
    except ConfigInvalid:
        return  # told already
    store = Store.open(config.database_url, vault)
    try:
        migrate.check_key(store.engine, vault)
        _write_nothing(store)
    except ConfigInvalid as e:
        store.close()
        yield wrong("database", str(e), "bellwire reads only what its own key sealed")
        return
    except StoreUnavailable as e:
        store.close()
        yield wrong("database", str(e), "is it read-only, full, or locked by another program?")
        return
    yield ok("database", f"{store.engine.dialect.name}, revision {found}, writable")
    yield store


def _write_nothing(store: Store) -> None:
    with translated(), store.engine.connect().execution_options(writes=True) as connection, connection.begin() as transaction:
        checkup.try_writing(connection)
        transaction.rollback()


def _exists(config: Config) -> bool:
    return config.sqlite_file is None or config.sqlite_file.exists()


def _disk(config: Config) -> Iterator[Finding]:
    """The space beside an embedded database; another machine's is not ours to see."""
    if config.sqlite_file is None:
        return
    folder = _nearest(config.sqlite_file.absolute().parent)
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GB free in {folder}"
    if free < _DISK_WRONG:
        yield wrong("disk", detail, "make room: webhooks are answered 503 when the database can't grow")
    elif free < _DISK_LOOK:
        yield look("disk", detail, "make room, or shorten retention")
    else:
        yield ok("disk", detail)


def _nearest(folder: Path) -> Path:
    return folder if folder.exists() else _nearest(folder.parent)


def _asked(engine: Engine, wait_s: float) -> Iterator[Finding]:
    questions = list(inquiry.questions(engine))
    if engine.public_url:
        yield inquiry.from_outside(engine)
    with progress("Asking platforms and carriers", len(questions)) as advance:
        yield from inquiry.ask(questions, wait_s, advance)
