"""What became of texts, written back: upserts, batches, fields that are missing, Tasks; never twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bellwire import (
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnavailable,
    PlatformUnreachable,
    Status,
    StatusChange,
)
from bellwire.testing import NOW
from bellwire_connectors.salesforce import connector
from bellwire_connectors.salesforce.writeback import LEAST, LOOKUPS, values_of
from standins.link import MemoryLink
from standins.salesforce import Fault, Organization
from standins.salesforce_objects import OBJECTS

LinkWith = Callable[..., MemoryLink]


def change(number: int = 1, status: Status = Status.DELIVERED, **more: Any) -> StatusChange:
    made = {"subject": "contact/003xx0000001AbCAAU", "trigger": "lead created", "msisdn_tail": "42", **more}
    return StatusChange(message_id=f"msg_{number:032x}", status=status, at=made.pop("at", NOW), **made)


def write(link: MemoryLink, *changes: StatusChange) -> None:
    assert connector.write_back is not None
    connector.write_back(changes, link)


def rows(org: Organization, kind: str = "SMS_Message__c") -> list[dict[str, Any]]:
    return list(org.records[kind].values())


class TestAMessageObject:
    def test_is_made_for_each_message_with_its_record(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        write(link, change(subject=f"contact/{contact}", customer_ref=contact, reason="", text="Hello"))
        [row] = rows(org)
        assert {name: row[name] for name in values_of(change()) if name in row} | {} == {
            "Message_Id__c": f"msg_{1:032x}",
            "Status__c": "delivered",
            "Direction__c": "outbound",
            "Sent_At__c": "2026-01-05T09:00:00.000Z",
            "Source__c": "bellwire",
            "Trigger__c": "lead created",
            "Msisdn_Tail__c": "42",
            "Record_Id__c": contact,
            "Contact__c": contact,
        }
        assert row["Text__c"] == "Hello"

    @pytest.mark.parametrize("kind", ["Lead", "Case", "Opportunity", "Account"])
    def test_leads_to_the_record_by_its_kind(self, org: Organization, link: MemoryLink, kind: str) -> None:
        contact = org.add("Contact", LastName="Example")
        record = org.add(kind)
        write(link, change(subject=f"x/{record}", customer_ref=contact))
        [row] = rows(org)
        assert (row[LOOKUPS[kind]], row["Contact__c"], row["Record_Id__c"]) == (record, contact, record)

    def test_of_an_object_of_their_own_names_its_id(self, org: Organization, link: MemoryLink) -> None:
        write(link, change(subject="record/a01xx0000001ReqAAE"))
        assert [row["Record_Id__c"] for row in rows(org)] == ["a01xx0000001ReqAAE"]

    def test_written_again_is_the_same_one(self, org: Organization, link: MemoryLink) -> None:
        for status in (Status.SENT, Status.DELIVERED, Status.DELIVERED):
            write(link, change(status=status, subject="record/a01xx0000001ReqAAE"))
        assert [row["Status__c"] for row in rows(org)] == ["delivered"]

    def test_an_answer_that_got_lost_makes_no_second_one(self, org: Organization, link: MemoryLink) -> None:
        org.fail(Fault(cut="after"))
        with pytest.raises(PlatformUnreachable):
            write(link, change(subject="record/a01xx0000001ReqAAE"))
        write(link, change(subject="record/a01xx0000001ReqAAE"))
        assert len(rows(org)) == 1

    def test_the_newest_status_of_a_message_counts(self, org: Organization, link: MemoryLink) -> None:
        later = change(status=Status.DELIVERED, at=NOW + timedelta(seconds=9), subject="record/a01xx0000001ReqAAE")
        write(link, later, change(status=Status.SENT, subject="record/a01xx0000001ReqAAE"))
        assert [row["Status__c"] for row in rows(org)] == ["delivered"]
        assert org.hits == 1

    @pytest.mark.parametrize("status", list(Status))
    def test_every_status_has_its_word(self, org: Organization, link: MemoryLink, status: Status) -> None:
        write(link, change(status=status, subject="record/a01xx0000001ReqAAE", reason="cap"))
        [row] = rows(org)
        assert (row["Status__c"], row["Error_Code__c"]) == (status.value, "cap")
        assert ("Sent_At__c" in row) == (status not in (Status.SCHEDULED, Status.QUEUED, Status.SENDING))

    def test_450_messages_are_three_calls(self, org: Organization, link: MemoryLink) -> None:
        write(link, *(change(number, subject="record/a01xx0000001ReqAAE") for number in range(450)))
        assert (len(rows(org)), org.hits) == (450, 3)


class TestWhatIsMissing:
    def test_fields_of_ours_that_the_object_lacks_are_left_out(self, org: Organization, link: MemoryLink) -> None:
        org.fields["SMS_Message__c"] -= {"Record_Id__c", "Trigger__c", "Source__c", "Lead__c", "Text__c", "Msisdn_Tail__c"}
        contact = org.add("Contact", LastName="Example")
        write(link, change(customer_ref=contact, segments=2))
        [row] = rows(org)
        assert (row["Status__c"], row["Contact__c"], row["Segments__c"]) == ("delivered", contact, 2)
        assert org.hits == 2

    def test_both_at_once_are_mended(self, org: Organization, link: MemoryLink) -> None:
        org.fields["SMS_Message__c"] -= {"Record_Id__c", "Trigger__c", "Source__c", "Lead__c", "Text__c", "Msisdn_Tail__c"}
        write(link, change(subject="contact/003xx0000009GonAAE"))
        assert ([row["Status__c"] for row in rows(org)], org.hits) == (["delivered"], 3)

    def test_why_a_text_did_not_arrive(self, org: Organization, link: MemoryLink) -> None:
        write(
            link, change(status=Status.FAILED, subject="record/a01xx0000001ReqAAE", error_class="unreachable", error_code="21614")
        )
        assert rows(org)[0]["Error_Code__c"] == "21614"

    def test_a_dead_look_up_is_left_out_and_the_others_are_written(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        gone = "003xx0000009GonAAE"
        write(link, change(1, customer_ref=contact, subject="x/"), change(2, subject=f"contact/{gone}"))
        assert [(row.get("Contact__c"), row["Record_Id__c"]) for row in rows(org)] == [(contact, contact), (None, gone)]

    def test_without_the_object_tasks_are_made(self, org: Organization, link: MemoryLink) -> None:
        del org.fields["SMS_Message__c"]
        contact = org.add("Contact", LastName="Example")
        write(link, change(subject=f"contact/{contact}"))
        assert [row["WhoId"] for row in rows(org, "Task")] == [contact]

    def test_a_row_that_is_refused_does_not_stop_the_others(self, org: Organization, link: MemoryLink) -> None:
        write(link, change(2, subject="record/a01xx0000001ReqAAE"))
        twin = {name: value for name, value in rows(org)[0].items() if name != "Id"}
        org.add("SMS_Message__c", **{name: value for name, value in twin.items() if name.endswith("__c")})
        with pytest.raises(PlatformRejected) as refused:
            write(
                link,
                change(1, subject="record/a01xx0000001ReqAAE"),
                change(2, Status.FAILED),
                change(3, subject="record/a01xx0000001ReqAAE"),
            )
        assert refused.value.code == "DUPLICATE_EXTERNAL_ID"
        assert {row["Message_Id__c"] for row in rows(org)} >= {f"msg_{1:032x}", f"msg_{3:032x}"}

    def test_a_locked_row_is_tried_again(self, org: Organization, link: MemoryLink) -> None:
        write(link, change(subject="record/a01xx0000001ReqAAE", status=Status.SENT))
        org.locked = {rows(org)[0]["Id"]}
        with pytest.raises(PlatformUnavailable) as again:
            write(link, change(subject="record/a01xx0000001ReqAAE"))
        assert again.value.code == "UNABLE_TO_LOCK_ROW"
        org.locked = set()
        write(link, change(subject="record/a01xx0000001ReqAAE"))
        assert [row["Status__c"] for row in rows(org)] == ["delivered"]

    def test_a_lock_outweighs_a_refusal(self, org: Organization, link: MemoryLink) -> None:
        """What may work the next time has the job repeated."""
        org.fail(
            Fault(
                200,
                body=b'[{"success":false,"errors":[{"statusCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"no","fields":[]}]},'
                b'{"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW","message":"no","fields":[]}]}]',
            )
        )
        with pytest.raises(PlatformUnavailable):
            write(link, change(1), change(2))

    def test_the_day_s_limit_is_a_throttle(self, org: Organization, link: MemoryLink) -> None:
        org.daily_limit = 0
        with pytest.raises(PlatformThrottled) as throttled:
            write(link, change())
        assert throttled.value.retry_after_s

    def test_nothing_is_asked_for_nothing(self, org: Organization, link: MemoryLink) -> None:
        write(link)
        assert org.hits == 0


class TestATask:
    def test_is_completed_on_the_person_and_the_record(self, org: Organization, link_with: LinkWith) -> None:
        contact, case = org.add("Contact", LastName="Example"), org.add("Case")
        write(link_with(message_object="Task"), change(subject=f"case/{case}", customer_ref=contact, reason="cap"))
        [task] = rows(org, "Task")
        assert (task["WhoId"], task["WhatId"], task["Status"]) == (contact, case, "Completed")
        assert task["Subject"] == f"SMS delivered (msg_{1:032x})"
        assert task["ActivityDate"] == "2026-01-05"
        assert task["Description"].splitlines() == [
            "Status: delivered",
            "Reason: cap",
            "Trigger: lead created",
            "Number: …42",
            "At: 2026-01-05T09:00:00.000Z",
        ]

    def test_of_a_lead_has_nothing_beside_it(self, org: Organization, link_with: LinkWith) -> None:
        lead, deal = org.add("Lead", LastName="x", Company="y"), org.add("Opportunity")
        write(link_with(message_object="Task"), change(subject=f"deal/{deal}", customer_ref=lead))
        [task] = rows(org, "Task")
        assert (task["WhoId"], task.get("WhatId")) == (lead, None)

    def test_of_the_same_message_is_changed_not_made_again(self, org: Organization, link_with: LinkWith) -> None:
        link, contact = link_with(message_object="Task"), org.add("Contact", LastName="Example")
        for status in (Status.SENT, Status.DELIVERED, Status.DELIVERED):
            write(link, change(subject=f"contact/{contact}", status=status))
        write(link, change(2, subject=f"contact/{contact}"))
        assert [row["Subject"] for row in rows(org, "Task")] == [f"SMS delivered (msg_{n:032x})" for n in (1, 2)]

    def test_that_may_have_been_made_is_looked_for(self, org: Organization, link_with: LinkWith) -> None:
        link, contact = link_with(message_object="Task"), org.add("Contact", LastName="Example")
        org.fail(Fault(200, body=b'{"records":[],"done":true}'), Fault(cut="after"))
        for _ in range(2):
            try:
                write(link, change(subject=f"contact/{contact}"))
            except PlatformError as e:
                assert isinstance(e, PlatformUnreachable)  # noqa: PT017  # the first time only
        assert len(rows(org, "Task")) == 1

    def test_for_nobody_is_refused(self, link_with: LinkWith) -> None:
        with pytest.raises(PlatformRejected) as refused:
            write(link_with(message_object="Task"), change(subject="action/x"))
        assert refused.value.code == "no_target"


def test_the_shipped_object_has_all_that_is_written() -> None:
    written = {
        name
        for ref in ("003xx0000001AbCAAU", "00Qxx0000001LdAEAU")
        for name in values_of(change(customer_ref=ref, text="x", reason="y"))
    }
    assert written | set(LEAST) | set(LOOKUPS.values()) <= set(OBJECTS["SMS_Message__c"])


def test_no_whole_number_and_no_text_unless_it_is_wanted() -> None:
    assert "Text__c" not in values_of(change())
    assert values_of(change(msisdn_tail="+12025550142"))["Msisdn_Tail__c"] == "42"
