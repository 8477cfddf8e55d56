"""What becomes of an event: which triggers it meets, whom they text, and the reason when nobody is texted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from bellwire.domain.consent import Source, Standing, Statement
from bellwire.domain.decide import REQUESTED, Facts, candidates, caps, decide, pick_number
from bellwire.domain.ledger import apply
from bellwire.domain.routing import AccountFacts, Choice, Refusal, choose
from bellwire.domain.settle import Person as Known
from bellwire.domain.tenant import Template, TenantConfig, Trigger
from bellwire.model import ConsentState, Event, Installation, Msisdn, Person, Purpose, Reason, Status
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 3, 4, 7, 0, tzinfo=UTC)  # noon in Tashkent, a Wednesday
ALICE, BOB = Msisdn("+998901234567"), Msisdn("+998901234568")
SHOP = Installation(id=UUID(int=7), tenant_id=UUID(int=1), connector="shopify", name="Acme Shop", country="UZ")
OPEN = AccountFacts(id="acc_1", carrier="line", sender_required=False)
SANDBOX = AccountFacts(id="acc_box", carrier="sandbox", sender_required=False)


def template(body: str = "Order {{ order.name }}", *, number: int | None = 1, **options: Any) -> Template:
    return Template(name="shipped", purpose=Purpose.TRANSACTIONAL, number=number, bodies={"en": body}, options=options)


def trigger(
    place: int = 1, *, state: str = "on", installation: UUID | None = None, since: datetime | None = None, **more: Any
) -> Trigger:
    return Trigger(
        id=UUID(int=100 + place),
        name=f"trigger {place}",
        connector="shopify",
        installation_id=installation,
        event="fulfillment.shipped",
        definition={"template": "shipped", **more},
        state=state,
        active_from=since,
    )


def tenant(*triggers: Trigger, settings: Mapping[str, Any] | None = None, shipped: Template | None = None) -> TenantConfig:
    return TenantConfig(
        id=UUID(int=1),
        slug="acme",
        name="Acme",
        country="UZ",
        locale="en",
        timezone="Asia/Tashkent",
        settings=settings or {},
        version=1,
        triggers={("shopify", "fulfillment.shipped"): triggers},
        trigger_names={one.id: one.name for one in triggers},
        templates={} if shipped is None else {"shipped": shipped},
        accounts=(),
        installations={},
        route_policy=None,
        route_version=None,
        callback_types=frozenset(),
        endpoints=(),
        has_balance=False,
    )


def event(*phones: str, **more: Any) -> Event:
    return Event(
        **{
            "id": "delivery-1",
            "type": "fulfillment.shipped",
            "occurred_at": NOW - timedelta(seconds=5),
            "subject": "order/1",
            "people": {"customer": Person(ref="customer/1", name="Ana", phones=phones or (ALICE,))},
            "data": {"order.name": "#1001", "order.total": "20.00"},
            **more,
        }
    )


def said(state: ConsentState, purpose: Purpose | None = None, source: Source = Source.REPLY) -> Standing:
    statement = Statement(purpose=purpose, state=state, source=source, at=NOW - timedelta(days=1))
    return apply(Standing(), statement, now=NOW)


@dataclass(frozen=True)
class Case:
    """One event of one tenant. `reason` None: it is texted, with the outcome `outcome`."""

    label: str
    reason: Reason | None = None
    outcome: str = "refused"
    on: Trigger = field(default_factory=trigger)
    shipped: Template | None = field(default_factory=template)
    happened: Event = field(default_factory=event)
    standing: Standing | None = None
    accounts: tuple[AccountFacts, ...] = (OPEN,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sent: int = 0
    now: datetime = NOW
    says: str = ""
    to: str = ALICE
    facts: Mapping[str, Any] = field(default_factory=dict)


def judged(case: Case) -> Any:
    config = tenant(case.on, settings=case.settings, shipped=case.shipped)
    found = candidates(case.happened, config, SHOP, "shopify", reported_at=case.now)
    numbers = {one.msisdn for one in found if one.msisdn is not None}
    known = Known(standing=case.standing or Standing(), sent=dict.fromkeys((cap.name for cap in caps(case.on)), case.sent))
    facts = Facts(
        tenant=config,
        installation=SHOP,
        people=dict.fromkeys(numbers, known) if case.standing or case.sent else {},
        route=lambda country, purpose, sender, carrier, free: choose(
            None,
            case.accounts,
            country=country,
            purpose=purpose,
            sender_id=sender,
            carrier=carrier,
            countries=case.settings.get("countries", ()),
            from_template=free,
        ),
        is_sandbox=lambda account: account == "acc_box",
        **{"filters": {}, **case.facts},
    )
    [entry] = decide(case.happened, found, facts, case.now).entries
    return entry


def to(**people: Person) -> Event:
    return event(people=people)


REFUSED = [
    Case("no_consent: marketing without an opt-in", Reason.NO_CONSENT, on=trigger(purpose="marketing")),
    Case("no_consent: the tenant wants it explicit", Reason.NO_CONSENT, settings={"consent": {"transactional": "explicit"}}),
    Case("opted_out: the person said STOP", Reason.OPTED_OUT, standing=said(ConsentState.OPTED_OUT)),
    Case("opted_out: of this purpose", Reason.OPTED_OUT, standing=said(ConsentState.OPTED_OUT, Purpose.TRANSACTIONAL)),
    Case("suppressed: a complaint", Reason.SUPPRESSED, standing=said(ConsentState.OPTED_OUT, source=Source.COMPLAINT)),
    Case("stale: it happened too long ago", Reason.STALE, on=trigger(max_age_s=60), says="max_age is 60 s",
         happened=event(occurred_at=NOW - timedelta(hours=4))),
    Case("stale: what it is about was over before", Reason.STALE, on=trigger(delay_s=3_600), facts={"canceled": True}),
    Case("cap: the trigger's own", Reason.CAP, on=trigger(cap={"count": 1, "window_s": 86_400}), sent=1, says="1 texts in"),
    Case("cap: the guard against loops", Reason.CAP, sent=30),
    Case("no_recipient: nobody in this role", Reason.NO_RECIPIENT, on=trigger(recipient="manager"), says="no manager"),
    Case("no_recipient: no phone", Reason.NO_RECIPIENT, happened=to(customer=Person(name="Ana")), says="no phone"),
    Case("no_recipient: only blank phones", Reason.NO_RECIPIENT, happened=to(customer=Person(phones=["", "  "]))),
    Case("no_recipient: the platform gives no number for marketing", Reason.NO_RECIPIENT, on=trigger(purpose="marketing"),
         happened=to(customer=Person(phones=[ALICE], marketing_phones=[]))),
    Case("invalid_number: nothing that can be texted", Reason.INVALID_NUMBER, happened=event("12", "call me"), says="2 phone(s)"),
    Case("no_route: the tenant has no account", Reason.NO_ROUTE, accounts=()),
    Case("no_route: it is switched off", Reason.NO_ROUTE, accounts=(replace(OPEN, enabled=False),)),
    Case("country_not_allowed: the tenant's list", Reason.COUNTRY_NOT_ALLOWED, settings={"countries": ["KZ"]}),
    Case("country_not_allowed: the account's", Reason.COUNTRY_NOT_ALLOWED, accounts=(replace(OPEN, countries=frozenset({"KZ"})),)),
    Case("sender_missing", Reason.SENDER_MISSING, accounts=(replace(OPEN, sender_required=True),)),
    Case("template_error: a field that is missing", Reason.TEMPLATE_ERROR, shipped=template("See {{ tracking.url }}"),
         says="tracking.url"),
    Case("template_error: a text that is empty", Reason.TEMPLATE_ERROR, shipped=template("{% if order.gift %}Hi{% endif %}")),
    Case("template_error: more segments than it allows", Reason.TEMPLATE_ERROR, shipped=template("x" * 400, max_segments=2)),
    Case("template_error: more characters than carriers take", Reason.TEMPLATE_ERROR, shipped=template("x" * 1601),
         says="the text has 1601 characters and 1600 is the most: shorten what it prints with truncate"),
    Case("template_error: no text in any language", Reason.TEMPLATE_ERROR, shipped=replace(template(), bodies={})),
    Case("template_not_approved: no version is", Reason.TEMPLATE_NOT_APPROVED, shipped=template(number=None)),
    Case("template_not_approved: there is none", Reason.TEMPLATE_NOT_APPROVED, shipped=None, says="there is no template shipped"),
    Case("plugin: a hook's veto", Reason.PLUGIN, facts={"veto": "blocked by the fraud check"}, says="blocked by the fraud check"),
    Case("test_event: outside the sandbox", Reason.TEST_EVENT, happened=event(test=True)),
    Case("test_event: not even where there is no account", Reason.TEST_EVENT, happened=event(test=True), accounts=()),
]  # fmt: skip

TEXTED = [
    Case("an ordinary event", outcome="sent"),
    Case("a test event in the sandbox", outcome="sent", happened=event(test=True), accounts=(SANDBOX,)),
    Case("the first usable number", outcome="sent", happened=event("12", BOB, ALICE), to=BOB),
    Case("a national number is read by the person's country", outcome="sent",
         happened=to(customer=Person(phones=["90 123 45 67"], countries=["UZ"]))),
    Case("and by the shop's where the person has none", outcome="sent", happened=event("90 123 45 67")),
    Case("marketing to the number the consent is tied to", outcome="sent", on=trigger(purpose="marketing"), to=BOB,
         happened=to(customer=Person(phones=[ALICE], marketing_phones=[BOB])),
         standing=said(ConsentState.OPTED_IN, Purpose.MARKETING)),
    Case("marketing to the first phone where nothing is tied", outcome="sent", on=trigger(purpose="marketing"),
         standing=said(ConsentState.OPTED_IN, Purpose.MARKETING)),
    Case("transactional ignores the marketing number", outcome="sent",
         happened=to(customer=Person(phones=[ALICE], marketing_phones=[BOB]))),
    Case("another role than the customer", outcome="sent", on=trigger(recipient="agent"), to=BOB,
         happened=to(customer=Person(phones=[ALICE]), agent=Person(phones=[BOB]))),
    Case("exactly max_age old", outcome="sent", on=trigger(max_age_s=5)),
    Case("one below the cap", outcome="sent", on=trigger(cap={"count": 2, "window_s": 60}), sent=1),
    Case("transactional at night", outcome="sent", now=NOW + timedelta(hours=12)),
    Case("marketing at night is held", outcome="held", on=trigger(purpose="marketing"), now=NOW + timedelta(hours=12),
         standing=said(ConsentState.OPTED_IN, Purpose.MARKETING)),
    Case("a trigger's own quiet hours hold it", outcome="held", on=trigger(quiet_hours="11:00-14:00")),
    Case("over for a delayed trigger is not over for this one", outcome="sent", facts={"canceled": True}),
    Case("a condition that holds", outcome="sent", on=trigger(all=[{"field": "order.total", "op": ">", "value": "10"}])),
    Case("otp after an opt-out of marketing", outcome="sent", on=trigger(purpose="otp"),
         standing=said(ConsentState.OPTED_OUT, Purpose.MARKETING)),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.label)
def test_why_nobody_is_texted(case: Case) -> None:
    entry = judged(case)
    assert (entry.outcome, entry.reason) == ("refused", case.reason)
    assert case.says in entry.line
    assert entry.line, "a refusal says what decided"
    assert entry.planned.status is Status.REFUSED, "and is a message that tells so"


@pytest.mark.parametrize("case", TEXTED, ids=lambda case: case.label)
def test_who_is_texted(case: Case) -> None:
    entry = judged(case)
    assert (entry.outcome, entry.reason) == (case.outcome, None), entry.line
    assert entry.planned.draft.msisdn == case.to
    assert entry.planned.status is (Status.SCHEDULED if case.outcome == "held" else Status.QUEUED)
    assert entry.planned.expires_at > entry.planned.due >= case.now


def test_every_reason_of_an_event_has_its_row() -> None:
    """The others come at the claim (expired, no_funds), from a caller's own expiry (quiet_hours, in the tests of `settle`), or are
    the answer to the platform (duplicate).
    """
    later = {Reason.EXPIRED, Reason.NO_FUNDS, Reason.QUIET_HOURS, Reason.DUPLICATE}
    assert {case.reason for case in REFUSED} == set(Reason) - later


def test_a_condition_that_does_not_hold_says_which_line_decided() -> None:
    entry = judged(Case("", on=trigger(all=[{"field": "order.total", "op": ">", "value": "50"}])))
    assert (entry.outcome, entry.reason, entry.planned) == ("not_matched", None, None)
    assert "order.total" in entry.line


def test_a_shadow_trigger_decides_and_sends_nothing() -> None:
    entry = judged(Case("", on=trigger(state="shadow")))
    assert (entry.outcome, entry.reason, entry.planned) == ("shadow", None, None)
    entry = judged(Case("", on=trigger(state="shadow"), accounts=()))
    assert (entry.outcome, entry.reason) == ("shadow", Reason.NO_ROUTE), "and says what would have become of it"


def test_a_delay_and_an_end_of_the_event_s_own() -> None:
    ends = NOW + timedelta(hours=2)
    happened = event(data={"order.name": "#1001", "not_after": ends.isoformat()})
    planned = judged(Case("", on=trigger(delay_s=3_600), happened=happened)).planned
    assert (planned.due, planned.expires_at, planned.status) == (NOW + timedelta(hours=1), ends, Status.SCHEDULED)
    assert (planned.draft.template, planned.draft.trigger.name) == ("shipped", "trigger 1")


def test_an_event_that_asks_for_a_text_by_itself_is_its_own_trigger() -> None:
    offer = replace(template(), purpose=Purpose.MARKETING)
    for named, approved, wanted in (("shipped", offer, Purpose.MARKETING), ("gone", offer, Purpose.TRANSACTIONAL)):
        asked = event(type=REQUESTED, data={"order.name": "#1001", "template": named})
        [found] = candidates(asked, tenant(shipped=approved), SHOP, "shopify", reported_at=NOW)
        assert (found.matched, found.msisdn) == (True, ALICE)
        assert (found.trigger.definition["template"], found.trigger.definition["purpose"]) == (named, str(wanted))
    own = replace(trigger(), event=REQUESTED)
    config = replace(tenant(shipped=offer), triggers={("shopify", REQUESTED): (own,)})
    assert [one.trigger for one in candidates(asked, config, SHOP, "shopify", reported_at=NOW)] == [own]


COUNTRIES = [
    ("the person's own country first", ["HR"], "UZ", "+385912345678"),
    ("then the shop's", [], "HR", "+385912345678"),
    ("then the tenant's, where it is none", [], "", None),
]


@pytest.mark.parametrize(("label", "own", "shop", "number"), COUNTRIES, ids=[row[0] for row in COUNTRIES])
def test_a_national_number_is_read_by_the_nearest_country(label: str, own: list[str], shop: str, number: str | None) -> None:
    somebody = Person(phones=["091 234 5678"], countries=own)
    found, refused = pick_number(somebody, "customer", Purpose.TRANSACTIONAL, tenant(), replace(SHOP, country=shop))
    assert found == number
    assert refused is None or refused == (Reason.INVALID_NUMBER, "none of the customer's 1 phone(s) is a valid number in UZ")


LISTENS = [
    ("one for all installations", trigger(), True),
    ("one for this installation", trigger(installation=SHOP.id), True),
    ("one for another installation", trigger(installation=UUID(int=8)), False),
    ("one switched on before", trigger(since=NOW - timedelta(hours=1)), True),
    ("one switched on at this moment", trigger(since=NOW), True),
    ("one switched on since", trigger(since=NOW + timedelta(seconds=1)), False),
]


@pytest.mark.parametrize(("label", "on", "listens"), LISTENS, ids=[row[0] for row in LISTENS])
def test_which_triggers_listen(label: str, on: Trigger, listens: bool) -> None:
    found = candidates(event(), tenant(on, shipped=template()), SHOP, "shopify", reported_at=NOW)
    assert [one.trigger for one in found] == ([on] if listens else [])


def test_an_event_nobody_listens_to_says_so() -> None:
    config = tenant()
    facts = Facts(tenant=config, installation=SHOP, filters={}, route=_no_route, is_sandbox=lambda _: False)
    [entry] = decide(event(), [], facts, NOW).entries
    assert (entry.trigger, entry.outcome, entry.reason, entry.planned) == (None, "no_trigger", None, None)
    assert "fulfillment.shipped" in entry.line


def _no_route(*_: Any) -> Choice | Refusal:
    return Refusal(reason=Reason.NO_ROUTE, line="no carrier account")


def test_each_trigger_has_its_own_entry_in_order() -> None:
    config = tenant(trigger(1), trigger(2, recipient="agent"), trigger(3, state="shadow"), shipped=template())
    found = candidates(event(), config, SHOP, "shopify", reported_at=NOW)
    facts = Facts(
        tenant=config,
        installation=SHOP,
        filters={},
        route=lambda *_: Choice(account="acc_1", sender_id="", line="acc_1"),
        is_sandbox=lambda _: False,
    )
    entries = decide(event(), found, facts, NOW).entries
    assert [entry.outcome for entry in entries] == ["sent", "refused", "shadow"]


# -- laws -----------------------------------------------------------------------------------------------------------

words = st.text(max_size=20) | st.sampled_from(["", "Asia/Tashkent", "Mars/Phobos", "uz-Latn-UZ", "en", "no-such-locale-at-all"])
phones = st.sampled_from([ALICE, BOB, "90 123 45 67", "", "x", "+1", "00998901234567"]) | st.text(max_size=12)
people = st.builds(
    Person,
    name=words,
    phones=st.lists(phones, max_size=3),
    marketing_phones=st.none() | st.lists(phones, max_size=2),
    locale=words,
    timezone=words,
    countries=st.lists(st.sampled_from(["UZ", "US", "", "ZZ", "x"]), max_size=3),
)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=2_000)
events = st.builds(
    Event,
    id=st.just("delivery-1"),
    type=st.just("fulfillment.shipped"),
    occurred_at=st.integers(1, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    subject=st.sampled_from(["", "order/1"]),
    people=st.dictionaries(st.sampled_from(["customer", "agent"]), people),
    data=st.dictionaries(st.sampled_from(["order.name", "order.total", "tracking.url"]), values),
    test=st.booleans(),
)
definitions = st.fixed_dictionaries(
    {"template": st.sampled_from(["shipped", "gone"])},
    optional={
        "purpose": st.sampled_from(["otp", "transactional", "marketing"]),
        "recipient": st.sampled_from(["customer", "agent"]),
        "delay_s": st.integers(0, 30 * 86_400),
        "max_age_s": st.integers(1, 86_400),
        "quiet_hours": st.sampled_from([None, True, "21:00-08:00"]),
        "cap": st.just({"count": 1, "window_s": 60}),
        "all": st.just([{"field": "order.total", "op": ">", "value": "10"}]),
    },
)
spoken = [said(state, purpose) for state in (ConsentState.OPTED_IN, ConsentState.OPTED_OUT) for purpose in (None, *Purpose)]
standings = st.sampled_from([None, *spoken, said(ConsentState.OPTED_OUT, source=Source.COMPLAINT)])
bodies = st.sampled_from(
    [
        "Order {{ order.name }}",
        "{{ tracking.url }}",
        "{{ order.total | money }}",
        "{{ order.name }} " * 60,
        "Ünïcode ☺ {{ order.name }}",
    ]
)


@settings(max_examples=200, deadline=None)
@given(events, definitions, standings, bodies, st.sampled_from(["on", "shadow"]), st.integers(0, 40))
def test_deciding_is_total_and_always_the_same(
    happened: Event, definition: Mapping[str, Any], standing: Standing | None, body: str, state: str, sent: int
) -> None:
    on = trigger(state=state, **definition)
    case = Case("", on=on, shipped=template(body), happened=happened, standing=standing, sent=sent)
    entry = judged(case)
    assert entry == judged(case)
    assert entry.outcome in ("sent", "held", "refused", "not_matched", "shadow")
    if state == "on":
        assert (entry.reason is None) == (entry.outcome != "refused")
    assert (entry.planned is None) == (entry.outcome in ("not_matched", "shadow"))
    if entry.outcome in ("sent", "held"):
        assert entry.planned.draft.msisdn
        assert entry.planned.draft.text
        assert entry.planned.account
        assert not (standing and standing.suppressed), "a suppressed number is never in a decision to send"
        assert not (happened.test and entry.planned.account != "acc_box")


# -- an event that asks for a text by itself --------------------------------------------------------------------------


def asks(name: str = "shipped", **more: Any) -> Event:
    people = {"customer": Person(ref="contact/1", phones=(ALICE,))}
    data = {"template": name, "order.name": "#1"}
    return Event(
        id="run-1", type="message.requested", occurred_at=NOW, subject="action/run-1/contact/1", people=people, data=data, **more
    )


def listening(*triggers: Trigger, **more: Any) -> TenantConfig:
    return replace(tenant(**more), triggers={("shopify", "message.requested"): triggers})


def test_a_request_is_its_own_trigger() -> None:
    config = listening(shipped=template())
    [found] = candidates(asks(), config, SHOP, "shopify", reported_at=NOW)
    assert (found.matched, found.msisdn, found.trigger.name, found.trigger.row_id) == (True, ALICE, "message.requested", None)


def test_a_request_has_the_purpose_that_was_approved_for_its_text() -> None:
    marketing = replace(template(), purpose=Purpose.MARKETING)
    [found] = candidates(asks(), listening(shipped=marketing), SHOP, "shopify", reported_at=NOW)
    assert found.trigger.definition["purpose"] == "marketing"


def test_a_tenants_own_trigger_decides_instead_also_when_it_does_not_match() -> None:
    gate = replace(trigger(all=[{"field": "vip", "op": "exists"}]), event="message.requested")
    found = candidates(asks(), listening(gate, shipped=template()), SHOP, "shopify", reported_at=NOW)
    assert [(one.trigger.name, one.matched) for one in found] == [("trigger 1", False)]


def test_another_installations_trigger_does_not() -> None:
    elsewhere = replace(trigger(installation=UUID(int=8)), event="message.requested")
    [found] = candidates(asks(), listening(elsewhere, shipped=template()), SHOP, "shopify", reported_at=NOW)
    assert found.trigger.is_implied


def test_other_events_ask_for_nothing() -> None:
    order = replace(asks(), type="order.created")
    assert candidates(order, listening(shipped=template()), SHOP, "shopify", reported_at=NOW) == []
