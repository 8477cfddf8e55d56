"""`try` and `certify` on the example plugin, in one process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import bellwire_example
import pytest
from bellwire import Carrier, Connector, SignatureMismatch
from bellwire.cli import main, rehearsing, try_sample
from bellwire.cli.setup import Setup
from bellwire.plugins import Plugins, load_plugins
from bellwire.testing import NOW, installation, samples
from click.testing import CliRunner, Result


def run(*args: str, connector: Connector = bellwire_example.connector, carrier: Carrier = bellwire_example.carrier) -> Result:
    setup = Setup(environ={}, cwd=Path("/nowhere"))
    setup.plugins = Plugins.of(connector, carrier)
    return CliRunner().invoke(main, args, obj=setup)


def test_without_a_sample_they_are_listed() -> None:
    result = run("try", "example_till")
    assert result.exit_code == 0
    assert "a receipt that was paid at the till" in result.stdout
    listed = json.loads(run("try", "example_till", "--json").stdout)
    assert [one["sample"] for one in listed["samples"]] == ["drawer_opened", "order_paid"]


def test_a_sample_is_signed_verified_and_read() -> None:
    result = run("try", "example_till", "order_paid")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["signed and verified", "read: order.paid receipt/R-1001 (id R-1001)"]
    assert "12.50" in result.stdout
    told = json.loads(run("try", "example_till", "order_paid", "--json").stdout)
    assert (told["verified"], told["refused"], told["events"][0]["occurred_at"]) == (True, "", "2026-01-05T08:59:58Z")


def test_an_example_decides_and_renders() -> None:
    lines = run("try", "example_till", "order_paid").stdout.splitlines()
    assert lines[-3:] == [
        "decide: example: order.paid: sent (no conditions)",
        "render: to …01, by the sandbox as Example (en, gsm7, 1 segment, no price known)",
        "  Example: your order was paid.",
    ]
    [decided] = json.loads(run("try", "example_till", "order_paid", "--json").stdout)["decided"]
    assert (decided["event"], decided["subject"], decided["by"], decided["fetched"]) == ("order.paid", "receipt/R-1001", "", [])
    [entry] = decided["entries"]
    assert (entry["outcome"], entry["reason"], entry["encoding"], entry["segments"], entry["price"]) == (
        "sent",
        "",
        "gsm7",
        1,
        None,
    )
    assert entry["send_at"] == "2026-01-05T09:00:00Z"


SHIPPED = load_plugins().connectors


def test_every_sample_of_ours_comes_to_an_end() -> None:
    """Each event has an answer; where somebody with a number is named, the example has a text that needs no further value."""
    for connector in SHIPPED.values():
        at = installation(connector)
        for one in samples(connector.samples):
            for event in try_sample.dry_run(connector, one).events:
                for entry in rehearsing.rehearse(connector, event, at, NOW).entries:
                    assert entry.outcome in ("sent", "refused", "no_trigger"), (connector.name, one, entry)
                    assert entry.reason in ("", "no_recipient", "invalid_number", "no_consent"), (connector.name, one, entry)
                    is_written = entry.outcome == "sent" or entry.reason == "no_consent"
                    assert bool(entry.text) is is_written, (connector.name, one, entry)


def test_marketing_is_refused_and_shown_all_the_same() -> None:
    [decided] = json.loads(run("try", "shopify", "checkout_abandoned", "--json", connector=SHIPPED["shopify"]).stdout)["decided"]
    [entry] = decided["entries"]
    assert (entry["outcome"], entry["reason"]) == ("refused", "no_consent")
    assert entry["text"].startswith("Example Store: your cart waits for you. Reply STOP to opt out. https://")


def test_an_event_that_is_not_served() -> None:
    assert "nothing that we serve" in run("try", "example_till", "drawer_opened").stdout


def test_a_carrier_s_samples() -> None:
    assert "read: receipt OK of 77: delivered" in run("try", "example_sms", "dlr_delivered").stdout
    assert "read: reply 78 from +15550100001 to 12345: STOP" in run("try", "example_sms", "reply_stop").stdout


def test_what_is_refused_ends_with_one() -> None:
    def refuse(*_: Any) -> None:
        raise SignatureMismatch("example_till: no")

    deaf = replace(bellwire_example.connector, verify=refuse)
    result = run("try", "example_till", "order_paid", connector=deaf)
    assert (result.exit_code, result.stdout) == (1, "refused: SignatureMismatch: example_till: no\n")
    result = run("try", "example_till", "order_paid", "--json", connector=deaf)
    assert (result.exit_code, json.loads(result.stdout)["verified"]) == (1, False)


def test_a_carrier_has_no_tenant() -> None:
    result = run("try", "example_sms", "dlr_delivered", "--tenant", "acme")
    assert (result.exit_code, "--tenant is for connectors" in result.stderr) == (2, True)


@pytest.mark.parametrize("args", [("try", "nothing"), ("certify", "nothing")])
def test_an_unknown_name_tells_the_known_ones(args: tuple[str, ...]) -> None:
    result = run(*args)
    assert (result.exit_code, "there are: example_sms, example_till" in result.stderr) == (2, True)


def test_an_unknown_sample_tells_the_known_ones() -> None:
    result = run("try", "example_till", "order_payed")
    assert (result.exit_code, "order_paid" in result.stderr) == (2, True)


def test_a_good_connector_is_certified() -> None:
    result = run("certify", "example_till")
    last = result.stdout.splitlines()[-1]
    assert (result.exit_code, last) == (0, "example_till: claims bronze, reaches bronze")


def test_a_bad_one_is_not() -> None:
    gullible = replace(bellwire_example.connector, verify=lambda *_: None)
    result = run("certify", "example_till", "--json", connector=gullible)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["name"], told["passed"]) == (1, "example_till", False)
    [answer] = [one for one in told["answers"] if one["rule"] == "unsigned"]
    assert (answer["level"], answer["outcome"]) == ("bronze", "failed")
    assert answer["detail"].endswith("drawer_opened: was believed")


def test_a_level_can_be_asked_for() -> None:
    result = run("certify", "example_till", "--level", "silver", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["claimed"], told["reached"]) == (1, "silver", "bronze")


def test_all_at_once() -> None:
    result = run("certify", "--all", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["passed"]) == (0, True)
    assert [one["name"] for one in told["cards"]] == ["example_sms", "example_till"]


@pytest.mark.parametrize("args", [("certify",), ("certify", "example_till", "--all")])
def test_either_a_name_or_all(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2
