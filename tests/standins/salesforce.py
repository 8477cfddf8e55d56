"""An organization that runs here: Salesforce's token endpoint, REST API and outbound messages, as strict as the documents.

    with Organization(consumer_key="key", consumer_secret="hush") as org:
        org.url                                    what an installation's `settings.base_url` is
        contact = org.add("Contact", LastName="Example", MobilePhone="(202) 555-0100")
        org.send(webhook_url, org.envelope("04k…", [("Contact", contact)]))
        org.records["SMS_Message__c"]              what was written back

Bearer tokens, API versions, field names, look-ups, lengths, external ids and the daily limit are enforced; nothing of Bellwire is
needed. `fail` makes the next calls go wrong.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

from standins import salesforce_objects as objects
from standins.salesforce_rest import Rest
from standins.salesforce_soql import Wrong

VERSIONS = ("60.0", "65.0", "66.0", "67.0")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a call. `cut`: "before" the request is looked at, or "after" it was done; `slow_s`: it is done, late."""

    status: int = 0
    code: str = ""
    message: str = "made to fail"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: str = ""
    slow_s: float = 0.0


@dataclass(frozen=True)
class Answered:
    """What a receiver said to an outbound message."""

    status: int
    body: bytes
    content_type: str

    @property
    def acknowledged(self) -> bool:
        """Whether Salesforce would take the message off its queue."""
        return self.status == 200 and "xml" in self.content_type and b"<Ack>true</Ack>" in self.body


