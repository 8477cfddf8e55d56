"""Templates: drafts, approval by a second pair of eyes, preview."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from bellwire.domain import locales
from bellwire.domain.scopes import Scope
from bellwire.domain.transliteration import Kind
from bellwire.errors import FieldInvalid, TemplateInvalid
from bellwire.model import Purpose
from bellwire.store import templates
from bellwire.store.templates import Template as Stored
from bellwire.store.templates import Version as StoredVersion
from bellwire.store.templates import VersionState
from pydantic import Field

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Model, Page, PageQuery, PathName, Time, WrittenLocale, next_cursor
from bellwire_web.operations import Routes
from bellwire_web.problems import FieldProblem, Refused

routes = Routes("templates", "Texts in Liquid, in several languages, in numbered versions; only an approved one is sent.")

_RESERVED = frozenset({"preview"})  # stands where a name would

Source = Annotated[str, Field(min_length=1, max_length=4096, examples=["Hi {{ customer.first_name | default: 'there' }}!"])]
Bodies = Annotated[
    dict[WrittenLocale, Source],
    Field(min_length=1, max_length=50, description="Locale → Liquid source.", examples=[{"en": "Order {{ order.name }} is paid."}]),
]


class TemplateOptions(Model):
    """What holds for all versions of a template."""

    description: Annotated[str | None, Field(max_length=500)] = None
    collection: Annotated[
        bool | None, Field(description="Debt collection: quiet hours apply where the country's rule says so.")
    ] = None
    transliterate: Annotated[list[Kind] | None, Field(max_length=4, description="Spellings to try until GSM-7 fits.")] = None
    dj: Annotated[Literal["dj", "d"] | None, Field(description="How Croatian đ is written without its stroke.")] = None
    smart: Annotated[bool | None, Field(description="Swap typographic characters where that saves; on by default.")] = None
    max_segments: Annotated[int | None, Field(ge=1, le=20, description="A longer text is refused.")] = None
    personal_fields: Annotated[list[str] | None, Field(max_length=50, description="Personal fields that the text prints.")] = None


class TemplateRequest(TemplateOptions):
    """A new template."""

    name: PathName
    purpose: Purpose = Purpose.TRANSACTIONAL
    bodies: Bodies


class VersionRequest(Model):
    """Another version."""

    bodies: Bodies


class TemplateChange(TemplateOptions):
    """What to change; null takes an option out."""

    purpose: Purpose | None = None


class TemplateVersion(Answer):
    """One version of a template."""

    number: int
    state: VersionState
    bodies: dict[str, str]
    author: Annotated[str, Field(description="The key (or cli) that wrote it.")]
    approver: str | None
    created_at: Time
    approved_at: Time | None
    retired_at: Time | None


class Template(Answer):
    """A template with its versions, newest first."""

    name: str
    purpose: Purpose
    approved_version: Annotated[int | None, Field(description="The version that is sent; null: none.")]
    version: Annotated[int, Field(description="The newest version's number.")]
    state: Annotated[VersionState, Field(description="The newest version's state.")]
    description: str | None
    collection: bool | None
    transliterate: list[Kind] | None
    dj: str | None
    smart: bool | None
    max_segments: int | None
    personal_fields: list[str] | None
    created_at: Time
    versions: list[TemplateVersion]


class TemplatePage(Page[Template]):
    """Templates, newest first."""


class TemplateQuery(PageQuery):
    """Which templates."""

    purpose: Purpose | None = None


_BODIES = {"en": "Order {{ order.name }} is on its way: {{ tracking.url }}"}


@routes.post(
    "/v1/templates",
    scope=Scope.TEMPLATES_WRITE,
    audit="template.created",
    example={"name": "order_shipped", "purpose": "transactional", "bodies": _BODIES},
)
def create_template(call: Call, body: TemplateRequest) -> Template:
    """Make a template; its first version is a draft."""
    if body.name in _RESERVED:
        raise FieldInvalid("name", f"{body.name} stands for something else; take another", "reserved")
    bodies = _checked(call, body.bodies)
    options = body.model_dump(exclude={"name", "purpose", "bodies"}, exclude_none=True)
    return call.write(
        lambda connection: show_template(
            templates.create(
                connection, name=body.name, purpose=body.purpose, bodies=bodies, options=options, actor=call.actor, now=call.now
            )
        )
    )


@routes.get("/v1/templates", scope=Scope.TEMPLATES_READ)
def list_templates(call: Call, query: TemplateQuery) -> TemplatePage:
    """List templates."""
    with call.reading() as connection:
        found = templates.listed(connection, limit=query.limit, before=query.before, purpose=query.purpose)
    return TemplatePage(items=[show_template(one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/templates/<name>", scope=Scope.TEMPLATES_READ)
def get_template(call: Call, name: str) -> Template:
    """Show a template with all its versions."""
    with call.reading() as connection:
        return show_template(templates.get(connection, name))


@routes.patch(
    "/v1/templates/<name>", scope=Scope.TEMPLATES_WRITE, audit="template.changed", problems=(409,), example={"max_segments": 2}
)
def change_template(call: Call, name: str, body: TemplateChange) -> Template:
    """Change what holds for all versions; texts are changed by a new version."""
    given = body.model_dump(exclude={"purpose"}, exclude_unset=True)
    return call.write(
        lambda connection: show_template(
            templates.change(connection, name, options=given, purpose=body.purpose, actor=call.actor, now=call.now)
        )
    )


@routes.delete("/v1/templates/<name>", scope=Scope.TEMPLATES_WRITE, audit="template.deleted", problems=(409,))
def delete_template(call: Call, name: str) -> None:
    """Delete a template; not while a trigger uses it."""
    call.write(lambda connection: templates.delete(connection, name, actor=call.actor, now=call.now))


@routes.post(
    "/v1/templates/<name>/versions", scope=Scope.TEMPLATES_WRITE, audit="template.version_created", example={"bodies": _BODIES}
)
def create_template_version(call: Call, name: str, body: VersionRequest) -> TemplateVersion:
    """Add a draft."""
    bodies = _checked(call, body.bodies)
    return call.write(
        lambda connection: show_version(templates.add_version(connection, name, bodies, actor=call.actor, now=call.now))
    )


@routes.get("/v1/templates/<name>/versions/<int:number>", scope=Scope.TEMPLATES_READ)
def get_template_version(call: Call, name: str, number: int) -> TemplateVersion:
    """Show one version."""
    with call.reading() as connection:
        return show_version(templates.version(templates.get(connection, name), number))


@routes.post("/v1/templates/<name>/versions/<int:number>/retire", scope=Scope.TEMPLATES_WRITE, status=200, audit="template.retired")
def retire_template_version(call: Call, name: str, number: int) -> TemplateVersion:
    """Take a version out of use."""
    return call.write(lambda connection: show_version(templates.retire(connection, name, number, actor=call.actor, now=call.now)))


def _checked(call: Call, bodies: dict[str, str]) -> dict[str, str]:
    """The bodies under their locales' proper names. Raises Refused (422) naming each text that can't be parsed, with its line."""
    from bellwire.domain.templates import compile as parse  # brings the template language

    filters = call.runtime.plugins.filters
    made: dict[str, str] = {}
    wrong: list[FieldProblem] = []
    for locale, source in bodies.items():
        name = locales.exactly(locale)
        if name in made:
            message = f"names the same locale as another: {name}"
            wrong.append(FieldProblem(field=f"bodies.{locale}", code="locale_invalid", message=message))
        made[name] = source
        try:
            parse(source, filters)
        except TemplateInvalid as e:
            place = f"line {e.line}: " if e.line else ""
            wrong.append(FieldProblem(field=f"bodies.{locale}", code="template_invalid", message=f"{place}{e}"))
    if wrong:
        raise Refused(422, "invalid_fields", fields=wrong)
    return made


def show_template(stored: Stored) -> Template:
    """A template as it is answered."""
    approved, newest = stored.approved, stored.versions[0]
    options: dict[str, Any] = dict(stored.options)
    return Template(
        name=stored.name,
        purpose=stored.purpose,
        approved_version=approved.number if approved else None,
        version=newest.number,
        state=newest.state,
        description=options.get("description"),
        collection=options.get("collection"),
        transliterate=options.get("transliterate"),
        dj=options.get("dj"),
        smart=options.get("smart"),
        max_segments=options.get("max_segments"),
        personal_fields=options.get("personal_fields"),
        created_at=stored.created_at,
        versions=[show_version(one) for one in stored.versions],
    )


def show_version(stored: StoredVersion) -> TemplateVersion:
    """A version as it is answered."""
    return TemplateVersion(
        number=stored.number,
        state=stored.state,
        bodies=dict(stored.bodies),
        author=stored.author,
        approver=stored.approver,
        created_at=stored.created_at,
        approved_at=stored.approved_at,
        retired_at=stored.retired_at,
    )
