"""One job's conversation with one portal: its token, the errors in our words, and the few calls that we make.

Every operation here may be sent twice without harm, so an unanswered one is simply tried again by its job.
developers.hubspot.com: "Handling errors", "API usage guidelines".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests
from bellwire import (
    Installation,
    Limit,
    Link,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)

from . import sdk, tokens
from .answers import json_value, retry_after_s, wait_s

TIMEOUT_S = (3.05, 15.0)
AT_ONCE = 100  # inputs of a batch call
HISTORIES_AT_ONCE = 50

#: Calls of an app that was installed by OAuth, and of a private one ("API usage guidelines"; some plans take fewer and say so).
OAUTH, PRIVATE = Limit.window(110, 10), Limit.window(190, 10)

_PATH = re.compile(r"/crm/v3/objects/")
_VERSION = re.compile(r"v3|20\d\d-\d\d(-beta)?", re.ASCII)

#: Statuses besides 5xx that pass by themselves: 423 locked, 477 the portal is moved to another data centre.
_LATER = frozenset({408, 423, 477})


class Hub:
    """Made for a job, never kept. `installation`: with a token of an install that is not stored yet."""

    def __init__(self, link: Link, installation: Installation | None = None) -> None:
        self._link, self._renewable = link, installation is None
        self._installation = installation or tokens.usable(link)
        self.host = str(self._installation.settings.get("base_url") or sdk.HOST).rstrip("/")
        version = str(self._installation.settings.get("api_path") or "v3")
        self._version = version if _VERSION.fullmatch(version) else "v3"

    @property
    def installation(self) -> Installation:
        """The portal's installation with the token in use."""
        return self._installation

    def do(self, path: str, *arguments: Any, **more: Any) -> Any:
        """Call one of the library's functions (`crm.contacts.batch_api.read`); the answer's JSON. Raises PlatformError."""
        owner, _, name = path.rpartition(".")
        with sdk.calling(self):
            try:
                return getattr(sdk.api(owner, self.host), name)(*arguments, **more, _preload_content=False)
            except (ValueError, TypeError) as e:  # the library's own checks of what we give it
                raise PlatformRejected(f"hubspot {path}: the library refuses the call ({type(e).__name__})", code="bad_call") from e

    def get(self, path: str, **query: str) -> Any:
        """A GET of what the library does not know. Raises PlatformError."""
        return self.send("GET", f"{self.host}{path}", list(query.items()), None)

    def send(self, method: str, url: str, query: Any, body: Any) -> Any:
        """Make one call; a refused token is renewed once. Raises PlatformError."""
        path = url.removeprefix(self.host)
        if self._version != "v3":
            path = _PATH.sub(f"/crm/objects/{self._version}/", path)
        answer = self._sent(method, path, query, body)
        if answer.status_code == 401 and self._renewable and tokens.can_renew(self._installation):
            self._installation = tokens.renewed(self._link, self._token)
            answer = self._sent(method, path, query, body)
        if answer.status_code in (200, 201, 202, 204, 207):
            return json_value(answer)
        raise _error(f"{method} {_named(path)}", answer, self._link)

    def _sent(self, method: str, path: str, query: Any, body: Any) -> requests.Response:
        self._link.spent("calls", OAUTH if self._installation.credentials.get("refresh_token") else PRIVATE)
        try:
            made: requests.Response = self._link.http.request(
                method,
                f"{self.host}{path}",
                params=query or None,
                json=body,
                headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as e:
            raise PlatformUnreachable(f"hubspot {method} {_named(path)}: no answer ({type(e).__name__})") from e
        return made

    @property
    def _token(self) -> str:
        return str(self._installation.credentials.get("access_token") or "")

    # -- what several files ask -----------------------------------------------------------------------------------------

    def read(self, kind: str, numbers: Sequence[str], wanted: Sequence[str], *, by: str = "") -> dict[str, dict[str, Any]]:
        """Records by id (or by the unique property `by`): their properties; those that are not there are left out."""
        area = _AREAS[kind]
        found: dict[str, dict[str, Any]] = {}
        for some in batches(list(dict.fromkeys(numbers))):
            inputs = [sdk.model(area, "SimplePublicObjectId", id=number) for number in some]
            asked = {
                "properties": list(wanted),
                "properties_with_history": [],
                "inputs": inputs,
                **({"id_property": by} if by else {}),
            }
            answer = self.do(f"{area}.batch_api.read", sdk.model(area, "BatchReadInputSimplePublicObjectId", **asked))
            for record in results(answer):
                values = {**mapping(record.get("properties")), "id": str(record.get("id"))}
                found[str(values.get(by) if by else values["id"])] = values
        return found

    def histories(self, kind: str, numbers: Sequence[str], name: str) -> dict[str, list[dict[str, Any]]]:
        """A property's values with their times, the newest first, by record; none where the portal has no such property."""
        area = _AREAS[kind]
        found: dict[str, list[dict[str, Any]]] = {}
        for some in batches(list(dict.fromkeys(numbers)), HISTORIES_AT_ONCE):
            inputs = [sdk.model(area, "SimplePublicObjectId", id=number) for number in some]
            asked = sdk.model(
                area, "BatchReadInputSimplePublicObjectId", properties=[], properties_with_history=[name], inputs=inputs
            )
            try:
                answer = self.do(f"{area}.batch_api.read", asked)
            except PlatformRejected:
                return {}
            for one in results(answer):
                values = mapping(one.get("propertiesWithHistory")).get(name)
                known = [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
                found[str(one.get("id"))] = sorted(known, key=lambda value: str(value.get("timestamp")), reverse=True)
        return found

    def search(
        self,
        kind: str,
        filters: Sequence[Sequence[Mapping[str, Any]]],
        wanted: Sequence[str],
        *,
        sort: str = "",
        after: str = "",
        limit: int = 100,
    ) -> dict[str, Any]:
        """One page of a search, as answered. `filters`: groups, any of which may hold, of filters that must all hold."""
        area = _AREAS[kind]
        groups = [sdk.model(area, "FilterGroup", filters=[sdk.model(area, "Filter", **one) for one in group]) for group in filters]
        more = {name: value for name, value in {"after": after, "sorts": [sort] if sort else None}.items() if value}
        request = sdk.model(area, "PublicObjectSearchRequest", filter_groups=groups, properties=list(wanted), limit=limit, **more)
        return mapping(self.do(f"{area}.search_api.do_search", request))

    def associated(self, kind: str, to: str, numbers: Sequence[str]) -> dict[str, list[str]]:
        """The records of kind `to` that are associated with each record, in HubSpot's order."""
        area = "crm.associations.v4"
        found: dict[str, list[str]] = {}
        for some in batches(list(dict.fromkeys(numbers))):
            inputs = [sdk.model(area, "PublicFetchAssociationsBatchRequest", id=number) for number in some]
            asked = sdk.model(area, "BatchInputPublicFetchAssociationsBatchRequest", inputs=inputs)
            for one in results(self.do(f"{area}.batch_api.get_page", f"{kind}s", f"{to}s", asked)):
                ids = [str(other.get("toObjectId")) for other in one.get("to") or [] if isinstance(other, Mapping)]
                found[str(mapping(one.get("from")).get("id"))] = ids
        return found

    def change(self, kind: str, values: Mapping[str, Mapping[str, str]]) -> None:
        """Set properties of records, by id: one by one call, several by a batch."""
        area = _AREAS[kind]
        for some in batches(list(values)):
            if len(some) == 1:
                made = sdk.model(area, "SimplePublicObjectInput", properties=dict(values[some[0]]))
                self.do(f"{area}.basic_api.update", some[0], made)
                continue
            inputs = [
                sdk.model(area, "SimplePublicObjectBatchInput", id=number, properties=dict(values[number])) for number in some
            ]
            answer = self.do(f"{area}.batch_api.update", sdk.model(area, "BatchInputSimplePublicObjectBatchInput", inputs=inputs))
            whole(answer, f"batch update of {kind}s")


_AREAS = {
    "contact": "crm.contacts",
    "deal": "crm.deals",
    "ticket": "crm.tickets",
    "communication": "crm.objects.communications",
}


def batches(things: Sequence[Any], most: int = AT_ONCE) -> Iterator[Sequence[Any]]:
    """The things by so many at once."""
    for first in range(0, len(things), most):
        yield things[first : first + most]


def results(answer: Any) -> list[dict[str, Any]]:
    """The `results` of an answer that are objects."""
    found = mapping(answer).get("results")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def whole(answer: Any, what: str) -> None:
    """Pass when no input of a batch was refused (207). Raises PlatformRejected."""
    errors = mapping(answer).get("errors")
    if errors and isinstance(errors, list):
        first = mapping(errors[0])
        raise PlatformRejected(
            f"hubspot {what}: {len(errors)} refused ({_word(first.get('category'))})", http_status=207, code="partial"
        )


def _error(what: str, answer: requests.Response, link: Link) -> PlatformError:
    status, said = answer.status_code, mapping(json_value(answer))
    code = _word(said.get("subCategory") or said.get("category") or said.get("errorType"))
    told: dict[str, Any] = {"http_status": status, "code": code}
    if status == 429:
        policy = _word(said.get("policyName"))
        wait = wait_s(policy, answer.headers, link.now(), link.installation.timezone)
        return PlatformThrottled(f"hubspot {what}: the limit {policy or 'of calls'} is used up", **told, retry_after_s=wait)
    if status == 401:
        return PlatformUnauthorized(f"hubspot {what}: the access token is refused; was the app removed?", **told)
    if status == 403:
        return PlatformUnauthorized(f"hubspot {what}: the app may not do this; a scope is missing ({code})", **told)
    if status >= 500 or status in _LATER:
        return PlatformUnavailable(f"hubspot {what}: HTTP {status}", **told, retry_after_s=retry_after_s(answer.headers))
    return PlatformRejected(f"hubspot {what}: HTTP {status} {code}".rstrip(), **told)


def _named(path: str) -> str:
    """A path without ids, for errors and logs."""
    return re.sub(r"/[^/?]*\d[^/?]{3,}", "/…", path.partition("?")[0])


def _word(value: object) -> str:
    return re.sub(r"[^\w.-]", "", str(value or ""), flags=re.ASCII)[:60]
