"""The page says what the code does: events, fields, credentials, settings, the action's definition."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bellwire.testing import installation, sample, samples
from bellwire_connectors.hubspot import connector
from bellwire_connectors.hubspot.communications import OWN_PROPERTY
from bellwire_connectors.hubspot.install import OPTIONAL_SCOPES, WANTED_SCOPES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "connectors" / "hubspot.md").read_text(encoding="utf-8")
PACKAGE = "bellwire_connectors.hubspot"


def brought() -> set[str]:
    """The names of data that the samples bring."""
    names: set[str] = set()
    for name in samples(PACKAGE):
        for event in connector.read(sample(PACKAGE, name), installation(connector)):
            names |= set(event.data)
    return {name for name in names if not name.startswith("variables.")}


NAMED = [
    *sorted(connector.events),
    *(field.name for field in connector.fields),
    *(field.name for field in connector.settings),
    *sorted(brought()),
    OWN_PROPERTY,
]


@pytest.mark.parametrize("word", NAMED)
def test_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_scopes_are_those_that_are_asked_for() -> None:
    named = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)+|\btickets\b|\bautomation\b", PAGE))
    assert set(WANTED_SCOPES) - {"oauth"} <= named
    assert set(OPTIONAL_SCOPES) <= named


def block(start: str) -> str:
    """The indented block of the page that begins with these words, without its indent."""
    lines = PAGE[PAGE.index(start) :].splitlines()
    indent = len(PAGE[: PAGE.index(start)]) - PAGE[: PAGE.index(start)].rindex("\n") - 1
    kept = [lines[0]]
    for line in lines[1:]:
        if line and not line.startswith(" " * indent):
            break
        kept.append(line[indent:])
    return "\n".join(kept)


def test_the_actions_definition_asks_for_what_we_read() -> None:
    definition = json.loads(block('{\n      "actionUrl"'))
    wanted = set(definition["objectRequestOptions"]["properties"])
    assert {"mobilephone", "phone", "firstname", "hs_language", "hs_timezone"} <= wanted
    assert [field["typeDefinition"]["name"] for field in definition["outputFields"]] == ["message_id", "delivery_status", "reason"]
    assert definition["inputFields"][0]["typeDefinition"]["optionsUrl"] == definition["actionUrl"]


def test_the_request_of_the_page_can_be_made() -> None:
    text = block("POST /v1/installations\n")
    asked = json.loads(text[text.index("{") :])
    assert set(asked["credentials"]) <= {field.name for field in connector.fields}
    assert asked["connector"] == connector.name
