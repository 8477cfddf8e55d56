"""`bellwire certify`: the rules of the certification kit, asked of anything that is installed."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from bellwire.cli.output import json_option, print_json, print_table, progress, say
from bellwire.cli.setup import Setup
from bellwire.cli.try_sample import find

if TYPE_CHECKING:
    from bellwire.certification import Scorecard


@click.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every connector and carrier that is loaded.")
@click.option(
    "--level",
    type=click.Choice(["bronze", "silver", "gold", "platinum"]),
    help="The level that must be met, instead of the one that its quality.toml claims.",
)
@json_option
@click.pass_context
def certify(ctx: click.Context, name: str | None, everything: bool, level: str | None, as_json: bool) -> None:
    """Judge NAME, a connector or a carrier, by the rules of each level, and print its scorecard.

    Needs no account: calls go to a stand-in of the platform on this machine, or to a server that only makes faults. What can't be
    judged so is shown as not judged. Ends with 1 when the claimed level is not met; without a claim, when a rule of bronze fails.
    """
    from bellwire.certification import Kit, Level

    setup: Setup = ctx.obj
    if bool(name) == everything:
        raise click.UsageError("name a connector or a carrier, or say --all")
    loaded = setup.plugins
    names = sorted({*loaded.connectors, *loaded.carriers}) if everything else [str(name)]
    subjects = [find(loaded, one) for one in names]
    cards = []
    with progress("certify", len(subjects)) as done:
        for subject in subjects:
            started = time.monotonic()
            card = Kit(subject).card(claimed=Level(level) if level else None)
            cards.append((card, time.monotonic() - started))
            done(1)
    if as_json:
        shown = [_document(card) for card, _ in cards]
        print_json({"passed": all(card.passed for card, _ in cards), "cards": shown} if everything else shown[0])
    else:
        for card, took_s in cards:
            _show(card, took_s)
    ctx.exit(0 if all(card.passed for card, _ in cards) else 1)


def _document(card: Scorecard) -> dict[str, object]:
    return {
        "name": card.name,
        "passed": card.passed,
        "claimed": card.claimed,
        "reached": card.reached,
        "why": card.why,
        "answers": card.answers,
    }


def _show(card: Scorecard, took_s: float) -> None:
    from bellwire.certification import Outcome

    rows = [(one.level, one.rule, one.outcome, one.detail or one.means) for one in card.answers]
    print_table(["level", "rule", "answer", "what it says"], rows)
    count = Counter(one.outcome for one in card.answers)
    told = ", ".join(f"{count[outcome]} {outcome}" for outcome in Outcome if count[outcome])
    say(f"{card.name}: {told}, in {took_s:.1f} s")
    away = sum(one.elsewhere for one in card.answers)
    if away:
        say(f"{card.name}: {away} rules can be judged only where its stand-in is installed: run it from the source tree")
    say(f"{card.name}: claims {card.claimed or 'no level'}, reaches {card.reached or 'none'}{f': {card.why}' if card.why else ''}")
