"""Replies in: a person's text on the open case it belongs to, as a new case where that is wanted, else as a Task."""

from __future__ import annotations

from typing import Any

from bellwire import Link, PlatformRejected, ReplyNote

from .client import Org
from .ids import long_id, object_of
from .people import PHONES
from .soql import quoted
from .writeback import find_task, who_and_what

_COMMENT_MAX = 4_000
_LOOKED_AT = 100


def write_reply(note: ReplyNote, link: Link) -> None:
    """Write the reply once: its id stands in what is written, and is looked for before. Raises PlatformError.

    On the case it answers while that is open, else on the person's newest open case. STOP and its like open no case: what follows
    from them stands in the consent field.
    """
    org = Org(link)
    record, person = long_id(note.subject.partition("/")[2]), long_id(note.customer_ref)
    if not person and object_of(record) in PHONES:
        person = record
    case = _open_case(org, record, person)
    if case:
        _comment(org, case, note, public=link.installation.settings.get("reply_is_public") is True)
    elif link.installation.settings.get("reply_creates_case") is True and object_of(person) != "Lead" and not note.kind:
        _case(org, person, note)
    else:
        _task(org, person, record, note)


def _open_case(org: Org, record: str, person: str) -> str:
    wheres = [f"Id = {quoted(record)}"] if object_of(record) == "Case" else []
    wheres += [f"{name} = {quoted(person)}" for name, kind in _OF_PERSON if object_of(person) == kind]
    for where in wheres:
        soql = f"SELECT Id FROM Case WHERE {where} AND IsClosed = false ORDER BY CreatedDate DESC LIMIT 1"  # noqa: S608  # quoted
        found = next((long_id(row.get("Id")) for row in org.query(soql)), "")
        if found:
            return found
    return ""


_OF_PERSON = (("ContactId", "Contact"), ("AccountId", "Account"))


def _comment(org: Org, case: str, note: ReplyNote, *, public: bool) -> None:
    """A comment's body can't be searched in a query: the newest are read and looked through."""
    tail = f"ORDER BY CreatedDate DESC LIMIT {_LOOKED_AT}"
    soql = f"SELECT Id, CommentBody FROM CaseComment WHERE ParentId = {quoted(case)} {tail}"  # noqa: S608  # quoted
    if any(note.reply_id in str(row.get("CommentBody") or "") for row in org.query(soql)):
        return
    mark = f"\n\nSMS reply ({note.reply_id})"
    body = note.text[: _COMMENT_MAX - len(mark)] + mark
    org.create("CaseComment", {"ParentId": case, "CommentBody": body, "IsPublished": public})


def _case(org: Org, person: str, note: ReplyNote) -> None:
    subject = f"SMS reply ({note.reply_id})"
    soql = f"SELECT Id FROM Case WHERE Subject = {quoted(subject)} LIMIT 1"  # noqa: S608  # quoted
    if next(iter(org.query(soql)), None) is not None:
        return
    links = {name: person for name, kind in _OF_PERSON if object_of(person) == kind}
    values: dict[str, Any] = {"Origin": "SMS", "Subject": subject, "Description": note.text[:32_000], **links}
    org.create("Case", values)


def _task(org: Org, person: str, record: str, note: ReplyNote) -> None:
    links = who_and_what(person, record)
    if not links:
        raise PlatformRejected("salesforce: no case and no person to write the reply on", code="no_target")
    if find_task(org, links, note.reply_id):
        return
    org.create(
        "Task",
        {
            "Subject": f"SMS reply ({note.reply_id})",
            "Status": "Completed",
            "ActivityDate": note.at.date().isoformat(),
            "Description": note.text[:32_000],
            **links,
        },
    )
