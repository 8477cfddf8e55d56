"""The look back: records that changed since, found by search, and what happened to them, read out of their properties' history.

Only facts with a time of their own are told (made, moved to a stage, consent given or taken back): what came by webhook has the
same fact and is a duplicate. The search gives 10,000 records at most for one question and takes five questions a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bellwire import Event, Link, PlatformUnauthorized

from .answers import millis, time_of
from .bodies import Change
from .changes import events_of
from .client import Hub, mapping, results

OVERLAP = timedelta(minutes=5)  # the index of the search lags
LONGEST = timedelta(days=29)  # facts are kept 30 days: what is older could not be told from news
_PAGE = 100
_FOUND_MOST = 10_000
_QUESTIONS_MOST = 300
_BETWEEN_S = 0.25

_MODIFIED = {"contact": "lastmodifieddate", "deal": "hs_lastmodifieddate", "ticket": "hs_lastmodifieddate"}
_TYPE_IDS = {"contact": "0-1", "deal": "0-3", "ticket": "0-5"}


def reconcile(link: Link, since: datetime) -> Sequence[Event]:
    """What changed since then. Records whose scope is missing are left out; `check` tells. Raises PlatformError."""
    hub = Hub(link)
    events: list[Event] = []
    for kind in _MODIFIED:
        try:
            events.extend(_look(hub, link, kind, since))
        except PlatformUnauthorized as e:
            if e.http_status != 403:
                raise
    return events


def _look(hub: Hub, link: Link, kind: str, since: datetime) -> Iterator[Event]:
    began, cursor = link.now(), mapping(link.installation.cursor.get(kind))
    facts_from = max(min(since, time_of(cursor.get("since")) or since), began - LONGEST)
    if link.installation.installed_at:
        facts_from = max(facts_from, link.installation.installed_at)  # what was before us is not ours to tell
    asked_from = max(time_of(cursor.get("after")) or facts_from, facts_from)
    last, is_cut = asked_from, False
    for page, is_cut in _pages(hub, kind, asked_from):  # noqa: B007  # its last value says whether there is more
        for record in page:
            last = max(last, time_of(mapping(record.get("properties")).get(_MODIFIED[kind])) or last)
        yield from _told(hub, kind, page, facts_from)
    if is_cut:
        link.remember(**{kind: {"since": millis(facts_from), "after": millis(last)}})
    else:
        link.remember(**{kind: {"since": millis(began - OVERLAP)}})


def _pages(hub: Hub, kind: str, since: datetime) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Pages of changed records, oldest change first, and whether the look ends before the last one."""
    by, after, asked = _MODIFIED[kind], "", 0
    while True:
        if asked:
            time.sleep(_BETWEEN_S)
        filters = [[{"property_name": by, "operator": "GTE", "value": millis(since)}]]
        answer = hub.search(kind, filters, [by, "createdate"], sort=by, after=after, limit=_PAGE)
        page, asked = results(answer), asked + 1
        after = str(mapping(mapping(answer.get("paging")).get("next")).get("after") or "")
        yield page, bool(after) and asked >= _QUESTIONS_MOST
        if not after or asked >= _QUESTIONS_MOST:
            return
        if after.isdigit() and int(after) >= _FOUND_MOST:
            newest = max((time_of(mapping(one.get("properties")).get(by)) or since for one in page), default=since)
            if newest <= since:
                return  # 10,000 records of one moment: what is left of them can't be asked for
            since, after = newest, ""


def _told(hub: Hub, kind: str, page: Sequence[Mapping[str, Any]], facts_from: datetime) -> Iterator[Event]:
    for record in page:
        made = time_of(mapping(record.get("properties")).get("createdate")) or time_of(record.get("createdAt"))
        if made and made >= facts_from:
            yield from _events(hub, kind, "creation", str(record.get("id")), made)
    watched = {
        "contact": str(hub.installation.settings.get("consent_field") or ""),
        "deal": "dealstage",
        "ticket": "hs_pipeline_stage",
    }[kind]
    if not watched:
        return
    for number, history in hub.histories(kind, [str(record.get("id")) for record in page], watched).items():
        # the oldest stage is the one that the record was made with: no move
        for entry in history if kind == "contact" else history[:-1]:
            at = time_of(entry.get("timestamp"))
            if at and at >= facts_from:
                more = {
                    "property_name": watched,
                    "property_value": str(entry.get("value") or ""),
                    "change_source": str(entry.get("sourceType") or ""),
                    "source_id": str(entry.get("sourceId") or ""),
                }
                yield from _events(hub, kind, "propertyChange", number, at, **more)


def _events(hub: Hub, kind: str, what: str, number: str, at: datetime, **more: str) -> Iterator[Event]:
    """As the webhook would have told it."""
    portal, app = hub.installation.account_ref, str(hub.installation.settings.get("app_id") or "")
    change = Change(
        portal_id=int(portal) if portal.isdigit() else 0,
        subscription_type=f"object.{what}",
        object_type_id=_TYPE_IDS[kind],
        object_id=int(number),
        occurred_at=int(millis(at)),
        app_id=int(app) if app.isdigit() else None,
        property_name=more.get("property_name"),
        property_value=more.get("property_value"),
        change_source=more.get("change_source"),
        source_id=more.get("source_id"),
    )
    return events_of(change, hub.installation)
