"""The page says what the code does: events, fields, credentials, settings, the trigger's body."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bellwire.testing import installation, sample, samples
from bellwire_connectors.zendesk import connector
from bellwire_connectors.zendesk.events import TYPES
from bellwire_connectors.zendesk.setup import CONDITIONS, trigger_body
from bellwire_connectors.zendesk.writeback import OPTIONS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "connectors" / "zendesk.md").read_text(encoding="utf-8")


def brought() -> set[str]:
    """The names of data that the samples bring."""
    at = installation(connector)
    return {
        name
        for one in samples(connector.samples)
        for event in connector.read(sample(connector.samples, one), at)
        for name in event.data
    }


NAMED = [
    *((f"type {name}", name) for name in sorted(TYPES)),
    *((f"event {name}", name) for name in sorted(connector.events)),
    *((f"credential {field.name}", field.name) for field in connector.fields),
    *((f"setting {field.name}", field.name) for field in connector.settings),
    *((f"field {name}", name) for name in sorted(brought()) if not name.startswith("previous.")),
    *((f"option {name}", name) for name in sorted(set(OPTIONS.values()))),
]


@pytest.mark.parametrize("word", [row[1] for row in NAMED], ids=[row[0] for row in NAMED])
def test_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def blocks() -> list[str]:
    """The indented blocks of the page."""
    found: list[list[str]] = [[]]
    for line in PAGE.splitlines():
        if line.startswith("    ") or (found[-1] and not line):
            found[-1].append(line.strip() if line.startswith("       ") else line[4:])
        elif found[-1]:
            found.append([])
    return ["\n".join(block) for block in found if block]


def test_the_trigger_s_body_is_the_one_that_we_make() -> None:
    [block] = [block for block in blocks() if "bellwire.zendesk/1" in block]
    assert json.loads(block) == json.loads(trigger_body("ticket.updated"))
    assert set(CONDITIONS) < set(connector.events)


def test_the_request_of_the_page_has_what_is_needed() -> None:
    [block] = [block for block in blocks() if "POST /v1/installations\n" in block]
    asked = json.loads(block[block.index("{") :])
    assert set(asked["credentials"]) == {"subdomain", "email", "api_token"}
    assert asked["connector"] == connector.name
