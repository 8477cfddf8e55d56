"""JSON schema in the dialect of OpenAPI 3.0.3, straight from pydantic: `nullable`, boolean exclusive bounds, `enum` for constants.

Salesforce External Services reads 3.0 and refuses 3.1's `"type": "null"`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

REFS = "#/components/schemas/{model}"
_NULLABLE = "x-nullable-of"  # never stays in a document


class OpenApi30(GenerateJsonSchema):
    """pydantic's generator with the places changed where 3.0.3 differs from JSON Schema 2020-12."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """`X | None` → X with `nullable`; what X is, is put in its place at the end, where definitions are known."""
        return {_NULLABLE: self.generate_inner(schema["schema"])}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """`const` came with 3.1."""
        made = super().literal_schema(schema)
        if "const" in made:
            made["enum"] = [made.pop("const")]
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Rules for an object's keys came with 3.1; requests are checked for them all the same."""
        made: JsonSchemaValue = {"type": "object", "additionalProperties": True}
        if "values_schema" in schema:
            made["additionalProperties"] = self.generate_inner(schema["values_schema"]) or True
        for ours, theirs in (("min_length", "minProperties"), ("max_length", "maxProperties")):
            if ours in schema:
                made[theirs] = schema[ours]  # type: ignore[literal-required]  # both are keys of it
        return made

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """Numbers with a bound."""
        return _bounded(super().int_schema(schema))

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """Numbers with a bound."""
        return _bounded(super().float_schema(schema))


def _bounded(made: JsonSchemaValue) -> JsonSchemaValue:
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in made:
            made[plain], made[exclusive] = made[exclusive], True
    return made


def schemas(
    models: Iterable[tuple[type[BaseModel], str]],
) -> tuple[dict[Any, JsonSchemaValue], dict[str, JsonSchemaValue]]:
    """References to and definitions of models; each is (model, "validation" or "serialization")."""
    wanted = sorted(set(models), key=lambda pair: (pair[0].__name__, pair[1]))
    refs, definitions = models_json_schema(wanted, schema_generator=OpenApi30, ref_template=REFS)  # type: ignore[arg-type]  # modes are literals
    found: dict[str, Any] = definitions.get("$defs", {})
    for name in found:
        found[name] = _resolved(found[name], found)
        _tidy(found[name])
    return {model: ref for (model, _), ref in refs.items()}, found


def _resolved(schema: Any, definitions: dict[str, JsonSchemaValue]) -> Any:
    """A schema with every nullable part written out.

    3.0.3 takes null only where `type` and `nullable` stand side by side, and an `enum` must name it: a reference or a choice can
    be neither, so what it means is put in its place.
    """
    if isinstance(schema, list):
        return [_resolved(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if _NULLABLE in schema:
        around = {key: value for key, value in schema.items() if key != _NULLABLE}
        return {**_or_null(_resolved(schema[_NULLABLE], definitions), definitions), **around}
    return {key: value if key in _DATA else _resolved(value, definitions) for key, value in schema.items()}


def _or_null(schema: JsonSchemaValue, definitions: dict[str, JsonSchemaValue]) -> JsonSchemaValue:
    if "$ref" in schema:
        return _or_null(_resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions), definitions)
    if "anyOf" in schema:
        return {**schema, "anyOf": [_or_null(one, definitions) for one in schema["anyOf"]]}
    if not schema.get("type"):
        return schema  # anything, null included
    made = {**schema, "nullable": True}
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made


_DATA = ("example", "examples", "default", "enum")


def _tidy(schema: Any) -> None:
    """3.0 knows one `example`, not `examples`; titles made from field names say nothing."""
    if isinstance(schema, list):
        for one in schema:
            _tidy(one)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("examples"), list):
        schema["example"] = schema.pop("examples")[0]
    if isinstance(schema.get("title"), str):
        del schema["title"]
    for key, one in schema.items():
        if key not in _DATA:
            _tidy(one)
