"""What stands between a draft and its being sent: the preview, the lint, the second pair of eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from bellwire.domain import pricing
from bellwire.domain.country_codes import country_code
from bellwire.domain.home_zones import check_zone
from bellwire.domain.scopes import Scope
from bellwire.domain.template_lint import Finding as Found
from bellwire.domain.template_lint import Severity
from bellwire.errors import FieldInvalid, NotFound, TemplateInvalid
from bellwire.ids import parse_id
from bellwire.model import Encoding, Json, Purpose
from bellwire.store import events, templates
from bellwire.store.tenancy import TenantConnection
from pydantic import Field, JsonValue

from bellwire_web.api.templates import Source, TemplateVersion, routes, show_version
from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Country, EventId, Locale, Model, Money, PathName
from bellwire_web.problems import FieldProblem, Refused

if TYPE_CHECKING:
    from bellwire.engine.previews import Preview as Rendered
    from bellwire.engine.previews import Size


class PreviewRequest(Model):
    """A text to try: its source, or a stored template; and what to fill it with: variables, or an event that came in."""

    body: Source | None = None
    template: PathName | None = None
    version: Annotated[int | None, Field(ge=1, description="The approved one, or the newest, when left out.")] = None
    locale: Locale | None = None
    purpose: Purpose | None = None
    variables: Annotated[dict[str, JsonValue] | None, Field(max_length=500)] = None
    event: Annotated[EventId | None, Field(description="An event whose data fills the text.")] = None
    country: Annotated[Country | None, Field(description="Whose amounts, dates and price; the tenant's when left out.")] = None
    timezone: Annotated[str | None, Field(max_length=64)] = None


class Finding(Answer):
    """One thing to look at before approving; errors block."""

    code: str
    severity: Severity
    message: str
    line: Annotated[int, Field(description="From 1; 0: the whole text.")]
    locale: str


class GuiltyCharacter(Answer):
    """A character that makes the text UCS-2."""

    char: str
    codepoint: Annotated[str, Field(examples=["U+2019"])]
    name: str
    count: int
    suggestion: Annotated[str | None, Field(description="What may stand for it; empty: nothing; null: there is none.")]


class TextSize(Answer):
    """A text and what it takes on the air."""

    text: str
    encoding: Encoding
    segments: int
    units: Annotated[int, Field(description="Septets, or UTF-16 units.")]
    cost: Money | None
    currency: str | None


class Preview(Answer):
    """A text as it would be; null where a value is missing that the text can't do without."""

    locale: str
    text: str | None
    encoding: Encoding | None
    segments: int | None
    units: int | None
    cost: Money | None
    currency: str | None
    unknown_variables: Annotated[list[str], Field(description="Named in the text and without a value.")]
    error: str | None
    smart: Annotated[TextSize | None, Field(description="The same after smart encoding, where that changes it.")]
    guilty: list[GuiltyCharacter]
    findings: list[Finding]


class Lint(Answer):
    """What to look at before a version is approved."""

    blocks: Annotated[bool, Field(description="Whether an error forbids the approval.")]
    findings: list[Finding]


class ApprovedVersion(TemplateVersion):
    """A version that was approved, with the warnings that stood beside it."""

    findings: list[Finding]


@routes.post(
    "/v1/templates/preview",
    scope=Scope.TEMPLATES_READ,
    status=200,
    problems=(404,),
    example={"body": "Order {{ order.name }} is paid.", "variables": {"order.name": "#1001"}},
)
def preview_template(call: Call, body: PreviewRequest) -> Preview:
    """Render a text without sending it: size, cost, unknown variables, what to look at."""
    from bellwire.engine import previews
    from bellwire.engine.sending import flat

    if (body.body is None) == (body.template is None):
        raise FieldInvalid("body", "give either body or template", "body_or_template")
    if body.country is not None:
        country_code(body.country, "country")
    if body.timezone is not None:
        check_zone(body.timezone)
    values = flat(body.variables or {})
    options: dict[str, Any] = {}
    purpose = body.purpose
    with call.reading() as connection:
        if body.template is not None:
            stored = templates.get(connection, body.template)
            version = templates.version(stored, body.version) if body.version else stored.approved or stored.versions[0]
            bodies, options, purpose = version.bodies, dict(stored.options), purpose or stored.purpose
        else:
            bodies = {body.locale or "": body.body or ""}
        if body.event is not None:
            values = {**_data(call, connection, body.event), **values}
    try:
        made = previews.preview(
            call.runtime.engine,
            call.key.tenant_id,
            bodies,
            values,
            purpose=purpose or Purpose.TRANSACTIONAL,
            options=options,
            locale=body.locale or "",
            country=body.country or "",
            timezone=body.timezone or "",
        )
    except TemplateInvalid as e:
        raise FieldInvalid("body", f"line {e.line}: {e}" if e.line else str(e), "template_invalid") from e
    return _preview(made)


