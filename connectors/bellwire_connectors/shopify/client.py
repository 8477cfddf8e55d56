"""The Admin API: one GraphQL transport for everything that goes out to a shop.

Cost is watched, a refused token renewed once, a throttled call waited for. Every operation here may be sent twice without
harm, so an unanswered one is simply tried again by its job. shopify.dev: "API rate limits", "Response status codes".
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from bellwire import (
    Installation,
    Json,
    Limit,
    Link,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)

from bellwire_connectors.redaction import without_numbers

from . import tokens
from .answers import json_object, retry_after_s
from .operations import Operation
from .sdk import graphql_url

#: The longest a worker's thread waits for one call's cost; a longer wait gives the job back.
PATIENCE_S = 10.0
_WAITS = 4
_OURS = 0.9  # of the bucket: the rest is for calls whose cost is not known before

#: extensions.code of a top-level error → what it means for us.
_CODES: Mapping[str, type[PlatformError]] = {
    "ACCESS_DENIED": PlatformUnauthorized,  # a scope or the approval for protected data is missing
    "INTERNAL_SERVER_ERROR": PlatformUnavailable,
    "TIMEOUT": PlatformUnavailable,
    "SHOP_INACTIVE": PlatformUnavailable,  # frozen; it may come back
}

#: HTTP status → what it means; others of 4xx are PlatformRejected, of 5xx PlatformUnavailable.
_STATUSES: Mapping[int, tuple[type[PlatformError], str]] = {
    401: (PlatformUnauthorized, "the access token is refused; was the app removed?"),
    402: (PlatformUnavailable, "the shop is frozen"),
    403: (PlatformUnauthorized, "the app may not do this"),
    404: (PlatformRejected, "there is no such shop or API version"),
    423: (PlatformUnavailable, "the shop is locked"),
    430: (PlatformThrottled, "Shopify refuses the request as suspicious"),
}


@dataclass(slots=True)
class _Budget:
    """The shop's cost bucket as the last answer told it."""

    needed: float
    available: float
    most: float
    rate: float
    at: float  # monotonic seconds

    def wait_s(self, now: float) -> float:
        """Seconds until a call of the same cost fits."""
        available = self.available + self.rate * (now - self.at)
        return max(0.0, (self.needed - available) / self.rate) if self.rate > 0 else 0.0


class Admin:
    """One job's conversation with one shop. Made for a job, never kept."""

    def __init__(self, link: Link, installation: Installation | None = None) -> None:
        self._link = link
        self._installation = installation or tokens.usable(link)
        self._renewable = installation is None
        self._budget: _Budget | None = None
        self._last: Operation | None = None

    def ask(self, operation: Operation, **variables: Json) -> dict[str, Any]:
        """The operation's data. Raises PlatformError; a missing object is None in the data, not an error."""
        if self._budget and self._last is operation:
            _pause(self._budget.wait_s(time.monotonic()))  # a page like the one before costs the same
        self._last = operation
        renewed = False
        for waits in range(_WAITS + 1):
            answer = self._post(operation, variables)
            if answer.status_code == 401 and self._renewable and not renewed and tokens.can_renew(self._installation):
                self._installation = tokens.renewed(self._link, self._token)
                renewed = True
                answer = self._post(operation, variables)
            wait = self._throttled(answer)
            if wait is None:
                return _data(operation, answer)
            if wait > PATIENCE_S or waits == _WAITS:
                raise PlatformThrottled(
                    f"shopify {operation.name}: the shop's API limit is used up", http_status=answer.status_code, retry_after_s=wait
                )
            _pause(wait)
        raise AssertionError("unreachable")

    def change(self, operation: Operation, **variables: Json) -> dict[str, Any]:
        """A mutation's payload. Raises PlatformRejected for user errors, naming field and code."""
        payload = self.ask(operation, **variables).get(operation.root)
        if not isinstance(payload, dict):
            raise PlatformUnavailable(f"shopify {operation.name}: no payload in the answer")
        errors = payload.get("userErrors")
        if errors:
            raise rejection(operation, errors)
        return payload

    def pages(self, operation: Operation, *, most: int, **variables: Json) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """The pages of a connection, at most `most`: its nodes, and whether there are more pages after it."""
        after: str | None = None
        for _ in range(most):
            connection = self.ask(operation, after=after, **variables).get(operation.root) or {}
            page = connection.get("pageInfo") or {}
            more = bool(page.get("hasNextPage"))
            yield [node for node in connection.get("nodes") or [] if isinstance(node, dict)], more
            after = page.get("endCursor")
            if not more or not after:
                return

    @property
    def _token(self) -> str:
        return str(self._installation.credentials.get("access_token") or "")

    def _post(self, operation: Operation, variables: Mapping[str, Json]) -> Any:
        try:
            return self._link.http.post(
                graphql_url(self._installation),
                json={"query": operation.document, "operationName": operation.name, "variables": variables},
                headers={"X-Shopify-Access-Token": self._token, "Accept": "application/json"},
                allow_redirects=False,
            )
        except requests.RequestException as e:
            # its text may hold the address; the class says enough
            raise PlatformUnreachable(f"shopify {operation.name}: no answer ({type(e).__name__})") from e

    def _throttled(self, answer: Any) -> float | None:
        """Seconds to wait when the answer is a throttle, None when it is not one. Notes the cost."""
        if answer.status_code == 429:
            return retry_after_s(answer.headers) or 1.0
        body = json_object(answer)
        told = _cost(body)
        self._budget = told or self._budget
        throttled = answer.status_code == 200 and "THROTTLED" in _error_codes(body)
        if told and told.rate > 0:
            bucket = Limit(told.most * _OURS, told.rate)
            self._link.spent("cost", bucket, 0.0 if throttled else told.needed, left=told.available - told.most * (1 - _OURS))
        if throttled:
            return max(self._budget.wait_s(time.monotonic()) if self._budget else 1.0, 0.01)
        return None


