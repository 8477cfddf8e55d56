"""The look back: what is found, once, whatever came by message; how far it reaches; where it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bellwire import Event, PlatformThrottled, WebhookRequest
from bellwire_connectors.salesforce import connector, reconcile
from standins.link import MemoryLink, Vault
from standins.salesforce import Fault, Organization
from standins.salesforce_installed import installed

OpenLink = Callable[..., MemoryLink]
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Looks:
    """An installation that looks back now and then, as the engine has it do."""

    def __init__(self, org: Organization, open_link: OpenLink, **settings: object) -> None:
        self.org, self._open_link, self.at, self._since = org, open_link, START, START
        org.now = lambda: self.at
        self.vault = Vault(replace(installed(org, settings=settings), installed_at=START))

    def wait(self, **span: float) -> None:
        self.at += timedelta(**span)

    def look(self) -> Sequence[Event]:
        assert connector.reconcile is not None
        found = connector.reconcile(self._open_link(self.vault, now=lambda: self.at), self._since - 5 * MINUTE)
        self._since = self.at
        return found


@pytest.fixture
def looks(org: Organization, open_link: OpenLink) -> Looks:
    return Looks(org, open_link)


def facts(events: Sequence[Event]) -> list[str]:
    return sorted({event.fact for event in events})


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("kind", "event_type"),
        [("Lead", "lead.created"), ("Contact", "contact.created"), ("Case", "case.created"), ("Opportunity", "deal.created")],
    )
    def test_a_new_record(self, looks: Looks, kind: str, event_type: str) -> None:
        looks.look()
        looks.wait(minutes=5)
        record = looks.org.add(kind, FirstName="Ana", LastName="Example", MobilePhone="(202) 555-0101")
        [event] = looks.look()
        assert (event.type, event.fact, event.id) == (event_type, f"{event_type}:{record}", f"{event_type}:{record}")
        assert event.occurred_at == looks.at
        assert event.subject.endswith(record)

    def test_an_order_where_orders_are_polled(self, org: Organization, open_link: OpenLink) -> None:
        looks = Looks(org, open_link, poll=["Order"])
        looks.wait(minutes=5)
        org.add("Order", OrderNumber="101")
        assert [event.type for event in looks.look()] == ["order.created"]

    def test_it_has_the_phone_and_the_consent(self, looks: Looks) -> None:
        looks.wait(minutes=5)
        looks.org.add("Contact", LastName="Example", MobilePhone="(202) 555-0101", SMS_Opt_Out__c=True)
        made, said = sorted(looks.look(), key=lambda event: event.type)
        assert (made.type, said.type) == ("contact.created", "customer.consent_changed")
        assert made.people["customer"].phones == ("(202) 555-0101",)
        assert {one.state.value for one in said.people["customer"].consents} == {"opted_out"}

    def test_a_stage_that_differs_from_the_one_last_seen(self, looks: Looks) -> None:
        deal = looks.org.add("Opportunity", at=START - timedelta(days=99), Name="Widgets", StageName="Prospecting")
        looks.look()
        looks.wait(minutes=5)
        looks.org.edit("Opportunity", deal, StageName="Closed Won")
        [event] = looks.look()
        assert (event.type, event.fact) == ("deal.stage_changed", f"deal.stage_changed:{deal}:Closed Won")
        assert (event.data["deal.stage"], event.data["previous.deal.stage"], event.data["changed"]) == (
            "Closed Won",
            "Prospecting",
            ["deal.stage"],
        )
        looks.wait(minutes=5)
        looks.org.edit("Opportunity", deal, Amount=7)
        assert looks.look() == []

    def test_a_lead_that_became_a_contact(self, looks: Looks) -> None:
        lead = looks.org.add("Lead", at=START - timedelta(days=9), LastName="Sample", Company="x")
        contact = looks.org.add("Contact", at=START - timedelta(days=9), LastName="Sample")
        looks.wait(minutes=5)
        looks.org.edit("Lead", lead, IsConverted=True, ConvertedContactId=contact)
        [event] = looks.look()
        assert (event.type, event.data["person.kept_ref"], event.data["person.lost_ref"]) == ("person.merged", contact, lead)

    def test_two_contacts_that_became_one(self, looks: Looks) -> None:
        kept, lost = (looks.org.add("Contact", at=START - timedelta(days=9), LastName=name) for name in ("a", "b"))
        looks.wait(minutes=5)
        looks.org.edit("Contact", lost, IsDeleted=True, MasterRecordId=kept)
        [event] = looks.look()
        assert (event.type, event.subject, event.data["person.lost_ref"]) == ("person.merged", f"contact/{kept}", lost)


class TestWhoHadOptedOutBefore:
    def test_is_told_at_the_first_look_and_never_again(self, looks: Looks) -> None:
        long_ago = START - timedelta(days=400)
        contact = looks.org.add("Contact", at=long_ago, LastName="Example", Phone="(202) 555-0101", SMS_Opt_Out__c=True)
        lead = looks.org.add("Lead", at=long_ago, LastName="Sample", Company="x", Phone="(202) 555-0102", SMS_Opt_Out__c=True)
        looks.org.add("Contact", at=long_ago, LastName="Other", Phone="(202) 555-0103")
        first = looks.look()
        assert {event.subject for event in first} == {f"contact/{contact}", f"lead/{lead}"}
        assert {event.type for event in first} == {"customer.consent_changed"}
        assert {hint.at for event in first for hint in event.people["customer"].consents} == {long_ago}
        looks.wait(minutes=15)
        assert looks.look() == []

    def test_an_organization_without_the_field_is_looked_through_all_the_same(self, looks: Looks) -> None:
        for kind in ("Contact", "Lead"):
            looks.org.fields[kind].discard("SMS_Opt_Out__c")
        looks.wait(minutes=5)
        looks.org.add("Contact", LastName="Example")
        assert [event.type for event in looks.look()] == ["contact.created"]


class TestWhatIsNoNews:
    def test_what_was_told_before(self, looks: Looks) -> None:
        looks.wait(minutes=5)
        looks.org.add("Lead", LastName="Sample", Company="x")
        first = facts(looks.look())
        for minutes in (3, 15, 600):
            looks.wait(minutes=minutes)
            assert facts(looks.look()) in (first, []), "the overlap may find it again: its fact is known"

    def test_what_a_message_told(self, looks: Looks) -> None:
        """Both ways have one fact, so that the second is a duplicate."""
        looks.wait(minutes=5)
        lead = looks.org.add("Lead", LastName="Sample", Company="x")
        made = replace(
            looks.vault.installation, settings={**looks.vault.installation.settings, "actions": {"04kxx0000099999": "lead.created"}}
        )
        body = looks.org.envelope("04kxx0000099999AAA", [("Lead", lead)])
        [told] = connector.read(WebhookRequest(headers={"content-type": "text/xml"}, body=body, received_at=looks.at), made)
        [found] = looks.look()
        assert (told.fact, told.type, told.subject) == (found.fact, found.type, found.subject)
        assert told.id != found.id

    def test_a_clock_of_ours_that_is_ahead_loses_nothing(self, looks: Looks) -> None:
        """The cursor is Salesforce's own stamp, not our time."""
        theirs = START
        looks.org.now = lambda: theirs
        looks.wait(hours=1)
        theirs += 2 * MINUTE
        looks.org.add("Lead", LastName="First", Company="x")
        looks.look()
        looks.wait(minutes=15)
        theirs += 15 * MINUTE
        looks.org.add("Lead", LastName="Second", Company="x")
        assert "Second" in {event.data["lead.last_name"] for event in looks.look()}

    def test_what_was_there_before_us(self, looks: Looks) -> None:
        looks.org.add("Lead", at=START - MINUTE, LastName="Sample", Company="x")
        assert looks.look() == []

    def test_what_we_wrote_ourselves(self, looks: Looks) -> None:
        looks.wait(minutes=5)
        looks.org.add("Case", by=looks.org.user, Subject="SMS reply")
        assert looks.look() == []

    def test_what_we_only_wrote_on_stays_news(self, looks: Looks) -> None:
        looks.look()
        looks.wait(minutes=5)
        contact = looks.org.add("Contact", LastName="Example")
        looks.org.edit("Contact", contact, by=looks.org.user, SMS_Opt_Out__c=True)
        assert [event.type for event in looks.look()] == ["contact.created"], "and our own tick is no news"

    def test_a_changed_record(self, looks: Looks) -> None:
        lead = looks.org.add("Lead", at=START - timedelta(days=3), LastName="Sample", Company="x")
        looks.wait(minutes=5)
        looks.org.edit("Lead", lead, Status="Working")
        assert looks.look() == []


