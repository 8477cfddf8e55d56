"""The same questions to everything we ship, and to the example: nobody writes a line for it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import bellwire_example
import pytest
from bellwire.certification import Outcome, Question, ask, questions
from bellwire.masking import mask
from bellwire.model import Carrier, Connector
from bellwire.plugins import PluginState, load_plugins
from bellwire.testing import OLD_SECRET, SECRET

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


@pytest.mark.parametrize(
    "question", [pytest.param(one, id=f"{subject.name}: {one.label}") for subject in SUBJECTS for one in questions(subject)]
)
def test_certified(question: Question, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = ask(question)
    for record in caplog.records:
        line = f"{record.getMessage()} {getattr(record, 'fields', '')}"
        assert mask(line) == line or record.name.startswith(("asyncio", "urllib3"))
        assert SECRET not in line
        assert OLD_SECRET not in line
    assert answer.outcome is not Outcome.FAILED, answer.detail
    assert answer.outcome is Outcome.PASSED or answer.detail, "what is not asked says why"


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
