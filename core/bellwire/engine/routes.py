"""Routing with what this process knows: the tenant's policy, its accounts, and which of them are healthy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from bellwire.domain.admit import SEND, Refuse, Reroute, Send
from bellwire.domain.route_policy import OnAmbiguous, Policy, parse_policy
from bellwire.domain.routing import AccountFacts, Choice, Refusal, Sender, choose
from bellwire.domain.settle import Router
from bellwire.domain.tenant import HeldAccount, TenantConfig
from bellwire.engine.configs import Held
from bellwire.engine.runtime import Engine
from bellwire.ids import parse_id, show
from bellwire.model import Carrier, Purpose
from bellwire.store.carrier_accounts import ACTIVE, PAUSED


def route(
    config: TenantConfig,
    carriers: Mapping[str, Carrier],
    *,
    country: str,
    purpose: Purpose,
    sender_id: str = "",
    carrier: str = "",
    tried: Sequence[str] = (),
    is_healthy: Callable[[UUID], bool] = lambda _: True,
    from_template: bool = True,
) -> Choice | Refusal:
    """The account and sender ID for a message, or why there is none."""
    return choose(
        policy(config),
        [facts(account, carriers, healthy=is_healthy(account.value.id)) for account in config.accounts],
        country=country,
        purpose=purpose,
        sender_id=sender_id,
        carrier=carrier,
        tried=tried,
        countries=config.settings.get("countries", ()),
        from_template=from_template,
    )


def router(engine: Engine, held: Held) -> Router:
    """The tenant's routing as `domain.settle` calls it; what it said once it says again, so it is for one delivery."""
    return cache(
        lambda country, purpose, sender_id, carrier, from_template: route(
            held.config,
            engine.plugins.carriers,
            country=country,
            purpose=purpose,
            sender_id=sender_id,
            carrier=carrier,
            from_template=from_template,
        )
    )


def sandbox_test(engine: Engine, held: Held) -> Callable[[str], bool]:
    """Whether an account (by shown id) belongs to a carrier that texts nobody: one that plans its own receipts."""

    def is_sandbox(account: str) -> bool:
        wanted = parse_id("acc", account)
        carrier = next((one.value.carrier for one in held.config.accounts if one.value.id == wanted), "")
        return carrier in engine.plugins.carriers and engine.plugins.carriers[carrier].plan is not None

    return is_sandbox


def policy(config: TenantConfig) -> Policy | None:
    """The tenant's route policy, None without one."""
    return None if config.route_policy is None else _parsed(json.dumps(config.route_policy, sort_keys=True))


@lru_cache(maxsize=256)
def _parsed(document: str) -> Policy:
    return parse_policy(json.loads(document))


def facts(account: HeldAccount, carriers: Mapping[str, Carrier], *, healthy: bool) -> AccountFacts:
    """What routing asks of an account. One that is paused takes nothing now, and messages wait for it if nobody else may."""
    value = account.value
    carrier = carriers.get(value.carrier)
    sender_id = str(value.settings.get("sender_id") or "")
    return AccountFacts(
        id=show("acc", value.id),
        carrier=value.carrier,
        enabled=account.status in (ACTIVE, PAUSED) and carrier is not None,
        healthy=healthy and account.status == ACTIVE,
        countries=frozenset(value.settings.get("countries", ())),
        senders=(Sender(sender_id=sender_id, default=True),) if sender_id else (),
        sender_required=carrier is not None and any(one.name == "sender_id" and one.required for one in carrier.settings),
        capabilities=carrier.capabilities if carrier else frozenset(),
    )


def backup_for(
    config: TenantConfig, carriers: Mapping[str, Carrier], is_healthy: Callable[[UUID], bool], row: Any, tried: Sequence[str]
) -> tuple[UUID, str] | None:
    """Where a claimed message may go instead: account and sender ID; None when its route has no other healthy account."""
    choice = _way(config, carriers, is_healthy, row, tried)
    return (parse_id("acc", choice.account), choice.sender_id) if isinstance(choice, Choice) else None


def _way(
    config: TenantConfig, carriers: Mapping[str, Carrier], is_healthy: Callable[[UUID], bool], row: Any, tried: Sequence[str]
) -> Choice | Refusal:
    """The route of a stored message as it is now, with what its caller insisted on."""
    return route(
        config,
        carriers,
        country=row.country or "",
        purpose=Purpose(row.purpose),
        sender_id=(row.options or {}).get("sender_id", ""),
        carrier=row.wanted_carrier or "",
        tried=tried,
        is_healthy=is_healthy,
        from_template=bool(row.template),
    )


def way_key(row: Any) -> tuple[Any, ...]:
    """What the route of a tenant's message hangs on, besides the accounts it has tried."""
    options = row.options
    return row.country, row.purpose, row.wanted_carrier, options.get("sender_id") if options else None, bool(row.template)


class Ways:
    """The routes of one cycle's messages: where the policy or the accounts have changed since intake, a message changes too.

    `probing`: accounts whose message is to find out whether the carrier is back: it stays.
    """

    def __init__(self, carriers: Mapping[str, Carrier], is_healthy: Callable[[UUID], bool]) -> None:
        self._carriers, self._is_healthy = carriers, is_healthy
        self._known: dict[UUID, dict[tuple[Any, ...], Refuse | Reroute]] = {}  # by tenant
        self.probing: set[UUID] = set()

    def verdict(self, config: TenantConfig, account_id: UUID, row: Any) -> Send | Refuse | Reroute:
        """Whether a message that may go goes by the account it waits for."""
        if row.doubt or row.tried or (row.notes and '"rerouted"' in row.notes) or account_id in self.probing:
            return (
                SEND  # its way was found by its attempts, or has changed once already; nobody else is asked for what may have left
            )
        key = way_key(row)
        known = self._known.setdefault(config.id, {})
        way = known.get(key)
        if way is None:
            way = known[key] = self._judge(config, row)
        if isinstance(way, Refuse):
            return way
        return SEND if way.account == account_id else way

    def _judge(self, config: TenantConfig, row: Any) -> Refuse | Reroute:
        choice = _way(config, self._carriers, self._is_healthy, row, ())
        if isinstance(choice, Refusal):
            return Refuse(choice.reason, choice.line)
        return Reroute(parse_id("acc", choice.account), choice.sender_id, choice.line)


def second_send(config: TenantConfig, row: Any) -> bool:
    """Whether the tenant's policy sends an otp knowingly a second time when nobody knows of the first."""
    found = policy(config)
    purpose = Purpose(row.purpose)
    return found is not None and found.rule(row.country or "", purpose).on_ambiguous is OnAmbiguous.BACKUP
