"""Which carrier account and sender ID a message goes by: the tenant's route policy, or its accounts in order of creation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bellwire.domain.route_policy import Policy, Rule
from bellwire.model import Capability, Purpose, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A sender ID that an account may use; `countries`, `purposes` empty = all. `default`: taken before others."""

    sender_id: str
    countries: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    default: bool = False

    def fits(self, country: str, purpose: Purpose) -> bool:
        """Whether it may be used there and for this."""
        return (not self.countries or country in self.countries) and (not self.purposes or purpose in self.purposes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """What routing needs to know of a carrier account. Given in order of creation.

    `countries` empty = all. `senders`: its own and the registry's approved ones. `sender_required`: it can't send without one;
    an account that needs none and has none takes any.
    """

    id: str
    carrier: str
    enabled: bool = True
    healthy: bool = True
    countries: frozenset[str] = frozenset()
    senders: tuple[Sender, ...] = ()
    sender_required: bool = True
    capabilities: frozenset[Capability] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The account and sender ID to send by. `line` says why, with what was passed over; `waits`: none is healthy now."""

    account: str
    sender_id: str
    line: str
    is_backup: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No account may take the message, and why each may not."""

    reason: Reason
    line: str


@dataclass(frozen=True, slots=True)
class _No:
    reason: Reason
    why: str


def choose(
    policy: Policy | None,
    accounts: Sequence[AccountFacts],
    *,
    country: str,
    purpose: Purpose,
    sender_id: str = "",
    carrier: str = "",
    tried: Collection[str] = (),
    countries: Collection[str] = (),
    from_template: bool = True,
) -> Choice | Refusal:
    """The first account of the policy (or, without one, of the tenant) that may take the message and is healthy.

    `sender_id`, `carrier`: what the caller insists on, "" for any. `tried`: accounts that had their attempt; then only a
    healthy one is chosen, as a backup. For a message not tried yet the first unhealthy one is better than none: it waits there.
    `countries`: the tenant's allowed countries, empty = all. `from_template` False: the text was not approved beforehand.
    """
    for allowed, whose in ((countries, "the tenant's"), (policy.countries if policy else (), "the route policy's")):
        if allowed and country not in allowed:
            return Refusal(reason=Reason.COUNTRY_NOT_ALLOWED, line=f"{country or 'no country'} is not among {whose} countries")
    rule = policy.rule(country, purpose) if policy else Rule(primary=tuple(account.id for account in accounts))
    backup = rule.backup or ()
    by_id = {account.id: account for account in accounts}
    passed: list[tuple[str, _No]] = []
    waiting: Choice | None = None
    for name in dict.fromkeys((*(rule.primary or ()), *backup)):
        account = by_id.get(name)
        if account is None:
            passed.append((name, _No(Reason.NO_ROUTE, "does not exist any more")))
            continue
        fit = _obstacle(account, country, carrier, tried, from_template) or _sender(
            account, country, purpose, sender_id, rule.sender_id
        )
        if isinstance(fit, _No):
            passed.append((name, fit))
            continue
        is_backup = name not in (rule.primary or ())
        place = ("backup of the route policy" if is_backup else "primary of the route policy") if policy else "by order of creation"
        choice = Choice(
            account=name,
            sender_id=fit,
            line=f"{name} ({account.carrier}), {place}{_passed_over(passed)}",
            is_backup=is_backup,
            waits=not account.healthy,
        )
        if account.healthy:
            return choice
        waiting = waiting or choice
        passed.append((name, _No(Reason.NO_ROUTE, "not healthy now")))
    if waiting is not None and not tried:
        return replace(waiting, line=f"{waiting.account} waits: no account is healthy{_passed_over(passed)}")
    reasons = {no.reason for _, no in passed}
    reason = next((reason for reason in (Reason.SENDER_MISSING, Reason.COUNTRY_NOT_ALLOWED) if reason in reasons), Reason.NO_ROUTE)
    return Refusal(reason=reason, line=f"no carrier account can take it{_passed_over(passed)}" if passed else "no carrier account")


def _passed_over(passed: Iterable[tuple[str, _No]]) -> str:
    told = ", ".join(f"{name}: {no.why}" for name, no in passed)
    return f" ({told})" if told else ""


def _obstacle(account: AccountFacts, country: str, carrier: str, tried: Collection[str], from_template: bool) -> _No | None:
    """Why the account may not take the message whatever the sender ID, None when it may."""
    if not account.enabled:
        return _No(Reason.NO_ROUTE, "disabled")
    if account.id in tried:
        return _No(Reason.NO_ROUTE, "tried already")
    if carrier and account.carrier != carrier:
        return _No(Reason.NO_ROUTE, f"not at {carrier}")
    if account.countries and country not in account.countries:
        return _No(Reason.COUNTRY_NOT_ALLOWED, f"does not serve {country or 'a number without country'}")
    if Capability.MODERATED in account.capabilities and not from_template:
        return _No(Reason.NO_ROUTE, "takes only approved templates")
    return None


def _sender(account: AccountFacts, country: str, purpose: Purpose, asked: str, preferred: str) -> str | _No:
    """The sender ID to use at the account, "" where none is needed."""
    fitting = [sender for sender in account.senders if sender.fits(country, purpose)]
    if asked:
        takes_any = not account.senders and not account.sender_required
        if takes_any or any(sender.sender_id == asked for sender in fitting):
            return asked
        return _No(Reason.SENDER_MISSING, "the sender ID asked for is not registered there")
    if any(sender.sender_id == preferred for sender in fitting):
        return preferred
    if fitting:
        best = max(fitting, key=lambda sender: (sender.default, country in sender.countries, purpose in sender.purposes))
        return best.sender_id
    return _No(Reason.SENDER_MISSING, f"no sender ID for {country} and {purpose}") if account.sender_required else ""
