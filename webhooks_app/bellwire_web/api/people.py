"""One person's data: out, or gone. What platforms asked for of their own people, too."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from bellwire.domain.scopes import Scope
from bellwire.ids import show
from bellwire.model import Msisdn
from bellwire.store import privacy
from bellwire.store.privacy import Request as Stored
from pydantic import Field, JsonValue

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, EventId, InstallationId, Page, PageQuery, PrivacyId, Time, next_cursor
from bellwire_web.operations import Routes

routes = Routes("people", "A person's data: out, or gone.")

_BY_NUMBER = "/v1/people/<msisdn:msisdn>"
_BY_ID = "/v1/privacy-requests/<prv:request_id>"


class PersonExport(Answer):
    """All that is kept of a person, table by table."""

    tenant: str
    made_at: str
    person: dict[str, JsonValue]
    data: dict[str, list[dict[str, JsonValue]]]


class PrivacyRequest(Answer):
    """What a platform asked for: a person's data, or that it be erased."""

    id: PrivacyId
    kind: str
    status: str
    installation: InstallationId | None
    event: EventId | None
    has_export: Annotated[bool, Field(description="Whether there is an export to fetch.")]
    error: str | None
    created_at: Time
    done_at: Time | None


class PrivacyRequestPage(Page[PrivacyRequest]):
    """Requests, newest first."""


@routes.post(
    f"{_BY_NUMBER}/export",
    scope=Scope.PEOPLE_READ,
    status=200,
    audit="person.exported",
    keeps_answer=False,
)
def export_person(call: Call, msisdn: Msisdn) -> PersonExport:
    """Hand out all that is kept of a number's owner."""
    from bellwire.engine.privacy import export

    return PersonExport(**export(call.runtime.engine, call.key.tenant_id, msisdn, actor=call.actor))


@routes.delete(_BY_NUMBER, scope=Scope.PEOPLE_WRITE, audit="person.erased", problems=(409,))
def erase_person(call: Call, msisdn: Msisdn) -> None:
    """Erase all that is kept of a number's owner. What they refused stays, as a keyed hash; repeating it is harmless."""
    from bellwire.engine.privacy import erase

    erase(call.runtime.engine, call.key.tenant_id, msisdn, actor=call.actor)


@routes.get("/v1/privacy-requests", scope=Scope.PEOPLE_READ)
def list_privacy_requests(call: Call, query: PageQuery) -> PrivacyRequestPage:
    """List what platforms asked for."""
    with call.reading() as connection:
        found = privacy.listed(connection, limit=query.limit, before=query.before)
    return PrivacyRequestPage(items=[_shown(one) for one in found.items], next=next_cursor(found.next))


@routes.get(_BY_ID, scope=Scope.PEOPLE_READ)
def get_privacy_request(call: Call, request_id: UUID) -> PrivacyRequest:
    """Show what a platform asked for."""
    with call.reading() as connection:
        return _shown(privacy.get(connection, request_id))


@routes.post(f"{_BY_ID}/fetch", scope=Scope.PEOPLE_READ, status=200, audit="privacy.fetched", keeps_answer=False)
def fetch_privacy_export(call: Call, request_id: UUID) -> PersonExport:
    """Hand out the export that a platform asked for."""
    found = call.tenant.write(
        lambda connection: privacy.fetch(connection, call.tenant.vault, request_id, actor=call.actor, now=call.now)
    )
    return PersonExport(**found)


def _shown(stored: Stored) -> PrivacyRequest:
    return PrivacyRequest(
        id=show("prv", stored.id),
        kind=stored.kind,
        status=stored.status,
        installation=show("ins", stored.installation_id) if stored.installation_id else None,
        event=show("evt", stored.event_id) if stored.event_id else None,
        has_export=stored.has_export,
        error=stored.error,
        created_at=stored.created_at,
        done_at=stored.done_at,
    )
