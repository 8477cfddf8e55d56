"""Serves declared operations: who calls, what was sent, the view, the answer. Everything between Flask and a view is here."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from bellwire.domain import msisdn
from bellwire.domain.scopes import allows
from bellwire.errors import FieldInvalid
from bellwire.ids import parse_id, show
from bellwire.model import Msisdn
from bellwire.store import TenantStore, idempotency
from bellwire.store.idempotency import IdempotencyKey, Kept
from bellwire.store.keys import ApiKey
from bellwire.store.tenancy import TenantConnection
from flask import Flask, Request, Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.routing import BaseConverter

from bellwire_web import problems
from bellwire_web.auth import Authenticator
from bellwire_web.bodies import whole
from bellwire_web.operations import REST, Operation, check
from bellwire_web.problems import FieldProblem, Refused
from bellwire_web.runtime import Runtime

T = TypeVar("T")

_FORM = "multipart/form-data"
_KEY_MAX = 255
_LARGE = re.compile(rb"[eE]\+?0*[1-9][0-9]{2}|[0-9]{300}")  # what may be a number past the largest, 1.8e308
_DECODED_PLUS = re.compile(
    r"^(\d{4}-\d\d-\d\d[Tt][\d:.]+) (\d\d:\d\d)\Z", re.ASCII
)  # a time east of UTC, its + read as a form does
_IN_PROGRESS_RETRY_S = 1


class Call:
    """One request by one key: what a view works with."""

    __slots__ = ("_status", "authenticator", "idempotency", "key", "now", "runtime", "tenant")

    def __init__(
        self,
        runtime: Runtime,
        key: ApiKey,
        status: int,
        idempotency_key: IdempotencyKey | None,
        authenticator: Authenticator,
    ) -> None:
        self.runtime, self.key, self.authenticator = runtime, key, authenticator
        self.tenant: TenantStore = runtime.store.for_tenant(key.tenant_id)
        self.now: datetime = runtime.now()
        self.idempotency = idempotency_key
        self._status = status

    @property
    def actor(self) -> str:
        """Who does this, as the audit trail names it."""
        return show("key", self.key.id)

    @contextmanager
    def reading(self) -> Iterator[TenantConnection]:
        """A read-only snapshot of the tenant's rows."""
        with self.tenant.reading() as connection:
            yield connection

    def write(self, run: Callable[[TenantConnection], T]) -> T:
        """Do `run` in a transaction and give its result after the commit.

        Under an idempotency key `run` gives the answer's model, which is kept in the same transaction; a repeat gets it
        without `run` being called.
        """
        key = self.idempotency
        if key is None:
            return self.tenant.write(run)
        vault = self.tenant.vault

        def once(connection: TenantConnection) -> T | Kept:
            kept = idempotency.find(connection, vault, key, self.now)
            if kept is not None:
                return kept
            made = run(connection)
            answer = made.model_dump(mode="json") if isinstance(made, BaseModel) else None
            if not idempotency.keep(connection, vault, key, self._status, answer, self.now):
                raise _in_progress()
            return made

        result = self.tenant.write(once)
        if isinstance(result, Kept):
            raise _Repeated(result)
        return result


class _Repeated(Exception):
    """The request was served before: answer as then."""

    def __init__(self, kept: Kept) -> None:
        super().__init__("repeated")
        self.kept = kept


class _InProgress:
    """Idempotency keys whose first request is being served in this process."""

    def __init__(self) -> None:
        self._keys: set[tuple[UUID, bytes]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, tenant_id: UUID, key: IdempotencyKey | None) -> Iterator[None]:
        """Hold the key while the request is served. Raises Refused (409) when somebody else holds it."""
        if key is None:
            yield
            return
        mine = (tenant_id, key.key_hash)
        with self._lock:
            if mine in self._keys:
                raise _in_progress()
            self._keys.add(mine)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(mine)


def _in_progress() -> Refused:
    return Refused(
        409,
        "idempotency_in_progress",
        "the first request with this key is still being served; ask again",
        headers={"Retry-After": str(_IN_PROGRESS_RETRY_S)},
    )


def mount(app: Flask, runtime: Runtime, operations: list[Operation], authenticator: Authenticator) -> None:
    """Serve the operations. Raises DeclarationWrong for one that says too little of itself."""
    in_progress = _InProgress()
    app.url_map.converters |= segments(operations)
    for operation in operations:
        check(operation)
        app.add_url_rule(
            operation.rule,
            operation.name,
            _served(operation, runtime, authenticator, in_progress),
            methods=[operation.method],
            provide_automatic_options=False,
        )


