"""The pages of the API: every call with its scope, its fields and an example, and every code a problem may have."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from bellwire_web.api import ROUTES
from bellwire_web.document import document
from bellwire_web.problems import _HTTP_CODES
from reference_tables import NOTICE, ROOT, table

ABOUT = """\
Every call, from the same declarations that serve it; `/docs` and `/openapi.json` of a running installation say the same, with the
fields of the answers. How keys, repeats, pages and problems work: [api.md](../api.md).

`KEY` is an API key, `URL` where Bellwire is reached. A field that is not said to be required may be left out."""

ABOUT_PROBLEMS = """\
What is wrong with a request is answered as `application/problem+json` (RFC 9457). `code` is stable: programs may branch on it, and
on the `code` of each of `errors`. What policy forbids is no problem: a message with `status: refused` and a
[reason](../glossary.md#reasons)."""

#: What raises a problem: where its status and its code stand among the arguments, or the status itself.
_CALLS = {"Refused": (0, 1), "_unauthorized": (None, 0), "Conflict": (None, 0), "NotAllowed": (None, 0)}
_STATUS = {"_unauthorized": 401, "Conflict": 409, "NotAllowed": 403}


def page() -> str:
    """Every call."""
    made = document(ROUTES, version="")
    parts = ["# API calls", NOTICE, ABOUT]
    parts.append(" · ".join(f"[{tag['name']}](#{tag['name']})" for tag in made["tags"]))
    scopes = {one.name: str(one.scope) for routes in ROUTES for one in routes.operations}
    for tag in made["tags"]:
        parts += [f"## {tag['name']}", tag["description"]]
        for path, methods in made["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    parts += _operation(method.upper(), path, operation, scopes[operation["operationId"]], made)
    return "\n\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any], scope: str, whole: Mapping[str, Any]) -> Iterator[str]:
    status = next(iter(operation["responses"]))
    answer = operation["responses"][status].get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    yield f"### {method} {path}"
    yield operation["summary"]
    about = operation["description"].rpartition("Scope: ")[0].strip()
    if about:
        yield about
    parameters = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    repeats = any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ()))
    said = [f"Scope `{scope}`", f"answers {status}" + (f" with {_article(answer.rpartition('/')[2])}" if answer else "")]
    yield "; ".join(said) + ("; takes an `Idempotency-Key`." if repeats else ".")
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema:
        yield _fields(_resolved(schema, whole), whole)
    if parameters:
        rows = [
            (
                f"`{one['name']}`" + (" (required)" if one.get("required") else ""),
                _type(one["schema"], whole),
                one.get("description", ""),
            )
            for one in parameters
        ]
        yield table(["parameter", "type", ""], rows)
    asked = "&".join(f"{one['name']}={{{one['name']}}}" for one in parameters if one.get("required"))
    yield f"```sh manual\n{_curl(method, path + (f'?{asked}' if asked else ''), content)}\n```"


def _curl(method: str, path: str, content: Mapping[str, Any]) -> str:
    example = content.get("application/json", {}).get("example")
    implied = "POST" if content else "GET"
    line = f'curl {"" if method == implied else f"-X {method} "}"$URL{path}" -H "Authorization: Bearer $KEY"'
    if example is not None:
        body = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
        return f"{line} \\\n  -H \"Content-Type: application/json\" -d '{body}'"
    if "text/csv" in content:
        return f'{line} \\\n  -H "Content-Type: text/csv" --data-binary @{path.split("/")[2]}.csv'
    return line


def _fields(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = []
    for name, one in schema.get("properties", {}).items():
        about = one.get("description", "")
        default = one.get("default")
        if default not in (None, "", [], {}):
            about = f"{about} Default: `{json.dumps(default).strip(chr(34))}`.".strip()
        rows.append((f"`{name}`" + (" (required)" if name in required else ""), _type(one, whole), about))
    return table(["field", "type", ""], rows)


def _type(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """`text`, `list of Condition`, `one of a, b`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        found = _resolved(schema, whole)
        return _type(found, whole) if "enum" in found else f"object ({', '.join(found.get('properties', ())) or name})"
    for joined in ("allOf", "anyOf", "oneOf"):
        if joined in schema:
            return " or ".join(dict.fromkeys(_type(one, whole) for one in schema[joined]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"] if one is not None)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), whole)}"
    if schema.get("format") == "date-time":
        return "time"
    names = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "object": "object"}
    return names.get(schema.get("type", ""), "anything")


def _resolved(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _article(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


# -- problems -----------------------------------------------------------------------------------------------------


def problems_page() -> str:
    """Every status and code that a request may be answered with."""
    found = {(status, code): detail for status, (code, detail) in _HTTP_CODES.items()}
    found |= {
        (400, "not_json"): "the body is not JSON",
        (400, "payload_invalid"): "a webhook's body is not what its platform documents; the field is named",
        (401, "signature_mismatch"): "a webhook or receipt is not signed with a secret of this account, or too old",
        (404, "no_receipts"): "this carrier sends no receipts",
        (404, "no_replies"): "this carrier passes no replies on",
        (404, "not_found"): "there is no such thing for this tenant",
        (409, "already_exists"): "somebody else made this at the same moment",
        (422, "invalid_fields"): "`errors` names each field, its own code, and what would be right",
        (500, "internal"): "an error of ours; the log has it under the request id",
        (503, "store_unavailable"): "nothing was stored; try again after Retry-After",
    }
    for source in (*(ROOT / "webhooks_app").rglob("*.py"), *(ROOT / "core").rglob("*.py")):
        for status, code, detail in _raised(source):
            found.setdefault((status, code), detail)
            found[status, code] = found[status, code] or detail
    rows = [(f"{status} {HTTPStatus(status).phrase}", f"`{code}`", detail) for (status, code), detail in sorted(found.items())]
    return "\n\n".join(["# Problems", NOTICE, ABOUT_PROBLEMS, table(["status", "code", "what is wrong"], rows)])


def _raised(source: Path) -> Iterator[tuple[int, str, str]]:
    """(status, code, detail) of each problem that a file raises, as far as they are written out there."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _CALLS:
            continue
        status_at, code_at = _CALLS[node.func.id]
        status = _STATUS.get(node.func.id) if status_at is None else _constant(node.args, status_at)
        code = _constant(node.args, code_at)
        if isinstance(status, int) and isinstance(code, str):
            yield status, code, _text(node.args[code_at + 1]) if len(node.args) > code_at + 1 else ""


def _constant(arguments: Sequence[ast.expr], place: int) -> object:
    one = arguments[place] if place < len(arguments) else None
    return one.value if isinstance(one, ast.Constant) else None


def _text(node: ast.expr) -> str:
    """A detail as it is written, what is filled in as `…`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""
