"""The page says what the code does: topics, events, fields, credentials, settings, scopes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from bellwire.store.accounts import INSTALLATION
from bellwire.testing import installation, sample, samples
from bellwire_connectors.shopify import connector
from bellwire_connectors.shopify.privacy import TOPICS as COMPLIANCE
from bellwire_connectors.shopify.subscriptions import WANTED_SCOPES
from bellwire_connectors.shopify.versions import DEFAULT_VERSION, NEWEST_VERSION, OLDEST_VERSION
from bellwire_connectors.shopify.webhook import TOPICS
from bellwire_connectors.shopify.writeback import KEY, NAMESPACE, TAG

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "connectors" / "shopify.md").read_text(encoding="utf-8")
PACKAGE = "bellwire_connectors.shopify"


def brought() -> set[str]:
    """The names of data that the samples bring."""
    names: set[str] = set()
    for name in samples(PACKAGE):
        for event in connector.read(sample(PACKAGE, name), installation(connector)):
            names |= set(event.data)
    return names


NAMED = [
    *((topic, topic) for topic in sorted(TOPICS)),
    *((f"event {name}", name) for name in sorted(connector.events)),
    *((f"credential {field.name}", field.name) for field in connector.fields),
    *((f"setting {field.name}", field.name) for field in connector.settings),
    *((f"setting of every installation {name}", name) for name in sorted(INSTALLATION)),
    *((f"field {name}", name) for name in sorted(brought() - {"discount"})),  # an action's own field
    ("the metafield's namespace", NAMESPACE),
    ("the metafield's key", KEY),
    ("the tag", TAG),
    ("the API version", DEFAULT_VERSION),
    ("the oldest API version", OLDEST_VERSION),
    ("the newest API version", NEWEST_VERSION),
]


@pytest.mark.parametrize("word", [row[1] for row in NAMED], ids=[row[0] for row in NAMED])
def test_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def blocks() -> list[str]:
    """The indented blocks of the page."""
    found: list[list[str]] = [[]]
    for line in PAGE.splitlines():
        if line.startswith("    ") or (found[-1] and not line):
            found[-1].append(line[4:])
        elif found[-1]:
            found.append([])
    return ["\n".join(block) for block in found if block]


def test_the_app_s_file_declares_the_scopes_and_the_compliance_topics() -> None:
    [declared] = [tomllib.loads(block) for block in blocks() if "shopify.app.toml" in block]
    assert declared["access_scopes"]["scopes"].split(",") == list(WANTED_SCOPES)
    assert set(declared["webhooks"]["subscriptions"][0]["compliance_topics"]) == COMPLIANCE
    assert declared["webhooks"]["api_version"] == DEFAULT_VERSION


def test_the_request_of_the_page_has_every_required_credential() -> None:
    [block] = [block for block in blocks() if "POST /v1/installations\n" in block]
    asked = json.loads(block[block.index("{") :])
    assert (
        {field.name for field in connector.fields if field.required}
        <= set(asked["credentials"])
        <= {field.name for field in connector.fields}
    )
    assert asked["connector"] == connector.name
