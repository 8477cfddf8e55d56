"""The stand-in organization's REST API: queries, searches, records, collections; each refuses what the documents say it refuses."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from standins import salesforce_objects as objects
from standins.salesforce_soql import Wrong, moment, names_in, parse

if TYPE_CHECKING:
    from standins.salesforce import Organization

_PAGE = 200


class Rest:
    """Answers out of an organization's state."""

    def __init__(self, org: Organization) -> None:
        self._org = org
        self._cursors: dict[str, list[dict[str, Any]]] = {}

    def answer(self, method: str, steps: list[str], query: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        match method, steps:
            case "GET", ["query" | "queryAll" as which]:
                return 200, self._query(query.get("q", ""), deleted=which == "queryAll")
            case "GET", ["query", cursor]:
                return 200, self._page(cursor)
            case "GET", ["search"]:
                return 200, {"searchRecords": self._search(query.get("q", ""))}
            case "GET", ["limits"]:
                return 200, {
                    "DailyApiRequests": {"Max": self._org.daily_limit, "Remaining": self._org.daily_limit - self._org.used}
                }
            case "GET", ["sobjects", kind, "describe"]:
                return 200, self._describe(kind)
            case "POST", ["sobjects", kind]:
                return 201, {"id": self._insert(kind, json.loads(body)), "success": True, "errors": []}
            case "PATCH", ["sobjects", kind, record_id]:
                self._change(kind, record_id, json.loads(body))
                return 204, None
            case "PATCH", ["composite", "sobjects", kind, key]:
                return 200, self._collection(kind, key, json.loads(body))
        raise Wrong("NOT_FOUND", "The requested resource does not exist")

    def _known(self, kind: str, *, code: str = "NOT_FOUND") -> set[str]:
        if kind not in self._org.fields:
            raise Wrong(
                code,
                f"sObject type '{kind}' is not supported." if code == "INVALID_TYPE" else "The requested resource does not exist",
            )
        return self._org.fields[kind] - {name for one, name in self._org.hidden if one == kind}

    def _query(self, soql: str, *, deleted: bool) -> dict[str, Any]:
        self._org.queries.append(soql)
        asked = parse(soql)
        known = self._known(asked.kind, code="INVALID_TYPE")
        for name in names_in(soql):
            if name not in known:
                raise Wrong("INVALID_FIELD", f"\nERROR at Row:1:Column:8\nNo such column '{name}' on entity '{asked.kind}'.")
        found = [row for row in self._org.records[asked.kind].values() if (deleted or not row["IsDeleted"]) and asked.test(row)]
        for name, descending in reversed(asked.order):
            found.sort(key=lambda row, by=name: (row.get(by) is not None, moment(row.get(by))), reverse=descending)
        kind = asked.kind
        rows = [{"attributes": {"type": kind}, **{name: row.get(name) for name in asked.fields}} for row in found[: asked.limit]]
        cursor = secrets.token_hex(6)
        self._cursors[cursor] = rows
        return self._page(cursor)

    def _page(self, cursor: str) -> dict[str, Any]:
        if cursor not in self._cursors:
            raise Wrong("INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, rest = self._cursors[cursor][:_PAGE], self._cursors.pop(cursor)[_PAGE:]
        page: dict[str, Any] = {"totalSize": len(rows) + len(rest), "done": not rest, "records": rows}
        if rest:
            onward = secrets.token_hex(6)
            self._cursors[onward] = rest
            page["nextRecordsUrl"] = f"/services/data/v66.0/query/{onward}"
        return page

    def _search(self, sosl: str) -> list[dict[str, Any]]:
        match = re.fullmatch(r"FIND \{(.+)\} IN PHONE FIELDS RETURNING (.+) LIMIT \d+", sosl)
        if not match or not self._org.searchable:
            raise Wrong("MALFORMED_SEARCH", "unexpected token")
        terms = [re.sub(r"\D", "", one) for one in match[1].split(" OR ")]
        found = []
        for kind in re.findall(r"(\w+)\(Id\)", match[2]):
            for row in self._org.records[kind].values():
                numbers = [re.sub(r"\D", "", str(row.get(name) or "")) for name in objects.PHONES]
                if not row["IsDeleted"] and any(term and number.endswith(term) for term in terms for number in numbers):
                    found.append({"attributes": {"type": kind}, "Id": row["Id"]})
        return found

    def _describe(self, kind: str) -> dict[str, Any]:
        return {
            "name": kind,
            "fields": [
                {
                    "name": name,
                    "updateable": name not in objects.READ_ONLY,
                    "externalId": (kind, name) in objects.EXTERNAL_IDS,
                    "unique": (kind, name) in objects.EXTERNAL_IDS,
                }
                for name in sorted(self._known(kind))
            ],
        }

    # -- writing --------------------------------------------------------------------------------------------------------

    def _insert(self, kind: str, values: Mapping[str, Any]) -> str:
        self._check(kind, values, "")
        for name in objects.REQUIRED.get(kind, ()):
            if not values.get(name):
                raise Wrong("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{name}]")
        return self._org.add(kind, by=self._org.user, **values)

    def _change(self, kind: str, record_id: str, values: Mapping[str, Any]) -> None:
        self._check(kind, values, record_id)
        if record_id not in self._org.records[kind]:
            raise Wrong("NOT_FOUND", "The requested resource does not exist")
        if self._org.records[kind][record_id]["IsDeleted"]:
            raise Wrong("ENTITY_IS_DELETED", "entity is deleted")
        self._org.edit(kind, record_id, by=self._org.user, **values)

    def _check(self, kind: str, values: Mapping[str, Any], record_id: str) -> None:
        known = self._known(kind)
        if record_id in self._org.locked:
            raise Wrong("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        for name, value in values.items():
            if name not in known:
                raise Wrong("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind}")
            if name in objects.READ_ONLY:
                raise Wrong("INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {name}.")
            if isinstance(value, str) and len(value) > objects.LENGTHS.get((kind, name), 131_072):
                raise Wrong("STRING_TOO_LONG", f"data value too large: {name}")
            if name in objects.LOOKUPS and value:
                wanted = objects.LOOKUPS[name]
                exists = any(
                    value in some and not some[value]["IsDeleted"] for to, some in self._org.records.items() if wanted in ("", to)
                )
                if not exists:
                    raise Wrong("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if kind == "Task" and str(values.get("WhoId", "")).startswith("00Q") and values.get("WhatId"):
            raise Wrong("FIELD_INTEGRITY_EXCEPTION", "A Lead's task has no related record")
        if kind == "Contact" and record_id and self._org.records[kind].get(record_id, {}).get("IsPersonAccount"):
            raise Wrong("INVALID_FIELD_FOR_INSERT_UPDATE", "A person account's contact is written on the account")

    def _collection(self, kind: str, key: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        records = asked.get("records", [])
        if not records or len(records) > 200:
            raise Wrong("EXCEEDED_MAX_SIZE_REQUEST", "record limit reached. cannot submit more than 200 records in this request")
        known = self._known(kind)
        if (kind, key) not in objects.EXTERNAL_IDS:
            raise Wrong("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {key}")
        for one in records:
            if one.get("attributes", {}).get("type") != kind:
                raise Wrong("INVALID_TYPE", "the records are of another type")
            unknown = sorted(set(one) - known - {"attributes"})
            if unknown:
                raise Wrong("INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type {kind}")
        before = {record_id: dict(row) for record_id, row in self._org.records[kind].items()}
        results = [self._upsert(kind, key, one) for one in records]
        if asked.get("allOrNone") and not all(one["success"] for one in results):
            self._org.records[kind] = before
            rolled = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "rolled back", "fields": []}
            results = [one if not one["success"] else {"success": False, "errors": [rolled]} for one in results]
        return results

    def _upsert(self, kind: str, key: str, one: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: value for name, value in one.items() if name != "attributes"}
        same = [row["Id"] for row in self._org.records[kind].values() if row.get(key) == values.get(key) and not row["IsDeleted"]]
        try:
            if not values.get(key):
                raise Wrong("MISSING_ARGUMENT", f"{key} not specified")
            if len(same) > 1:
                raise Wrong("DUPLICATE_EXTERNAL_ID", f"{key}: more than one record found for external id field")
            if same:
                self._change(kind, same[0], values)
                return {"id": same[0], "success": True, "errors": [], "created": False}
            return {"id": self._insert(kind, values), "success": True, "errors": [], "created": True}
        except Wrong as wrong:
            return {"success": False, "errors": [{"statusCode": wrong.code, "message": wrong.message, "fields": []}]}
