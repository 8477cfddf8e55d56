"""Tries triggers without sending: on one event, on a sample, on the tenant's own past, as they are and as they might be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import pricing
from bellwire.domain.consent import Standing
from bellwire.domain.decide import Candidate, Entry, Facts, candidates, caps, conditions, decide
from bellwire.domain.settle import Person, Planned
from bellwire.domain.tenant import TenantConfig, Trigger
from bellwire.domain.triggers import LineResult
from bellwire.engine.configs import Held
from bellwire.engine.facts import gather
from bellwire.engine.intake import configured
from bellwire.engine.people import standing
from bellwire.engine.routes import router, sandbox_test
from bellwire.engine.rows import unpack_event
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid
from bellwire.ids import parse_id
from bellwire.model import Event, Installation, Msisdn, Status
from bellwire.store import contacts, schema
from bellwire.store.database import reading
from bellwire.store.types import AnyRow
from bellwire.store.vault import NOBODY

MAX_EVENTS = 10_000
MAX_DIFFERENCES = 100
MAX_TEXTS = 20
_NUMBERS_AT_ONCE = 500

_e = schema.events.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a trigger would make of an event. `lines`: each condition with the value it saw; `planned`: the text, where one came."""

    trigger: Trigger | None
    outcome: str
    reason: str = ""
    line: str = ""
    lines: Sequence[LineResult] = ()
    planned: Planned | None = None
    price: Decimal | None = None
    currency: str = ""


@dataclass(slots=True)
class Tally:
    """What a trigger would have made of many events."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    segments: int = 0
    costs: dict[str, Decimal] = field(default_factory=dict)

    def add(self, trial: Trial) -> None:
        """Count one."""
        self.outcomes[trial.outcome] += 1
        if trial.reason:
            self.reasons[trial.reason] += 1
        if trial.outcome in ("sent", "held") and trial.planned is not None:
            self.texts += 1
            self.segments += trial.planned.segments or 0
            if trial.price is not None:
                self.costs[trial.currency] = self.costs.get(trial.currency, Decimal(0)) + trial.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An event of which the two versions make something else."""

    event_id: UUID
    live: Trial
    changed: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Past events judged again. `truncated`: there were more than were looked at, the newest were."""

    events: int
    truncated: bool
    live: Tally
    changed: Tally | None
    differences: Sequence[Difference]
    texts: Sequence[tuple[UUID, Trial]]


def try_event(
    engine: Engine, tenant_id: UUID, triggers: Sequence[Trigger] | None, event: Event, installation_id: UUID | None
) -> list[Trial]:
    """What these triggers (None: those that listen) would make of an event if it came now. Sends and stores nothing.

    Raises what a plugin's hook raises.
    """
    held, now = _held(engine, tenant_id), engine.now()
    installation = _installation(held.config, installation_id)
    if installation is None and triggers:  # a sample comes from nobody's account
        installation = Installation(id=NOBODY, tenant_id=tenant_id, connector=triggers[0].connector)
    if triggers is not None:
        held = replace(held, config=_with(held.config, triggers))
    # its age is of no interest here, nor when it was worthless
    event = replace(event, occurred_at=now, data={name: value for name, value in event.data.items() if name != "not_after"})
    [gathered] = gather(engine, held, installation, [(event, now)], now)
    if isinstance(gathered, Exception):
        raise gathered
    event = gathered.event
    lines = {one.trigger.id: conditions(one.trigger).judge(event.data).lines for one in gathered.found}
    entries = decide(event, gathered.found, gathered.facts, now).entries
    return [_trial(held.config, entry, lines.get(entry.trigger.id, ()) if entry.trigger else ()) for entry in entries]


def sample_event(engine: Engine, connector: str, sample: str, event_type: str) -> Event:
    """The event that a connector's documented sample gives. Raises FieldInvalid."""
    from bellwire import testing  # files and a parser: only where a sample is wanted

    value = engine.plugins.connectors.get(connector)
    names = testing.samples(value.samples) if value is not None else ()
    if value is None or sample not in names:
        raise FieldInvalid("sample", f"there is none of this name; there are {', '.join(names) or 'none'}", "unknown_sample")
    events = value.read(testing.sample(value.samples, sample), testing.installation(value))
    for event in events:
        if event.type == event_type:
            return event
    kinds = ", ".join(sorted({event.type for event in events})) or "nothing"
    raise FieldInvalid("sample", f"gives {kinds}, not {event_type}", "other_event")


def stored_event(engine: Engine, row: AnyRow) -> Event:
    """The event behind a stored row. Raises FieldInvalid when its data was erased."""
    content = engine.vault.open_json(row.content, row.tenant_id, "events.content", row.id)
    if content is None:
        raise FieldInvalid("event", "its data was erased", "erased")
    return unpack_event(content, row.type, row.subject, row.occurred_at)


def rows_of(connection: sa.Connection, tenant_id: UUID, trigger: Trigger, since: datetime, limit: int) -> Sequence[AnyRow]:
    """The stored events a trigger listens to, newest first."""
    where = [
        _e.tenant_id == tenant_id,
        _e.connector == trigger.connector,
        _e.type == trigger.event,
        _e.received_at >= since,
        _e.content.is_not(None),
    ]
    if trigger.installation_id is not None:
        where.append(_e.installation_id == trigger.installation_id)
    return connection.execute(sa.select(schema.events).where(*where).order_by(_e.id.desc()).limit(limit)).all()


