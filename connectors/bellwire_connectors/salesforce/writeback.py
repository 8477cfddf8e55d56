"""What became of a text, as a record of its own (SMS_Message__c, upserted by our message id), or as a completed Task.

Both may be written again without a second one appearing: by the external id, and by the message id in the Task's subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bellwire import Link, PlatformError, PlatformRejected, Retry, Status, StatusChange

from . import configured, failures
from .client import AT_ONCE, Org
from .ids import long_id, object_of
from .records import stamp
from .soql import containing, quoted

KEY = "Message_Id__c"
#: The fields that anybody's own object has; the others of ours are left out where they are missing.
LEAST = (KEY, "Status__c", "Direction__c", "Error_Code__c", "Contact__c", "Sent_At__c")
#: Look-ups by the object they lead to.
LOOKUPS = {"Contact": "Contact__c", "Lead": "Lead__c", "Case": "Case__c", "Opportunity": "Opportunity__c", "Account": "Account__c"}
#: A look-up to what was deleted or merged, or may not be seen.
_BAD_LOOKUP = frozenset({"INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "ENTITY_IS_DELETED"})
_NO_OBJECT = frozenset({"NOT_FOUND", "INVALID_TYPE"})
_NOT_YET = frozenset({Status.SCHEDULED, Status.QUEUED, Status.SENDING})
_SUBJECT_MAX = 255

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
    kind = configured.field_name(link.installation, "message_object", configured.MESSAGE_OBJECT)
    errors: list[PlatformError] = []
    for start in range(0, len(told), AT_ONCE):
        some = told[start : start + AT_ONCE]
        if kind and kind != "Task":
            try:
                errors += _upserted(org, kind, some)
                continue
            except PlatformRejected as e:
                if e.code not in _NO_OBJECT:
                    raise
                kind = "Task"  # the object was not deployed
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
        "Error_Code__c": change.reason[:80] or None,
        "Sent_At__c": None if change.status in _NOT_YET else stamp(change.at),
        "Source__c": "bellwire",
        "Trigger__c": change.trigger[:255] or None,
        "Msisdn_Tail__c": change.msisdn_tail[-2:] or None,
        "Record_Id__c": record or person or None,
        "Text__c": change.text[:1600] or None,
    }
    for one in (person, record):
        lookup = LOOKUPS.get(object_of(one))
        if lookup:
            values[lookup] = one
    # null would take out what an earlier status wrote
    return {name: value for name, value in values.items() if value is not None}


def record_of(change: StatusChange) -> str:
    """The id of the record that the event was about, "" for none."""
    return long_id(change.subject.partition("/")[2])


def _upserted(org: Org, kind: str, changes: Sequence[StatusChange]) -> list[PlatformError]:
    """Upsert; a second time without the fields that the object lacks, a row with a dead look-up again without look-ups."""
    records = [values_of(change) for change in changes]
    errors: list[PlatformError] = []
    left = _round(org, kind, records, errors, _without_lookups)
    if left:
        _round(org, kind, left, errors, None)
    return errors


def _round(
    org: Org, kind: str, records: Sequence[Values], errors: list[PlatformError], mend: Callable[[Values, str], Values | None] | None
) -> list[Values]:
    """One call; the records to try again, mended. Other failures are added to `errors`."""
    try:
        results = org.upsert(kind, KEY, records)
    except PlatformRejected as e:
        if e.code != "INVALID_FIELD" or mend is None:
            raise
        return [{name: one[name] for name in LEAST if name in one} for one in records]
    again: list[Values] = []
    for one, result in zip(records, results, strict=True):
        if result.get("success") is True:
            continue
        code = next((code for code, _, _ in failures.errors_in(result.get("errors"))), "")
        mended = mend(one, code) if mend is not None else None
        if mended is not None:
            again.append(mended)
        else:
            errors.append(failures.row_failure(f"upsert {kind}", result.get("errors")))
    return again


def _without_lookups(record: Values, code: str) -> Values | None:
    if code == "INVALID_FIELD":
        return {name: record[name] for name in LEAST if name in record}
    if code not in _BAD_LOOKUP or not set(record) & set(LOOKUPS.values()):
        return None
    return {name: value for name, value in record.items() if name not in LOOKUPS.values()}


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
