"""The staff directory at work: events that name people by reference find their numbers, and what platforms tell of them is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bellwire.domain.staff import Entry, entry, filled
from bellwire.errors import FieldInvalid, NotFound
from bellwire.ids import show
from bellwire.model import Event, Json, Person
from bellwire.store import staff as stored
from bellwire.store.database import reading
from bellwire.store.tenancy import TenantConnection

if TYPE_CHECKING:
    from uuid import UUID

    from bellwire.engine.effects import Ground
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

#: Events of systems that know people by reference.
FAMILIES = frozenset({"timecard", "shift", "task"})


def completed(engine: Engine, tenant_id: UUID, system: str, event: Event) -> Event:
    """The event with what the directory knows of its people, and the worker's manager. What the event says itself wins."""
    [made] = completed_all(engine, tenant_id, system, [event])
    return made


def completed_all(engine: Engine, tenant_id: UUID, system: str, events: Sequence[Event]) -> list[Event]:
    """Many events of one system, by one look at the directory."""
    gaps = [_gaps(event) for event in events]
    if not any(one.refs for one in gaps):
        return list(events)
    with reading(engine.store.engine) as connection:
        scoped = TenantConnection(connection, tenant_id)
        known = stored.find(scoped, engine.vault, system, {ref for one in gaps for ref in one.refs})
        bosses = {one.boss_in(known) for one in gaps if one.refs} - set(known)
        known = {**known, **stored.find(scoped, engine.vault, system, bosses)}
    return [_completed(event, one, known) if one.refs else event for event, one in zip(events, gaps, strict=True)]


@dataclass(frozen=True, slots=True)
class _Gaps:
    """What an event leaves open. `worker`: whose manager is wanted, "" for nobody's; `boss`: who that is, as far as it is told."""

    refs: frozenset[str] = frozenset()
    worker: str = ""
    boss: str = ""

    def boss_in(self, known: Mapping[str, Entry]) -> str:
        return self.boss or (known[self.worker].manager_ref if self.worker in known else "")


def _gaps(event: Event) -> _Gaps:
    if event.type.partition(".")[0] not in FAMILIES:
        return _Gaps()
    refs = {person.ref for person in event.people.values() if not _is_whole(person)}
    found = event.people.get("worker") or event.customer
    if "manager" in event.people or found is None or not found.ref:
        return _Gaps(frozenset(refs - {""}))
    boss = _text(event.data, "worker.manager_id")
    return _Gaps(frozenset({*refs, found.ref, boss} - {""}), found.ref, boss)


def _completed(event: Event, gaps: _Gaps, known: Mapping[str, Entry]) -> Event:
    boss = gaps.boss_in(known)
    mine = {ref: known[ref] for ref in (*gaps.refs, boss) if ref in known}
    people = {role: _filled(person, mine) for role, person in event.people.items()}
    if boss in mine and gaps.worker:
        people["manager"] = mine[boss].person()
    return replace(event, people=_meant(event, people), data=_named(event.data, people))


def _is_whole(person: Person) -> bool:
    return bool(person.phones and person.locale and person.timezone and person.name)


def _filled(person: Person, known: Mapping[str, Entry]) -> Person:
    found = known.get(person.ref)
    return person if found is None else filled(person, found.person())


def _meant(event: Event, people: dict[str, Person]) -> dict[str, Person]:
    """Whom the sender means: the first of its recipients that anybody knows."""
    wanted = event.data.get("recipients")
    roles = [one for one in wanted if isinstance(one, str)] if isinstance(wanted, Sequence) and not isinstance(wanted, str) else []
    meant = next((people[role] for role in roles if role in people), None)
    return people if meant is None else {**people, "recipient": meant}


def _named(data: Mapping[str, Json], people: Mapping[str, Person]) -> dict[str, Json]:
    names = {f"{role}.name": people[role].name for role in ("worker", "manager") if role in people and people[role].name}
    ids = {"manager.id": people["manager"].ref} if "manager" in people else {}
    return {**names, **ids, **{name: value for name, value in data.items() if value != ""}}


# -- what platforms tell of people --------------------------------------------------------------------------------------


def effects(ground: Ground) -> Sequence[Callable[[sa.Connection], None]]:
    """What an event changes of the directory; nothing for all but two types."""
    if ground.event.type == "person.erase_requested":
        return [partial(_forget, ground)]
    if ground.event.type != "worker.updated" or ground.installation.settings.get("directory") is False:
        return []
    person = ground.event.people.get("worker") or ground.event.customer
    if person is None or not person.ref:
        return []
    try:
        made = _entry_of(ground, person)
    except FieldInvalid as e:
        log.warning("a worker can't be kept", extra={"event_id": show("evt", ground.event_id), "field": e.field})
        return []
    return [partial(_keep, ground, made)]


def _entry_of(ground: Ground, person: Person) -> Entry:
    """The entry that an event tells. What can't be read of it is left out but for the reference."""
    data = ground.event.data
    values = {
        "ref": person.ref,
        "name": person.name,
        "phone": next(iter(person.phones), ""),
        "email": person.email,
        "locale": person.locale,
        "timezone": person.timezone,
        "country": next(iter(person.countries), ""),
        "manager": _text(data, "worker.manager_id"),
        "active": "no" if data.get("worker.active") is False else "",
    }
    given = data.get("worker.external_ids")
    systems = {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
    while True:
        try:
            return entry(values, ground.countries, systems)
        except FieldInvalid as e:
            name = e.field.partition(".")[0]
            if name == "external_ids" and systems:
                systems = {}
            elif values.get(name) and name != "ref":
                values[name] = ""
            else:
                raise


def _keep(ground: Ground, made: Entry, connection: sa.Connection) -> None:
    scoped, engine = ground.scoped(connection), ground.engine
    stored.keep(scoped, engine.vault, ground.held.index, made, now=ground.now, told_at=ground.event.occurred_at)


def _forget(ground: Ground, connection: sa.Connection) -> None:
    """Who is to be erased goes at once; what else is known of them follows by the request."""
    for person in ground.event.people.values():
        if person.ref:
            try:
                stored.remove(ground.scoped(connection), person.ref)
            except NotFound:
                continue


def _text(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
