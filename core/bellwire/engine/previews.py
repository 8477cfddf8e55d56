"""A template's text before it is approved or sent: as it would be, what it would cost, what an approver should look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from bellwire.domain import countries, locales, pricing, segments, templates
from bellwire.domain.decide import prepare
from bellwire.domain.routing import Choice
from bellwire.domain.smart import Guilty
from bellwire.domain.template_lint import DEFAULT_MAX_SEGMENTS, Finding, Severity, lint
from bellwire.domain.tenant import TenantConfig
from bellwire.engine import vocabulary
from bellwire.engine.intake import configured
from bellwire.engine.routes import route
from bellwire.engine.runtime import Engine
from bellwire.errors import RenderFailed, TemplateInvalid
from bellwire.ids import parse_id
from bellwire.model import Json, Purpose
from bellwire.store.database import reading
from bellwire.store.tenancy import TenantConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a text takes on the air, and what it costs there. `price` None: the route's account has no price list."""

    text: str = field(repr=False)
    encoding: str
    units: int
    segments: int
    price: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A rendered text. `size` None: it can't be rendered, `error` says why.

    `unknown`: variables without a value (their names stand in the text, in angle brackets). `plain`: the same text after smart
    encoding, where that changes it. `guilty`: the characters that force UCS-2.
    """

    locale: str
    size: Size | None
    plain: Size | None
    error: str
    unknown: Sequence[str]
    guilty: Sequence[Guilty]
    findings: Sequence[Finding]


def preview(
    engine: Engine,
    tenant_id: UUID,
    bodies: Mapping[str, str],
    values: Mapping[str, Json],
    *,
    purpose: Purpose,
    options: Mapping[str, Any],
    locale: str = "",
    country: str = "",
    timezone: str = "",
) -> Preview:
    """Render one locale's text with `values` (flat names). Raises TemplateInvalid with the line."""
    with reading(engine.store.engine) as connection:
        config = configured(engine, connection, tenant_id).config
    country = country or config.country
    chosen = locales.pick(bodies, [locale] if locale else [], config.locale) or next(iter(bodies))
    template = templates.compile(bodies[chosen], engine.plugins.filters)
    spoken = chosen or config.locale
    given = {"tenant.name": config.name, "shop.name": config.name, **values}
    unknown = sorted(name for name in template.required if not _has(given, name))
    error, size, plain = "", None, None
    text = ""
    try:
        text = template.render(
            {**given, **{name: f"<{name}>" for name in unknown}},
            locale=spoken,
            timezone=timezone or config.timezone or "UTC",
            country=country,
        )
        ready = prepare(text, {**options, "max_segments": None, "smart": False}, segments.AUTO)
        size = _size(engine, config, ready, purpose, country)
        better = prepare(text, {**options, "max_segments": None}, segments.AUTO)
        plain = _size(engine, config, better, purpose, country) if better != ready else None
    except (RenderFailed, segments.TooManySegments) as e:
        error = str(e)
    return Preview(
        locale=spoken,
        size=size,
        plain=plain,
        error=error,
        unknown=unknown,
        guilty=segments.guilty(size.text) if size is not None else (),
        findings=lint(
            template,
            purpose=purpose,
            known=None,
            locale=spoken,
            samples=[given] if not unknown else (),
            timezone=timezone or config.timezone or "UTC",
            country=country,
            allowed_links=config.settings.get("links", ()),
            opt_out_words=countries.rules(country).opt_out.words,
            max_segments=options.get("max_segments") or DEFAULT_MAX_SEGMENTS,
            extra_filters=engine.plugins.filters,
        ),
    )


def findings(
    engine: Engine,
    tenant_id: UUID,
    name: str,
    bodies: Mapping[str, str],
    *,
    purpose: Purpose,
    options: Mapping[str, Any],
) -> dict[str, tuple[Finding, ...]]:
    """What an approver should see, by locale: the lint over the last real values of the triggers that use the template."""
    with reading(engine.store.engine) as connection:
        config = configured(engine, connection, tenant_id).config
        seen = vocabulary.seen(TenantConnection(connection, tenant_id), engine.vault, engine.plugins.connectors, name)
    found: dict[str, tuple[Finding, ...]] = {}
    for locale, source in bodies.items():
        try:
            template: templates.Template | str = templates.compile(source, engine.plugins.filters)
        except TemplateInvalid:
            template = source  # the lint says what is wrong
        used = template.variables if isinstance(template, templates.Template) else frozenset()
        found[locale] = lint(
            template,
            purpose=purpose,
            known=vocabulary.known(seen, engine.plugins.connectors, used),
            locale=locale,
            samples=[{"tenant.name": config.name, "shop.name": config.name, **values} for values in seen.values],
            timezone=config.timezone or "UTC",
            country=config.country,
            allowed_links=config.settings.get("links", ()),
            opt_out_words=countries.rules(config.country).opt_out.words,
            max_segments=options.get("max_segments") or DEFAULT_MAX_SEGMENTS,
            declared=options.get("personal_fields"),
            extra_filters=engine.plugins.filters,
        )
    return found


def blocking(found: Mapping[str, Sequence[Finding]]) -> list[tuple[str, Finding]]:
    """The findings that forbid an approval, with their locales."""
    return [(locale, one) for locale, some in found.items() for one in some if one.severity is Severity.ERROR]


def _size(engine: Engine, config: TenantConfig, text: str, purpose: Purpose, country: str) -> Size:
    counted = segments.measure(text)
    price, currency = None, ""
    choice = route(config, engine.plugins.carriers, country=country, purpose=purpose)
    if isinstance(choice, Choice):
        account_id = parse_id("acc", choice.account)
        settings = next(one.value.settings for one in config.accounts if one.value.id == account_id)
        listed = pricing.parse_prices(settings, currency=str(config.settings.get("currency", "USD")))
        price = pricing.price(counted.segments, listed, country)
        currency = listed.currency if listed is not None and price is not None else ""
    return Size(
        text=text,
        encoding=str(counted.encoding),
        units=counted.units,
        segments=counted.segments,
        price=price,
        currency=currency,
    )


def _has(values: Mapping[str, Json], name: str) -> bool:
    """Whether a value stands under the name: itself, or in a list or object that it begins with."""
    if values.get(name) is not None or any(key.startswith(f"{name}.") for key in values):
        return True
    parts = name.split(".")
    return any(isinstance(values.get(".".join(parts[:n])), list | dict) for n in range(1, len(parts)))
