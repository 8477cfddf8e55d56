"""What an event changes besides texting: consent, installations, people. Done in the transaction that stores the event."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import msisdn as numbers
from bellwire.domain.consent import Source, Statement
from bellwire.domain.country_codes import country_code
from bellwire.domain.home_zones import check_zone
from bellwire.domain.locales import normalize
from bellwire.domain.wanted import wanted_in
from bellwire.engine import consents, deadlines, staff
from bellwire.engine.cancels import Following
from bellwire.engine.configs import Held
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.model import ConsentHint, ConsentState, Event, Installation, Json, Msisdn, Person, Purpose
from bellwire.store import installations, intake, privacy
from bellwire.store.consents import contacts_of_person
from bellwire.store.tenancy import TenantConnection

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

Effect = Callable[[sa.Connection], None]

_HINTS_MAX = 50  # an event's statements; a platform that reports more at once has a list to import
_PROOF_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One new event and where it came from."""

    engine: Engine
    held: Held
    installation: Installation
    event: Event
    event_id: UUID
    now: datetime
    following: Following

    @property
    def countries(self) -> list[str]:
        """By which numbers without `+` are read."""
        return [one for one in (self.installation.country, self.held.config.country) if one]

    def scoped(self, connection: sa.Connection) -> TenantConnection:
        """The transaction as the event's tenant sees it."""
        return TenantConnection(connection, self.held.config.id)


def of(ground: Ground, *, reported: str) -> Sequence[Effect]:
    """The effects of a new event, none for most. `reported`: `webhook`, or `reconcile` (found, not told as it happened).

    Total: what can't be made of an event is left out, and the event is kept.
    """
    if ground.event.test:
        return ()
    source = Source.PLATFORM if reported == "webhook" else Source.SYNC
    effects: list[Effect] = [partial(_said, ground, *said) for said in _statements(ground, source)]
    special = _SPECIAL.get(ground.event.type)
    if special is not None:
        effects.append(partial(special, ground))
    return [*effects, *staff.effects(ground), *deadlines.effects(ground)]


# -- consent --------------------------------------------------------------------------------------------------------


def _statements(ground: Ground, source: Source) -> Iterator[tuple[Msisdn | None, str, Statement]]:
    """What the platform says of the consent of the event's people, by number and by its name of the person; the same person
    under two roles once. An opt-out is about the numbers of earlier statements, too (None): the body may have none any more.
    """
    seen: set[tuple[Msisdn | None, str, Purpose, ConsentState, datetime]] = set()
    for person in ground.event.people.values():
        for hint in person.consents:
            earlier = [None] if person.ref and hint.state is ConsentState.OPTED_OUT else []
            for msisdn in [*_numbers(ground, person, hint), *earlier]:
                key = (msisdn, person.ref if msisdn is None else "", hint.purpose, hint.state, hint.at)
                if key in seen or len(seen) >= _HINTS_MAX:
                    continue
                seen.add(key)
                try:
                    made = Statement(
                        purpose=hint.purpose, state=hint.state, source=source, at=hint.at, proof=hint.proof[:_PROOF_MAX]
                    )
                except ValueError as e:
                    log.warning(
                        "a platform's consent is left out", extra={"event_id": show("evt", ground.event_id), "reason": str(e)}
                    )
                    continue
                yield msisdn, person.ref, made


def _numbers(ground: Ground, person: Person, hint: ConsentHint) -> list[Msisdn]:
    """Whom a statement is about: an opt-in counts for the number that would be texted, an opt-out for all of the person's."""
    written = person.phones
    if hint.purpose is Purpose.MARKETING and person.marketing_phones is not None:
        written = person.marketing_phones
    parsed = (numbers.parse(one, [*person.countries, *ground.countries]) for one in written)
    found = list(dict.fromkeys(one for one in parsed if one is not None))
    return found if hint.state is ConsentState.OPTED_OUT else found[:1]