def segments(operations: Iterable[Operation]) -> dict[str, type[BaseConverter]]:
    """What may stand for each kind of parameter in a path: anything but the words that other addresses have in its place.

    `/v1/messages/batch` is no message: its methods are its own. What is called by a name may have such a word for one.
    """
    ways = [operation.rule.split("/") for operation in operations]
    words: dict[str, set[str]] = {kind: set() for operation in operations for kind in operation.parameters.values()}
    for operation in operations:
        mine = operation.rule.split("/")
        for place, part in enumerate(mine):
            kind, colon, _ = part.removeprefix("<").partition(":")
            if part.startswith("<") and colon and kind != REST:
                alike = [
                    way
                    for way in ways
                    if len(way) == len(mine) and way[:place] + way[place + 1 :] == mine[:place] + mine[place + 1 :]
                ]
                words[kind] |= {way[place] for way in alike if not way[place].startswith("<")}
    return {kind: _segment(taken) for kind, taken in words.items()} | {REST: _Rest}


class _Rest(BaseConverter):
    """All that is left of the path: names that others give may hold a slash, which arrives decoded."""

    part_isolating = False
    regex = ".+"


def _segment(taken: Collection[str]) -> type[BaseConverter]:
    refused = rf"(?!(?:{'|'.join(map(re.escape, sorted(taken)))})\Z)" if taken else ""
    return type("Segment", (BaseConverter,), {"regex": f"{refused}[^/]+"})


