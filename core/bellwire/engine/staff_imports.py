"""Brings the staff directory in from CSV: the API's job and the command line do the same, in batches, and may be repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import staff
from bellwire.engine import lists
from bellwire.engine.imports import Row
from bellwire.engine.intake import configured
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid
from bellwire.store import staff as stored
from bellwire.store.database import reading
from bellwire.store.staff import Kept
from bellwire.store.tenancy import TenantConnection

MAX_ROWS = 200_000
BATCH = 200  # rows a transaction
MAX_ERRORS = 1_000

#: What people call the columns.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "ref": ("ref", "id", "worker", "worker_id", "employee", "employee_id", "staff_id", "personnel_number", "number"),
    "name": ("name", "full_name", "worker_name", "employee_name"),
    "phone": ("phone", "msisdn", "mobile", "mobile_phone", "phone_number", "telephone"),
    "email": ("email", "e_mail", "mail"),
    "locale": ("locale", "language", "lang"),
    "timezone": ("timezone", "time_zone", "tz"),
    "country": ("country", "country_code"),
    "manager": ("manager", "manager_id", "manager_ref", "supervisor", "reports_to"),
    "active": ("active", "status", "employed"),
}
_NAMES = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
_EXTERNAL = "external_ids."


@dataclass(slots=True, kw_only=True)
class Result:
    """How an import went. `errors`: by line, without values."""

    counts: Counter[Kept] = field(default_factory=Counter)
    duplicates: int = 0
    invalid: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As it is stored and shown: in the words of all jobs."""
        return {
            "imported": self.counts[Kept.CREATED] + self.counts[Kept.CHANGED],
            "created": self.counts[Kept.CREATED],
            "changed": self.counts[Kept.CHANGED],
            "duplicates": self.counts[Kept.SAME] + self.duplicates,
            "refused": self.counts[Kept.OLDER] + self.counts[Kept.ERASED],
            "invalid": self.invalid,
            "errors": self.errors,
        }

    def wrong(self, line: int, problem: FieldInvalid) -> None:
        """Note a row that can't be used."""
        self.invalid += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({"line": line, "field": problem.field, "code": problem.code, "message": problem.message})


def read_csv(text: str, connectors: Collection[str] = (), columns: Mapping[str, str] | None = None) -> list[Row]:
    """The rows of a CSV with a header line; comma, semicolon or tab. Raises FieldInvalid naming what the header lacks.

    A column `external_ids.clockify`, or `clockify_id` where `clockify` is among `connectors`, holds what that system calls the
    person. `columns`: our name of a column → what the file calls it, where that is none of the usual names.
    """
    rows: list[Row] = []
    names: list[str | None] | None = None
    for line, cells in lists.lines(text):
        if names is None:
            names = _header(cells, connectors, columns or {})
            continue
        if len(rows) >= MAX_ROWS:
            raise FieldInvalid("file", f"has more than {MAX_ROWS} rows, split it", "too_long")
        pairs = zip(names, cells, strict=False)
        rows.append(Row(line, {name: cell.strip() for name, cell in pairs if name is not None}))
    if names is None:
        raise FieldInvalid("file", "is empty; the first line must name the columns, ref among them", "csv_empty")
    return rows


def _header(cells: Sequence[str], connectors: Collection[str], columns: Mapping[str, str]) -> list[str | None]:
    called = {_plain(theirs): ours for ours, theirs in columns.items()}
    absent = sorted(theirs for theirs in columns.values() if _plain(theirs) not in map(_plain, cells))
    if absent:
        raise FieldInvalid("columns", f"the file has no column {absent[0][:60]!r}", "csv_header")
    names = [called.get(_plain(cell)) or _usual(_plain(cell), connectors, columns) for cell in cells]
    known = [name for name in names if name is not None]
    if "ref" not in known:
        raise FieldInvalid("file", "the first line must name the columns, and one of them ref (or id)", "csv_header")
    if len(known) != len(set(known)):
        raise FieldInvalid("file", "two columns mean the same", "csv_header")
    return names


def _usual(cell: str, connectors: Collection[str], taken: Collection[str]) -> str | None:
    if cell.startswith(_EXTERNAL):
        return cell
    if cell.endswith("_id") and cell.removesuffix("_id") in connectors:
        return _EXTERNAL + cell.removesuffix("_id")
    name = _NAMES.get(cell)
    return None if name in taken else name


def _plain(cell: str) -> str:
    return cell.strip().lower().replace(" ", "_").replace("-", "_")


def import_staff(
    engine: Engine,
    tenant_id: UUID,
    rows: Sequence[Row],
    *,
    dry_run: bool = False,
    progress: Callable[[int, Result], None] = lambda _done, _result: None,
    wrong: Callable[[Row, FieldInvalid], None] = lambda _row, _problem: None,
) -> Result:
    """Keep the rows, in batches; `progress` is told after each how many are done. A dry run says what would come of each.

    Of two rows with one reference the last one counts. `wrong` is told of each row that can't be used. Raises
    StoreUnavailable; what was kept until then stays, and a repeat is harmless.
    """
    result, last = Result(), {row.values.get("ref", "").strip(): row.line for row in rows}
    with reading(engine.store.engine) as connection:
        held = configured(engine, connection, tenant_id)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        ready: list[staff.Entry] = []
        for row in batch:
            if last.get(row.values.get("ref", "").strip()) != row.line:
                result.duplicates += 1
                continue
            try:
                ready.append(_entry(row, held.config.country))
            except FieldInvalid as e:
                result.wrong(row.line, e)
                wrong(row, e)
        now = engine.now()

        def run(connection: sa.Connection, ready: Sequence[staff.Entry] = ready) -> list[Kept]:
            scoped = TenantConnection(connection, tenant_id)
            return [stored.keep(scoped, engine.vault, held.index, one, now=now, told_at=now) for one in ready]  # noqa: B023  # run before the next

        result.counts.update(_tried(engine, run) if dry_run else engine.write(run, wait_s=30.0))
        progress(min(start + BATCH, len(rows)), result)
    return result


def _entry(row: Row, country: str) -> staff.Entry:
    systems = {name.removeprefix(_EXTERNAL): value for name, value in row.values.items() if name.startswith(_EXTERNAL) and value}
    return staff.entry(row.values, [country] if country else [], systems)


class _Undone(Exception):
    """Ends a transaction that was only to be tried."""

    def __init__(self, kept: list[Kept]) -> None:
        super().__init__("a dry run")
        self.kept = kept


def _tried(engine: Engine, run: Callable[[sa.Connection], list[Kept]]) -> list[Kept]:
    """What a batch would do: it is done and taken back."""

    def trial(connection: sa.Connection) -> list[Kept]:
        raise _Undone(run(connection))

    try:
        return engine.write(trial, wait_s=30.0)
    except _Undone as undone:
        return undone.kept
