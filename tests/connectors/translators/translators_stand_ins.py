"""Jira, Asana, Trello, monday, Clockify and Toggl, as far as the translators call them, after their documentation."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from bellwire.model import Json
from bellwire.testing.standins import HttpStandIn

Answer = tuple[int, Mapping[str, str], bytes]


def answered(value: object, status: int = 200) -> Answer:
    return status, {}, json.dumps(value).encode()


class Board(HttpStandIn):
    """Objects that people comment on. `known`: the objects; `comments`: by object, oldest first."""

    kind = "task"

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self.known: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[str]] = {}
        self.seen: list[tuple[str, str, Any]] = []

    def subject(self) -> str:
        return f"{self.kind}/{self.made(self.name(next(self._numbers)))}"

    def name(self, number: int) -> str:
        return f"{1200000000000000 + number}"

    def made(self, name: str, /, **fields: Any) -> str:
        """A new object."""
        self.known[name] = fields
        self.comments[name] = []
        return name

    def written(self) -> Json:
        return {name: list(texts) for name, texts in sorted(self.comments.items())}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        asked = json.loads(body) if body else None
        where = urlsplit(path)
        self.seen.append((method, path, asked))
        if not self.lets_in(headers):
            return answered({"error": "unauthorized"}, 401)
        steps = [unquote(step) for step in where.path.split("/") if step]
        return self.reply(method, steps, {name: values[0] for name, values in parse_qs(where.query).items()}, asked)

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        raise NotImplementedError

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        raise NotImplementedError


class Jira(Board):
    def name(self, number: int) -> str:
        return f"OPS-{number}"

    def credentials(self) -> Mapping[str, Any]:
        return {"site_url": "https://example.atlassian.net", "email": "bot@example.com", "api_token": "made-up-api-token-of-jira"}

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        account = "bot@example.com:made-up-api-token-of-jira"
        return headers.get("authorization") == "Basic " + base64.b64encode(account.encode()).decode()

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        match method, steps:
            case "GET", ["rest", "api", "3", "myself"]:
                return answered({"accountId": "sample:1"})
            case _, ["rest", "api", "3", "issue", issue, "comment"] if issue not in self.known:
                return answered({"errorMessages": ["Issue does not exist or you do not have permission to see it."]}, 404)
            case "GET", ["rest", "api", "3", "issue", issue, "comment"]:
                rows = [{"id": str(number), "body": self._document(text)} for number, text in enumerate(self.comments[issue])]
                return answered({"comments": rows[::-1], "maxResults": int(query["maxResults"]), "total": len(rows)})
            case "POST", ["rest", "api", "3", "issue", issue, "comment"]:
                assert asked["properties"] == [{"key": "sd.public.comment", "value": {"internal": True}}]
                self.comments[issue].append(asked["body"]["content"][0]["content"][0]["text"])
                return answered({"id": "1"}, 201)
        return answered({}, 404)

    @staticmethod
    def _document(text: str) -> object:
        """Jira may cut a text into parts: `text` nodes side by side."""
        half = len(text) // 2
        parts = [{"type": "text", "text": part} for part in (text[:half], text[half:]) if part]
        return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": parts}]}


class Asana(Board):
    """`hooks`: webhook gid → what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, str] = {}

    def credentials(self) -> Mapping[str, Any]:
        return {"access_token": "made-up-access-token-of-asana", "workspace_id": "1200000000000001"}

    def settings(self) -> Mapping[str, Any]:
        return {"resources": ["1200000000000050", "1200000000000051"]}

    def subscriptions(self) -> int:
        return len(self.hooks)

    def drop_subscriptions(self) -> None:
        self.hooks.clear()

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == "Bearer made-up-access-token-of-asana"

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        match method, steps:
            case "GET", ["tasks", task] if task in self.known:
                return answered({"data": {"gid": task, **self.known[task]}})
            case "GET", ["tasks", task, "stories"] if task in self.known:
                first = int(query.get("offset", "0"))
                rows = [{"gid": "1", "text": text} for text in self.comments[task]]
                more = {"offset": str(first + 2)} if first + 2 < len(rows) else None
                return answered({"data": rows[first : first + 2], "next_page": more})
            case "POST", ["tasks", task, "stories"] if task in self.known:
                self.comments[task].append(asked["data"]["text"])
                return answered({"data": {"gid": "1"}}, 201)
            case "GET", ["webhooks"]:
                assert query["workspace"] == "1200000000000001"
                return answered({"data": list(self.hooks.values()), "next_page": None})
            case "POST", ["webhooks"]:
                return self._hook(asked["data"])
            case "DELETE", ["webhooks", hook] if hook in self.hooks:
                del self.hooks[hook]
                return answered({"data": {}})
        return answered({"errors": [{"message": "Not Found"}]}, 404)

    def _hook(self, asked: Mapping[str, Any]) -> Answer:
        number = next(self._numbers)
        gid, secret = f"77{number:04d}", f"{number:064x}"
        made = {"gid": gid, "resource": {"gid": asked["resource"]}, "target": asked["target"], "active": True}
        self.hooks[gid], self.secrets[gid] = made, secret
        return answered({"data": made, "X-Hook-Secret": secret}, 201)