class TestHowFar:
    def test_changes_that_became_visible_late_are_found(self, looks: Looks) -> None:
        """A transaction's stamp is older than the moment it ends."""
        looks.look()
        looks.wait(minutes=10)
        looks.org.add("Contact", LastName="On time")
        looks.look()
        looks.org.add("Contact", at=looks.at - 4 * MINUTE, LastName="Late")
        looks.wait(minutes=1)
        assert "Late" in {event.data.get("contact.last_name") for event in looks.look()}

    def test_no_further_than_facts_are_kept(self, looks: Looks) -> None:
        looks.wait(days=40)
        looks.org.add("Lead", at=looks.at - timedelta(days=30), LastName="Old", Company="x")
        looks.org.add("Lead", at=looks.at - timedelta(days=28), LastName="News", Company="x")
        assert [event.data["lead.last_name"] for event in looks.look()] == ["News"]

    def test_more_than_one_look_can_read_goes_on_at_the_next(self, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reconcile, "ROWS_MAX", 10)
        looks.wait(minutes=5)
        made = {looks.org.add("Lead", LastName=f"Sample {n}", Company="x") for n in range(25)}  # all in one millisecond
        found: set[str] = set()
        for _ in range(3):
            found |= {event.subject.partition("/")[2] for event in looks.look() if event.type == "lead.created"}
            looks.wait(minutes=15)
        assert found == made
        assert "from" not in looks.vault.installation.cursor["Lead"], "the rest was read: with overlap again"

    def test_deals_whose_stage_is_remembered_are_bounded(self, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reconcile, "STAGES_MAX", 5)
        for number in range(9):
            looks.org.add("Opportunity", at=START - timedelta(days=9 - number), Name=f"d{number}", StageName="Open")
        looks.look()
        assert len(looks.vault.installation.cursor["stages"]) == 5


