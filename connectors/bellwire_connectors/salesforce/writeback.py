"""What became of a text, as a record of its own (SMS_Message__c, upserted by our message id), or as a completed Task.

Both may be written again without a second one appearing: by the external id, and by the message id in the Task's subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bellwire import Link, PlatformError, PlatformRejected, Retry, Status, StatusChange

from . import configured, failures
from .client import AT_ONCE, Org
from .ids import long_id, object_of
from .records import stamp
from .soql import containing, quoted

KEY = "Message_Id__c"
#: The fields that anybody's own object has; the others of ours are left out where they are missing.
LEAST = (KEY, "Status__c", "Direction__c", "Segments__c", "Error_Code__c", "Contact__c", "Sent_At__c")
#: Look-ups by the object they lead to.
LOOKUPS = {"Contact": "Contact__c", "Lead": "Lead__c", "Case": "Case__c", "Opportunity": "Opportunity__c", "Account": "Account__c"}
#: A look-up to what was deleted or merged, or may not be seen.
_BAD_LOOKUP = frozenset({"INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "ENTITY_IS_DELETED"})
_NO_OBJECT = frozenset({"NOT_FOUND", "INVALID_TYPE"})
_NOT_FOUND = 404
_NOT_YET = frozenset({Status.SCHEDULED, Status.QUEUED, Status.SENDING})
_SUBJECT_MAX = 255
_ROUNDS = 3  # whole, without our own fields, without look-ups

Values = dict[str, Any]


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """Write each message's newest status. Raises PlatformError.

    One that is refused does not keep the others from being written; it is raised at the end.
    """
    newest = {change.message_id: change for change in sorted(changes, key=lambda change: change.at)}
    told = list(newest.values())
    if not told:
        return
    org = Org(link)
    kind = configured.message_object(link.installation)
    errors: list[PlatformError] = []
    for start in range(0, len(told), AT_ONCE):
        some = told[start : start + AT_ONCE]
        if kind:
            try:
                errors += _upserted(org, kind, some)
                continue
            except PlatformRejected as e:
                if e.code not in _NO_OBJECT and e.http_status != _NOT_FOUND:
                    raise
                kind = ""  # the object was not deployed
        errors += _tasks(org, some)
    if errors:  # what may work the next time has the job repeated: nothing is written twice
        raise min(errors, key=lambda e: e.retry is Retry.NEVER)


# -- SMS_Message__c -----------------------------------------------------------------------------------------------------


def values_of(change: StatusChange) -> Values:
    """The record of a message. No name and no whole number; the text only where the setting asked for it."""
    record = record_of(change)
    person = long_id(change.customer_ref)
    values: Values = {
        KEY: change.message_id,
        "Status__c": change.status.value,
        "Direction__c": "outbound",
        "Error_Code__c": (change.error_code or change.error_class or change.reason)[:80] or None,
        "Segments__c": change.segments,
        "Sent_At__c": None if change.status in _NOT_YET else stamp(change.at),
        "Source__c": "bellwire",
        "Trigger__c": change.trigger[:255] or None,
        "Msisdn_Tail__c": change.msisdn_tail[-2:] or None,
        "Record_Id__c": record or person or None,
        "Text__c": change.text[:1600] or None,
    }
    for one in (record, person):  # who was texted wins
        lookup = LOOKUPS.get(object_of(one))
        if lookup:
            values[lookup] = one
    # null would take out what an earlier status wrote
    return {name: value for name, value in values.items() if value is not None}


def record_of(change: StatusChange) -> str:
    """The id of the record that the event was about, "" for none."""
    return long_id(change.subject.partition("/")[2])


def _upserted(org: Org, kind: str, changes: Sequence[StatusChange]) -> list[PlatformError]:
    """Upsert; what was refused again without the fields that the object lacks, and without look-ups that lead nowhere."""
    left: Sequence[Values] = [values_of(change) for change in changes]
    errors: list[PlatformError] = []
    for _ in range(_ROUNDS):
        left = _round(org, kind, left, errors)
        if not left:
            break
    return errors


def _round(org: Org, kind: str, records: Sequence[Values], errors: list[PlatformError]) -> list[Values]:
    """One call; the records to try again, mended. What can't be mended is added to `errors`."""
    try:
        results = org.upsert(kind, KEY, records)
    except PlatformRejected as e:
        mended = [_mended(one, e.code) for one in records]
        if not all(mended):
            raise
        return [one for one in mended if one]
    again: list[Values] = []
    for one, result in zip(records, results, strict=True):
        if result.get("success") is True:
            continue
        found = _mended(one, next((code for code, _, _ in failures.errors_in(result.get("errors"))), ""))
        if found:
            again.append(found)
        else:
            errors.append(failures.row_failure(f"upsert {kind}", result.get("errors")))
    return again


def _mended(record: Values, code: str) -> Values | None:
    """The record without what a code speaks of; None when there is nothing to leave out."""
    left = record
    if code == "INVALID_FIELD":
        left = {name: value for name, value in record.items() if name in LEAST}
    elif code in _BAD_LOOKUP:
        left = {name: value for name, value in record.items() if name not in LOOKUPS.values()}
    return left if len(left) < len(record) else None


# -- Task ---------------------------------------------------------------------------------------------------------------


def task_of(change: StatusChange) -> Values:
    """The Task of a message. A Lead's has no WhatId: Salesforce refuses the pair."""
    lines = {
        "Status": change.status.value,
        "Reason": change.reason,
        "Trigger": change.trigger,
        "Number": f"…{change.msisdn_tail[-2:]}" if change.msisdn_tail else "",
        "At": stamp(change.at),
        "Text": change.text,
    }
    return {
        "Subject": f"SMS {change.status.value} ({change.message_id})"[:_SUBJECT_MAX],
        "Status": "Completed",
        "ActivityDate": change.at.date().isoformat(),
        "Description": "\n".join(f"{name}: {value}" for name, value in lines.items() if value)[:32_000],
        **who_and_what(long_id(change.customer_ref), record_of(change)),
    }


def who_and_what(person: str, record: str) -> dict[str, str]:
    """A Task's links: WhoId a Contact or Lead, WhatId anything else, never beside a Lead. Empty when there is neither."""
    ids = [one for one in (record, person) if one]
    who = next((one for one in ids if object_of(one) in ("Contact", "Lead")), "")
    what = next((one for one in ids if object_of(one) not in ("Contact", "Lead")), "")
    if object_of(who) == "Lead":
        what = ""
    return {name: value for name, value in (("WhoId", who), ("WhatId", what)) if value}


def find_task(org: Org, links: Mapping[str, str], mark: str) -> str:
    """The id of the Task whose subject bears a mark, "" when it was not made yet."""
    where = " AND ".join(f"{name} = {quoted(value)}" for name, value in links.items())
    rows = org.query(f"SELECT Id FROM Task WHERE {where} AND Subject LIKE {containing(mark)} LIMIT 1")  # noqa: S608  # quoted
    return next((str(row.get("Id") or "") for row in rows), "")


def _tasks(org: Org, changes: Sequence[StatusChange]) -> Iterator[PlatformError]:
    for change in changes:
        task = task_of(change)
        links: dict[str, str] = {name: task[name] for name in ("WhoId", "WhatId") if name in task}
        if not links:
            yield PlatformRejected("salesforce: no record and no person to write on", code="no_target")
            continue
        try:
            found = find_task(org, links, change.message_id)
            if found:
                org.update("Task", found, {name: task[name] for name in ("Subject", "Description")})
            else:
                org.create("Task", task)
        except PlatformRejected as e:
            yield e
