"""The route policy: which carrier account texts go by; every change is a version that can be gone back to."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from bellwire.domain import msisdn
from bellwire.domain.route_policy import OnAmbiguous, parse_policy
from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose, Reason
from bellwire.store import routes as stored
from bellwire.store.routes import Version
from bellwire.store.tenancy import TenantConnection
from pydantic import Field

from bellwire_web.calls import Call
from bellwire_web.fields import AccountId, Answer, Country, Model, Number, Time
from bellwire_web.operations import Routes
from bellwire_web.problems import Refused

routes = Routes("routes", "Which carrier account a text goes by.")

Accounts = Annotated[list[AccountId], Field(max_length=50)]


class RouteRule(Model):
    """What holds for some countries or purposes; what it leaves out is as the policy says."""

    country: Annotated[list[Country] | None, Field(max_length=250)] = None
    purpose: Annotated[list[Purpose] | None, Field(max_length=3)] = None
    primary: Accounts | None = None
    backup: Accounts | None = None
    sender_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    on_ambiguous: OnAmbiguous | None = None


class RoutePolicyRequest(Model):
    """A route policy: accounts in the order of preference, those that step in, exceptions."""

    primary: Annotated[Accounts, Field(min_length=1)]
    backup: Accounts | None = None
    rules: Annotated[list[RouteRule] | None, Field(max_length=200)] = None
    countries: Annotated[list[Country] | None, Field(max_length=250, description="Only these; all when left out.")] = None
    on_ambiguous: Annotated[OnAmbiguous | None, Field(description="`backup` is for otp: it may send twice.")] = None


class ShownRule(Answer):
    """One exception."""

    country: list[str] | None
    purpose: list[Purpose] | None
    primary: list[str] | None
    backup: list[str] | None
    sender_id: str | None
    on_ambiguous: OnAmbiguous | None


class RoutePolicy(Answer):
    """One version of the policy."""

    version: int
    primary: list[str]
    backup: list[str]
    rules: list[ShownRule]
    countries: list[str]
    on_ambiguous: OnAmbiguous
    author: str
    created_at: Time


class RoutePolicyPage(Answer):
    """Versions, newest first."""

    items: list[RoutePolicy]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last.")]


class RouteVersionQuery(Model):
    """How versions are asked for."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=9, pattern="^[1-9][0-9]*$", description="`next` of the page before.")] = None


class RollbackRequest(Model):
    """Which version's policy shall hold again."""

    version: Annotated[int, Field(ge=1, le=1_000_000_000)]


class SimulateRequest(Model):
    """A text that might be sent."""

    to: Annotated[Number | None, Field(description="A number, or instead a country.")] = None
    country: Country | None = None
    purpose: Purpose = Purpose.TRANSACTIONAL
    sender_id: Annotated[str | None, Field(max_length=64)] = None
    carrier: Annotated[str | None, Field(max_length=64)] = None
    policy: Annotated[RoutePolicyRequest | None, Field(description="Try this one instead of the one that holds.")] = None


class Simulation(Answer):
    """The way a text would go, or why there is none."""

    account: AccountId | None
    carrier: str | None
    sender_id: str | None
    is_backup: bool
    reason: Reason | None
    line: Annotated[str, Field(description="What decided, and what was passed over.")]


_EXAMPLE = {
    "primary": ["acc_0192f0c800007000800000000000abcd"],
    "backup": ["acc_0192f0c800007000800000000000abce"],
    "rules": [{"country": ["UZ"], "primary": ["acc_0192f0c800007000800000000000abce"]}],
}


@routes.put("/v1/routes", scope=Scope.ROUTES_WRITE, audit="route_policy.changed", example=_EXAMPLE)
def put_route_policy(call: Call, body: RoutePolicyRequest) -> RoutePolicy:
    """Make this the policy, as a new version."""
    policy = body.model_dump(mode="json", exclude_none=True)

    def put(connection: TenantConnection) -> RoutePolicy:
        parse_policy(policy, stored.accounts(connection))
        return _shown(stored.put(connection, policy, actor=call.actor, now=call.now))

    return call.write(put)


