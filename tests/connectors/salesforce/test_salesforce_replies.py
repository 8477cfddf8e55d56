"""A person's reply: on the open case, as a new one, or as a Task; once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bellwire import Msisdn, PlatformRejected, PlatformUnreachable, ReplyNote
from bellwire.testing import NOW
from bellwire_connectors.salesforce import connector
from standins.link import MemoryLink
from standins.salesforce import Fault, Organization

LinkWith = Callable[..., MemoryLink]


def reply(link: MemoryLink, number: int = 1, text: str = "Yes, please", **more: Any) -> None:
    assert connector.write_reply is not None
    connector.write_reply(ReplyNote(reply_id=f"rpl_{number:032x}", msisdn=Msisdn("+12025550142"), text=text, at=NOW, **more), link)


def rows(org: Organization, kind: str) -> list[dict[str, Any]]:
    return list(org.records[kind].values())


class TestACase:
    def test_that_is_open_gets_a_comment(self, org: Organization, link: MemoryLink) -> None:
        case = org.add("Case", Subject="Printer")
        reply(link, subject=f"case/{case}")
        [comment] = rows(org, "CaseComment")
        assert (comment["ParentId"], comment["IsPublished"]) == (case, False)
        assert comment["CommentBody"] == f"Yes, please\n\nSMS reply (rpl_{1:032x})"
        assert "2025550142" not in str(comment)

    def test_shows_it_to_the_contact_where_that_is_wanted(self, org: Organization, link_with: LinkWith) -> None:
        case = org.add("Case")
        reply(link_with(reply_is_public=True), subject=f"case/{case}")
        assert rows(org, "CaseComment")[0]["IsPublished"] is True

    def test_the_person_s_newest_open_one_is_found(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        org.add("Case", at=NOW - timedelta(days=3), ContactId=contact)
        newest = org.add("Case", at=NOW - timedelta(days=2), ContactId=contact)
        org.add("Case", at=NOW - timedelta(days=1), ContactId=contact, IsClosed=True)
        org.add("Case", at=NOW)
        reply(link, subject=f"contact/{contact}", customer_ref=contact)
        assert [row["ParentId"] for row in rows(org, "CaseComment")] == [newest]

    def test_that_is_closed_hands_it_to_another(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        closed, other = org.add("Case", ContactId=contact, IsClosed=True), org.add("Case", ContactId=contact)
        reply(link, subject=f"case/{closed}", customer_ref=contact)
        assert [row["ParentId"] for row in rows(org, "CaseComment")] == [other]

    def test_a_comment_is_made_once(self, org: Organization, link: MemoryLink) -> None:
        case = org.add("Case")
        org.fail(
            Fault(200, body=b'{"records":[{"Id":"%s"}],"done":true}' % case.encode()),
            Fault(200, body=b'{"records":[],"done":true}'),
            Fault(cut="after"),
        )
        with pytest.raises(PlatformUnreachable):
            reply(link, subject=f"case/{case}")
        reply(link, subject=f"case/{case}")
        reply(link, 2, subject=f"case/{case}")
        assert len(rows(org, "CaseComment")) == 2

    def test_a_long_text_is_cut_and_keeps_its_mark(self, org: Organization, link: MemoryLink) -> None:
        case = org.add("Case")
        reply(link, text="x" * 6_000, subject=f"case/{case}")
        [comment] = rows(org, "CaseComment")
        assert len(comment["CommentBody"]) == 4_000
        assert comment["CommentBody"].endswith(f"(rpl_{1:032x})")


class TestWithoutAnOpenCase:
    def test_a_task_is_made_once(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        for _ in range(2):
            reply(link, subject=f"contact/{contact}", customer_ref=contact)
        [task] = rows(org, "Task")
        assert (task["WhoId"], task["Description"], task["Status"]) == (contact, "Yes, please", "Completed")
        assert task["Subject"] == f"SMS reply (rpl_{1:032x})"

    def test_a_lead_s_is_on_the_lead(self, org: Organization, link_with: LinkWith) -> None:
        lead = org.add("Lead", LastName="Sample", Company="x")
        reply(link_with(reply_creates_case=True), subject=f"lead/{lead}", customer_ref=lead)
        assert [row["WhoId"] for row in rows(org, "Task")] == [lead]

    def test_a_case_is_opened_once_where_that_is_wanted(self, org: Organization, link_with: LinkWith) -> None:
        contact = org.add("Contact", LastName="Example")
        link = link_with(reply_creates_case=True)
        org.fail(Fault(cut="after"))
        with pytest.raises(PlatformUnreachable):
            reply(link, subject=f"contact/{contact}", customer_ref=contact)
        reply(link, subject=f"contact/{contact}", customer_ref=contact)
        [case] = rows(org, "Case")
        assert (case["Origin"], case["ContactId"], case["Description"]) == ("SMS", contact, "Yes, please")

    def test_the_next_reply_is_a_comment_on_it(self, org: Organization, link_with: LinkWith) -> None:
        contact, link = org.add("Contact", LastName="Example"), link_with(reply_creates_case=True)
        for number in (1, 2):
            reply(link, number, subject=f"contact/{contact}", customer_ref=contact)
        assert (len(rows(org, "Case")), len(rows(org, "CaseComment"))) == (1, 1)

    @pytest.mark.parametrize("kind", ["stop", "start", "help"])
    def test_a_keyword_opens_no_case(self, org: Organization, link_with: LinkWith, kind: str) -> None:
        contact = org.add("Contact", LastName="Example")
        reply(link_with(reply_creates_case=True), text="STOP", kind=kind, subject=f"contact/{contact}", customer_ref=contact)
        assert (rows(org, "Case"), len(rows(org, "Task"))) == ([], 1)

    def test_nobody_s_reply_is_refused(self, link: MemoryLink) -> None:
        with pytest.raises(PlatformRejected) as refused:
            reply(link, subject="contact/0192f0c8000070008000000000000001")
        assert refused.value.code == "no_target"