class Organization:
    """One organization with one app. Everything in it may be read and changed by a test."""

    def __init__(
        self,
        *,
        organization_id: str = "00Dxx0000001gPLEAY",
        consumer_key: str = "3MVG9.key",
        consumer_secret: str = "hush",  # noqa: S107  # a stand-in's
        daily_limit: int = 5_000,
        person_accounts: bool = False,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.id, self.consumer_key, self.consumer_secret = organization_id, consumer_key, consumer_secret
        self.daily_limit, self.used, self.limited = daily_limit, 0, 0  # the last: calls beyond the limit
        self.now = now or (lambda: datetime.now(UTC))
        self.fields = {kind: set(names) for kind, names in objects.OBJECTS.items()}
        if person_accounts:
            for kind, more in objects.PERSON_ACCOUNTS.items():
                self.fields[kind] |= set(more)
        self.hidden: set[tuple[str, str]] = set()  # (object, field): field-level security
        self.records: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in self.fields}
        self.tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.public_key: Any = None  # of the app's certificate, for the JWT flow
        self.codes: dict[str, dict[str, str]] = {}
        self.token_calls: list[dict[str, str]] = []
        self.calls: list[tuple[str, str]] = []
        self.queries: list[str] = []
        self.hits = 0  # requests of the REST API, whatever became of them
        self.searchable = True
        self.locked: set[str] = set()  # ids that another transaction holds
        self._counter = itertools.count(1)
        self._faults: list[Fault] = []
        self._rest = Rest(self)
        self._lock = threading.RLock()
        self.user = self.add("User", Name="Integration", Username="bellwire@example.com", id="005xx000001Sv6eAAC")
        self.admin = self.add("User", Name="Ada Admin", MobilePhone="+12025550199", id="005xx000001Sv7fAAC")
        about = {"Name": "Example Inc.", "Country": "US", "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "America/New_York"}
        self.add("Organization", id=organization_id, LanguageLocaleKey="en_US", **about)
        self._server: _Server | None = None

    # -- running --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Organization:
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens: an installation's `settings.base_url`."""
        return f"http://127.0.0.1:{self._server.server_port if self._server else 0}"

    # -- what people do in it -------------------------------------------------------------------------------------------

    def add(self, kind: str, id: str = "", at: datetime | None = None, by: str = "", **values: Any) -> str:  # noqa: A002
        """A record as somebody made it; its id."""
        with self._lock:
            made = id or objects.long_id(f"{objects.PREFIXES[kind]}xx{next(self._counter):010d}")
            stamp = _stamp(at or self.now())
            who = by or getattr(self, "admin", "")
            base = {"Id": made, "IsDeleted": False, "CreatedDate": stamp, "CreatedById": who}
            if kind in ("Contact", "Lead"):
                base |= {"SMS_Opt_Out__c": False, **({"IsConverted": False} if kind == "Lead" else {})}
            if kind in ("Case", "Opportunity"):
                base["IsClosed"] = False
            self.records[kind][made] = base | values
            self._touch(kind, made, who, at)
            return made

    def edit(self, kind: str, record_id: str, at: datetime | None = None, by: str = "", **values: Any) -> None:
        """Somebody changes a record."""
        with self._lock:
            self.records[kind][record_id] |= values
            self._touch(kind, record_id, by or self.admin, at)

    def _touch(self, kind: str, record_id: str, who: str, at: datetime | None = None) -> None:
        stamp = _stamp(at or self.now())
        self.records[kind][record_id] |= {"LastModifiedDate": stamp, "LastModifiedById": who, "SystemModstamp": stamp}

    # -- outbound messages ----------------------------------------------------------------------------------------------

    def envelope(self, action: str, some: Iterable[tuple[str, str]], *, fields: Iterable[str] = (), session: str = "") -> bytes:
        """The SOAP of a message about records (object, id), with the chosen fields as they are now."""
        parts = []
        for kind, record_id in some:
            record = self.records[kind][record_id]
            chosen = [name for name in (fields or record) if record.get(name) is not None and name != "Id"]
            told = "".join(f"<sf:{name}>{escape(_xml(record[name]))}</sf:{name}>" for name in chosen)
            notification = objects.long_id(f"04lxx{next(self._counter):010d}")
            parts.append(
                f'<Notification><Id>{notification}</Id><sObject xsi:type="sf:{kind}"'
                f' xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{record_id}</sf:Id>{told}</sObject></Notification>'
            )
        session_id = f"<SessionId>{session}</SessionId>" if session else '<SessionId xsi:nil="true"/>'
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
            ' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
            '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
            f"<OrganizationId>{self.id}</OrganizationId><ActionId>{action}</ActionId>{session_id}"
            f"<EnterpriseUrl>https://example.my.salesforce.com/services/Soap/c/66.0/{self.id}</EnterpriseUrl>"
            f"<PartnerUrl>https://example.my.salesforce.com/services/Soap/u/66.0/{self.id}</PartnerUrl>"
            f"{''.join(parts)}</notifications></soapenv:Body></soapenv:Envelope>"
        ).encode()

    def send(self, to: str, body: bytes) -> Answered:
        """Post a message, as Salesforce does: sixty seconds at most."""
        where = urlsplit(to)
        connection = HTTPConnection(where.hostname or "", where.port or 80, timeout=60)
        try:
            connection.request("POST", where.path, body, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})
            answer = connection.getresponse()
            return Answered(answer.status, answer.read(), answer.getheader("Content-Type", ""))
        finally:
            connection.close()

    # -- tokens ---------------------------------------------------------------------------------------------------------

    def token(self) -> str:
        """An access token that is good."""
        made = f"{self.id[:15]}!{secrets.token_urlsafe(48)}"
        self.tokens.add(made)
        return made

    def end_sessions(self) -> None:
        """Every access token given out so far is over."""
        self.tokens.clear()

    def granting(self, query: str) -> str:
        """Where the admin is sent back to who allows the app; "" for a page that says no."""
        asked = dict(parse_qsl(query))
        if asked.get("client_id") != self.consumer_key or asked.get("code_challenge_method") != "S256":
            return ""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked.get('state', '')})}"

    def _exchange(self, asked: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        self.token_calls.append(asked)
        grant = asked.get("grant_type")
        refresh = ""
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            if not self._jwt_is_good(asked.get("assertion", "")):
                return 400, {}, b'{"error":"invalid_grant","error_description":"invalid assertion"}'
        elif asked.get("client_id") != self.consumer_key:
            return 400, {}, b'{"error":"invalid_client_id","error_description":"client identifier invalid"}'
        elif asked.get("client_secret") != self.consumer_secret:
            return 400, {}, b'{"error":"invalid_client","error_description":"invalid client credentials"}'
        elif grant == "refresh_token":
            if asked.get("refresh_token") not in self.refresh_tokens:
                return 400, {}, b'{"error":"invalid_grant","error_description":"expired access/refresh token"}'
        elif grant == "authorization_code":
            begun = self.codes.pop(asked.get("code", ""), None)
            digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if begun is None or challenge != begun["code_challenge"] or asked.get("redirect_uri") != begun["redirect_uri"]:
                return 400, {}, b'{"error":"invalid_grant","error_description":"invalid code verifier"}'
            refresh = f"5Aep.{secrets.token_urlsafe(32)}" if "refresh_token" in begun.get("scope", "") else ""
            self.refresh_tokens |= {refresh} - {""}
        elif grant != "client_credentials":
            return 400, {}, b'{"error":"unsupported_grant_type","error_description":"grant type not supported"}'
        granted = {
            "access_token": self.token(),
            "instance_url": "https://example.my.salesforce.com",
            "id": f"https://login.salesforce.com/id/{self.id}/{self.user}",
            "token_type": "Bearer",
            "issued_at": str(int(self.now().timestamp() * 1000)),
            "scope": "api refresh_token",
            **({"refresh_token": refresh} if refresh else {}),
        }
        return 200, {}, json.dumps(granted).encode()

    def _jwt_is_good(self, assertion: str) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        head, _, signature = assertion.rpartition(".")
        try:
            self.public_key.verify(_unbase64(signature), head.encode(), PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError, AttributeError):
            return False
        claims = json.loads(_unbase64(head.partition(".")[2]))
        ahead = claims["exp"] - self.now().timestamp()
        audiences = ("https://login.salesforce.com", "https://test.salesforce.com")
        return claims["iss"] == self.consumer_key and claims["aud"] in audiences and 0 < ahead <= 185 and bool(claims["sub"])

    # -- what a test breaks ---------------------------------------------------------------------------------------------

    def fail(self, *faults: Fault) -> None:
        """The next calls of the REST API go wrong, one after the other."""
        with self._lock:
            self._faults.extend(faults)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        parts = urlsplit(target)
        path, query = unquote(parts.path), {name: some[0] for name, some in parse_qs(parts.query).items()}
        if path == "/services/oauth2/token" and method == "POST":
            return self._exchange(dict(parse_qsl(body.decode())))
        match = re.fullmatch(r"/services/data/v([\d.]+)/(.+)", path)
        if not match or match[1] not in VERSIONS:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        with self._lock:
            if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
            if self.used >= self.daily_limit:
                self.limited += 1
                return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            self.used += 1
            self.calls.append((method, match[2].rstrip("/")))
            try:
                status, answer = self._rest.answer(method, match[2].rstrip("/").split("/"), query, body)
            except Wrong as wrong:
                return _error(404 if wrong.code == "NOT_FOUND" else 400, wrong.code, wrong.message)
            usage = {"Sforce-Limit-Info": f"api-usage={self.used}/{self.daily_limit}"}
            return status, usage, b"" if answer is None else json.dumps(answer).encode()

    def _next_fault(self) -> Fault | None:
        with self._lock:
            return self._faults.pop(0) if self._faults else None


def _error(status: int, code: str, message: str) -> tuple[int, Mapping[str, str], bytes]:
    return status, {}, json.dumps([{"message": message, "errorCode": code}]).encode()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


def _xml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("+0000", "Z") if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else str(value)


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(org: Organization) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            if parts.path == "/services/oauth2/authorize":
                back = org.granting(parts.query)
                return self._reply(302, {"Location": back}, b"") if back else self._reply(400, {}, b"{}")
            fault = None
            if parts.path.startswith("/services/data/"):
                org.hits += 1
                fault = org._next_fault()
            if fault and fault.cut == "before":
                return self._cut()
            if fault and fault.status:
                body = _error(fault.status, fault.code, fault.message)[2] if fault.body is None else fault.body
                return self._reply(fault.status, fault.headers, body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, answer = org._answer(self.command, self.path, headers, body)
            if fault and fault.cut:
                return self._cut()
            time.sleep(fault.slow_s if fault else 0)
            return self._reply(status, more, answer)

        def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            with suppress(OSError):  # the caller hung up, as a time-out does
                self.send_response(status)
                self.send_header("Content-Type", "application/json;charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def _cut(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
