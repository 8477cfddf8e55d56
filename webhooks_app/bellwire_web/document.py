"""The OpenAPI 3.0.3 document, made from the declared operations: what is served is what is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bellwire_web import problems
from bellwire_web.operations import Operation, Routes
from bellwire_web.problems import Problem
from bellwire_web.schema30 import schemas

_SECURITY = "ApiKey"
_MEANINGS = {
    200: "Done.",
    201: "Made.",
    202: "Accepted.",
    204: "Done; nothing to say.",
    400: "The body is not JSON.",
    401: "No key, or one that is not valid.",
    403: "The key lacks the scope.",
    404: "There is no such thing.",
    409: "The state of things forbids it; `code` says which.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A field is wrong; `errors` names each.",
    429: "The key calls too often; see Retry-After.",
    503: "The database can't be written now; see Retry-After.",
}
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "int": {"type": "integer", "minimum": 1},
    "msisdn": {"type": "string", "pattern": r"^\+?[0-9]{5,15}$", "example": "+998900000001"},
}


def document(routes: Sequence[Routes], *, version: str, server: str = "", only_salesforce: bool = False) -> dict[str, Any]:
    """The document. `server`: the public URL, "" when there is none. `only_salesforce`: the few calls for an org's Flow."""
    chosen = [(one, [op for op in one.operations if op.salesforce or not only_salesforce]) for one in routes]
    operations = [operation for _, some in chosen for operation in some]
    refs, definitions = schemas(_models(operations))
    queries = {op.query: definitions[op.query.__name__] for op in operations if op.query is not None}
    for model in queries:
        definitions.pop(model.__name__, None)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, refs, queries)
    made: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {
            "title": "Bellwire",
            "version": version,
            "description": "Business events in, text messages out, and the answer carried back.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "tags": [{"name": one.tag, "description": one.about} for one, some in chosen if some],
        "security": [{_SECURITY: []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(definitions.items())),
            "securitySchemes": {
                _SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, bw_…; each call names the scope it needs.",
                }
            },
        },
    }
    if server:
        made["servers"] = [{"url": server}]
    return made


def _models(operations: Iterable[Operation]) -> Iterable[tuple[Any, str]]:
    yield Problem, "serialization"
    for operation in operations:
        if operation.body is not None:
            yield operation.body, "validation"
        if operation.query is not None:
            yield operation.query, "validation"
        if operation.answer is not None:
            yield operation.answer, "serialization"


def _operation(operation: Operation, refs: Mapping[Any, Any], queries: Mapping[Any, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": "\n\n".join(filter(None, (operation.description, f"Scope: `{operation.scope}`."))),
        "tags": [operation.tag],
        "responses": _responses(operation, refs),
    }
    parameters = [_path_parameter(name, kind) for name, kind in operation.parameters.items()]
    if operation.query is not None:
        parameters += _query_parameters(queries[operation.query])
    if operation.takes_idempotency_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A repeat with the same key and body gets the first answer and does nothing; kept 24 hours.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x20-\\x7e]+$"},
            }
        )
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        content: dict[str, Any] = {"schema": refs[operation.body]}
        if operation.example is not None:
            content["example"] = operation.example
        made["requestBody"] = {"required": not operation.body_optional, "content": {"application/json": content}}
    elif operation.has_body:
        made["requestBody"] = {"required": True, "content": {operation.takes: {"schema": {"type": "string", "format": "binary"}}}}
    return made


def _responses(operation: Operation, refs: Mapping[Any, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": _MEANINGS[operation.status]}
    if operation.answer is not None:
        done["content"] = {"application/json": {"schema": refs[operation.answer]}}
    made = {str(operation.status): done}
    wrong = {401, 403, 429, 503, *operation.problems}
    if operation.parameters:
        wrong.add(404)
    if operation.has_body:
        wrong |= {400, 413, 415, 422}
    else:
        wrong.add(422)  # unknown query parameters
    if operation.takes_idempotency_key:
        wrong.add(409)
    for status in sorted(wrong):
        made[str(status)] = {
            "description": _MEANINGS[status],
            "content": {problems.MEDIA_TYPE: {"schema": refs[Problem]}},
        }
    return made


def _path_parameter(name: str, kind: str) -> dict[str, Any]:
    schema = _KINDS.get(kind) or {
        "type": "string",
        "pattern": f"^{kind}_[0-9a-f]{{32}}$",
        "example": f"{kind}_0192f0c800007000800000000000abcd",
    }
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, schema in model.get("properties", {}).items():
        # a parameter is there or is not: null can't be written
        schema = {key: value for key, value in schema.items() if key != "nullable" and (key, value) != ("default", None)}
        if None in schema.get("enum", ()):
            schema["enum"] = [one for one in schema["enum"] if one is not None]
        description = schema.pop("description", "")
        made = {"name": name, "in": "query", "required": name in model.get("required", ()), "schema": schema}
        if description:
            made["description"] = description
        found.append(made)
    return found