def _said(ground: Ground, msisdn: Msisdn | None, ref: str, statement: Statement, connection: sa.Connection) -> None:
    person_hash = ground.held.index.of_person(ground.installation.id, ref) if ref else None
    whom: list[dict[str, Any]] = [{"msisdn": msisdn}]
    if msisdn is None and person_hash is not None:
        found = contacts_of_person(connection, ground.held.config.id, person_hash)
        whom = [{"contact_id": one} for one in found]
    for one in whom:
        consents.record(
            ground.engine,
            connection,
            ground.held,
            **one,
            statement=statement,
            now=ground.now,
            origin=ground.installation.id,
            event_id=ground.event_id,
            person_hash=person_hash,
        )


# -- the installation -----------------------------------------------------------------------------------------------


def _uninstalled(ground: Ground, connection: sa.Connection) -> None:
    """The app was taken out of the account: nothing more is sent for it. One that was installed again since stays."""
    installation, event = ground.installation, ground.event
    if installation.installed_at is not None and event.occurred_at < installation.installed_at:
        return
    connector = ground.engine.plugins.connectors.get(installation.connector)
    # what proves and routes the platform's last requests (erase the account's data) stays
    keep = {connector.secret_field, connector.account_field, "client_id"} if connector is not None else {"client_id"}
    scoped, vault = ground.scoped(connection), ground.engine.vault
    if installations.uninstalled(scoped, vault, installation.id, keep=keep, now=ground.now):
        rows = intake.cancel_of_installation(connection, ground.held.config.id, installation.id, ground.now)
        ground.following(connection, rows, write_back=False)


def _changed(ground: Ground, connection: sa.Connection) -> None:
    """The account has another language, time zone, country, name, or gives other rights. An older report changes nothing."""
    data = ground.event.data
    values: dict[str, str] = changed_places(data)
    for name, most in (("shop_name", 200), ("scopes", 4_000)):
        value = data.get(f"installation.{name}")
        if isinstance(value, str) and value.strip():
            values[name] = value.strip()[:most]
    installations.reported(
        ground.scoped(connection), ground.engine.vault, ground.installation.id, values, at=ground.event.occurred_at, now=ground.now
    )


def changed_places(data: Mapping[str, Json]) -> dict[str, str]:
    """The columns of an installation in an event's data; what can't be used is left out."""
    checks: Mapping[str, Callable[[str], str]] = {
        "locale": normalize,
        "timezone": check_zone,
        "country": lambda text: country_code(text, "country"),
    }
    places: dict[str, str] = {}
    for name, check in checks.items():
        value = data.get(f"installation.{name}")
        if not isinstance(value, str) or not value:
            continue
        try:
            made = check(value)
        except FieldInvalid:
            continue
        if made:
            places[name] = made
    return places


# -- people ---------------------------------------------------------------------------------------------------------


def _asked(kind: str, ground: Ground, connection: sa.Connection) -> None:
    """The platform wants one person's data, or wants it gone: kept as a request, which the jobs work on."""
    wanted = wanted_in(ground.event, ground.countries)
    if wanted.is_empty:
        log.warning(
            "a privacy request names nobody", extra={"event_id": show("evt", ground.event_id), "event_type": ground.event.type}
        )
        return
    _request(ground, connection, kind, wanted.document())


def _erase_installation(ground: Ground, connection: sa.Connection) -> None:
    """The platform wants gone what came from an account that took the app out. Not when it was installed again since."""
    if installations.status(ground.scoped(connection), ground.installation.id) != installations.REMOVED:
        shown = show("ins", ground.installation.id)
        log.warning("the account has the app again: nothing is erased", extra={"installation": shown})
        return
    _request(ground, connection, privacy.ERASE_INSTALLATION, None)


def _request(ground: Ground, connection: sa.Connection, kind: str, wanted: Mapping[str, object] | None) -> None:
    privacy.request(
        ground.scoped(connection),
        ground.engine.vault,
        kind,
        installation_id=ground.installation.id,
        event_id=ground.event_id,
        wanted=wanted,
        now=ground.now,
    )


_SPECIAL: Mapping[str, Callable[[Ground, sa.Connection], None]] = {
    "app.uninstalled": _uninstalled,
    "installation.changed": _changed,
    "installation.erase_requested": _erase_installation,
    "person.erase_requested": partial(_asked, privacy.ERASE_PERSON),
    "person.export_requested": partial(_asked, privacy.EXPORT_PERSON),
}