@routes.get("/v1/routes", scope=Scope.ROUTES_READ, problems=(404,))
def get_route_policy(call: Call) -> RoutePolicy:
    """Show the policy that holds. Without one (404) accounts are taken in the order of their creation."""
    with call.reading() as connection:
        found = stored.current(connection)
    if found is None:
        raise Refused(404, "not_found", "there is no route policy yet: accounts are taken in the order of their creation")
    return _shown(found)


@routes.get("/v1/routes/versions", scope=Scope.ROUTES_READ)
def list_route_policies(call: Call, query: RouteVersionQuery) -> RoutePolicyPage:
    """List the versions."""
    with call.reading() as connection:
        found = stored.versions(connection, limit=query.limit, before=int(query.cursor) if query.cursor else None)
    return RoutePolicyPage(items=[_shown(one) for one in found.items], next=str(found.next) if found.next else None)


@routes.post(
    "/v1/routes/rollback",
    scope=Scope.ROUTES_WRITE,
    status=200,
    audit="route_policy.changed",
    problems=(404,),
    example={"version": 3},
)
def rollback_route_policy(call: Call, body: RollbackRequest) -> RoutePolicy:
    """Make an earlier version's policy the newest again."""

    def back(connection: TenantConnection) -> RoutePolicy:
        parse_policy(stored.get(connection, body.version).policy, stored.accounts(connection))
        return _shown(stored.rollback(connection, body.version, actor=call.actor, now=call.now))

    return call.write(back)


@routes.post("/v1/routes/simulate", scope=Scope.ROUTES_READ, status=200, example={"to": "+998900000001", "purpose": "otp"})
def simulate_route(call: Call, body: SimulateRequest) -> Simulation:
    """Say which way a text would go; sends nothing and asks nobody."""
    from bellwire.domain.routing import Choice
    from bellwire.engine import routes as engine_routes
    from bellwire.engine.intake import configured

    engine = call.runtime.engine
    with call.reading() as connection:
        known = stored.accounts(connection)
    with engine.store.read() as connection_:
        config = configured(engine, connection_, call.key.tenant_id).config
    if body.policy is not None:
        given = body.policy.model_dump(mode="json", exclude_none=True)
        try:
            parse_policy(given, known)
        except FieldInvalid as e:
            raise FieldInvalid(f"policy.{e.field}", e.message, e.code) from e
        config = replace(config, route_policy=given)
    choice = engine_routes.route(
        config,
        engine.plugins.carriers,
        country=_country(body, config.country),
        purpose=body.purpose,
        sender_id=body.sender_id or "",
        carrier=body.carrier or "",
    )
    if not isinstance(choice, Choice):
        return Simulation(account=None, carrier=None, sender_id=None, is_backup=False, reason=choice.reason, line=choice.line)
    carriers = {f"acc_{one.value.id.hex}": one.value.carrier for one in config.accounts}
    return Simulation(
        account=choice.account,
        carrier=carriers.get(choice.account),
        sender_id=choice.sender_id or None,
        is_backup=choice.is_backup,
        reason=None,
        line=choice.line,
    )


def _country(body: SimulateRequest, home: str) -> str:
    if (body.to is None) == (body.country is None):
        raise FieldInvalid("to", "give either to or country", "to_or_country")
    if body.to is None:
        return body.country or ""
    number = msisdn.parse(body.to, [home])
    if number is None:
        raise FieldInvalid("to", "is not a phone number that can be texted", "invalid_number")
    return msisdn.country_of(number)


def _shown(version: Version) -> RoutePolicy:
    policy = version.policy
    return RoutePolicy(
        version=version.version,
        primary=policy["primary"],
        backup=policy.get("backup", []),
        rules=[_rule(one) for one in policy.get("rules", ())],
        countries=policy.get("countries", []),
        on_ambiguous=OnAmbiguous(policy.get("on_ambiguous", "wait")),
        author=version.author,
        created_at=version.created_at,
    )


def _rule(rule: dict[str, Any]) -> ShownRule:
    return ShownRule(
        country=rule.get("country"),
        purpose=[Purpose(one) for one in rule["purpose"]] if rule.get("purpose") else None,
        primary=rule.get("primary"),
        backup=rule.get("backup"),
        sender_id=rule.get("sender_id"),
        on_ambiguous=OnAmbiguous(rule["on_ambiguous"]) if rule.get("on_ambiguous") else None,
    )
