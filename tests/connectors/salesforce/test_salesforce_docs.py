"""The page says what the code does: events, fields, credentials, settings, limits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bellwire.testing import installation, sample, samples
from bellwire_connectors.salesforce import connector
from bellwire_connectors.salesforce.configured import CONSENT_FIELD, DEFAULT_VERSION, MESSAGE_OBJECT
from bellwire_connectors.salesforce.envelope import BODY_MAX, DEPTH_MAX, ELEMENTS_MAX, NOTIFICATIONS_MAX
from bellwire_connectors.salesforce.people import PHONES
from bellwire_connectors.salesforce.reconcile import DEFAULT_POLL, ROWS_MAX, STAGES_MAX
from bellwire_connectors.salesforce.writeback import KEY, LEAST

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "connectors" / "salesforce.md").read_text(encoding="utf-8")
PACKAGE = "bellwire_connectors.salesforce"


def brought() -> set[str]:
    """The names of data that the samples bring."""
    names: set[str] = set()
    for name in samples(PACKAGE):
        for event in connector.read(sample(PACKAGE, name), installation(connector)):
            names |= set(event.data)
    return {name for name in names if not re.fullmatch(r"record\.[A-Z]\w*", name)}


NAMED = [
    *((f"event {name}", name) for name in sorted(connector.events)),
    *((f"credential {field.name}", field.name) for field in connector.fields),
    *((f"setting {field.name}", field.name) for field in connector.settings),
    *((f"field {name}", name) for name in sorted(brought() - {"case_number"})),  # an action's own variable
    *((f"phone field {name}", name) for kind in ("Contact", "Lead", "Account", "Case") for name in PHONES[kind]),
    *((f"field of the object {name}", name) for name in LEAST if not name.startswith("Contact")),
    ("the consent field", CONSENT_FIELD),
    ("the object", MESSAGE_OBJECT),
    ("its key", KEY),
    ("the API version", DEFAULT_VERSION),
]


@pytest.mark.parametrize("word", [row[1] for row in NAMED], ids=[row[0] for row in NAMED])
def test_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    said = " ".join(PAGE.split())
    limits = f"{BODY_MAX // 1_000_000} MB, {NOTIFICATIONS_MAX} notifications and {ELEMENTS_MAX:,} elements, nested {DEPTH_MAX} deep"
    assert limits in said
    assert f"{ROWS_MAX:,} changed records" in said
    assert f"stages of {STAGES_MAX:,} deals" in said
    assert json.dumps(list(DEFAULT_POLL)) in said


def test_the_request_of_the_page_is_a_good_one() -> None:
    [block] = re.findall(r"POST /v1/installations\n((?: {7}.*\n)+)", PAGE)
    asked = json.loads(block)
    fields = {field.name: field for field in connector.fields}
    settings = {field.name: field for field in connector.settings}
    assert asked["connector"] == connector.name
    assert set(asked["credentials"]) <= set(fields)
    for name, value in asked["settings"].items():
        clean = settings[name].clean
        assert clean is None or clean(value) == value
