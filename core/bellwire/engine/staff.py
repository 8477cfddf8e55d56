"""The staff directory at work: events that name people by reference find their numbers, and what platforms tell of them is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
    if event.type.partition(".")[0] not in FAMILIES:
        return event
    refs = {person.ref for person in event.people.values() if person.ref and not _is_whole(person)}
    worker = event.people.get("worker") or event.customer
    told = event.data.get("worker.manager_id")
    boss = told if isinstance(told, str) and "manager" not in event.people else ""
    lacks_boss = "manager" not in event.people and worker is not None and bool(worker.ref)
    if lacks_boss and worker is not None:
        refs |= {worker.ref, boss}
    if not refs - {""}:
        return event
    with reading(engine.store.engine) as connection:
        scoped = TenantConnection(connection, tenant_id)
        known = stored.find(scoped, engine.vault, system, refs)
        if lacks_boss and not boss and worker is not None and worker.ref in known:
            boss = known[worker.ref].manager_ref
        if boss and boss not in known:
            known = {**known, **stored.find(scoped, engine.vault, system, [boss])}
    people = {role: _filled(person, known) for role, person in event.people.items()}
    if boss and boss in known and lacks_boss:
        people["manager"] = known[boss].person()
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
        log.warning("a worker can't be kept", extra={"event": show("evt", ground.event_id), "field": e.field})
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