class TestWhatIsMissing:
    def test_an_object_that_is_not_there_is_left_out(self, looks: Looks) -> None:
        looks.wait(minutes=5)
        looks.org.add("Contact", LastName="Example")
        del looks.org.fields["Lead"]
        assert [event.type for event in looks.look()] == ["contact.created"]

    def test_a_field_that_is_hidden_is_left_out(self, looks: Looks) -> None:
        looks.wait(minutes=5)
        looks.org.add("Contact", LastName="Example", Phone="(202) 555-0102")
        looks.org.hidden.add(("Contact", "MobilePhone"))
        [event] = looks.look()
        assert event.people["customer"].phones == ("(202) 555-0102",)

    def test_the_day_s_limit_ends_the_look(self, looks: Looks) -> None:
        looks.org.fail(Fault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
        with pytest.raises(PlatformThrottled):
            looks.look()

    def test_a_look_costs_six_calls(self, looks: Looks) -> None:
        """Four objects and two for merges; what the first look found missing is not asked for again that day."""
        looks.look()
        first = looks.org.hits
        looks.wait(minutes=15)
        looks.look()
        assert looks.org.hits - first == 6

    def test_a_field_that_was_hidden_is_asked_for_again_the_next_day(self, looks: Looks) -> None:
        looks.org.hidden.add(("Contact", "MobilePhone"))
        looks.look()
        looks.org.hidden.clear()
        for hours, phones in ((1, ()), (25, ("(202) 555-0101",))):
            looks.wait(hours=hours)
            looks.org.add("Contact", LastName="Example", MobilePhone="(202) 555-0101")
            assert looks.look()[-1].people["customer"].phones == phones


def test_a_gap_of_500_records_is_filled_without_loss(looks: Looks) -> None:
    """A14: messages were dropped after 24 hours; the look finds them all."""
    looks.look()
    looks.wait(hours=30)
    made = {looks.org.add("Lead", at=looks.at - timedelta(minutes=n), LastName=f"Sample {n}", Company="x") for n in range(500)}
    assert {event.subject.partition("/")[2] for event in looks.look()} == made