class Trello(Board):
    def name(self, number: int) -> str:
        return f"65a1c0ffee{number:014d}"

    def credentials(self) -> Mapping[str, Any]:
        return {"api_key": "made-up-api-key-of-trello", "api_token": "made-up-api-token-of-trello"}

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        key, token = self.credentials().values()
        return headers.get("authorization") == f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"'

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        match method, steps:
            case "GET", ["members", "me"]:
                return answered({"id": "65a1c0ffee0000000000bb01"})
            case "GET", ["cards", card] if card in self.known:
                return answered({"id": card, **self.known[card]})
            case "GET", ["cards", card, "actions"] if card in self.known:
                assert query["filter"] == "commentCard"
                return answered([{"type": "commentCard", "data": {"text": text}} for text in reversed(self.comments[card])])
            case "POST", ["cards", card, "actions", "comments"] if card in self.known:
                self.comments[card].append(asked["text"])
                return answered({"id": "1"})
        return 404, {"Content-Type": "text/plain"}, b"The requested resource was not found."


class Monday(Board):
    """`people`: user id → what is known. `refusals`: GraphQL errors for the next calls, with status 200."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, dict[str, Any]] = {}
        self.refusals: list[dict[str, Any]] = []

    def credentials(self) -> Mapping[str, Any]:
        return {"api_token": "made-up-api-token-of-monday"}

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == "made-up-api-token-of-monday"

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        del method, steps, query  # GraphQL: everything stands in the body
        if self.refusals:
            return answered(self.refusals.pop(0))
        given, document = asked["variables"], asked["query"]
        if document.startswith("query Me"):
            return answered({"data": {"me": {"id": "1"}}})
        if document.startswith("query User"):
            return answered({"data": {"users": [{"id": one, **self.people[one]} for one in given["ids"] if one in self.people]}})
        if document.startswith("mutation Add"):
            self.comments[given["item"]].append(given["body"])
            return answered({"data": {"create_update": {"id": "1"}}})
        items = [one for one in given["ids"] if one in self.known]
        if document.startswith("query Updates"):
            rows = [{"updates": [{"text_body": self._text(text)} for text in self.comments[one]]} for one in items]
            return answered({"data": {"items": rows}})
        return answered({"data": {"items": [self.known[one] for one in items]}})

    @staticmethod
    def _text(body: str) -> str:
        """An update's body is HTML, its text is not."""
        import html

        return html.unescape(body)


class Clockify(Board):
    """`assignments`: rows of the schedule; `hooks`: webhooks by event."""

    kind = "shift"

    def __init__(self) -> None:
        super().__init__()
        self.assignments: list[dict[str, Any]] = []
        self.hooks: dict[str, dict[str, Any]] = {}

    def credentials(self) -> Mapping[str, Any]:
        return {"workspace_id": "65a1c0ffee00000000000100", "api_key": "made-up-api-key-of-clockify"}

    def subscriptions(self) -> int:
        return len(self.hooks)

    def drop_subscriptions(self) -> None:
        self.hooks.clear()

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-api-key") == "made-up-api-key-of-clockify"

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        match method, steps[2:]:
            case "GET", ["scheduling", "assignments", "all"]:
                size, page = int(query["page-size"]), int(query["page"])
                return answered(self.assignments[(page - 1) * size : page * size])
            case "GET", ["webhooks"]:
                return answered({"webhooks": list(self.hooks.values()), "workspaceWebhookCount": len(self.hooks)})
            case "POST", ["webhooks"]:
                assert 2 <= len(asked["name"]) <= 30
                made = {**asked, "id": str(next(self._numbers)), "enabled": True, "authToken": f"token of {asked['webhookEvent']}"}
                self.hooks[asked["webhookEvent"]] = made
                return answered(made, 201)
        return answered({"message": "no such thing"}, 404)


class Toggl(Board):
    """`hooks`: the subscriptions."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: list[dict[str, Any]] = []

    def credentials(self) -> Mapping[str, Any]:
        return {"workspace_id": "1001", "api_token": "made-up-api-token-of-toggl"}

    def subscriptions(self) -> int:
        return len(self.hooks)

    def drop_subscriptions(self) -> None:
        self.hooks.clear()

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == "Basic " + base64.b64encode(b"made-up-api-token-of-toggl:api_token").decode()

    def reply(self, method: str, steps: list[str], query: Mapping[str, str], asked: Any) -> Answer:
        del query  # nothing is asked by one
        match method, steps:
            case "GET", ["subscriptions", "1001"]:
                return answered(self.hooks)
            case "POST", ["subscriptions", "1001"]:
                self.hooks.append({**asked, "subscription_id": next(self._numbers), "validated_at": None})
                return answered(self.hooks[-1])
            case "PATCH", ["subscriptions", "1001", number]:
                one = next(hook for hook in self.hooks if str(hook["subscription_id"]) == number)
                one.update(asked)
                return answered(one)
        return answered({}, 404)
