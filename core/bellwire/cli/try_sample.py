"""`bellwire try`: what becomes of a sample request, without storing or sending anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from bellwire.cli.output import json_option, note, print_json, print_table, say
from bellwire.cli.setup import Setup
from bellwire.errors import WebhookRefused
from bellwire.model import Carrier, Connector, Dlr, Event, Reply, WebhookRequest
from bellwire.plugins import Plugins
from bellwire.testing import NOW, account, installation, sample, samples
from bellwire.testing.samples import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A sample's way so far. `refused`: why it went no further, "" when it did."""

    name: str
    sample: str
    verified: bool = False
    refused: str = ""
    events: Sequence[Event] = ()
    dlrs: Sequence[Dlr] = ()
    replies: Sequence[Reply] = ()


@click.command()
@click.argument("connector")
@click.argument("sample_name", metavar="[SAMPLE]", required=False)
@json_option
@click.pass_context
def try_sample(ctx: click.Context, connector: str, sample_name: str | None, as_json: bool) -> None:
    """Sign, verify and read one of the samples of CONNECTOR (or a carrier), and show what came of it.

    Without SAMPLE its samples are listed. Nothing is stored, nothing is sent.
    """
    setup: Setup = ctx.obj
    subject = find(setup.plugins, connector)
    if not sample_name:
        _list(subject, as_json)
        return
    if sample_name not in samples(subject.samples):
        raise click.UsageError(f"{connector} has no sample {sample_name}; it has: {', '.join(samples(subject.samples)) or 'none'}")
    trial = dry_run(subject, sample_name)
    if as_json:
        print_json(trial)
    else:
        _show(trial)
    ctx.exit(1 if trial.refused else 0)


def find(plugins: Plugins, wanted: str) -> Connector | Carrier:
    """The connector or carrier with this name. Raises click.UsageError that names those there are."""
    found = plugins.connectors.get(wanted) or plugins.carriers.get(wanted)
    if found is None:
        known = ", ".join(sorted({*plugins.connectors, *plugins.carriers})) or "none"
        raise click.UsageError(f"there is no connector or carrier {wanted}; there are: {known}")
    return found


def dry_run(subject: Connector | Carrier, sample_name: str) -> Trial:
    """Sign the sample with a made-up secret, verify and read it."""
    request = sample(subject.samples, sample_name)
    trial = Trial(name=subject.name, sample=sample_name)
    try:
        if isinstance(subject, Connector):
            return _through_connector(subject, request, trial)
        return _through_carrier(subject, request, trial)
    except WebhookRefused as e:
        return Trial(name=trial.name, sample=trial.sample, refused=f"{type(e).__name__}: {e}")


def _through_connector(connector: Connector, request: WebhookRequest, trial: Trial) -> Trial:
    at = installation(connector)
    signed = connector.sign(request, at)
    connector.verify(signed, at, NOW)
    return Trial(name=trial.name, sample=trial.sample, verified=True, events=connector.read(signed, at))


def _through_carrier(carrier: Carrier, request: WebhookRequest, trial: Trial) -> Trial:
    at = account(carrier)
    signed = carrier.sign(request, at) if carrier.sign else request
    carrier.verify(signed, at, NOW)
    is_reply = trial.sample.startswith("reply")
    dlrs = carrier.read_dlrs(signed, at) if carrier.read_dlrs and not is_reply else ()
    replies = carrier.read_replies(signed, at) if carrier.read_replies and is_reply else ()
    return Trial(name=trial.name, sample=trial.sample, verified=True, dlrs=dlrs, replies=replies)


def _list(subject: Connector | Carrier, as_json: bool) -> None:
    found = [{"sample": name, "about": str(load(subject.samples, name).get("about", ""))} for name in samples(subject.samples)]
    if as_json:
        print_json({"name": subject.name, "samples": found})
        return
    print_table(["sample", "about"], [(one["sample"], one["about"]) for one in found], empty=f"{subject.name} has no samples.")
    note(f"Try one: bellwire try {subject.name} SAMPLE")


def _show(trial: Trial) -> None:
    if trial.refused:
        say(f"refused: {trial.refused}")
        return
    say("signed and verified")
    if not (trial.events or trial.dlrs or trial.replies):
        say("read: nothing that we serve")
    for event in trial.events:
        say(f"read: {event.type} {event.subject} (id {event.id})")
        print_table(
            ["field", "value"],
            [
                ("occurred_at", event.occurred_at),
                *((f"{role}: phones", person.phones) for role, person in event.people.items()),
                *sorted(event.data.items()),
            ],
        )
    for dlr in trial.dlrs:
        say(f"read: receipt {dlr.raw_status} of {dlr.carrier_ref}: {dlr.status or 'moves nothing'}")
    for reply in trial.replies:
        say(f"read: reply {reply.id} from {reply.msisdn} to {reply.to}: {reply.text}")
