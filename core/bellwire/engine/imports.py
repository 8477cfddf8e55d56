"""Brings lists of consent in from CSV: the API's job and the command line do the same, in batches, and may be repeated.

A list says what a person once said elsewhere: it never lifts an opt-out unless it carries a newer proof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bellwire.domain import msisdn as numbers
from bellwire.domain.consent import Policy, may_text
from bellwire.domain.ledger import Source, Standing, Statement
from bellwire.domain.tenant import TenantConfig
from bellwire.engine import lists
from bellwire.engine.consents import record
from bellwire.engine.intake import configured
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid
from bellwire.model import ConsentState, Msisdn, Purpose
from bellwire.store import contacts
from bellwire.store.database import reading

MAX_ROWS = 200_000
BATCH = 200  # rows a transaction
MAX_ERRORS = 1_000

#: What people call the columns.
_COLUMNS = {
    "msisdn": ("msisdn", "to", "phone", "phone_number", "number", "mobile", "mobile_phone", "telephone"),
    "purpose": ("purpose", "kind", "channel"),
    "state": ("state", "consent", "status", "opted_in", "opt_in", "subscribed"),
    "source": ("source", "origin"),
    "at": ("at", "date", "time", "timestamp", "consented_at", "opted_in_at", "updated_at"),
    "proof": ("proof", "evidence", "note"),
}
_NAMES = {alias: name for name, aliases in _COLUMNS.items() for alias in aliases}
_YES = frozenset({"opted_in", "opt_in", "in", "yes", "y", "true", "1", "subscribed", "granted", "active"})
_NO = frozenset({"opted_out", "opt_out", "out", "no", "n", "false", "0", "unsubscribed", "revoked", "stop", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for rows that don't say. `purpose` None: all of them."""

    purpose: Purpose | None = None
    state: ConsentState | None = None
    source: str = Source.IMPORT


