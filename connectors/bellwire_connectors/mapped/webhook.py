"""A mapped platform's webhooks: any JSON or form body, read by the installation's mapping. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from bellwire import Event, Installation, Json, PayloadInvalid, Person, WebhookRequest
from bellwire.signing import sha256_hex
from pydantic_core import from_json

from bellwire_connectors.translating.bodies import moment, one_line

from .mapping import EVENTS, MappingSpec, PersonSpec, stored_mapping
from .paths import look_up, parse_path
from .specs import Spec

_EVENTS_MAX, _FORM_MAX = 100, 500
_KNOWN = frozenset(EVENTS)


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for types that the mapping does not name. Raises PayloadInvalid naming the mapping's path."""
    try:
        mapping = stored_mapping(installation.settings.get("mapping"))
    except ValueError as e:
        raise PayloadInvalid("mapped: settings.mapping can't be used", "mapping") from e
    body = _body(request)
    found = []
    for place, item in enumerate(_items(mapping, body)):
        event = _event(mapping, item, place, request)
        if event is not None:
            found.append(event)
    return found


def _body(request: WebhookRequest) -> Any:
    if request.header("content-type").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            return dict(parse_qsl(request.body.decode(), max_num_fields=_FORM_MAX))
        except ValueError as e:
            raise PayloadInvalid("mapped: not a form", "body") from e
    try:
        return from_json(request.body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as e:
        raise PayloadInvalid("mapped: not JSON", "body") from e


def _items(mapping: MappingSpec, body: Any) -> list[Any]:
    """The parts of the body that are an event each."""
    if mapping.events is None:
        if not isinstance(body, dict):
            raise PayloadInvalid("mapped: not an object", "body")
        return [body]
    items = look_up(parse_path(mapping.events), body)
    if not isinstance(items, list):
        raise PayloadInvalid("mapped: no list of events", mapping.events)
    if len(items) > _EVENTS_MAX:
        raise PayloadInvalid(f"mapped: more than {_EVENTS_MAX} events at once", mapping.events)
    return items


def _event(mapping: MappingSpec, item: Any, place: int, request: WebhookRequest) -> Event | None:
    headers = request.headers
    kind = mapping.type.text(item, headers)
    if kind not in _KNOWN:
        return None
    object_id = _needed(mapping.subject, item, headers, "subject")
    given = _needed(mapping.id, item, headers, "id") if mapping.id else f"{sha256_hex(request.body)}:{place}"
    facts = [_needed(spec, item, headers, "fact") for spec in mapping.fact]
    subject = f"{mapping.subject_kind or kind.partition('.')[0]}/{object_id}"
    people = _people(mapping.people, item, headers)
    return Event(
        id=f"{kind}:{given}",
        type=kind,
        occurred_at=_at(mapping.occurred_at, item, headers) or request.received_at,
        fact=f"{kind}:{object_id}:{':'.join(facts)}" if facts else "",
        subject=subject,
        people=people,
        data=_data(mapping, item, headers, people),
        cancels=(subject,) if kind in mapping.cancels else (),
        test=mapping.test is not None and mapping.test.of(item, headers) in (True, "true", "1", 1),
    )


def _needed(spec: Spec, item: Any, headers: Mapping[str, str], name: str) -> str:
    """A value without which there is no event. Raises PayloadInvalid naming where it should stand."""
    made = spec.text(item, headers, 129)
    if not made or len(made) > 128:
        raise PayloadInvalid(f"mapped: {name} is not there, or too long", spec.place)
    return made


def _at(spec: Spec | None, item: Any, headers: Mapping[str, str]) -> datetime | None:
    """When it happened; a time that can't be read is none, and the delivery's own serves."""
    made = spec.model_copy(update={"kind": "time"}).of(item, headers) if spec else None
    return moment(made) if isinstance(made, str) else None


def _people(specs: Mapping[str, PersonSpec], item: Any, headers: Mapping[str, str]) -> dict[str, Person]:
    """People by role. Who the event is about stands as `customer`, too: the worker, else the requester."""
    people = {role: person for role, spec in specs.items() if (person := _person(spec, item, headers)) is not None}
    about = next((people[role] for role in ("customer", "worker", "requester") if role in people), None)
    return people if about is None else {**people, "customer": about}


def _person(spec: PersonSpec, item: Any, headers: Mapping[str, str]) -> Person | None:
    def said(part: Spec | None, limit: int = 255) -> str:
        return part.text(item, headers, limit) if part else ""

    phones = [phone for one in spec.phones for phone in _phones(one.of(item, headers))]
    country = said(spec.country, 2).upper()
    made = Person(
        ref=said(spec.ref, 128),
        name=said(spec.name),
        phones=list(dict.fromkeys(phones))[:10],
        email=said(spec.email),
        locale=said(spec.locale, 35),
        timezone=said(spec.timezone, 64),
        countries=[country] if len(country) == 2 and country.isascii() and country.isalpha() else [],
    )
    return made if made.ref or made.phones else None


def _phones(value: Json) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    texts = [one_line(str(one), 41) for one in listed if isinstance(one, str | int) and not isinstance(one, bool)]
    return [one for one in texts if one and len(one) <= 40]


def _data(mapping: MappingSpec, item: Any, headers: Mapping[str, str], people: Mapping[str, Person]) -> dict[str, Json]:
    made: dict[str, Json] = {f"{role}.name": person.name for role, person in people.items()}
    made |= {name: spec.of(item, headers) for name, spec in mapping.data.items()}
    if mapping.changed:
        made["changed"] = list(mapping.changed)
    return {name: value for name, value in made.items() if value is not None and value != ""}
