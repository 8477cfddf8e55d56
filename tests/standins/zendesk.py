"""An account at Zendesk that runs here: tickets, users, webhooks and limits as strict as the documents, on a port of this machine.

    with Zendesk() as desk:
        desk.url                                  what an installation's `settings.base_url` is
        ana = desk.add_user("Ana Example", phone="+1202…")
        ticket = desk.open_ticket(ana, "Where is my parcel?")
        desk.comment(ticket, "It leaves today.", by=desk.agent)       an agent's public answer
        desk.deliveries()                         the webhooks that follow, signed as Zendesk signs

`fail` makes the next calls go wrong. What is written by the API makes webhooks, too, as at Zendesk: loops are not cut here.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bellwire.testing.standins import HttpStandIn
from standins.zendesk_desk import Desk, Refused

#: "Rate limits": what a minute or ten take. Account-wide on the Professional plan; one user's updates of one ticket.
ACCOUNT_A_MINUTE, UPDATES_A_MINUTE, UPDATES_OF_A_TICKET, EXPORTS_A_MINUTE = 400, 100, 30, 10


@dataclass
class Token:
    """An OAuth token and until when it is good (None: for ever)."""

    user_id: int
    ends: datetime | None = None


class Zendesk(Desk, HttpStandIn):
    """One account. Everything in it may be read and changed by a test."""

    token_paths = ("/oauth/tokens",)

    def __init__(self, *, now: Callable[[], datetime] | None = None) -> None:
        HttpStandIn.__init__(self)
        Desk.__init__(self)
        if now is not None:
            self.now = now  # type: ignore[method-assign]  # a clock
        self.subdomain, self.email, self.api_token = "example", "bellwire@example.com", secrets.token_hex(20)
        self.api_tokens_on = True
        self.tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, bool] = {}
        self.codes: dict[str, str] = {}  # code → redirect_uri
        self.given_out = 0
        self.requests: list[tuple[str, str, Any]] = []  # method, path, body: those that were let in
        self.limits = {
            "account": ACCOUNT_A_MINUTE,
            "updates": UPDATES_A_MINUTE,
            "ticket": UPDATES_OF_A_TICKET,
            "export": EXPORTS_A_MINUTE,
        }
        self._kept: dict[str, tuple[str, int, bytes]] = {}  # idempotency key → what was asked, and the answer
        self._used: dict[str, deque[datetime]] = {}
        self.limited = 0  # calls beyond a limit

    def __enter__(self) -> Zendesk:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- tokens -------------------------------------------------------------------------------------------------------

    def oauth_token(self, *, life_s: int | None = None) -> dict[str, str]:
        """An OAuth token of the app's own user as an install stores it; with `life_s` it ends and can be renewed."""
        granted = self._grant(life_s)
        kept = {"oauth_token": granted["access_token"], "client_id": "bellwire", "client_secret": "hush"}
        if life_s is not None:
            kept |= {
                "refresh_token": granted["refresh_token"],
                "oauth_token_expires_at": (self.now() + timedelta(seconds=life_s)).isoformat(),
            }
        return kept

    def code(self, redirect_uri: str) -> str:
        """An admin grants access: the code that comes back."""
        made = secrets.token_hex(10)
        self.codes[made] = redirect_uri
        return made

    def expire_tokens(self) -> None:
        """Every token so far is over."""
        for token in self.tokens.values():
            token.ends = self.now() - timedelta(seconds=1)

    def refreshes(self) -> int:
        """How often tokens were given out at the endpoint."""
        return self.given_out

    def _grant(self, life_s: int | None) -> dict[str, Any]:
        token, again = secrets.token_hex(16), secrets.token_hex(16)
        self.tokens[token] = Token(self.bot, self.now() + timedelta(seconds=life_s) if life_s is not None else None)
        self.refresh_tokens[again] = True
        more = {"expires_in": life_s, "refresh_token": again} if life_s is not None else {}
        return {"access_token": token, "token_type": "bearer", "scope": "read write", **more}

    def _oauth(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        if (body.get("client_id"), body.get("client_secret")) != ("bellwire", "hush"):
            return 401, {"error": "invalid_client", "error_description": "Client authentication failed."}
        if body.get("grant_type") == "authorization_code":
            if self.codes.pop(str(body.get("code")), None) != body.get("redirect_uri"):
                return 400, {"error": "invalid_grant", "error_description": "The provided authorization grant is invalid."}
        elif not self.refresh_tokens.pop(str(body.get("refresh_token")), False):
            return 400, {"error": "invalid_grant"}
        self.given_out += 1
        return 200, self._grant(3600)

    # -- a call -------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Who calls, what is left of the limits, what is asked."""
        parts = urlsplit(path)
        try:
            sent = json.loads(body) if body else {}
        except ValueError:
            return self._said(400, {"error": "Unprocessable request"})
        if parts.path == "/oauth/tokens":
            return self._said(*self._oauth(sent))
        caller = self._caller(headers.get("authorization", ""))
        if caller is None:
            if parts.path.endswith("/users/me.json"):
                return self._said(200, {"user": {"id": None, "name": "Anonymous user", "role": "end-user"}})
            return self._said(401, {"error": "Couldn't authenticate you"})
        self.requests.append((method, path, sent))
        wait = self._wait_s(method, parts.path, caller)
        if wait:
            self.limited += 1
            described = {"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"}
            return self._said(429, described, {"Retry-After": str(wait), "X-Rate-Limit-Remaining": "0"})
        key = headers.get("idempotency-key", "")
        if key and method == "POST":
            return self._once(key, path, body, lambda: self._served(method, parts.path, parts.query, sent, caller))
        return self._said(*self._served(method, parts.path, parts.query, sent, caller))

    def _served(self, method: str, path: str, query: str, sent: Any, caller: int) -> tuple[int, Any]:
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        for wanted, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path.removesuffix(".json"))
            if wanted == method and found:
                try:
                    made = getattr(self, name)(*found.groups(), asked=asked, sent=sent, caller=caller)
                except Refused as refused:
                    return refused.status, refused.body
                return (201 if method == "POST" else 204 if method == "DELETE" else 200), made
        return 404, {"error": "InvalidEndpoint", "description": "Not found"}

    def _once(self, key: str, path: str, body: bytes, do: Callable[[], tuple[int, Any]]) -> tuple[int, Mapping[str, str], bytes]:
        """ "Idempotency": the first answer again for two hours; another request under the same key is refused."""
        asked = f"{path} {body.decode()}"
        if key in self._kept:
            first, status, answer = self._kept[key]
            if first != asked:
                return self._said(400, {"error": "IdempotentRequestError"})
            return status, {"x-idempotency-lookup": "hit"}, answer
        status, more, answer = self._said(*do())
        if status < 300:
            self._kept[key] = (asked, status, answer)
        return status, {**more, "x-idempotency-lookup": "miss"}, answer

    def _said(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        return status, headers or {}, b"" if status == 204 else json.dumps(body).encode()

    def _caller(self, given: str) -> int | None:
        if given.startswith("Bearer "):
            token = self.tokens.get(given[7:])
            return token.user_id if token and (token.ends is None or token.ends > self.now()) else None
        expected = base64.b64encode(f"{self.email}/token:{self.api_token}".encode()).decode()
        return self.bot if self.api_tokens_on and given == f"Basic {expected}" else None

    def _wait_s(self, method: str, path: str, caller: int) -> int:
        minute, ten = timedelta(minutes=1), timedelta(minutes=10)
        counted = [("account", self.limits["account"], minute)]
        ticket = re.fullmatch(r"/api/v2/tickets/(\d+)(?:/tags)?(?:\.json)?", path)
        if method in ("PUT", "DELETE") and ticket:
            counted.append(("updates", self.limits["updates"], minute))
            counted.append((f"ticket {ticket[1]} {caller}", self.limits["ticket"], ten))
        if path.startswith("/api/v2/incremental/"):
            counted.append(("export", self.limits["export"], minute))
        now = self.now()
        for name, most, span in counted:
            used = self._used.setdefault(name, deque())
            while used and used[0] <= now - span:
                used.popleft()
            if len(used) >= most:
                return max(int((used[0] + span - now).total_seconds()) + 1, 1)
        for name, _, _ in counted:
            self._used[name].append(now)
        return 0


_V2 = "/api/v2"
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", rf"{_V2}/tickets/(\d+)", "get_ticket"),
    ("PUT", rf"{_V2}/tickets/(\d+)", "put_ticket"),
    ("GET", rf"{_V2}/tickets", "list_tickets"),
    ("POST", rf"{_V2}/tickets", "post_ticket"),
    ("GET", rf"{_V2}/tickets/(\d+)/comments", "list_comments"),
    ("GET", rf"{_V2}/tickets/(\d+)/audits", "list_audits"),
    ("GET", rf"{_V2}/tickets/(\d+)/tags", "get_tags"),
    ("PUT", rf"{_V2}/tickets/(\d+)/tags", "put_tags"),
    ("DELETE", rf"{_V2}/tickets/(\d+)/tags", "delete_tags"),
    ("GET", rf"{_V2}/users/me", "get_me"),
    ("GET", rf"{_V2}/users/search", "search_users"),
    ("GET", rf"{_V2}/users/(\d+)", "get_user"),
    ("PUT", rf"{_V2}/users/(\d+)", "put_user"),
    ("GET", rf"{_V2}/users/(\d+)/identities", "list_identities"),
    ("GET", rf"{_V2}/users/(\d+)/tickets/requested", "list_requested"),
    ("GET", rf"{_V2}/ticket_fields", "list_ticket_fields"),
    ("POST", rf"{_V2}/ticket_fields", "post_ticket_field"),
    ("GET", rf"{_V2}/user_fields", "list_user_fields"),
    ("POST", rf"{_V2}/user_fields", "post_user_field"),
    ("GET", rf"{_V2}/webhooks", "list_webhooks"),
    ("POST", rf"{_V2}/webhooks", "post_webhook"),
    ("DELETE", rf"{_V2}/webhooks/(\w+)", "delete_webhook"),
    ("GET", rf"{_V2}/webhooks/(\w+)/signing_secret", "get_secret"),
    ("GET", rf"{_V2}/triggers", "list_triggers"),
    ("POST", rf"{_V2}/triggers", "post_trigger"),
    ("GET", rf"{_V2}/incremental/tickets/cursor", "export"),
)
