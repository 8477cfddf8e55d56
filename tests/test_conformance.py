"""The same rules to everything we ship, and to the example: nobody writes a line for it."""

from __future__ import annotations

import json
import subprocess
import sys

import bellwire_example
import pytest
from bellwire.certification import QUICK, Kit, Outcome
from bellwire.model import Carrier, Connector
from bellwire.plugins import PluginState, load_plugins

PLUGINS = load_plugins()
SUBJECTS: list[Connector | Carrier] = [
    *PLUGINS.connectors.values(),
    *PLUGINS.carriers.values(),
    bellwire_example.connector,
    bellwire_example.carrier,
]

#: What calls out, and what nobody should wait for who only wants to read a webhook.
HEAVY = [
    "shopify",
    "pyactiveresource",
    "hubspot",
    "zenpy",
    "simple_salesforce",
    "boto3",
    "botocore",
    "twilio",
    "requests",
    "pycurl",
    "flask",
]


@pytest.mark.parametrize("info", [one for one in PLUGINS.listing() if one.distribution == "bellwire"], ids=lambda info: info.name)
def test_every_plugin_of_ours_loads(info: object) -> None:
    assert getattr(info, "state", None) is PluginState.ENABLED, getattr(info, "error", "")


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_certified(subject: Connector | Carrier) -> None:
    """It meets the level that its quality.toml claims, on fewer bodies than `bellwire certify` asks with."""
    card = Kit(subject, scale=QUICK).card()
    failed = [f"{one.rule}: {one.detail}" for one in card.answers if one.outcome is Outcome.FAILED]
    assert card.passed, f"{card.why}\n" + "\n".join(failed)
    assert not any(one.elsewhere for one in card.answers), "its stand-in must be found in the source tree"
    assert all(one.detail for one in card.answers if one.outcome is not Outcome.PASSED), "what is not judged says why"


def test_loading_imports_no_sdk_and_no_http_client() -> None:
    script = (
        "import json, sys\nfrom bellwire.plugins import load_plugins\nload_plugins()\n"
        "print(json.dumps([name for name in json.loads(sys.argv[1]) if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script, json.dumps(HEAVY)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_names_are_told_apart() -> None:
    """An account's URL names the connector or carrier, so that a name stands for one of them."""
    assert not PLUGINS.connectors.keys() & PLUGINS.carriers.keys()