@dataclass(slots=True, kw_only=True)
class Result:
    """How an import went. `refused`: opt-ins that did not win against what the person said. `errors`: by line, without values."""

    imported: int = 0
    duplicates: int = 0
    refused: int = 0
    invalid: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "imported": self.imported,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "invalid": self.invalid,
            "errors": self.errors,
        }

    def wrong(self, line: int, problem: FieldInvalid) -> None:
        """Note a row that can't be used."""
        self.invalid += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({"line": line, "field": problem.field, "code": problem.code, "message": problem.message})


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file under our names for its columns. `line` counts from 1, the header is the first."""

    line: int
    values: Mapping[str, str]


def read_csv(text: str, columns: Mapping[str, str] | None = None) -> list[Row]:
    """The rows of a CSV with a header line; comma, semicolon or tab. Raises FieldInvalid naming what the header lacks.

    `columns`: our name of a column → what the file calls it, where that is none of the usual names.
    """
    rows = list(_rows(text, columns or {}))
    if len(rows) > MAX_ROWS:
        raise FieldInvalid("file", f"has {len(rows)} rows; {MAX_ROWS} is the most, split it", "too_long")
    return rows


def _rows(text: str, columns: Mapping[str, str]) -> Iterator[Row]:
    names: list[str | None] | None = None
    for line, cells in lists.lines(text):
        if names is None:
            names = _header(cells, columns)
            continue
        yield Row(line, {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name is not None})
    if names is None:
        raise FieldInvalid("file", "is empty; the first line must name the columns, msisdn among them", "csv_empty")


def _header(cells: Sequence[str], columns: Mapping[str, str]) -> list[str | None]:
    called = {_plain(theirs): ours for ours, theirs in columns.items()}
    unknown = sorted(columns.keys() - _COLUMNS.keys())
    if unknown:
        raise FieldInvalid("columns", f"{unknown[0]} is no column here; there are {', '.join(_COLUMNS)}", "unknown_field")
    absent = [theirs for theirs in columns.values() if _plain(theirs) not in map(_plain, cells)]
    if absent:
        raise FieldInvalid("columns", f"the file has no column {absent[0]!r}", "csv_header")
    names = [called.get(_plain(cell)) or _usual(cell, called.values()) for cell in cells]
    if "msisdn" not in names:
        raise FieldInvalid("file", "the first line must name the columns, and one of them msisdn (or phone)", "csv_header")
    known = [name for name in names if name is not None]
    if len(known) != len(set(known)):
        raise FieldInvalid("file", "two columns mean the same", "csv_header")
    return names


def _plain(cell: str) -> str:
    return cell.strip().lower().replace(" ", "_").replace("-", "_")


def _usual(cell: str, taken: Collection[str]) -> str | None:
    """Our name for a column by its usual names, where none was named."""
    name = _NAMES.get(_plain(cell))
    return None if name in taken else name


def import_consents(
    engine: Engine,
    tenant_id: UUID,
    rows: Sequence[Row],
    *,
    defaults: Defaults,
    author: str,
    dry_run: bool = False,
    progress: Callable[[int, Result], None] = lambda _done, _result: None,
    wrong: Callable[[Row, FieldInvalid], None] = lambda _row, _problem: None,
) -> Result:
    """Keep what the rows say, in batches; `progress` is told after each how many rows are done. A dry run keeps nothing.

    `wrong` is told of each row that can't be used, also beyond those that the result lists.

    Raises StoreUnavailable; what was kept until then stays, and a repeat is harmless.
    """
    result, seen = Result(), set[tuple[Msisdn, Statement]]()
    with reading(engine.store.engine) as connection:
        config = configured(engine, connection, tenant_id).config
    for start in range(0, len(rows), BATCH):
        batch: list[tuple[Msisdn, Statement, str]] = []
        for row in rows[start : start + BATCH]:
            try:
                msisdn, statement, word = statement_of(row, defaults, config, engine.now())
            except FieldInvalid as e:
                result.wrong(row.line, e)
                wrong(row, e)
                continue
            if (msisdn, statement) in seen:
                result.duplicates += 1
                continue
            seen.add((msisdn, statement))
            batch.append((msisdn, statement, word))
        refused = (
            _lost(engine, tenant_id, batch) if dry_run else engine.write(_keeper(engine, tenant_id, batch, author), wait_s=30.0)
        )
        result.refused += refused
        result.imported += len(batch) - refused
        progress(min(start + BATCH, len(rows)), result)
    return result


def statement_of(row: Row, defaults: Defaults, config: TenantConfig, now: datetime) -> tuple[Msisdn, Statement, str]:
    """A row's number, statement and its source's own word. Raises FieldInvalid naming the column."""
    values = row.values
    msisdn = numbers.parse(values.get("msisdn", ""), [config.country])
    if msisdn is None:
        raise FieldInvalid("msisdn", "is no phone number", "invalid_number")
    word = values.get("source") or defaults.source
    statement = Statement(
        purpose=_purpose(values.get("purpose", ""), defaults),
        state=_state(values.get("state", ""), defaults),
        source=Source.IMPORT,
        at=_at(values.get("at", ""), config, now),
        proof=values.get("proof", "")[:2_000],
    )
    return msisdn, statement, word[:64]


def _purpose(written: str, defaults: Defaults) -> Purpose | None:
    if not written:
        return defaults.purpose
    if written.lower() == "all":
        return None
    try:
        return Purpose(written.lower())
    except ValueError as e:
        raise FieldInvalid("purpose", f"must be all or one of {', '.join(Purpose)}", "not_one_of") from e


def _state(written: str, defaults: Defaults) -> ConsentState:
    word = written.lower().replace("-", "_").replace(" ", "_")
    if word in _YES:
        return ConsentState.OPTED_IN
    if word in _NO:
        return ConsentState.OPTED_OUT
    if word or defaults.state is None:
        raise FieldInvalid("state", "must be opted_in or opted_out", "not_one_of")
    return defaults.state


def _at(written: str, config: TenantConfig, now: datetime) -> datetime | None:
    """A time, in the tenant's zone when it names none; None when the row says nothing."""
    if not written:
        return None
    try:
        at = datetime.fromisoformat(written)
        at = (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(config.timezone or "UTC"))).astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise FieldInvalid("at", "must be a time such as 2026-01-31T09:00:00Z, or a date", "time_invalid") from e
    if at > now:
        raise FieldInvalid("at", "lies in the future", "out_of_range")
    return at


def _keeper(
    engine: Engine, tenant_id: UUID, batch: Sequence[tuple[Msisdn, Statement, str]], author: str
) -> Callable[[sa.Connection], int]:
    def run(connection: sa.Connection) -> int:
        held, now = configured(engine, connection, tenant_id), engine.now()
        for msisdn, statement, word in batch:
            record(engine, connection, held, msisdn=msisdn, statement=statement, now=now, author=author, word=word, noted=False)
        return _count_lost(engine, connection, tenant_id, batch)

    return run


def _lost(engine: Engine, tenant_id: UUID, batch: Sequence[tuple[Msisdn, Statement, str]]) -> int:
    with reading(engine.store.engine) as connection:
        return _count_lost(engine, connection, tenant_id, batch)


def _count_lost(engine: Engine, connection: sa.Connection, tenant_id: UUID, batch: Sequence[tuple[Msisdn, Statement, str]]) -> int:
    """How many opt-ins leave their number closed all the same."""
    held = configured(engine, connection, tenant_id)
    by_ix = {held.index.of(msisdn): statement for msisdn, statement, _ in batch if statement.state is ConsentState.OPTED_IN}
    policy = Policy.from_settings(held.config.settings)
    lost = 0
    for row in contacts.by_index(connection, tenant_id, list(by_ix)):
        statement = by_ix[bytes(row.msisdn_ix)]
        standing = Standing.from_row(dict(row._mapping))
        purpose = statement.purpose or Purpose.MARKETING
        verdict = may_text(purpose, standing, policy, basis="api")
        lost += not verdict.allowed and (standing.suppressed or standing.state(purpose) is ConsentState.OPTED_OUT)
    return lost
