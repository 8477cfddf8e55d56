"""An organization's REST API through simple-salesforce. The only file that imports it, and it does so when it is called.

Direct mode only: the library's login modes repeat a refused call for ever (its issue 804), and none has a time-out. So the token is
ours, renewed once a job; the session is the engine's; and each URL is pinned to the installation's host.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from bellwire import (
    Installation,
    Link,
    PlatformRejected,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)

from bellwire_connectors.retry_after import retry_after_s

from . import configured, failures, tokens
from .hosts import instance_url

T = TypeVar("T")
Row = Mapping[str, Any]

#: sObject Collections take this many records a call ("Upsert Records Using sObject Collections").
AT_ONCE = 200
_DROPS = 8


class Org:
    """One job's conversation with one organization. Made for a job, never kept."""

    def __init__(self, link: Link, installation: Installation | None = None) -> None:
        self._link = link
        self._installation = installation or tokens.usable(link)
        self._renewable = installation is None
        self._http = _Pinned(link.http)
        self._sf: Any = None

    # -- reading --------------------------------------------------------------------------------------------------------

    def query(self, soql: str, *, deleted: bool = False, most: int = 50_000) -> Iterator[Row]:
        """The rows of a query, page by page, at most `most`. `deleted`: also what lies in the recycle bin."""
        page = self._call("query", lambda sf: sf.query(soql, include_deleted=deleted))
        left = most
        while True:
            for row in _rows(page):
                if left <= 0:
                    return
                left -= 1
                yield row
            onward = page.get("nextRecordsUrl") if isinstance(page, Mapping) else None
            if not onward or page.get("done") is True or left <= 0:
                return
            page = self._call("query", partial(_more, str(onward)))

    def select(
        self,
        kind: str,
        fields: Sequence[str],
        tail: str,
        *,
        optional: Sequence[str] = (),
        missing: set[str] | None = None,
        most: int = 50_000,
    ) -> Iterator[Row]:
        """Rows of an object, with those of the optional fields that exist for us. `missing` learns the others' names.

        `tail`: from WHERE on. A field that the user may not see does not exist for the query, either.
        """
        absent = missing if missing is not None else set()
        for _ in range(_DROPS):
            wanted = [*fields, *(name for name in dict.fromkeys(optional) if name not in absent and name not in fields)]
            found = self.query(f"SELECT {', '.join(wanted)} FROM {kind} {tail}", most=most)  # noqa: S608  # API names, quoted values
            try:
                first = next(found, None)
            except _Refused as e:
                named = {name for name in failures.missing_columns(e.content) if name in optional} - absent
                if e.code != "INVALID_FIELD" or len(wanted) == len(fields):
                    raise
                absent |= named or set(optional)
                continue
            if first is not None:
                yield first
                yield from found
            return
        raise PlatformRejected(f"salesforce query {kind}: INVALID_FIELD", code="INVALID_FIELD")

    def search(self, sosl: str) -> list[Row]:
        """What a text search finds; each row says its object in `attributes.type`."""
        found = self._call("search", lambda sf: sf.restful("search/", params={"q": sosl}))
        rows = found.get("searchRecords") if isinstance(found, Mapping) else found
        return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []

    def describe(self, kind: str) -> Row:
        """An object's description: its fields, and which of them this user may write."""
        found = self._call(f"describe {kind}", lambda sf: sf.restful(f"sobjects/{kind}/describe/"))
        return found if isinstance(found, Mapping) else {}

    def limits(self) -> Row:
        """The organization's limits and what is left of them."""
        found = self._call("limits", lambda sf: sf.restful("limits/"))
        return found if isinstance(found, Mapping) else {}

    # -- writing --------------------------------------------------------------------------------------------------------

    def create(self, kind: str, values: Row) -> str:
        """A new record; its id. Not to be repeated without looking whether it is there."""
        made = self._call(f"create {kind}", lambda sf: sf.restful(f"sobjects/{kind}/", method="POST", data=json.dumps(values)))
        return str(made.get("id") or "") if isinstance(made, Mapping) else ""

    def update(self, kind: str, record_id: str, values: Row) -> None:
        """Change a record's fields."""
        path = f"sobjects/{kind}/{quote(record_id, safe='')}"
        self._call(f"update {kind}", lambda sf: sf.restful(path, method="PATCH", data=json.dumps(values)))

    def upsert(self, kind: str, key: str, records: Sequence[Row]) -> list[Row]:
        """Make or change up to 200 records by an external id, each on its own; a result for each, in order."""
        body = {"allOrNone": False, "records": [{"attributes": {"type": kind}, **one} for one in records]}
        path = f"composite/sobjects/{kind}/{key}"
        results = self._call(f"upsert {kind}", lambda sf: sf.restful(path, method="PATCH", data=json.dumps(body)))
        if not isinstance(results, list) or len(results) != len(records):
            raise PlatformUnavailable(f"salesforce upsert {kind}: not one result for each record")
        return [one if isinstance(one, Mapping) else {} for one in results]

    # -- calling --------------------------------------------------------------------------------------------------------

    @property
    def usage(self) -> str:
        """`api-usage=18/5000` as the last answer said it."""
        return self._http.usage

    @property
    def installation(self) -> Installation:
        """The installation with the token in use."""
        return self._installation

    def _call(self, what: str, run: Callable[[Any], T]) -> T:
        """Do it; when the token is refused, once more with a new one. Raises PlatformError."""
        simple_salesforce = _library()
        while True:
            try:
                return run(self._client(simple_salesforce))
            except simple_salesforce.exceptions.SalesforceExpiredSession:
                if not self._renewable or not tokens.can_renew(self._installation):
                    raise PlatformUnauthorized(f"salesforce {what}: the access token is refused", http_status=401) from None
                self._renewable = False
                self._installation = tokens.renewed(self._link, str(self._installation.credentials.get("access_token") or ""))
                self._sf = None
            except simple_salesforce.exceptions.SalesforceError as e:  # its text holds the URL and the body
                raise self._judged(what, e.status, e.content) from None
            except json.JSONDecodeError:  # requests' own is both this and a RequestException
                raise PlatformUnavailable(f"salesforce {what}: the answer is no JSON") from None
            except requests.RequestException as e:
                raise PlatformUnreachable(f"salesforce {what}: no answer ({type(e).__name__})") from None

    def _judged(self, what: str, status: int, content: object) -> Exception:
        error = failures.failure(what, status, content, retry_after_s(self._http.headers))
        if type(error) is PlatformRejected:
            return _Refused(str(error), http_status=status, code=error.code, content=content)
        return error

    def _client(self, simple_salesforce: Any) -> Any:
        if self._sf is None:
            base = instance_url(self._installation)
            self._http.base = base
            self._sf = simple_salesforce.Salesforce(
                session_id=str(self._installation.credentials.get("access_token") or ""),
                instance_url=base,
                version=configured.version(self._installation.settings),
                session=self._http,
                object_pairs_hook=dict,
            )
        return self._sf


