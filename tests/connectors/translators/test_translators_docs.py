"""Each page says what its connector does: events, fields, credentials, settings; and what it shows can be done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bellwire import Connector
from bellwire.testing import installation, sample, samples
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.clockify.webhook import READERS, STATES
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.mapped import connector as mapped
from bellwire_connectors.mapped.mapping import ROLES, MappingSpec, PersonSpec, clean_mapping
from bellwire_connectors.mapped.signature import _SCHEMES, clean_signature
from bellwire_connectors.mapped.specs import Spec
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.trello import connector as trello

PAGES = Path(__file__).resolve().parents[3] / "docs" / "connectors"
CONNECTORS = [asana, clockify, jira, mapped, monday, toggl, trello]


def page(connector: Connector) -> str:
    return (PAGES / f"{connector.name}.md").read_text(encoding="utf-8")


def brought(connector: Connector) -> set[str]:
    """The names of data that the samples bring; a mapping's are its own."""
    at = installation(connector)
    names = {
        name
        for one in samples(connector.samples)
        for event in connector.read(sample(connector.samples, one), at)
        for name in event.data
    }
    return names if connector is not mapped else set()


WORDS = [
    pytest.param(connector, word, id=f"{connector.name}: {word}")
    for connector in CONNECTORS
    for word in sorted({*connector.events, *(one.name for one in (*connector.fields, *connector.settings)), *brought(connector)})
]


@pytest.mark.parametrize(("connector", "word"), WORDS)
def test_is_on_the_page(connector: Connector, word: str) -> None:
    assert f"`{word}`" in page(connector)


@pytest.mark.parametrize("word", [*READERS, *STATES])
def test_clockify_s_words_are_on_its_page(word: str) -> None:
    assert f"`{word}`" in page(clockify)


MAPPING_WORDS = sorted(
    {
        *ROLES,
        *_SCHEMES,
        *(field.alias or name for model in (MappingSpec, PersonSpec, Spec) for name, field in model.model_fields.items()),
    }
    | {name for scheme in _SCHEMES.values() for name in scheme.model_fields if name != "scheme"}
)


@pytest.mark.parametrize("word", MAPPING_WORDS)
def test_a_mapping_s_words_are_on_its_page(word: str) -> None:
    assert f"`{word}`" in page(mapped)


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: one.name)
def test_the_request_of_the_page_is_one_that_is_taken(connector: Connector) -> None:
    text = page(connector)
    block = text[text.index("POST /v1/installations\n") :].partition("\n\n")[0]
    asked = json.loads(block[block.index("{") :])
    known = {field.name for field in connector.fields}
    assert asked["connector"] == connector.name
    assert {field.name for field in connector.fields if field.required} <= set(asked["credentials"]) <= known
    assert {field.name for field in connector.settings if field.required} <= set(asked.get("settings", {}))
    if connector is mapped:
        clean_mapping(asked["settings"]["mapping"])
        clean_signature(asked["settings"]["signature"])


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: one.name)
def test_every_page_tells_how_it_is_set_up_limited_and_removed(connector: Connector) -> None:
    for heading in ("## Set it up", "## What comes in", "## Limits", "## Remove it"):
        assert heading in page(connector)
    assert ("## What is written back" in page(connector)) == (connector.write_back is not None)