def rejection(operation: Operation, errors: Any) -> PlatformRejected:
    """User errors as one exception: field and code, the text without numbers."""
    told = []
    for error in errors if isinstance(errors, list) else []:
        field = ".".join(str(step) for step in error.get("field") or [])
        told.append(f"{field or 'request'}: {error.get('code') or ''} {without_numbers(str(error.get('message') or ''))}".strip())
    first = errors[0] if isinstance(errors, list) and errors else {}
    code = str(first.get("code") or "user_error") if isinstance(first, dict) else "user_error"
    return PlatformRejected(f"shopify {operation.name}: {'; '.join(told[:3])}", http_status=200, code=code)


def _data(operation: Operation, answer: Any) -> dict[str, Any]:
    status = answer.status_code
    if status != 200:
        kind, why = _STATUSES.get(
            status, (PlatformUnavailable, "Shopify is down") if status >= 500 else (PlatformRejected, "refused")
        )
        if 300 <= status < 400:
            why = "the shop's address leads elsewhere; is credentials.shop its *.myshopify.com name?"
        raise kind(f"shopify {operation.name}: {why}", http_status=status, retry_after_s=retry_after_s(answer.headers))
    body = json_object(answer)
    codes = _error_codes(body)
    if codes:
        kind = next((_CODES[code] for code in codes if code in _CODES), PlatformRejected)
        raise kind(f"shopify {operation.name}: {', '.join(sorted(codes))}", http_status=200, code=sorted(codes)[0])
    data = body.get("data")
    if not isinstance(data, dict):
        raise PlatformUnavailable(f"shopify {operation.name}: the answer is not GraphQL's", http_status=200)
    return data


def _error_codes(body: Mapping[str, Any]) -> set[str]:
    errors = body.get("errors")
    if not errors:
        return set()
    listed = errors if isinstance(errors, list) else []
    extensions = [error.get("extensions") for error in listed if isinstance(error, dict)]
    codes = {str(one.get("code")) for one in extensions if isinstance(one, dict) and one.get("code")}
    return codes or {"invalid_request"}  # a message without a code: our query is wrong for this version


def _cost(body: Mapping[str, Any]) -> _Budget | None:
    try:
        cost = body["extensions"]["cost"]
        status = cost["throttleStatus"]
        return _Budget(
            needed=float(cost["requestedQueryCost"]),
            available=float(status["currentlyAvailable"]),
            most=float(status["maximumAvailable"]),
            rate=float(status["restoreRate"]),
            at=time.monotonic(),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _pause(seconds: float) -> None:
    if seconds > 0:
        time.sleep(min(seconds, PATIENCE_S))