def _served(
    operation: Operation, runtime: Runtime, authenticator: Authenticator, in_progress: _InProgress
) -> Callable[..., Response]:
    """The function Flask calls for an operation."""
    scope = operation.scope
    parsers = {name: _PARSERS[kind] for name, kind in operation.parameters.items() if kind in _PARSERS}
    shown = {name: kind for name, kind in operation.parameters.items() if kind not in _PARSERS and kind != "text"}
    if scope is None:
        raise TypeError(operation.name)

    def serve(**path: Any) -> Response:
        key = authenticator.authenticate(request.headers.get("Authorization", ""))
        if not allows(key.scopes, scope):
            raise Refused(
                403,
                "scope_missing",
                f"this key lacks the scope {scope}",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        for name, prefix in shown.items():
            path[name] = _id(prefix, name, path[name])
        for name, parse in parsers.items():
            path[name] = parse(name, path[name])
        if operation.query is not None:
            path["query"] = read_query(request, operation.query)
        elif request.query_string:
            raise _unknown_parameters(request)
        if operation.has_body:
            path["body"] = read_body(request, operation)
        claimed = _idempotency_key(request, operation, path.get("body")) if operation.takes_idempotency_key else None
        try:
            with in_progress.claim(key.tenant_id, claimed):
                result = operation.view(Call(runtime, key, operation.status, claimed, authenticator), **path)
        except _Repeated as repeated:
            return _repeat(repeated.kept)
        if result is None:
            return Response(status=operation.status)
        if isinstance(result, Response):
            return result
        return Response(cast("BaseModel", result).model_dump_json(), operation.status, mimetype="application/json")

    return serve


# -- what was sent ------------------------------------------------------------------------------------------------


def read_body(incoming: Request, operation: Operation) -> BaseModel | bytes:
    """The body as the operation's model; where it takes no JSON as bytes, those of a form's file, too.

    Raises Refused: 413, 415, 400 (not JSON), 422.
    """
    model = operation.body
    data = whole(incoming, operation.max_bytes)
    if not data and operation.body_optional and model is not None:
        return model()
    if model is None and incoming.mimetype == _FORM:
        data = _uploaded(incoming)
    elif incoming.mimetype != operation.takes:
        raise Refused(415, "content_type", f"send the body with Content-Type: {operation.takes}")
    if model is None:
        if b"\x00" in data:
            raise _one("file", "nul", "must be text in UTF-8 without the NUL character")
        return data
    try:
        made = model.model_validate_json(data)
    except ValidationError as e:
        raise problems.of_validation(e, model) from None
    if b"\\u0000" in data or b"NaN" in data or b"Infinity" in data or _LARGE.search(data):
        try:
            _refuse_unstorable(json.loads(data, parse_constant=_refuse_constant), ())
        except ValueError as e:
            raise Refused(400, "not_json", str(e)) from None
    return made


def _uploaded(incoming: Request) -> bytes:
    """The one file of a form, which is how `curl -F` and browsers send it. Raises Refused (422)."""
    if incoming.form:
        fields = [
            FieldProblem(field=name, code="unknown_field", message="stands in the address, behind ?") for name in incoming.form
        ]
        raise Refused(422, "invalid_fields", fields=fields)
    files = [file for _, file in incoming.files.items(multi=True)]
    if len(files) != 1:
        raise _one("file", "one_file", "must be one file, as curl -F file=@list.csv sends it")
    return bytes(files[0].read())


def read_query(incoming: Request, model: type[BaseModel]) -> BaseModel:
    """The query parameters as a model; an empty one is left out. Raises Refused (422) for unknown, repeated or bad ones."""
    given: dict[str, str] = {}
    for name, value in incoming.args.items(multi=True):
        if name in given:
            raise _one(name, "repeated", "is given twice")
        if "\x00" in value:
            raise _one(name, "nul", "must not hold the NUL character")
        given[name] = _DECODED_PLUS.sub(r"\1+\2", value)
    given = {name: value for name, value in given.items() if value or name not in model.model_fields}
    try:
        return model.model_validate_strings(given)
    except ValidationError as e:
        raise problems.of_validation(e, model) from None


def _unknown_parameters(incoming: Request) -> Refused:
    fields = [FieldProblem(field=name, code="unknown_field", message="is not a parameter here") for name in incoming.args]
    return Refused(422, "invalid_fields", fields=fields)


def _one(field: str, code: str, message: str) -> Refused:
    return Refused(422, "invalid_fields", fields=[FieldProblem(field=field, code=code, message=message)])


def _refuse_constant(word: str) -> None:
    raise ValueError(f"Invalid JSON: {word} is no JSON number")


def _refuse_unstorable(value: Any, place: tuple[str, ...]) -> None:
    """PostgreSQL can't store U+0000, and no text needs it; a number past the largest would be answered as null."""
    if isinstance(value, str) and "\x00" in value:
        raise _one(".".join(place), "nul", "must not hold the NUL character")
    if isinstance(value, float) and math.isinf(value):
        raise _one(".".join(place), "out_of_range", "is larger than any number that can be kept")
    if isinstance(value, dict):
        for name, one in value.items():
            _refuse_unstorable(name, (*place, "…"))
            _refuse_unstorable(one, (*place, name))
    if isinstance(value, list):
        for number, one in enumerate(value):
            _refuse_unstorable(one, (*place, str(number)))


def _idempotency_key(incoming: Request, operation: Operation, body: object) -> IdempotencyKey | None:
    given = incoming.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not (0 < len(given) <= _KEY_MAX and given.isascii() and given.isprintable()):
        raise _one("Idempotency-Key", "pattern", f"must be 1 to {_KEY_MAX} printable ASCII characters")
    where = f"{operation.method} {incoming.path}"
    sent = body if isinstance(body, bytes) else whole(incoming, operation.max_bytes)  # a form's boundary is another one each time
    return idempotency.idempotency_key(given, where, sent)


def _repeat(kept: Kept) -> Response:
    headers = {"Idempotency-Replayed": "true"}
    if kept.answer is None:
        return Response(status=kept.status, headers=headers)
    body = json.dumps(kept.answer, separators=(",", ":"), ensure_ascii=False)
    return Response(body, kept.status, headers=headers, mimetype="application/json")


# -- what stands in the path --------------------------------------------------------------------------------------


def _id(prefix: str, name: str, given: str) -> UUID:
    try:
        return parse_id(prefix, given, name)
    except FieldInvalid:
        kind = name.removesuffix("_id").replace("_", " ")
        raise Refused(404, "not_found", f"no {kind} has this id; ids look like {prefix}_ and 32 hexadecimal digits") from None


def _number(_name: str, given: str) -> int:
    if given.isascii() and given.isdigit() and len(given) <= 9:
        return int(given)
    raise Refused(404, "not_found", "nothing has this number here; they are 1, 2, 3 and so on")


def _msisdn(name: str, given: str) -> Msisdn:
    """`+` may be `%2B`, a space (where somebody decoded it as a form does) or left out."""
    written = given.strip()
    found = msisdn.parse(written if written.startswith(("+", "00")) else f"+{written}")
    if found is None:
        raise FieldInvalid(name, "must be a phone number with its country's dial code, such as +998900000001", "invalid_number")
    return found


_PARSERS: Mapping[str, Callable[[str, str], Any]] = {"int": _number, "msisdn": _msisdn}