def backtest(engine: Engine, tenant_id: UUID, live: Trigger, changed: Trigger | None, since: datetime) -> Backtest:
    """Judge the tenant's own events since a time by a trigger, and by another version of it, each as of when it came.

    Consent and routes are those of today, caps count from nothing, plugins are not asked.
    """
    held = _held(engine, tenant_id)
    with reading(engine.store.engine) as connection:
        rows = rows_of(connection, tenant_id, live, since, MAX_EVENTS + 1)
    truncated, rows = len(rows) > MAX_EVENTS, rows[:MAX_EVENTS]
    versions = [_always_on(one) for one in (live, changed) if one is not None]
    configs = [_with(held.config, [one]) for one in versions]
    matched: list[list[tuple[AnyRow, Event, Installation | None, Candidate]]] = [[] for _ in versions]
    tallies = [Tally() for _ in versions]
    for row in rows:
        event = stored_event(engine, row)
        installation = _installation(held.config, row.installation_id)
        for place, config in enumerate(configs):
            found = candidates(event, config, installation, live.connector, reported_at=row.received_at)
            if found:
                matched[place].append((row, event, installation, found[0]))
    people = _people(engine, held, {one.msisdn for some in matched for _, _, _, one in some if one.msisdn})
    trials: list[dict[UUID, Trial]] = [{} for _ in versions]
    for place, config in enumerate(configs):
        facts = _facts(engine, replace(held, config=config), people, versions[place])
        for row, event, installation, candidate in matched[place]:
            entry = decide(event, [candidate], replace(facts, installation=installation), row.received_at).entries[0]
            trial = trials[place][row.id] = _trial(config, entry, ())
            tallies[place].add(trial)
    newest = trials[-1]
    texts = [(row.id, newest[row.id]) for row in rows if row.id in newest and newest[row.id].outcome in ("sent", "held")]
    return Backtest(
        events=len(rows),
        truncated=truncated,
        live=tallies[0],
        changed=tallies[1] if changed is not None else None,
        differences=_differences(rows, trials) if changed is not None else [],
        texts=texts[:MAX_TEXTS],
    )


def _differences(rows: Sequence[AnyRow], trials: Sequence[Mapping[UUID, Trial]]) -> list[Difference]:
    found = []
    for row in rows:
        live, changed = trials[0].get(row.id), trials[1].get(row.id)
        if live is not None and changed is not None and _essence(live) != _essence(changed):
            found.append(Difference(event_id=row.id, live=live, changed=changed))
            if len(found) >= MAX_DIFFERENCES:
                break
    return found


def _essence(trial: Trial) -> tuple[Any, ...]:
    planned = trial.planned
    return trial.outcome, trial.reason, planned and planned.draft.text, planned and planned.draft.msisdn


def _people(engine: Engine, held: Held, numbers: set[Msisdn]) -> dict[Msisdn, Any]:
    """What is recorded of these numbers' consent."""
    by_ix = {held.index.of(number): number for number in numbers}
    found: dict[Msisdn, Any] = dict.fromkeys(numbers, Standing())
    indexes = list(by_ix)
    with reading(engine.store.engine) as connection:
        for start in range(0, len(indexes), _NUMBERS_AT_ONCE):
            for row in contacts.by_index(connection, held.config.id, indexes[start : start + _NUMBERS_AT_ONCE]):
                found[by_ix[bytes(row.msisdn_ix)]] = standing(row)
    return found


def _facts(engine: Engine, held: Held, people: Mapping[Msisdn, Any], trigger: Trigger) -> Facts:
    counts = {cap.name: 0 for cap in caps(trigger)}
    return Facts(
        tenant=held.config,
        installation=None,
        people={number: Person(standing=one, sent=counts) for number, one in people.items()},
        route=router(engine, held),
        is_sandbox=sandbox_test(engine, held),
        filters=engine.plugins.filters,
    )


def _trial(config: TenantConfig, entry: Entry, lines: Sequence[LineResult]) -> Trial:
    planned = entry.planned
    price, currency = _price(config, planned) if planned is not None else (None, "")
    return Trial(
        trigger=entry.trigger,
        outcome=entry.outcome,
        reason=str(entry.reason or ""),
        line=entry.line,
        lines=lines,
        planned=planned,
        price=price,
        currency=currency,
    )


def _price(config: TenantConfig, planned: Planned) -> tuple[Decimal | None, str]:
    if planned.status is Status.REFUSED or not planned.account or not planned.segments:
        return None, ""
    account_id = parse_id("acc", planned.account)
    settings = next(one.value.settings for one in config.accounts if one.value.id == account_id)
    listed = pricing.parse_prices(settings, currency=str(config.settings.get("currency", "USD")))
    price = pricing.price(planned.segments, listed, planned.country)
    return price, listed.currency if listed is not None and price is not None else ""


def _held(engine: Engine, tenant_id: UUID) -> Held:
    with reading(engine.store.engine) as connection:
        return configured(engine, connection, tenant_id)


def _installation(config: TenantConfig, installation_id: UUID | None) -> Installation | None:
    held = config.installations.get(installation_id) if installation_id is not None else None
    return held.value if held is not None else None


def _with(config: TenantConfig, triggers: Sequence[Trigger]) -> TenantConfig:
    """The configuration with only these triggers, all on."""
    found: dict[tuple[str, str], list[Trigger]] = {}
    for one in triggers:
        found.setdefault((one.connector, one.event), []).append(_always_on(one))
    return replace(config, triggers=found)


def _always_on(trigger: Trigger) -> Trigger:
    return replace(trigger, state="on", active_from=None)
