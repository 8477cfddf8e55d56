"""Texts that a caller asks for by the API or the command line: the same judgement as an event's, the caller its basis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import limits, segments
from bellwire.domain import msisdn as numbers
from bellwire.domain.consent import Standing
from bellwire.domain.decide import MAX_BODY, prepare, write
from bellwire.domain.settle import Draft, Person, Planned, settle
from bellwire.domain.tenant import TenantConfig
from bellwire.domain.when import parse_when
from bellwire.engine.configs import Held
from bellwire.engine.intake import GROUP, configured
from bellwire.engine.people import Contact, contacts_of
from bellwire.engine.routes import router, sandbox_test
from bellwire.engine.rows import RowMaker, stamp
from bellwire.engine.runtime import Engine
from bellwire.errors import Conflict, FieldInvalid, RenderFailed, TemplateInvalid
from bellwire.model import Json, Msisdn, Purpose, Reason, Status
from bellwire.store import idempotency as keys
from bellwire.store.database import reading
from bellwire.store.idempotency import IdempotencyKey
from bellwire.store.intake import Unit
from bellwire.store.tenancy import TenantConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """One text to send. Either `body` or `template` (with `variables`, nested or with dotted names). `expires_in_s`: seconds.

    `purpose` None: the template's; of a text of one's own transactional.
    """

    to: str = field(repr=False)
    body: str | None = field(default=None, repr=False)
    template: str | None = None
    locale: str = ""
    variables: Mapping[str, Json] = field(default_factory=dict, repr=False)
    purpose: Purpose | None = None
    sender_id: str = ""
    carrier: str = ""
    encoding: str = segments.AUTO
    send_at: datetime | str | None = None
    expires_in_s: float | None = None
    reference: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict, repr=False)


def send(
    engine: Engine,
    tenant_id: UUID,
    requests: Sequence[SendRequest],
    *,
    author: str = "",
    idempotency: IdempotencyKey | None = None,
) -> Sequence[UUID | FieldInvalid]:
    """Store texts to send; for each its message's id, or what is wrong with the request. Returns after the commit.

    What policy forbids becomes a message with status `refused`. With `idempotency` the key goes in with the messages; when it
    was used before, what it made then comes back. Where every request is wrong nothing is made, and the key stays free for the
    corrected ones. Raises FieldInvalid (the key came with another body), Conflict (the same
    request is under way), StoreUnavailable.
    """
    now = engine.now()
    with reading(engine.store.engine) as connection:
        if idempotency is not None:
            kept = keys.find(TenantConnection(connection, tenant_id), engine.vault, idempotency, now)
            if kept is not None:
                return [_shown(one) for one in kept.answer]
        held = configured(engine, connection, tenant_id)
        drafts = [_checked(held, engine, request, now) for request in requests]
        numbers_ = list(dict.fromkeys(draft.msisdn for draft in drafts if isinstance(draft, Draft) and draft.msisdn))
        known = contacts_of(connection, held, numbers_, _caps(drafts), now)
    maker = RowMaker(engine.vault, held.config, held.index, engine.followups(), now)
    results: list[UUID | FieldInvalid] = [
        _settled(engine, held, maker, known, request, draft, author, now) if isinstance(draft, Draft) else draft
        for request, draft in zip(requests, drafts, strict=True)
    ]
    unit = Unit(rows=maker.all(), implied=maker.implied, numbered=maker.numbered, at=now)
    makes = any(not isinstance(one, FieldInvalid) for one in results)
    if idempotency is not None and makes:
        answer = [_kept(one) for one in results]

        def keep(connection: sa.Connection) -> None:
            scoped = TenantConnection(connection, tenant_id)
            if not keys.keep(scoped, engine.vault, idempotency, 202, answer, now):
                raise Conflict("idempotency_in_progress", "a request with this Idempotency-Key is under way; ask again in a second")

        unit.effects = (keep,)
    if makes:
        engine.store.writer.run_in(GROUP, [unit])
        if unit.due is not None:
            engine.wake(unit.due)
        if maker.followups.write_backs or maker.followups.callbacks:
            engine.wake_jobs()
        engine.tell(maker.followups.changes)
    return results


def _checked(held: Held, engine: Engine, request: SendRequest, now: datetime) -> Draft | FieldInvalid:
    try:
        return draft_of(held, engine, request, now)
    except FieldInvalid as e:
        return e


def draft_of(held: Held, engine: Engine, request: SendRequest, now: datetime) -> Draft:
    """The draft behind a request. Raises FieldInvalid naming the field and the cure."""
    config = held.config
    msisdn = numbers.parse(request.to, [config.country])
    if msisdn is None:
        raise FieldInvalid(
            "to",
            f"is not a phone number that can be texted; write it as +998901234567, or nationally for {config.country}",
            "invalid_number",
        )
    if (request.body is None) == (request.template is None):
        raise FieldInvalid("body", "give either body or template", "body_or_template")
    if request.carrier and request.carrier not in engine.plugins.carriers:
        raise FieldInvalid("carrier", f"is not among {', '.join(sorted(engine.plugins.carriers))}", "unknown_carrier")
    if request.expires_in_s is not None and not 0 < request.expires_in_s <= 7 * 86_400:
        raise FieldInvalid("expires_in", "must be from 1 second to 7 days", "out_of_range")
    if request.encoding not in (segments.AUTO, "gsm7", "ucs2"):
        raise FieldInvalid("encoding", "must be auto, gsm7 or ucs2", "unknown_encoding")
    send_at = parse_when(request.send_at, now) if request.send_at is not None else None
    purpose = _purpose(config, request)
    zones = numbers.timezones_of(msisdn) or ((config.timezone,) if config.timezone else ())
    base: dict[str, Any] = {
        "purpose": purpose,
        "basis": "api",
        "msisdn": msisdn,
        "timezones": zones,
        "encoding": request.encoding,
        "sender_id": request.sender_id,
        "carrier": request.carrier,
        "send_at": send_at,
        "ttl": timedelta(seconds=request.expires_in_s) if request.expires_in_s is not None else None,
        "caps": limits.OTP_CAPS if purpose is Purpose.OTP else (limits.RUNAWAY,),
    }
    if request.template is not None:
        return _from_template(engine, held, request, base, msisdn)
    body = request.body or ""
    if not body.strip():
        raise FieldInvalid("body", "is empty", "empty")
    if len(body) > MAX_BODY:
        raise FieldInvalid("body", f"has {len(body)} characters; {MAX_BODY} is the most", "too_long")
    return Draft(**base, text=_ready(body, {}, request.encoding, "body"))


def _purpose(config: TenantConfig, request: SendRequest) -> Purpose:
    """What the text is for. What was approved as marketing stays marketing, whoever sends it: consent and hours hang on it."""
    template = config.templates.get(request.template or "")
    if template is None:
        return request.purpose or Purpose.TRANSACTIONAL
    if template.purpose is Purpose.MARKETING and request.purpose not in (None, Purpose.MARKETING):
        raise FieldInvalid("purpose", f"the template {template.name} is for marketing: leave purpose out", "purpose_mismatch")
    return request.purpose or template.purpose


def _from_template(engine: Engine, held: Held, request: SendRequest, base: Mapping[str, Any], msisdn: Msisdn) -> Draft:
    name, config = request.template or "", held.config
    template = config.templates.get(name)
    if template is None:
        raise FieldInvalid("template", f"there is no template {name}", "unknown_template")
    if template.number is None:
        return Draft(**base, template=name, refused=(Reason.TEMPLATE_NOT_APPROVED, f"no version of {name} is approved"))
    values = {**flat(request.variables), "tenant.name": config.name}
    try:
        text, locale = write(
            template.bodies,
            values,
            wanted=[request.locale] if request.locale else [],
            tenant=config,
            options=template.options,
            timezone=(*base["timezones"], "UTC")[0],
            country=numbers.country_of(msisdn),
            filters=engine.plugins.filters,
        )
    except RenderFailed as e:
        raise FieldInvalid(f"variables.{e.field}" if e.field else "template", str(e), "template_error") from e
    except (TemplateInvalid, segments.TooManySegments) as e:
        raise FieldInvalid("template", str(e), "template_error") from e
    return Draft(
        **base,
        text=_ready(text, template.options, request.encoding, "template"),
        template=name,
        template_version=template.number,
        locale=locale,
        collection=bool(template.options.get("collection")),
    )


def _ready(text: str, options: Mapping[str, Any], encoding: str, place: str) -> str:
    try:
        return prepare(text, options, encoding)
    except segments.NotGsm7 as e:
        raise FieldInvalid("encoding", str(e), "not_gsm7") from e
    except (segments.TooManySegments, RenderFailed) as e:
        raise FieldInvalid(place, str(e), "too_long") from e


def flat(values: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Nested objects as dotted names, which is how templates know them; lists stay."""
    found: dict[str, Json] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _caps(drafts: Sequence[Draft | FieldInvalid]) -> list[limits.Cap]:
    return list(dict.fromkeys(cap for draft in drafts if isinstance(draft, Draft) for cap in draft.caps))


