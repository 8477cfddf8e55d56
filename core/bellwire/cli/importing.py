"""`bellwire import`: consents and the staff directory from a CSV, by the same jobs as the API's."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click

from bellwire.cli.opened import opened_engine, tenant_id
from bellwire.cli.output import json_option, note, print_json, print_table, progress, say
from bellwire.domain.cells import neutral
from bellwire.engine import imports, lists, staff_imports
from bellwire.engine.imports import Defaults, Result, Row
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.model import ConsentState, Purpose
from bellwire.store import audit, jobs
from bellwire.store.jobs import Job
from bellwire.store.tenancy import TenantConnection

_COLUMNS = ("msisdn", "purpose", "state", "source", "at", "proof")


@click.group("import")
def import_() -> None:
    """Bring in what is kept elsewhere."""


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", required=True, metavar="SLUG", help="Whose consents, by slug or ten_… id.")
@click.option("--dry-run", is_flag=True, help="Say what would come of each row, and keep nothing.")
@click.option(
    "--column", "columns", multiple=True, metavar="NAME=HEADER", help="What the file calls a column, as in msisdn=Mobile."
)
@click.option(
    "--purpose", type=click.Choice(["all", *map(str, Purpose)]), default="all", show_default=True, help="For rows that name none."
)
@click.option("--state", type=click.Choice(["opted_in", "opted_out"]), default=None, help="For rows that say none.")
@click.option("--source", default="import", show_default=True, help="For rows that name none; kept in the ledger.")
@click.option("--encoding", default="utf-8-sig", help="The file's, as in cp1251. Default: UTF-8.")
@json_option
@click.pass_context
def consents(
    context: click.Context,
    file: Path,
    tenant: str,
    dry_run: bool,
    columns: tuple[str, ...],
    purpose: str,
    state: str | None,
    source: str,
    encoding: str,
    as_json: bool,
) -> None:
    """Import FILE, a CSV whose first line names its columns: msisdn, purpose, state, source, at, proof.

    Only msisdn must be there; numbers without + are read in the tenant's country. A list never lifts an opt-out unless a row
    carries a proof (and a time) that is newer. Importing it again changes nothing. Rows that can't be used go into
    FILE.errors.csv with the reason, to be corrected and imported; then the exit code is 1.

    \b
    Examples:
      bellwire import consents list.csv --tenant acme --dry-run
      bellwire import consents list.csv --tenant acme --purpose marketing --state opted_in
      bellwire import consents kunden.csv --tenant acme --column msisdn=Mobilnummer --column at=Datum
    """
    rows = imports.read_csv(_text(file, encoding), dict(_pair(one) for one in columns))
    defaults = Defaults(
        purpose=None if purpose == "all" else Purpose(purpose), state=ConsentState(state) if state else None, source=source
    )
    wrong: list[tuple[Row, FieldInvalid]] = []
    with opened_engine(context.obj) as engine:
        result = _import(engine, tenant_id(engine.store, tenant), rows, defaults, wrong, dry_run=dry_run)
    errors = _write_errors(file, wrong) if wrong else None
    if as_json:
        print_json({"file": file, "dry_run": dry_run, "rows": len(rows), **result.document(), "errors_file": errors})
    else:
        _print(result, dry_run=dry_run)
    if errors is not None:
        note(f"{len(wrong)} row(s) can't be used: {errors} says why.")
    context.exit(1 if wrong else 0)


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", required=True, metavar="SLUG", help="Whose people, by slug or ten_… id.")
@click.option("--dry-run", is_flag=True, help="Say what would come of each row, and keep nothing.")
@click.option("--column", "columns", multiple=True, metavar="NAME=HEADER", help="What the file calls a column, as in phone=Handy.")
@click.option("--encoding", default="utf-8-sig", help="The file's, as in cp1251. Default: UTF-8.")
@json_option
@click.pass_context
def workers(
    context: click.Context, file: Path, tenant: str, dry_run: bool, columns: tuple[str, ...], encoding: str, as_json: bool
) -> None:
    """Import FILE, the staff directory: a CSV whose first line names its columns.

    They are ref, name, phone, email, locale, timezone, country, manager, active; only ref must be there. A column
    external_ids.clockify holds what that system calls the person. What a row leaves empty is not known. Importing the file again
    changes nothing. Rows that can't be used go into FILE.errors.csv with the reason; then the exit code is 1.

    \b
    Examples:
      bellwire import workers staff.csv --tenant acme --dry-run
      bellwire import workers staff.csv --tenant acme --column ref=Personalnummer --column phone=Handy
    """
    named = dict(_pair(one, staff_imports.COLUMNS) for one in columns)
    wrong: list[tuple[Row, FieldInvalid]] = []
    with opened_engine(context.obj) as engine:
        rows = staff_imports.read_csv(_text(file, encoding), engine.plugins.connectors, named)
        result = _import_staff(engine, tenant_id(engine.store, tenant), rows, wrong, dry_run=dry_run)
    errors = _write_errors(file, wrong, tuple(staff_imports.COLUMNS)) if wrong else None
    document = result.document()
    if as_json:
        print_json({"file": file, "dry_run": dry_run, "rows": len(rows), **document, "errors_file": errors})
    else:
        kept = "would be kept" if dry_run else "kept"
        print_table(
            ["rows", "count", "what it means"],
            [
                ("new", document["created"], kept),
                ("changed", document["changed"], kept),
                ("duplicate", document["duplicates"], "nothing new in it"),
                ("erased", document["refused"], "the person's data was erased: kept without it"),
                ("bad", document["invalid"], "can't be used"),
            ],
        )
        if dry_run:
            say("A dry run: nothing was kept.")
    if errors is not None:
        note(f"{len(wrong)} row(s) can't be used: {errors} says why.")
    context.exit(1 if wrong else 0)


def _import_staff(
    engine: Engine, tenant_key: UUID, rows: Sequence[Row], wrong: list[tuple[Row, FieldInvalid]], *, dry_run: bool
) -> staff_imports.Result:
    """Import the rows as a job that the API shows, too; a dry run is none."""
    scoped = engine.store.for_tenant(tenant_key)
    kind = ("worker_import", "workers.imported")
    job = None if dry_run else scoped.write(lambda connection: _started(connection, len(rows), *kind))
    with progress("Importing", len(rows)) as advance:
        shown = 0

        def told(done: int, result: staff_imports.Result) -> None:
            nonlocal shown
            if job is not None:
                document, now, status = result.document(), datetime.now(UTC), jobs.DONE if done == len(rows) else jobs.RUNNING
                scoped.write(lambda c: jobs.progress(c, job.id, done=done, result=document, now=now, status=status))
            advance(done - shown)
            shown = done

        return staff_imports.import_staff(
            engine, tenant_key, rows, dry_run=dry_run, progress=told, wrong=lambda row, problem: wrong.append((row, problem))
        )


def _import(
    engine: Engine,
    tenant_key: UUID,
    rows: Sequence[Row],
    defaults: Defaults,
    wrong: list[tuple[Row, FieldInvalid]],
    *,
    dry_run: bool,
) -> Result:
    """Import the rows as a job that the API shows, too; a dry run is none."""
    scoped = engine.store.for_tenant(tenant_key)
    job = None if dry_run else scoped.write(lambda connection: _started(connection, len(rows)))

    def keep(done: int, result: Result, status: str = jobs.RUNNING) -> None:
        if job is not None:
            document, now = result.document(), datetime.now(UTC)
            scoped.write(lambda connection: jobs.progress(connection, job.id, done=done, result=document, now=now, status=status))

    with progress("Importing", len(rows)) as advance:
        shown = 0

        def told(done: int, result: Result) -> None:
            nonlocal shown
            keep(done, result)
            advance(done - shown)
            shown = done

        result = imports.import_consents(
            engine,
            tenant_key,
            rows,
            defaults=defaults,
            author="cli",
            dry_run=dry_run,
            progress=told,
            wrong=lambda row, problem: wrong.append((row, problem)),
        )
    keep(len(rows), result, jobs.DONE)
    return result


def _started(connection: TenantConnection, rows: int, kind: str = "consent_import", action: str = "consents.imported") -> Job:
    now = datetime.now(UTC)
    job = jobs.start(connection, kind, rows, now)
    audit.note(connection, "cli", action, show("job", job.id), now, {"rows": rows})
    return job


def _text(file: Path, encoding: str) -> str:
    try:
        return lists.decoded(file.read_bytes(), encoding, "; name the file's encoding with --encoding")
    except LookupError as e:
        raise click.BadParameter(f"there is no encoding {encoding!r}", param_hint="--encoding") from e


def _pair(written: str, known: Collection[str] = _COLUMNS) -> tuple[str, str]:
    name, equals, header = written.partition("=")
    if not equals or name not in known or not header.strip():
        raise click.BadParameter(f"{written!r} is not NAME=HEADER with one of {', '.join(known)}", param_hint="--column")
    return name, header


def _write_errors(file: Path, wrong: Sequence[tuple[Row, FieldInvalid]], columns: Sequence[str] = _COLUMNS) -> Path:
    """The rows that can't be used, with their reasons, beside the file they are from; nobody else may read them."""
    target = file.with_name(f"{file.name}.errors.csv")
    target.unlink(missing_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["line", "error", *columns])
        for row, problem in wrong:
            writer.writerow([row.line, f"{problem}", *_cells(row.values, columns)])
    return target


def _cells(values: Mapping[str, str], columns: Sequence[str]) -> list[str]:
    return [neutral(values.get(name, "")) for name in columns]


def _print(result: Result, *, dry_run: bool) -> None:
    rows = [
        ("valid", result.imported, "would be kept" if dry_run else "kept"),
        ("duplicate", result.duplicates, "the same row stands before it"),
        ("suppressed", result.refused, "the person said no, and the row has no newer proof"),
        ("bad", result.invalid, "can't be used"),
    ]
    print_table(["rows", "count", "what it means"], rows)
    if dry_run:
        say("A dry run: nothing was kept.")
