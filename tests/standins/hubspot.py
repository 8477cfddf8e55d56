"""A portal that runs here: HubSpot's CRM, OAuth v3, workflow callbacks and conversations, as strict as the documents.

    with Portal() as portal:
        portal.url                              what an installation's `settings.base_url` is
        number = portal.add("contacts", mobilephone="+1202…")
        portal.communications()                 what stands on the timeline
        portal.completed                        runs of the workflow action that were told their end

Bearer tokens end after half an hour, batches take 100 inputs (50 with history), searches have a limit of their own, unknown
properties are refused, calls beyond the limit are 429 with `policyName`. Needs nothing of Bellwire but the stand-in's server.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bellwire import Json
from bellwire.testing.standins import Fault, HttpStandIn

Reply = tuple[int, Mapping[str, str], bytes]

#: Association type → which kinds it joins.
TYPES = {
    81: ("communications", "contacts"),
    85: ("communications", "deals"),
    83: ("communications", "tickets"),
    16: ("tickets", "contacts"),
}
KNOWN = {
    "contacts": (
        "firstname lastname email phone mobilephone lifecyclestage company hs_language hs_timezone hs_country_region_code country "
        "createdate lastmodifieddate hs_calculated_mobile_number hs_calculated_phone_number hubspot_owner_id "
        "hs_searchable_calculated_mobile_number hs_searchable_calculated_phone_number"
    ),
    "deals": "dealname dealstage pipeline amount deal_currency_code closedate hubspot_owner_id createdate hs_lastmodifieddate",
    "tickets": "subject content hs_pipeline hs_pipeline_stage hs_ticket_priority hubspot_owner_id createdate hs_lastmodifieddate",
    "communications": (
        "hs_communication_channel_type hs_communication_logged_from hs_communication_body hs_timestamp createdate "
        "hs_lastmodifieddate"
    ),
}
_MODIFIED = {"contacts": "lastmodifieddate"}


class Refuses(Exception):
    """An answer that is none."""

    def __init__(self, status: int, category: str = "VALIDATION_ERROR", message: str = "", **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = (
            status,
            {"status": "error", "category": category, "message": message, "correlationId": "c-1", **more},
        )


class Portal(HttpStandIn):
    """One portal with one app installed. Everything in it may be read and changed by a test."""

    token_paths = ("/oauth/v3/token",)

    def __init__(
        self, *, portal_id: str = "4711001", app_id: str = "314159", per_ten_seconds: int = 190, searches: int = 5
    ) -> None:
        super().__init__()
        self.portal_id, self.app_id = portal_id, app_id
        self.client_id, self.client_secret = "client-1", "hush-hush-hush"
        self.scopes = [
            "oauth",
            "crm.objects.contacts.read",
            "crm.objects.contacts.write",
            "automation",
            "crm.schemas.contacts.read",
        ]
        self.scopes += ["crm.schemas.contacts.write", "tickets", "crm.objects.deals.read", "crm.objects.owners.read"]
        self.tokens: dict[str, datetime | None] = {}
        self.refresh_tokens: set[str] = set()
        self.codes: dict[str, str] = {}  # code → redirect URI
        self.given_out = 0
        self.records: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KNOWN}
        self.history: dict[tuple[str, str, str], list[dict[str, str]]] = {}
        self.links: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.properties = {kind: set(names.split()) for kind, names in KNOWN.items()}
        self.unique: dict[str, set[str]] = {kind: set() for kind in KNOWN}
        self.owners: dict[str, dict[str, str]] = {"55": {"firstName": "Olga", "lastName": "Owner", "email": "olga@example.com"}}
        self.threads: dict[str, dict[str, Any]] = {}
        self.waiting: set[str] = set()  # callbacks of blocked runs
        self.completed: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.per_ten_seconds, self.searches = per_ten_seconds, searches
        self.limit_clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # the machine's own: a test's clock may stand still
        self.limited = 0  # calls beyond the limit
        self._recent: deque[datetime] = deque()
        self._searched: deque[datetime] = deque()
        self._next = 1000

    def __enter__(self) -> Portal:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- what the kit asks -----------------------------------------------------------------------------------------------

    def credentials(self) -> dict[str, Any]:
        """An OAuth install's."""
        token, renewal = self._grant()
        ends = (self.now() + timedelta(minutes=30)).isoformat()
        return {
            "portal_id": self.portal_id,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "access_token": token,
            "refresh_token": renewal,
            "access_token_expires_at": ends,
        }

    def settings(self) -> dict[str, Any]:
        """The app's number; the properties that every portal has at first are made."""
        self.properties["contacts"] |= {"sms_last_status", "sms_consent_status", "sms_consent_status_at"}
        return {"app_id": self.app_id}

    def subject(self) -> str:
        """A new contact."""
        return f"contact/{self.add('contacts', firstname='Ada', mobilephone='+12025550142')}"

    def written(self) -> Json:
        """The timeline and the status properties, without HubSpot's ids."""
        entries = sorted(one["hs_communication_body"] for one in self.records["communications"].values())
        return {
            "timeline": entries,
            "statuses": sorted(one.get("sms_last_status", "") for one in self.records["contacts"].values()),
        }

    def expire_tokens(self) -> None:
        """Every access token is over."""
        for token in self.tokens:
            self.tokens[token] = self.now() - timedelta(seconds=1)

    def refreshes(self) -> int:
        """Tokens given out for a refresh token."""
        return self.given_out

    def person(self) -> tuple[str, str]:
        """A contact with a number."""
        return "+12025550142", f"contact/{self.add('contacts', mobilephone='+1 202 555 0142')}"

    def consent(self, msisdn: str) -> str:
        """The consent property of who has the number."""
        for one in self.records["contacts"].values():
            if re.sub(r"\D", "", one.get("mobilephone") or "") == msisdn.removeprefix("+"):
                return str(one.get("sms_consent_status") or "")
        return ""

    def happen(self) -> str:
        """A deal moves."""
        number = self.add("deals", dealname="Roof", dealstage="qualified", pipeline="default")
        self.set("deals", number, dealstage="contractsent")
        return f"deal/{number}"

    # -- what is in the portal -------------------------------------------------------------------------------------------

    def private_token(self) -> str:
        """A private app's token, which does not end."""
        token = f"pat-na1-{secrets.token_hex(16)}"
        self.tokens[token] = None
        return token

    def add(self, kind: str, **values: str) -> str:
        """A record; its id."""
        with self.lock:
            self._next += 1
            number = str(self._next)
            self.records[kind][number] = {"createdate": _iso(self.now())}
            self.set(kind, number, source="CRM_UI", **values)
            return number

    def set(self, kind: str, number: str, *, source: str = "CRM_UI", source_id: str = "userId:1", **values: str) -> None:
        """Set properties, with their history."""
        at = _iso(self.now())
        for phone, searchable in (("mobilephone", "mobile"), ("phone", "phone")):
            if kind == "contacts" and phone in values:
                digits = re.sub(r"\D", "", values[phone])[-10:]
                self.records[kind][number][f"hs_searchable_calculated_{searchable}_number"] = digits
        for name, value in values.items():
            self.records[kind][number][name] = value
            entry = {"value": value, "timestamp": at, "sourceType": source, "sourceId": source_id}
            self.history.setdefault((kind, number, name), []).insert(0, entry)
        self.records[kind][number][_MODIFIED.get(kind, "hs_lastmodifieddate")] = at

    def join(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """Associate two records."""
        self.links.setdefault(one, []).append(other)
        self.links.setdefault(other, []).append(one)

    def communications(self) -> list[dict[str, Any]]:
        """The timeline entries, each with `to`: what it is associated with."""
        return [
            {**values, "to": sorted(self.links.get(("communications", number), []))}
            for number, values in self.records["communications"].items()
        ]

    def code(self, redirect_uri: str) -> str:
        """What an admin who consents comes back with."""
        code = secrets.token_hex(8)
        self.codes[code] = redirect_uri
        return code

    def calls_of(self, *paths: str) -> int:
        """How many calls began with one of these (`POST /crm/v3/objects/contacts/batch/read`)."""
        return sum(one.startswith(paths) for one in self.asked)

    @contextmanager
    def without(self, scope: str) -> Iterator[None]:
        """A scope is taken away for a while."""
        self.scopes.remove(scope)
        try:
            yield
        finally:
            self.scopes.append(scope)

    # -- answering -------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One call."""
        parts = urlsplit(path)
        self.asked.append(f"{method} {parts.path}")
        try:
            if parts.path == "/oauth/v3/token":
                return _json(200, self._token(method, parts.query, headers, body))
            self._let_in(headers)
            self._limit(self._recent, self.per_ten_seconds, 10, "TEN_SECONDLY_ROLLING")
            given = json.loads(body) if body else {}
            return self._route(method, parts.path, dict(parse_qsl(parts.query)), given)
        except Refuses as e:
            return _json(e.status, e.body)

    def _route(self, method: str, path: str, query: Mapping[str, str], given: Any) -> Reply:
        steps = path.strip("/").split("/")
        match method, steps:
            case "POST", ["crm", "v3" | "objects", "objects" | "2026-03", kind, *rest] if kind in self.records:
                return self._objects(kind, rest, given)
            case "PATCH", ["crm", "v3" | "objects", "objects" | "2026-03", kind, number] if kind in self.records:
                return _json(200, self._update(kind, number, given["properties"]))
            case "POST", ["crm", "v4", "associations", one, other, "batch", "read"]:
                return _json(200, self._associations(one, other, given))
            case "GET", ["crm", "v3", "owners", number]:
                self._needs("crm.objects.owners.read")
                if number not in self.owners:
                    raise Refuses(404, "OBJECT_NOT_FOUND")
                return _json(200, {"id": number, **self.owners[number]})
            case "POST", ["crm", "v3", "properties", kind, *rest]:
                return self._new_property(kind, rest, given)
            case "GET", ["crm", "v3", "properties", kind, name]:
                if name not in self.properties.get(kind, ()):
                    raise Refuses(404, "OBJECT_NOT_FOUND")
                return _json(200, {"name": name})
            case "POST", ["automation", "v4", "actions", "callbacks", *rest]:
                return self._callbacks(rest, given)
            case "GET", ["conversations", "v3", "conversations", "threads", thread, *rest]:
                return _json(200, self._thread(thread, rest, query))
            case "GET", ["account-info", "v3", "details"]:
                return _json(200, {"portalId": int(self.portal_id), "timeZone": "America/New_York", "companyCurrency": "USD"})
        raise Refuses(404, "OBJECT_NOT_FOUND", f"no such path: {path}")

    def _objects(self, kind: str, rest: Sequence[str], given: Any) -> Reply:
        self._needs({"tickets": "tickets", "deals": "crm.objects.deals.read"}.get(kind, "crm.objects.contacts.read"))
        match rest:
            case []:
                return _json(201, self._create(kind, given))
            case ["search"]:
                return _json(200, self._search(kind, given))
            case ["batch", what]:
                inputs = self._inputs(given, 50 if given.get("propertiesWithHistory") else 100)
                if what == "read":
                    return self._read(kind, given, inputs)
                if what == "create":
                    return _json(201, {"status": "COMPLETE", "results": [self._create(kind, one) for one in inputs]})
                if what == "update":
                    return self._update_all(kind, inputs)
        raise Refuses(404, "OBJECT_NOT_FOUND")

    def _inputs(self, given: Any, most: int) -> list[dict[str, Any]]:
        inputs = given.get("inputs")
        if not isinstance(inputs, list) or not inputs or len(inputs) > most:
            raise Refuses(400, message=f"inputs must hold 1 to {most}")
        return inputs

    def _read(self, kind: str, given: Any, inputs: Sequence[Mapping[str, str]]) -> Reply:
        by, wanted, past = given.get("idProperty"), given.get("properties") or [], given.get("propertiesWithHistory") or []
        if by and by not in self.unique[kind]:
            raise Refuses(400, message=f"{by} is not a unique property")
        found, missing = [], 0
        for one in inputs:
            numbers = [one["id"]] if not by else [key for key, value in self.records[kind].items() if value.get(by) == one["id"]]
            if not numbers or numbers[0] not in self.records[kind]:
                missing += 1
                continue
            found.append(self._shown(kind, numbers[0], [*wanted, *([by] if by else [])], past))
        errors = {"numErrors": missing, "errors": [{"status": "error", "category": "OBJECT_NOT_FOUND"}]} if missing else {}
        return _json(207 if missing else 200, {"status": "COMPLETE", "results": found, **errors})

    def _shown(self, kind: str, number: str, wanted: Sequence[str], past: Sequence[str] = ()) -> dict[str, Any]:
        values = self.records[kind][number]
        unknown = [name for name in past if name not in self.properties[kind]]
        if unknown:
            raise Refuses(400, "PROPERTY_DOESNT_EXIST")
        shown = {name: values.get(name) for name in wanted if name in self.properties[kind]}
        made: dict[str, Any] = {"id": number, "properties": {**shown, "createdate": values["createdate"]}, "archived": False}
        made["createdAt"] = made["updatedAt"] = values["createdate"]
        if past:
            made["propertiesWithHistory"] = {name: self.history.get((kind, number, name), []) for name in past}
        return made

    def _checked(self, kind: str, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if name not in self.properties[kind]:
                raise Refuses(400, message=f'Property "{name}" does not exist', subCategory="PROPERTY_DOESNT_EXIST")
            if not isinstance(value, str):
                raise Refuses(400, message="a value is no text")
        if kind == "communications" and values.get("hs_communication_logged_from", "CRM") != "CRM":
            raise Refuses(400, message="logged_from must be CRM")

    def _create(self, kind: str, given: Any) -> dict[str, Any]:
        values = given.get("properties") or {}
        self._checked(kind, values)
        if kind == "communications" and values.get("hs_communication_channel_type") not in {"SMS", "WHATS_APP", "LINKEDIN_MESSAGE"}:
            raise Refuses(400, message="hs_communication_channel_type is missing")
        for name in self.unique[kind] & values.keys():
            if any(one.get(name) == values[name] for one in self.records[kind].values()):
                raise Refuses(409, "CONFLICT", f"{name} is taken")
        joins = []
        for one in given.get("associations") or []:
            for made in one["types"]:
                here, there = TYPES[made["associationTypeId"]]
                if here != kind or str(one["to"]["id"]) not in self.records[there]:
                    raise Refuses(400, message="no such association")
                joins.append((there, str(one["to"]["id"])))
        number = self.add(kind, **values)
        for other in joins:
            self.join((kind, number), other)
        return self._shown(kind, number, list(values))

    def _update(self, kind: str, number: str, values: Mapping[str, str]) -> dict[str, Any]:
        if number not in self.records[kind]:
            raise Refuses(404, "OBJECT_NOT_FOUND")
        self._checked(kind, values)
        self.set(kind, number, source="INTEGRATION", source_id=self.app_id, **values)
        return self._shown(kind, number, list(values))

    def _update_all(self, kind: str, inputs: Sequence[Mapping[str, Any]]) -> Reply:
        for one in inputs:
            self._checked(kind, one["properties"])
        done, missing = [], 0
        for one in inputs:
            try:
                done.append(self._update(kind, one["id"], one["properties"]))
            except Refuses:
                missing += 1
        errors = {"numErrors": missing, "errors": [{"category": "OBJECT_NOT_FOUND"}]} if missing else {}
        return _json(207 if missing else 200, {"status": "COMPLETE", "results": done, **errors})

    def _search(self, kind: str, given: Any) -> dict[str, Any]:
        self._limit(self._searched, self.searches, 1, "SECONDLY")
        limit, first = int(given.get("limit") or 10), int(given.get("after") or 0)
        if limit > 200 or first + limit > 10_000:
            raise Refuses(400, message="a search gives 10,000 records at most")
        groups = given.get("filterGroups") or []
        hits = [
            (number, values)
            for number, values in self.records[kind].items()
            if not groups or any(all(_holds(values, one) for one in group["filters"]) for group in groups)
        ]
        for by in given.get("sorts") or []:
            hits.sort(key=lambda hit: str(hit[1].get(by) or ""))
        page = [self._shown(kind, number, given.get("properties") or []) for number, _ in hits[first : first + limit]]
        more = {"paging": {"next": {"after": str(first + limit)}}} if len(hits) > first + limit else {}
        return {"total": len(hits), "results": page, **more}

    def _associations(self, one: str, other: str, given: Any) -> dict[str, Any]:
        found = []
        for item in self._inputs(given, 1000):
            to = [number for kind, number in self.links.get((one, item["id"]), []) if kind == other]
            if to:
                found.append(
                    {"from": {"id": item["id"]}, "to": [{"toObjectId": int(number), "associationTypes": []} for number in to]}
                )
        return {"status": "COMPLETE", "results": found}

    def _new_property(self, kind: str, rest: Sequence[str], given: Any) -> Reply:
        self._needs("crm.schemas.contacts.write")
        name = given["name"]
        if rest == ["groups"]:
            return _json(201, given)
        if name in self.properties[kind]:
            raise Refuses(409, "OBJECT_ALREADY_EXISTS")
        self.properties[kind].add(name)
        if given.get("hasUniqueValue"):
            self.unique[kind].add(name)
        return _json(201, given)

    def _callbacks(self, rest: Sequence[str], given: Any) -> Reply:
        self._needs("automation")
        ends = {one["callbackId"]: one["outputFields"] for one in self._inputs(given, 100)} if rest == ["complete"] else {}
        if len(rest) == 2 and rest[1] == "complete":
            ends = {rest[0]: given["outputFields"]}
        if any("typedOutputs" not in one for one in given.get("inputs", [given])):
            raise Refuses(400, message="typedOutputs is missing")
        if not ends or any(callback not in self.waiting for callback in ends):
            raise Refuses(404, "OBJECT_NOT_FOUND", "no blocked run")
        self.waiting -= ends.keys()
        self.completed |= ends
        return 204, {}, b""

    def _thread(self, thread: str, rest: Sequence[str], query: Mapping[str, str]) -> dict[str, Any]:
        found = self.threads.get(thread)
        if found is None:
            raise Refuses(404, "OBJECT_NOT_FOUND")
        if rest:
            return dict(found["messages"][rest[1]])
        ticket = (
            {"threadAssociations": {"associatedTicketId": found["ticket"]}} if query.get("association") and found["ticket"] else {}
        )
        return {"id": thread, **ticket}

    # -- tokens and limits -----------------------------------------------------------------------------------------------

    def _token(self, method: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        asked = dict(parse_qsl(body.decode()))
        if method != "POST" or query or "urlencoded" not in headers.get("content-type", ""):
            raise Refuses(400, "BAD_REQUEST", "parameters go into the form")
        if (asked.get("client_id"), asked.get("client_secret")) != (self.client_id, self.client_secret):
            raise Refuses(400, "BAD_CLIENT_ID")
        if asked.get("grant_type") == "refresh_token":
            if asked.get("refresh_token") not in self.refresh_tokens:
                raise Refuses(400, "BAD_REFRESH_TOKEN")
            self.given_out += 1
            token, renewal = self._grant(str(asked["refresh_token"]))
        elif asked.get("grant_type") == "authorization_code" and self.codes.get(asked.get("code", "")) == asked.get("redirect_uri"):
            del self.codes[asked["code"]]
            token, renewal = self._grant()
        else:
            raise Refuses(400, "BAD_AUTH_CODE")
        told = {"access_token": token, "refresh_token": renewal, "expires_in": 1800, "token_type": "bearer"}
        return {**told, "hub_id": int(self.portal_id), "scopes": list(self.scopes)}

    def _grant(self, renewal: str = "") -> tuple[str, str]:
        token, renewal = f"CK{secrets.token_hex(16)}", renewal or secrets.token_hex(16)
        self.tokens[token] = self.now() + timedelta(minutes=30)
        self.refresh_tokens.add(renewal)
        return token, renewal

    def _let_in(self, headers: Mapping[str, str]) -> None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        ends = self.tokens.get(token, self.now())
        if token not in self.tokens or (ends is not None and ends <= self.now()):
            raise Refuses(401, "EXPIRED_AUTHENTICATION", "the token is over")

    def _needs(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Refuses(403, "MISSING_SCOPES", "a scope is missing")

    def _limit(self, recent: deque[datetime], most: int, seconds: float, policy: str) -> None:
        now = self.limit_clock()
        while recent and now - recent[0] >= timedelta(seconds=seconds):
            recent.popleft()
        if len(recent) >= most:
            self.limited += 1
            raise Refuses(429, "RATE_LIMITS", "You have reached your limit.", errorType="RATE_LIMIT", policyName=policy)
        recent.append(now)

    def counted(self) -> Counter[str]:
        """How often each path was called, ids left out."""
        return Counter(re.sub(r"/\d[^/]*", "/…", one) for one in self.asked)


def _holds(values: Mapping[str, str], one: Mapping[str, Any]) -> bool:
    value, wanted = str(values.get(one["propertyName"]) or ""), str(one.get("value") or "")
    match one["operator"]:
        case "GTE":
            return bool(value) and _millis(value) >= int(wanted)
        case "EQ":
            return value == wanted
        case "CONTAINS_TOKEN":
            return wanted.strip("*") in value
    raise Refuses(400, message="an operator that is not played here")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _millis(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)


def _json(status: int, body: Any) -> Reply:
    return status, {}, json.dumps(body).encode()


__all__ = ["Fault", "Portal"]
