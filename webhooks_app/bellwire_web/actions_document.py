"""The smallest document: sending, a message's status and a number's consent, as actions in an org's Flow Builder.

Made by leaving out of the document for Salesforce: what is served is what is said. help.salesforce.com, External Services ("Schema
Definitions", "Naming and Description Conventions", "Flow Considerations"): plain named objects, JSON, one answer an operation; no
maps, which Flow can't fill, no `oneOf` and no null; names that are Apex identifiers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Schema → the properties that a flow has a use for.
_KEPT: Mapping[str, tuple[str, ...]] = {
    "MessageRequest": ("to", "body", "template", "locale", "purpose", "sender_id", "send_at", "reference"),
    "Message": ("id", "status", "reason", "to", "text", "segments", "reference", "created_at", "updated_at"),
    "Consent": ("msisdn", "suppressed", "transactional", "marketing"),
    "PurposeConsent": ("state", "may_text", "reason"),
}
_SAID = ("type", "format", "description", "enum", "maxLength")
_DESCRIPTION_MAX = 1_333  # the rest would be cut there
_REFS = "#/components/schemas/"


def actions_document(full: Mapping[str, Any]) -> dict[str, Any]:
    """The document for Flow, out of the one for Salesforce."""
    schemas = full["components"]["schemas"]
    made: dict[str, Any] = {
        "openapi": full["openapi"],
        "info": {
            "title": "Bellwire actions",
            "version": full["info"]["version"],
            "description": "Send a text, and see what became of it.",
        },
        "paths": {
            path: {method: _operation(operation) for method, operation in methods.items()}
            for path, methods in full["paths"].items()
        },
        "components": {"schemas": {name: _object(schemas[name], kept, schemas) for name, kept in sorted(_KEPT.items())}},
    }
    if "servers" in full:
        made["servers"] = full["servers"]
    return made


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"].replace("`", "")[:_DESCRIPTION_MAX],
        "responses": {status: answer for status, answer in operation["responses"].items() if status.startswith("2")},
    }
    parameters = [_parameter(one) for one in operation.get("parameters", ()) if one["in"] == "path"]
    if parameters:
        made["parameters"] = parameters
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return made


def _parameter(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": one["name"], "in": "path", "required": True, "schema": {"type": one["schema"]["type"]}}


def _object(schema: Mapping[str, Any], kept: tuple[str, ...], schemas: Mapping[str, Any]) -> dict[str, Any]:
    properties = {name: _property(schema["properties"][name], schemas) for name in kept}
    made: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in schema.get("required", ()) if name in kept and "nullable" not in schema["properties"][name]]
    if required:
        made["required"] = required
    return made


def _property(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A property in few words. A reference to one of our objects stays, one to a list of words becomes a text."""
    name = str(schema.get("$ref", "")).removeprefix(_REFS)
    if name in _KEPT:
        return {"$ref": schema["$ref"]}
    told = schemas[name] if name else schema
    made = {word: told[word] for word in _SAID if word in told}
    if "enum" in made:
        made["enum"] = [one for one in made["enum"] if one is not None]
    return made
