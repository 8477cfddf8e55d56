"""The look back: what changed since the last one, read by SystemModstamp, and told as events.

Only what a record itself can prove is told: that it was made, that a deal has another stage than the one last seen, that somebody
opted out, that a lead became a contact or two contacts one. What a notification told has the same fact and ends as a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bellwire import Event, Installation, Json, Link, Person, PlatformRejected

from .client import Org, Row
from .enrich import person_fields
from .facts import CONSENT_CHANGED, KINDS, STAGE_CHANGED, event_of, is_ours
from .ids import long_id
from .people import PERSONS, consent_fields
from .records import Record, of_json, stamp, time_of
from .soql import moment, quoted

#: Facts are kept 30 days; what is older could not be told from news.
LONGEST = timedelta(days=29)
#: Changes become visible out of the order of their stamps, while transactions last.
OVERLAP = timedelta(minutes=5)

ROWS_MAX = 10_000  # of an object in one look; the next one goes on
STAGES_MAX = 1_000  # deals whose stage is remembered
_STAGES, _MISSING, _OPT_OUTS = "stages", "missing", "opt_outs"
_FORGOTTEN = timedelta(days=1)
_STAMPS = ("SystemModstamp", "CreatedDate", "CreatedById", "LastModifiedById")

#: Object → the fields that every organization has, and those that it need not have.
POLLED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Lead": ((), ("LeadSource", "IsConverted", "ConvertedContactId", "OwnerId")),
    "Contact": ((), ("OwnerId",)),
    "Case": (
        ("Id", "CaseNumber", "Subject", "Status", "ContactId"),
        ("Priority", "Origin", "OwnerId", "ContactMobile", "SuppliedPhone"),
    ),
    "Opportunity": (("Id", "Name", "StageName", "Amount", "CloseDate"), ("CurrencyIsoCode", "OwnerId")),
    "Order": (("Id", "OrderNumber", "Status", "TotalAmount", "BillToContactId"), ("Name", "CurrencyIsoCode", "OwnerId")),
}
DEFAULT_POLL = ("Lead", "Contact", "Case", "Opportunity")


@dataclass(slots=True)
class _Look:
    """One look of one job. `stages`: deal → stage, the oldest first. What is `missing` is asked for again once a day."""

    org: Org
    link: Link
    since: datetime
    stages: dict[str, str] = field(default_factory=dict)
    missing: dict[str, set[str]] = field(default_factory=dict)  # object → fields that it lacks, or hides from us

    @property
    def installation(self) -> Installation:
        return self.link.installation


def reconcile(link: Link, since: datetime) -> Sequence[Event]:
    """What changed since then (or since the last look, if that is earlier), as events. Raises PlatformError.

    An object that the organization or our user does not have is left out; `check` tells.
    """
    look = _Look(org=Org(link), link=link, since=since)
    kept = link.installation.cursor.get(_STAGES)
    look.stages = {str(deal): str(stage) for deal, stage in kept.items()} if isinstance(kept, Mapping) else _baseline(look.org)
    lacking, learnt_at = _lacking(link)
    look.missing = lacking
    events: list[Event] = [] if link.installation.cursor.get(_OPT_OUTS) else list(_opted_out(look))
    for kind in polled(link.installation):
        try:
            events += _poll(look, kind)
        except PlatformRejected as e:
            if e.code not in ("INVALID_TYPE", "INVALID_FIELD"):
                raise
    with suppress(PlatformRejected):
        events += _merged(look)
    stages: dict[str, Json] = dict(list(look.stages.items())[-STAGES_MAX:])
    kept_missing: dict[str, Json] = {kind: sorted(names) for kind, names in look.missing.items() if names}
    memory: dict[str, Json] = {_OPT_OUTS: True, _STAGES: stages, _MISSING: {"at": stamp(learnt_at), **kept_missing}}
    link.remember(**memory)
    return list({event.id: event for event in events}.values())


def _opted_out(look: _Look) -> Iterator[Event]:
    """Who had opted out before we came, at the first look: a state, not news, and nobody else would tell it."""
    for kind in polled(look.installation):
        out, _ = consent_fields(look.installation, kind)
        if kind not in PERSONS or not out:
            continue
        required, optional = person_fields(look.installation, kind)
        tail = f"WHERE {out} = true ORDER BY SystemModstamp DESC LIMIT {ROWS_MAX}"
        missing = look.missing.setdefault(kind, set())
        with suppress(PlatformRejected):
            for row in look.org.select(kind, (*required, *_STAMPS), tail, optional=optional, missing=missing, most=ROWS_MAX):
                record = of_json(kind, row)
                if record.id and record.flag(out):
                    yield event_of(record, look.installation, CONSENT_CHANGED, look.link.now())


def _lacking(link: Link) -> tuple[dict[str, set[str]], datetime]:
    """The fields that a look of the last day did not find, and when that was."""
    kept = link.installation.cursor.get(_MISSING)
    kept = kept if isinstance(kept, Mapping) else {}
    at = time_of(kept.get("at"))
    if at is None or at < link.now() - _FORGOTTEN:
        return {}, link.now()
    return {kind: set(names) for kind, names in kept.items() if isinstance(names, list)}, at


def polled(installation: Installation) -> tuple[str, ...]:
    """The objects that `settings.poll` names, of those that can be polled."""
    given = installation.settings.get("poll")
    return (
        tuple(one for one in given if one in POLLED) if isinstance(given, Sequence) and not isinstance(given, str) else DEFAULT_POLL
    )


def _poll(look: _Look, kind: str) -> list[Event]:
    news_from, where = _window(look, kind)
    required, optional = person_fields(look.installation, kind) if kind in PERSONS else POLLED[kind]
    more = POLLED[kind][1] if kind in PERSONS else ()
    tail = f"WHERE {where} ORDER BY SystemModstamp, Id LIMIT {ROWS_MAX}"
    events: list[Event] = []
    rows, last = 0, None
    for row in look.org.select(
        kind, (*required, *_STAMPS), tail, optional=(*optional, *more), missing=look.missing.setdefault(kind, set()), most=ROWS_MAX
    ):
        rows, last = rows + 1, of_json(kind, row)
        events += _told(look, last, news_from)
    _remember(look, kind, news_from, last, cut=rows >= ROWS_MAX)
    return events


def _window(look: _Look, kind: str) -> tuple[datetime, str]:
    """From when on a change is news, and the condition that finds the rows."""
    kept = look.installation.cursor.get(kind)
    kept = kept if isinstance(kept, Mapping) else {}
    last, last_id, cut = time_of(kept.get("t")), long_id(kept.get("id")), kept.get("from")
    floor = max(look.link.now() - LONGEST, look.installation.installed_at or look.since)
    if cut and last and last_id:  # the look before had more than it could read: go on behind its last row
        behind = f"(SystemModstamp > {moment(last)} OR (SystemModstamp = {moment(last)} AND Id > {quoted(last_id)}))"
        return max(time_of(cut) or look.since, floor), behind
    news_from = max(min(look.since, last) if last else look.since, floor)
    return news_from, f"SystemModstamp >= {moment(news_from - OVERLAP)}"


def _remember(look: _Look, kind: str, news_from: datetime, last: Record | None, *, cut: bool) -> None:
    changed = last.time("SystemModstamp") if last else None
    if last is None or changed is None:
        kept = look.installation.cursor.get(kind)
        if isinstance(kept, Mapping) and kept.get("from"):  # the rest was read: from here on with overlap again
            look.link.remember(**{kind: {"t": kept.get("t"), "id": kept.get("id")}})
        return
    look.link.remember(**{kind: {"t": stamp(changed), "id": last.id, **({"from": stamp(news_from)} if cut else {})}})


def _told(look: _Look, record: Record, news_from: datetime) -> Iterator[Event]:
    """What one record's present state proves."""
    installation, now = look.installation, look.link.now()
    kind = KINDS[record.kind]
    before = look.stages.get(record.id, "")
    stage = record.text("StageName") if record.kind == "Opportunity" else ""
    if stage:
        look.stages.pop(record.id, None)  # to the end: the oldest are forgotten first
        look.stages[record.id] = stage
    if not record.id:
        return
    created = record.time("CreatedDate")
    if created and created >= news_from and not is_ours(record, installation, kind.created):
        yield event_of(record, installation, kind.created, now)
    if is_ours(record, installation):
        return
    if stage and before and before != stage:
        yield event_of(record, installation, STAGE_CHANGED, now, previous={"deal.stage": before})
    out, _ = consent_fields(installation, record.kind)
    if record.kind in PERSONS and out and record.flag(out):
        yield event_of(record, installation, CONSENT_CHANGED, now)
    converted = record.ref("ConvertedContactId")
    if record.flag("IsConverted") and converted:
        yield _merge(converted, record.id, record.time("SystemModstamp") or now, "contact")


