"""Which account and sender ID a message goes by, and why none may take it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from bellwire.domain.route_policy import Policy, Rule
from bellwire.domain.routing import AccountFacts, Choice, Refusal, Sender, choose
from bellwire.model import Capability, Purpose, Reason
from hypothesis import given, settings
from hypothesis import strategies as st

ONE = AccountFacts(id="acc_1", carrier="twilio", senders=(Sender(sender_id="+15550100"),))
TWO = AccountFacts(id="acc_2", carrier="vonage", senders=(Sender(sender_id="SHOP"),))
OPEN = AccountFacts(id="acc_3", carrier="sandbox", sender_required=False)
DOWN, OFF = replace(ONE, healthy=False), replace(ONE, enabled=False)
POLICY = Policy(primary=("acc_2",), backup=("acc_1",))


@dataclass(frozen=True)
class Case:
    label: str
    accounts: list[AccountFacts]
    expected: str | Reason
    policy: Policy | None = None
    sender: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


PER_COUNTRY = replace(
    ONE,
    senders=(
        Sender(sender_id="ANY"),
        Sender(sender_id="DEFAULT", default=True),
        Sender(sender_id="CO1", countries=frozenset({"CO"})),
        Sender(sender_id="CO2", countries=frozenset({"CO"}), default=True),
        Sender(sender_id="PROMO", purposes=frozenset({Purpose.MARKETING}), default=True),
    ),
)

CASES = [
    Case("no account: no route, nothing is implied", [], Reason.NO_ROUTE),
    Case("without a policy the first created", [ONE, TWO], "acc_1", sender="+15550100"),
    Case("the first is off: the second", [OFF, TWO], "acc_2"),
    Case("the first is down: the second", [DOWN, TWO], "acc_2"),
    Case("the only one is down: it waits there", [DOWN], "acc_1"),
    Case("all are down: the first waits", [DOWN, replace(TWO, healthy=False)], "acc_1"),
    Case("all are off", [OFF], Reason.NO_ROUTE),
    Case("the first had its try: the second", [ONE, TWO], "acc_2", more={"tried": {"acc_1"}}),
    Case("all had their try", [ONE], Reason.NO_ROUTE, more={"tried": {"acc_1"}}),
    Case("the backup is down: it is none", [ONE, replace(TWO, healthy=False)], Reason.NO_ROUTE, more={"tried": {"acc_1"}}),
    Case("the policy's primary before the first created", [ONE, TWO], "acc_2", POLICY),
    Case("the primary is down: the backup", [ONE, replace(TWO, healthy=False)], "acc_1", POLICY),
    Case("both are down: the primary waits", [DOWN, replace(TWO, healthy=False)], "acc_2", POLICY),
    Case("an account that is gone is passed over", [ONE], "acc_1", POLICY),
    Case("an account outside the policy is not taken", [OPEN], Reason.NO_ROUTE, POLICY),
    Case("another country than the account's", [replace(ONE, countries=frozenset({"CO"}))], Reason.COUNTRY_NOT_ALLOWED),
    Case("another account serves the country", [replace(ONE, countries=frozenset({"CO"})), TWO], "acc_2"),
    Case("the account's own country", [replace(ONE, countries=frozenset({"UZ"}))], "acc_1"),
    Case("a number without a country, account with some", [replace(ONE, countries=frozenset({"CO"}))], Reason.COUNTRY_NOT_ALLOWED,
         more={"country": ""}),
    Case("the tenant's countries", [ONE], Reason.COUNTRY_NOT_ALLOWED, more={"countries": {"CO"}}),
    Case("one of the tenant's countries", [ONE], "acc_1", more={"countries": {"CO", "UZ"}}),
    Case("the policy's countries", [ONE, TWO], Reason.COUNTRY_NOT_ALLOWED, replace(POLICY, countries=frozenset({"CO"}))),
    Case("a sender ID that the account has", [ONE, TWO], "acc_2", sender="SHOP", more={"sender_id": "SHOP"}),
    Case("a sender ID that nobody has", [ONE, TWO], Reason.SENDER_MISSING, more={"sender_id": "BANK"}),
    Case("no sender ID where one is required", [replace(ONE, senders=())], Reason.SENDER_MISSING),
    Case("no sender ID where none is required", [OPEN], "acc_3", sender=""),
    Case("any sender ID where none is required", [OPEN], "acc_3", sender="BANK", more={"sender_id": "BANK"}),
    Case("the next account has a sender ID", [replace(ONE, senders=()), TWO], "acc_2", sender="SHOP"),
    Case("the country's default sender ID", [PER_COUNTRY], "acc_1", sender="CO2", more={"country": "CO"}),
    Case("the default sender ID elsewhere", [PER_COUNTRY], "acc_1", sender="DEFAULT"),
    Case("the purpose's sender ID", [PER_COUNTRY], "acc_1", sender="PROMO", more={"purpose": Purpose.MARKETING}),
    Case("a sender ID of another country", [PER_COUNTRY], Reason.SENDER_MISSING, more={"sender_id": "CO1"}),
    Case("a sender ID of another purpose", [PER_COUNTRY], Reason.SENDER_MISSING, more={"sender_id": "PROMO"}),
    Case("the policy prefers a sender ID", [PER_COUNTRY], "acc_1", sender="ANY",
         policy=Policy(primary=("acc_1",), rules=(Rule(countries=frozenset({"UZ"}), sender_id="ANY"),))),
    Case("one that the account lacks is only a wish", [ONE], "acc_1", sender="+15550100",
         policy=Policy(primary=("acc_1",), rules=(Rule(countries=frozenset({"UZ"}), sender_id="ANY"),))),
    Case("the caller's carrier", [ONE, TWO], "acc_2", more={"carrier": "vonage"}),
    Case("a carrier without an account", [ONE, TWO], Reason.NO_ROUTE, more={"carrier": "plivo"}),
    Case("a moderated account takes no free text", [replace(ONE, capabilities=frozenset({Capability.MODERATED})), TWO], "acc_2",
         more={"from_template": False}),
    Case("a moderated account takes a template", [replace(ONE, capabilities=frozenset({Capability.MODERATED})), TWO], "acc_1"),
    Case("a missing sender ID says more than an account that is off", [OFF, replace(TWO, senders=())], Reason.SENDER_MISSING),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_choose(case: Case) -> None:
    found = choose(case.policy, case.accounts, **{"country": "UZ", "purpose": Purpose.TRANSACTIONAL, **case.more})
    if isinstance(found, Refusal):
        assert found.reason == case.expected
        return
    assert found.account == case.expected
    assert found.waits is not next(account.healthy for account in case.accounts if account.id == found.account)
    if case.sender is not None:
        assert found.sender_id == case.sender


LINES: list[tuple[str, Policy | None, list[AccountFacts], str]] = [
    ("by creation", None, [ONE], "acc_1 (twilio), by order of creation"),
    ("primary", POLICY, [ONE, TWO], "acc_2 (vonage), primary of the route policy"),
    ("backup", POLICY, [ONE, replace(TWO, healthy=False)], "acc_1 (twilio), backup of the route policy (acc_2: not healthy now)"),
    (
        "waits",
        POLICY,
        [OFF, replace(TWO, healthy=False)],
        "acc_2 waits: no account is healthy (acc_2: not healthy now, acc_1: disabled)",
    ),
    ("none", POLICY, [], "no carrier account can take it (acc_2: does not exist any more, acc_1: does not exist any more)"),
    ("none at all", None, [], "no carrier account"),
    (
        "sender",
        None,
        [replace(ONE, senders=())],
        "no carrier account can take it (acc_1: no sender ID for UZ and transactional)",
    ),
]


@pytest.mark.parametrize(("policy", "accounts", "line"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_the_line_says_why(policy: Policy | None, accounts: list[AccountFacts], line: str) -> None:
    assert choose(policy, accounts, country="UZ", purpose=Purpose.TRANSACTIONAL).line == line


def test_a_backup_is_marked() -> None:
    found = choose(POLICY, [ONE, TWO], country="UZ", purpose=Purpose.OTP, tried={"acc_2"})
    assert isinstance(found, Choice)
    assert found.is_backup


accounts_of_any_kind = st.lists(
    st.builds(
        AccountFacts,
        id=st.sampled_from(["a", "b", "c", "d"]),
        carrier=st.sampled_from(["x", "y"]),
        enabled=st.booleans(),
        healthy=st.booleans(),
        countries=st.frozensets(st.sampled_from(["CO", "UZ"])),
        senders=st.sampled_from([(), (Sender(sender_id="S"),), (Sender(sender_id="T", countries=frozenset({"CO"})),)]),
        sender_required=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda account: account.id,
)
policies = st.none() | st.builds(
    Policy,
    primary=st.permutations(["a", "b"]).map(tuple),
    backup=st.permutations(["c", "d"]).map(tuple),
    countries=st.sampled_from([frozenset(), frozenset({"CO"})]),
)


@settings(max_examples=200)
@given(
    policy=policies,
    accounts=accounts_of_any_kind,
    country=st.sampled_from(["CO", "UZ", "HR", ""]),
    tried=st.frozensets(st.sampled_from(["a", "b", "c"])),
    asked=st.sampled_from(["", "S", "T"]),
)
def test_what_is_chosen_may_send(
    policy: Policy | None, accounts: list[AccountFacts], country: str, tried: frozenset[str], asked: str
) -> None:
    found = choose(policy, accounts, country=country, purpose=Purpose.OTP, tried=tried, sender_id=asked)
    if isinstance(found, Refusal):
        return
    account = next(account for account in accounts if account.id == found.account)
    assert account.enabled
    assert account.id not in tried
    assert not account.countries or country in account.countries
    assert account.healthy or (found.waits and not tried)
    assert found.sender_id or not account.sender_required
    assert not asked or found.sender_id == asked