def _settled(
    engine: Engine,
    held: Held,
    maker: RowMaker,
    known: Mapping[Msisdn, Contact],
    request: SendRequest,
    draft: Draft,
    author: str,
    now: datetime,
) -> UUID:
    contact = known.get(draft.msisdn) if draft.msisdn else None
    person = contact.person if contact else Person(standing=Standing(), sent={cap.name: 0 for cap in draft.caps})
    planned = settle(draft, person, held.config, router(engine, held), sandbox_test(engine, held), now)
    zone = draft.timezones[0] if len(draft.timezones) == 1 else ""
    contact_id = maker.contact(draft.msisdn, contact, planned.country, zone, planned) if draft.msisdn else None
    return maker.message(
        planned, contact_id, reference=request.reference, metadata=request.metadata, entry=_entry(planned, now), author=author
    )


def _entry(planned: Planned, now: datetime) -> dict[str, Any]:
    outcome = "refused" if planned.status is Status.REFUSED else "held" if planned.held else "sent"
    entry = {
        "at": stamp(now),
        "step": "decide",
        "outcome": outcome,
        "reason": planned.reason and str(planned.reason),
        "detail": planned.line,
    }
    return {name: value for name, value in entry.items() if value}


def _kept(result: UUID | FieldInvalid) -> dict[str, Any]:
    if isinstance(result, FieldInvalid):
        return {"field": result.field, "message": result.message, "code": result.code}
    return {"id": result.hex}


def _shown(kept: Mapping[str, Any]) -> UUID | FieldInvalid:
    return UUID(hex=kept["id"]) if "id" in kept else FieldInvalid(kept["field"], kept["message"], kept["code"])
