"""Declares what the API offers: a decorator on plain functions collects, for each, what is checked before it and said of it.

    routes = Routes("templates", "Texts and their versions.")

    @routes.post("/v1/templates", scope=Scope.TEMPLATES_WRITE, audit="template.created", example={...})
    def create_template(call: Call, body: TemplateRequest) -> Template:
        \"\"\"Make a template; its first version is a draft.\"\"\"

The view's type hints name the models: `body` (JSON), `query` (parameters), the return type. Path parameters say what they
are: `<msg:message_id>` is an id shown as `msg_…`, `<msisdn:msisdn>` a number, `<int:number>` a count, `<name>` any text
without a slash, `<rest:name>` any text.
Nothing is mounted on import; `calls.mount` does that.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bellwire.domain.scopes import Scope
from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])

_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
REST = "rest"
_ORDINARY_BYTES = 256 * 1024


class DeclarationWrong(Exception):
    """A view is declared in a way that cannot be served safely: the application does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one address. `parameters`: name → kind, in the order of the path."""

    method: str
    rule: str
    view: Callable[..., Any]
    name: str
    summary: str
    description: str
    tag: str
    scope: Scope | None
    status: int
    audit: str  # the entry a change leaves; "" for what changes nothing
    body: type[BaseModel] | None
    body_optional: bool
    query: type[BaseModel] | None
    answer: type[BaseModel] | None
    problems: tuple[int, ...]
    example: Mapping[str, Any] | None
    max_bytes: int
    takes: str  # the media type of the body; other than JSON it is given as bytes, and may come as a form's file
    salesforce: bool
    keeps_answer: bool  # under an idempotency key; what must not be kept is done again
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The rule as OpenAPI writes it: `/v1/messages/{message_id}`."""
        return _PARAMETER.sub(r"{\2}", self.rule)

    @property
    def has_body(self) -> bool:
        """Whether anything is to be sent with it."""
        return self.body is not None or self.takes != "application/json"

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether a repeat under the same key gets the first answer."""
        return self.method == "POST" and self.keeps_answer and bool(self.audit or self.status in (201, 202))


class Routes:
    """Operations under one tag."""

    def __init__(self, tag: str, about: str) -> None:
        self.tag, self.about = tag, about
        self.operations: list[Operation] = []

    def get(self, rule: str, *, scope: Scope, **more: Any) -> Callable[[View], View]:
        """A read."""
        return self._declare("GET", rule, scope=scope, **more)

    def post(self, rule: str, *, scope: Scope, status: int = 201, **more: Any) -> Callable[[View], View]:
        """A creation (201), accepted work (202) or an action (200)."""
        return self._declare("POST", rule, scope=scope, status=status, **more)

    def put(self, rule: str, *, scope: Scope, audit: str, **more: Any) -> Callable[[View], View]:
        """A replacement."""
        return self._declare("PUT", rule, scope=scope, audit=audit, **more)

    def patch(self, rule: str, *, scope: Scope, audit: str, **more: Any) -> Callable[[View], View]:
        """A change of the fields that are given."""
        return self._declare("PATCH", rule, scope=scope, audit=audit, **more)

    def delete(self, rule: str, *, scope: Scope, audit: str, status: int = 204, **more: Any) -> Callable[[View], View]:
        """A removal."""
        return self._declare("DELETE", rule, scope=scope, audit=audit, status=status, **more)

    def _declare(
        self,
        method: str,
        rule: str,
        *,
        scope: Scope | None = None,
        status: int = 200,
        audit: str = "",
        problems: tuple[int, ...] = (),
        example: Mapping[str, Any] | None = None,
        body_optional: bool = False,
        max_bytes: int = _ORDINARY_BYTES,
        takes: str = "application/json",
        salesforce: bool = False,
        keeps_answer: bool = True,
    ) -> Callable[[View], View]:
        def keep(view: View) -> View:
            hints = typing.get_type_hints(view)
            doc = (inspect.getdoc(view) or "").partition("\n\n")
            answer = hints.get("return")
            self.operations.append(
                Operation(
                    method=method,
                    rule=rule,
                    view=view,
                    name=_camel(view.__name__),
                    summary=doc[0].replace("\n", " "),
                    description=doc[2].replace("\n", " "),
                    tag=self.tag,
                    scope=scope,
                    status=status,
                    audit=audit,
                    body=hints.get("body") if takes == "application/json" else None,
                    body_optional=body_optional,
                    query=hints.get("query"),
                    answer=answer if isinstance(answer, type) and issubclass(answer, BaseModel) else None,
                    problems=problems,
                    example=example,
                    max_bytes=max_bytes,
                    takes=takes,
                    salesforce=salesforce,
                    keeps_answer=keeps_answer,
                    parameters={name: "text" if kind in ("", REST) else kind for kind, name in _PARAMETER.findall(rule)},
                )
            )
            return view

        return keep


def check(operation: Operation) -> None:
    """Refuse to serve what is not declared in full. Raises DeclarationWrong."""
    where = f"{operation.method} {operation.rule} ({operation.view.__name__})"
    if operation.scope is None:
        raise DeclarationWrong(f"{where}: declares no scope")
    if not operation.summary:
        raise DeclarationWrong(f"{where}: has no docstring, which is its summary")
    if (operation.status != 204) != (operation.answer is not None):
        raise DeclarationWrong(f"{where}: status {operation.status} and its return type contradict each other")
    if ("body" in inspect.signature(operation.view).parameters) != operation.has_body:
        raise DeclarationWrong(f"{where}: its body has no type, or none that can be read")
    if operation.body is not None and operation.example is None:
        raise DeclarationWrong(f"{where}: has a body but no example of it")
    wanted = set(inspect.signature(operation.view).parameters) - {"call", "body", "query"}
    if wanted != set(operation.parameters):
        raise DeclarationWrong(f"{where}: the path's parameters are not the view's")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
