"""The document: valid 3.0.3, complete, importable by Salesforce External Services, and true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from bellwire_web.api import ROUTES
from bellwire_web.document import document
from openapi_spec_validator import OpenAPIV30SpecValidator

FULL = document(ROUTES, version="1", server="https://sms.example.com")
SALESFORCE = document(ROUTES, version="1", server="https://sms.example.com", only_salesforce=True)
DOCUMENTS = [pytest.param(FULL, id="full"), pytest.param(SALESFORCE, id="salesforce")]
OPERATIONS = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, methods in FULL["paths"].items()
    for method, operation in methods.items()
]

# Apex: letters, digits, single underscores; begins with a letter, ends without underscore
APEX = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*", re.ASCII)
DESCRIPTION_MAX = 1_333  # External Services, "Schema Definitions"


def nodes(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a document, examples and defaults left out: they are data."""
    yield place, value
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in ("example", "default"):
                yield from nodes(one, f"{place}/{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from nodes(one, f"{place}/{number}")


@pytest.mark.parametrize("made", DOCUMENTS)
def test_valid_3_0(made: dict[str, Any]) -> None:
    assert made["openapi"] == "3.0.3"
    assert [f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV30SpecValidator(made).iter_errors()] == []


@pytest.mark.parametrize("made", DOCUMENTS)
def test_no_word_of_3_1(made: dict[str, Any]) -> None:
    for place, node in nodes(made):
        if isinstance(node, dict) and not place.endswith("/properties"):
            assert node.get("type") != "null", place
            assert not isinstance(node.get("type"), list), place
            assert not {"const", "$defs", "prefixItems", "examples", "not", "patternProperties"} & set(node), place
            assert not isinstance(node.get("exclusiveMinimum", True), int) or node.get("exclusiveMinimum", True) is True, place


@pytest.mark.parametrize("made", DOCUMENTS)
def test_external_services_rules(made: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in made["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert [name for name in (*ids, *made["components"]["schemas"]) if not APEX.fullmatch(name)] == []
    for place, node in nodes(made):
        if isinstance(node, dict) and isinstance(node.get("description"), str):
            assert len(node["description"]) <= DESCRIPTION_MAX, place
    for methods in made["paths"].values():
        assert "requestBody" not in methods.get("get", {})
        for operation in methods.values():
            media = set(operation.get("requestBody", {}).get("content", {}))
            assert media <= {"application/json", *(["text/csv"] if made is FULL else [])}, operation["operationId"]


@pytest.mark.parametrize("made", DOCUMENTS)
def test_flow_can_read_every_array(made: dict[str, Any]) -> None:
    """No array directly inside an array, and no unnamed object inside one."""
    for place, node in nodes(made["components"]["schemas"]):
        if isinstance(node, dict) and node.get("type") == "array":
            items = node["items"]
            assert items.get("type") != "array", place
            assert "properties" not in items, place


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_each_operation_says_what_it_needs(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"].endswith((".", ";")), "a sentence"
    assert "Scope: `" in operation["description"]
    assert {"401", "403", "429", "503"} <= set(operation["responses"])
    for status, response in operation["responses"].items():
        if status >= "400":
            assert set(response["content"]) == {"application/problem+json"}
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        assert "example" in operation["requestBody"]["content"]["application/json"]
        assert {"400", "415", "422"} <= set(operation["responses"])


@pytest.mark.parametrize("routes", ROUTES, ids=[one.tag for one in ROUTES])
def test_each_example_is_a_good_request(routes: Any) -> None:
    for operation in routes.operations:
        if operation.body is not None:
            operation.body.model_validate_json(json.dumps(operation.example))


def test_answers_are_closed() -> None:
    answers = {
        content["schema"]["$ref"].rpartition("/")[2]
        for methods in FULL["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        for media, content in response.get("content", {}).items()
        if media != "text/csv"
    }
    for name in answers:
        assert FULL["components"]["schemas"][name]["additionalProperties"] is False, name


def test_the_server_serves_it(world: Any) -> None:
    client = world.app.test_client()
    served = client.get("/openapi.json")
    assert served.status_code == 200
    assert served.json["paths"].keys() == FULL["paths"].keys()
    assert served.json["servers"] == [{"url": "https://sms.example.com"}]
    assert client.get("/openapi-salesforce.json").json["openapi"] == "3.0.3"


def test_the_page_shows_every_call_and_loads_nothing_from_elsewhere(world: Any) -> None:
    page = world.app.test_client().get("/docs")
    for methods in FULL["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page.text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page.text)
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    with world.app.test_client().get("/static/docs.css") as css:
        assert css.status_code == 200