def _merged(look: _Look) -> Iterator[Event]:
    """Contacts and leads that were merged into another: the losers lie in the recycle bin and name the winner."""
    for kind in ("Contact", "Lead"):
        if kind not in polled(look.installation):
            continue
        from_ = max(look.since, look.link.now() - LONGEST) - OVERLAP
        where = f"IsDeleted = true AND MasterRecordId != null AND SystemModstamp >= {moment(from_)}"
        soql = f"SELECT Id, MasterRecordId, SystemModstamp FROM {kind} WHERE {where} LIMIT 200"  # noqa: S608  # our own names
        for row in look.org.query(soql, deleted=True, most=200):
            lost, kept = long_id(row.get("Id")), long_id(row.get("MasterRecordId"))
            if lost and kept:
                yield _merge(kept, lost, time_of(row.get("SystemModstamp")) or look.link.now(), KINDS[kind].word)


def _merge(kept: str, lost: str, at: datetime, word: str) -> Event:
    fact = f"person.merged:{kept}:{lost}"
    return Event(
        id=fact,
        type="person.merged",
        occurred_at=at,
        fact=fact,
        subject=f"{word}/{kept}",
        people={"customer": Person(ref=kept)},
        data={"person.kept_ref": kept, "person.lost_ref": lost},
    )


def _baseline(org: Org) -> dict[str, str]:
    """The open deals' stages at the first look: without them the first change of each would be missed."""
    soql = f"SELECT Id, StageName FROM Opportunity WHERE IsClosed = false ORDER BY SystemModstamp DESC LIMIT {STAGES_MAX}"  # noqa: S608  # a number
    rows: list[Row] = []
    with suppress(PlatformRejected):
        rows = list(org.query(soql, most=STAGES_MAX))
    found: list[tuple[str, Any]] = [(long_id(row.get("Id")), row.get("StageName")) for row in reversed(rows)]
    return {deal: str(stage) for deal, stage in found if deal and stage}