class _Refused(PlatformRejected):
    """A no, with what it said: only whoever asked may look into it."""

    def __init__(self, message: str, *, http_status: int, code: str, content: object) -> None:
        super().__init__(message, http_status=http_status, code=code)
        self.content = content


class _Pinned:
    """What simple-salesforce takes for its session: the engine's, with time-outs, one host, and the answers' headers kept.

    The library makes each URL `https://` whatever it was given: the origin is put back here.
    """

    def __init__(self, http: Any) -> None:
        self._http, self.base = http, ""
        self.proxies: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.usage = ""

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        asked = urlsplit(url)
        headers = {name: value for name, value in kwargs.pop("headers", {}).items() if name != "X-PrettyPrint"}
        target = self.base + asked.path + (f"?{asked.query}" if asked.query else "")
        kwargs |= {"timeout": tokens.TIMEOUT_S, "allow_redirects": False}
        answer = self._http.request(method, target, headers=headers, **kwargs)
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        self.usage = self.headers.get("sforce-limit-info", self.usage)
        return answer


def _more(url: str, sf: Any) -> Any:
    return sf.query_more(url, identifier_is_url=True)


def _rows(page: object) -> list[Row]:
    records = page.get("records") if isinstance(page, Mapping) else None
    if not isinstance(records, list):
        raise PlatformUnavailable("salesforce query: the answer has no records")
    return [row for row in records if isinstance(row, Mapping)]


def _library() -> Any:
    try:
        import simple_salesforce
        import simple_salesforce.exceptions
    except ImportError as e:
        raise PlatformRejected(
            "salesforce: calling Salesforce needs the extra `salesforce`: pip install 'bellwire[salesforce]'", code="extra_missing"
        ) from e
    return simple_salesforce
