"""What is in the account, what agents and customers do, and what the API does to it. `zendesk.py` lets callers in."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from standins.zendesk_hooks import Hook, Hooks

_WRITABLE = {"status", "priority", "subject", "assignee_id", "external_id", "tags", "requester_id", "group_id"}


class Refused(Exception):
    """The API says no."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def not_found() -> Refused:
    return Refused(404, {"error": "RecordNotFound", "description": "Not found"})


def invalid(field: str, description: str) -> Refused:
    return Refused(
        422,
        {"error": "RecordInvalid", "description": "Record validation errors", "details": {field: [{"description": description}]}},
    )


class Desk(Hooks):
    """Tickets, users, fields, webhooks and triggers. Numbers are unique in the account."""

    now: Callable[[], datetime]

    def __init__(self) -> None:
        self._number = 9_000_000
        self.users: dict[int, dict[str, Any]] = {}
        self.identities: dict[int, list[dict[str, Any]]] = {}
        self.tickets: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.audits: dict[int, list[dict[str, Any]]] = {}
        self.solved: dict[int, datetime] = {}
        self.ticket_fields: dict[int, dict[str, Any]] = {}
        self.user_fields: dict[int, dict[str, Any]] = {}
        self.webhooks: dict[str, Hook] = {}
        self.triggers: dict[int, dict[str, Any]] = {}
        self.may_make_fields = True
        self.sent: list[Any] = []
        self.bot = self.add_user("Bellwire", role="admin")
        self.agent = self.add_user("Iva Example", role="agent")

    # -- what people do -----------------------------------------------------------------------------------------------

    def add_user(
        self, name: str, *, phone: str | None = None, role: str = "end-user", lines: Iterable[str] = (), **more: Any
    ) -> int:
        """A user; `lines`: direct lines. Their number."""
        number = self._next()
        self.users[number] = {
            "id": number,
            "name": name,
            "role": role,
            "phone": phone,
            "shared_phone_number": None if phone is None else False,
            "locale": "en-US",
            "iana_time_zone": "America/New_York",
            "active": True,
            "suspended": False,
            "user_fields": {one["key"]: None for one in self.user_fields.values()},
            "created_at": self._stamp(),
            "updated_at": self._stamp(),
            **more,
        }
        self.identities[number] = [{"id": self._next(), "type": "phone_number", "value": one} for one in lines]
        return number

    def open_ticket(self, requester: int, subject: str, text: str = "", *, by: int | None = None, **more: Any) -> int:
        """Somebody writes in; the ticket's number."""
        made = {"subject": subject, "requester_id": requester, "comment": {"body": text or subject, "public": True}, **more}
        return int(self._create(made, by or requester)["id"])

    def comment(self, ticket: int, text: str, *, by: int, public: bool = True, **more: Any) -> int:
        """Somebody writes on; the comment's number."""
        self._update(self.tickets[ticket], {"comment": {"body": text, "public": public}, **more}, by)
        return int(self.comments[ticket][-1]["id"])

    def set_status(self, ticket: int, status: str, *, by: int | None = None) -> None:
        """An agent moves the ticket, also to `closed`, which the API can't undo."""
        self._update(self.tickets[ticket], {"status": status}, by or self.agent)

    def set_user_field(self, user: int, key: str, value: str | None) -> None:
        """An agent sets a field of a user's profile."""
        before = self.users[user]["user_fields"].get(key)
        self.users[user]["user_fields"][key] = value
        self.users[user]["updated_at"] = self._stamp()
        self.user_changed(self.users[user], key, value, before)

    def written(self, ticket: int, *, public: bool) -> list[tuple[int, str]]:
        """Who wrote what on a ticket, in order."""
        return [(one["author_id"], one["plain_body"]) for one in self.comments[ticket] if one["public"] is public]

    # -- tickets ------------------------------------------------------------------------------------------------------

    def get_ticket(self, number: str, **_: Any) -> Any:
        return {"ticket": copy.deepcopy(self._ticket(number))}

    def list_tickets(self, *, asked: Mapping[str, str], **_: Any) -> Any:
        wanted = asked.get("external_id")
        return {"tickets": [one for one in self.tickets.values() if wanted is None or one["external_id"] == wanted], "count": None}

    def list_requested(self, user: str, **_: Any) -> Any:
        mine = [one for one in self.tickets.values() if one["requester_id"] == int(user) and one["status"] != "deleted"]
        return {"tickets": sorted(mine, key=lambda one: str(one["updated_at"]), reverse=True)}

    def post_ticket(self, *, sent: Any, caller: int, **_: Any) -> Any:
        ticket = sent.get("ticket")
        if not isinstance(ticket, dict) or not isinstance(ticket.get("comment"), dict):
            raise Refused(400, {"error": "ArgumentError", "description": "Parameter ticket is required"})
        made = self._create(ticket, caller)
        return {"ticket": copy.deepcopy(made), "audit": copy.deepcopy(self.audits[made["id"]][-1])}

    def put_ticket(self, number: str, *, sent: Any, caller: int, **_: Any) -> Any:
        ticket, update = self._ticket(number), sent.get("ticket")
        if not isinstance(update, dict):
            raise Refused(400, {"error": "ArgumentError", "description": "Parameter ticket is required"})
        if ticket["status"] == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        if len(self.comments[ticket["id"]]) >= 5000:
            raise invalid("base", "Comment limit reached")
        self._update(ticket, update, caller)
        return {"ticket": copy.deepcopy(ticket), "audit": copy.deepcopy(self.audits[ticket["id"]][-1])}

    def list_comments(self, number: str, *, asked: Mapping[str, str], **_: Any) -> Any:
        listed = self._page(self.comments[self._ticket(number)["id"]], asked)
        users = {one["author_id"]: self.users[one["author_id"]] for one in listed}
        return {"comments": listed, **({"users": list(users.values())} if asked.get("include") == "users" else {})}

    def list_audits(self, number: str, *, asked: Mapping[str, str], **_: Any) -> Any:
        return {"audits": self._page(self.audits[self._ticket(number)["id"]], asked)}

    def get_tags(self, number: str, **_: Any) -> Any:
        return {"tags": self._ticket(number)["tags"]}

    def put_tags(self, number: str, *, sent: Any, caller: int, **_: Any) -> Any:
        ticket = self._ticket(number)
        self._open(ticket)
        self._update(ticket, {"tags": [*ticket["tags"], *(tag for tag in sent["tags"] if tag not in ticket["tags"])]}, caller)
        return {"tags": ticket["tags"]}

    def delete_tags(self, number: str, *, sent: Any, caller: int, **_: Any) -> Any:
        ticket = self._ticket(number)
        self._open(ticket)
        self._update(ticket, {"tags": [tag for tag in ticket["tags"] if tag not in sent["tags"]]}, caller)

    def export(self, *, asked: Mapping[str, str], **_: Any) -> Any:
        """Incremental export by cursor: what was updated since, in that order, 1,000 a page."""
        if "cursor" in asked:
            start = datetime.fromisoformat(asked["cursor"].replace("~", "+"))
        else:
            start = datetime.fromtimestamp(int(asked["start_time"]), UTC)
            if start > self.now() - timedelta(minutes=1):
                raise Refused(422, {"error": "StartTimeTooRecent", "description": "Too recent start_time."})
        new = sorted(
            (one for one in self.tickets.values() if datetime.fromisoformat(one["updated_at"]) > start - timedelta(seconds=1)),
            key=lambda one: str(one["updated_at"]),
        )
        metrics = [{"ticket_id": number, "solved_at": self._stamp(at)} for number, at in self.solved.items()]
        after = self.now().astimezone(UTC).isoformat().replace("+", "~")
        return {"tickets": copy.deepcopy(new), "metric_sets": metrics, "after_cursor": after, "end_of_stream": True}

    def _open(self, ticket: Mapping[str, Any]) -> None:
        if ticket["status"] == "closed":
            raise invalid("status", "Status: closed prevents ticket update")

    def _ticket(self, number: str) -> dict[str, Any]:
        found = self.tickets.get(int(number))
        if found is None or found["status"] == "deleted":
            raise not_found()
        return found

    def _create(self, given: Mapping[str, Any], caller: int) -> dict[str, Any]:
        source = given.get("via_followup_source_id")
        if source is not None and self.tickets.get(source, {}).get("status") != "closed":
            raise invalid("via_followup_source_id", "Via followup source is not a closed ticket")
        requester = given.get("requester_id")
        if requester is None and isinstance(given.get("requester"), dict):
            who = given["requester"]
            if not who.get("name"):
                raise invalid("requester", "Requester Name: is too short (minimum one character)")
            requester = self.add_user(who["name"], phone=who.get("phone"))
        requester = requester or caller
        if requester not in self.users:
            raise invalid("requester", "Requester: is invalid")
        number = self._next()
        ticket = {
            "id": number,
            "subject": given.get("subject") or "",
            "status": "new",
            "priority": None,
            "type": None,
            "requester_id": requester,
            "submitter_id": caller,
            "assignee_id": given.get("assignee_id"),
            "group_id": None,
            "external_id": given.get("external_id"),
            "tags": list(given.get("tags") or ()),
            "custom_fields": [{"id": one, "value": None} for one in self.ticket_fields],
            "via": {"channel": "api" if caller == self.bot else "web"},
            "created_at": self._stamp(),
            "updated_at": self._stamp(),
            "followup_source": source,
        }
        self.tickets[number], self.comments[number], self.audits[number] = ticket, [], []
        comment = {"author_id": requester if caller != self.bot else caller, **given["comment"]}
        self._audit(ticket, given, self._write(ticket, comment, caller), caller)
        self.ticket_created(ticket, caller)
        return ticket

    def _update(self, ticket: dict[str, Any], update: Mapping[str, Any], caller: int) -> None:
        before = copy.deepcopy(ticket)
        comment = self._write(ticket, update["comment"], caller) if update.get("comment") else None
        ticket |= {name: value for name, value in update.items() if name in _WRITABLE}
        for given in update.get("custom_fields") or ():
            self._set_field(ticket, given)
        ticket["updated_at"] = self._stamp()
        if ticket["status"] == "solved" != before["status"]:
            self.solved[ticket["id"]] = self.now()
        self._audit(ticket, update, comment, caller)
        self.ticket_changed(ticket, before, comment, caller)

    def _set_field(self, ticket: dict[str, Any], given: Mapping[str, Any]) -> None:
        field = self.ticket_fields.get(given["id"])
        options = [one["value"] for one in (field or {}).get("custom_field_options", ())]
        if field is None or (given["value"] is not None and options and given["value"] not in options):
            raise invalid("custom_fields", "Custom field: is invalid")
        mine = next((one for one in ticket["custom_fields"] if one["id"] == given["id"]), None)
        if mine is None:
            ticket["custom_fields"].append(mine := {"id": given["id"], "value": None})
        mine["value"] = given["value"]
        ticket["tags"] = [tag for tag in ticket["tags"] if tag not in options] + ([given["value"]] if given["value"] else [])

    def _write(self, ticket: Mapping[str, Any], given: Mapping[str, Any], caller: int) -> dict[str, Any]:
        author = given.get("author_id") or caller
        if author not in self.users:
            raise invalid("comment", "Author: is invalid")
        body = given.get("html_body") or given.get("body") or ""
        if not body:
            raise invalid("comment", "Comment: cannot be blank")
        plain = body.replace("<br>", "\n").replace("</p><p>", "\n")
        for tag in ("<p>", "</p>"):
            plain = plain.replace(tag, "")
        for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#x27;", "'"), ("&quot;", '"'), ("&amp;", "&")):
            plain = plain.replace(code, sign)
        made = {
            "id": self._next(),
            "author_id": author,
            "public": given.get("public", True),
            "body": plain,
            "html_body": body,
            "plain_body": plain,
            "created_at": self._stamp(),
        }
        self.comments[ticket["id"]].append(made)
        return made

    def _audit(self, ticket: Mapping[str, Any], given: Mapping[str, Any], comment: Mapping[str, Any] | None, caller: int) -> None:
        events = [{"type": "Comment", "id": comment["id"], "public": comment["public"]}] if comment else []
        made = {
            "id": self._next(),
            "ticket_id": ticket["id"],
            "author_id": caller,
            "created_at": self._stamp(),
            "events": events,
            "metadata": {"system": {}, "custom": dict(given.get("metadata") or {})},
        }
        self.audits[ticket["id"]].append(made)

    # -- users --------------------------------------------------------------------------------------------------------

    def get_me(self, *, caller: int, **_: Any) -> Any:
        return {"user": self.users[caller]}

    def get_user(self, number: str, **_: Any) -> Any:
        if int(number) not in self.users:
            raise not_found()
        return {"user": self.users[int(number)]}

    def put_user(self, number: str, *, sent: Any, **_: Any) -> Any:
        user = self.users.get(int(number))
        if user is None:
            raise not_found()
        for key, value in (sent["user"].get("user_fields") or {}).items():
            if key in {one["key"] for one in self.user_fields.values()}:  # unknown keys are passed over without a word
                self.set_user_field(user["id"], key, value)
        return {"user": user}

    def list_identities(self, number: str, **_: Any) -> Any:
        return {"identities": self.identities[int(number)], "count": len(self.identities[int(number)]), "next_page": None}

    def search_users(self, *, asked: Mapping[str, str], **_: Any) -> Any:
        """`phone:"+1…"`: profiles and direct lines that have the digits, parts of them included."""
        kind, _colon, words = asked["query"].partition(":")
        digits = words.strip('"').lstrip("+")
        if kind != "phone" or not words.startswith('"') or not digits.isdigit():
            return {"users": [], "count": 0}
        found = [user for user in self.users.values() if any(digits in one or one in digits for one in self._digits(user))]
        return {"users": found, "count": len(found), "next_page": None}

    def _digits(self, user: Mapping[str, Any]) -> list[str]:
        lines = [one["value"] for one in self.identities[user["id"]]]
        return ["".join(sign for sign in one if sign.isdigit()) for one in (user["phone"], *lines) if one]

    # -- fields -------------------------------------------------------------------------------------------------------

    def list_ticket_fields(self, **_: Any) -> Any:
        return {"ticket_fields": list(self.ticket_fields.values())}

    def post_ticket_field(self, *, sent: Any, **_: Any) -> Any:
        self._may_make()
        number = self._next()
        self.ticket_fields[number] = {"id": number, "active": True, **sent["ticket_field"]}
        return {"ticket_field": self.ticket_fields[number]}

    def list_user_fields(self, **_: Any) -> Any:
        return {"user_fields": list(self.user_fields.values())}

    def post_user_field(self, *, sent: Any, **_: Any) -> Any:
        self._may_make()
        number, field = self._next(), sent["user_field"]
        self.user_fields[number] = {"id": number, **field}
        for user in self.users.values():
            user["user_fields"].setdefault(field["key"], None)
        return {"user_field": self.user_fields[number]}

    def _may_make(self) -> None:
        if not self.may_make_fields:
            raise Refused(403, {"error": {"title": "Forbidden", "message": "You do not have access to this page."}})

    # -- small things -------------------------------------------------------------------------------------------------

    def _page(self, rows: list[dict[str, Any]], asked: Mapping[str, str]) -> list[dict[str, Any]]:
        size = int(asked.get("page[size]", 100))
        if size > 100:
            raise Refused(400, {"error": "InvalidPaginationParameter", "description": "page[size] is greater than 100"})
        listed = rows[::-1] if asked.get("sort", "").startswith("-") else rows
        return copy.deepcopy(listed[:size])

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _stamp(self, at: datetime | None = None) -> str:
        return (at or self.now()).astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")

    def _ulid(self) -> str:
        return "01KE" + secrets.token_hex(11).upper()
