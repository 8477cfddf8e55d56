"""`bellwire certify`: the contract kit, asked of anything that is installed."""

from __future__ import annotations

from collections import Counter

import click

from bellwire.certification import Outcome, ask, questions
from bellwire.cli.output import json_option, print_json, print_table, say
from bellwire.cli.setup import Setup
from bellwire.cli.try_sample import find


@click.command()
@click.argument("name")
@json_option
@click.pass_context
def certify(ctx: click.Context, name: str, as_json: bool) -> None:
    """Ask NAME, a connector or a carrier, the questions that each must pass. Ends with 1 when one fails."""
    setup: Setup = ctx.obj
    subject = find(setup.plugins, name)
    answers = [ask(question) for question in questions(subject)]
    count = Counter(answer.outcome for answer in answers)
    passed = not count[Outcome.FAILED]
    if as_json:
        print_json({"name": name, "passed": passed, "answers": answers})
    else:
        print_table(["question", "answer", "detail"], [(one.question, one.outcome, one.detail) for one in answers])
        say(f"{name}: {', '.join(f'{count[outcome]} {outcome}' for outcome in Outcome if count[outcome])}")
    ctx.exit(0 if passed else 1)