@routes.get("/v1/templates/<name>/versions/<int:number>/lint", scope=Scope.TEMPLATES_READ)
def lint_template_version(call: Call, name: str, number: int) -> Lint:
    """What an approver should look at, tried on the last real events."""
    from bellwire.engine import previews

    with call.reading() as connection:
        stored = templates.get(connection, name)
        version = templates.version(stored, number)
    found = previews.findings(
        call.runtime.engine, call.key.tenant_id, name, version.bodies, purpose=stored.purpose, options=stored.options
    )
    return Lint(blocks=bool(previews.blocking(found)), findings=_findings(found))


@routes.post(
    "/v1/templates/<name>/versions/<int:number>/approve",
    scope=Scope.TEMPLATES_APPROVE,
    status=200,
    audit="template.approved",
    problems=(422,),
)
def approve_template_version(call: Call, name: str, number: int) -> ApprovedVersion:
    """Make a version the one that is sent; the one before it is retired.

    An error of the lint forbids it: a text that can't be parsed, an unknown variable, a marketing text without the way out. Who
    wrote the version can't approve it while another live key may.
    """
    from bellwire.engine import previews

    with call.reading() as connection:
        stored = templates.get(connection, name)
        version = templates.version(stored, number)
    found = previews.findings(
        call.runtime.engine, call.key.tenant_id, name, version.bodies, purpose=stored.purpose, options=stored.options
    )
    wrong = [
        FieldProblem(
            field=f"bodies.{locale}", code=one.code, message=f"line {one.line}: {one.message}" if one.line else one.message
        )
        for locale, one in previews.blocking(found)
    ]
    if wrong:
        raise Refused(422, "invalid_fields", "the version can't be approved as it is", fields=wrong)

    def approve(connection: TenantConnection) -> ApprovedVersion:
        approved = templates.approve(connection, name, number, actor=call.actor, now=call.now)
        return ApprovedVersion(**dict(show_version(approved)), findings=_findings(found))

    return call.write(approve)


def _data(call: Call, connection: TenantConnection, shown: str) -> dict[str, Json]:
    """An event's data as a template's values. Raises FieldInvalid."""
    try:
        content = events.content(connection, call.tenant.vault, parse_id("evt", shown, "event"))
    except NotFound as e:
        raise FieldInvalid("event", "there is no such event", "unknown_event") from e
    if content is None:
        raise FieldInvalid("event", "its data was erased", "erased")
    data: dict[str, Json] = content["data"]
    return data


def _findings(found: Mapping[str, Sequence[Found]]) -> list[Finding]:
    return [
        Finding(code=one.code, severity=one.severity, message=one.message, line=one.line, locale=locale)
        for locale, some in found.items()
        for one in some
    ]


def _preview(made: Rendered) -> Preview:
    size = made.size
    return Preview(
        locale=made.locale,
        text=size.text if size else None,
        encoding=Encoding(size.encoding) if size else None,
        segments=size.segments if size else None,
        units=size.units if size else None,
        cost=_money(size.price) if size else None,
        currency=(size.currency or None) if size else None,
        unknown_variables=list(made.unknown),
        error=made.error or None,
        smart=_size(made.plain) if made.plain else None,
        guilty=[
            GuiltyCharacter(char=one.char, codepoint=one.codepoint, name=one.name, count=one.count, suggestion=one.suggestion)
            for one in made.guilty
        ],
        findings=_findings({made.locale: made.findings}),
    )


def _size(size: Size) -> TextSize:
    return TextSize(
        text=size.text,
        encoding=Encoding(size.encoding),
        segments=size.segments,
        units=size.units,
        cost=_money(size.price),
        currency=size.currency or None,
    )


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else pricing.shown(amount)
