"""`bellwire try`: what becomes of a sample request, without storing or sending anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from bellwire.cli import rehearsing
from bellwire.cli.output import json_option, note, print_json, print_table, say
from bellwire.cli.rehearsing import Considered, Rehearsed
from bellwire.cli.setup import Setup
from bellwire.domain import pricing
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
    decided: Sequence[Rehearsed] = ()


@click.command()
@click.argument("connector")
@click.argument("sample_name", metavar="[SAMPLE]", required=False)
@click.option("--tenant", metavar="SLUG", help="Decide by this tenant's triggers, templates, consent and routes.")
@json_option
@click.pass_context
def try_sample(ctx: click.Context, connector: str, sample_name: str | None, tenant: str | None, as_json: bool) -> None:
    """Take one of the samples of CONNECTOR (or a carrier) through verify, read, decide and render, and show each step.

    Without SAMPLE its samples are listed. Without --tenant an example trigger decides, which texts whom the event is about by the
    sandbox. Nothing is stored, nothing is sent; a text that policy refuses is shown all the same, with the reason. Exit code 1 when
    the sample itself is refused.

    \b
    Examples:
      bellwire try shopify
      bellwire try shopify order_paid
      bellwire try timecard shift_offered --tenant acme
      bellwire try twilio dlr_delivered --json
    """
    setup: Setup = ctx.obj
    subject = find(setup.plugins, connector)
    if not sample_name:
        _list(subject, as_json)
        return
    if sample_name not in samples(subject.samples):
        raise click.UsageError(f"{connector} has no sample {sample_name}; it has: {', '.join(samples(subject.samples)) or 'none'}")
    if tenant and isinstance(subject, Carrier):
        raise click.UsageError("--tenant is for connectors: a carrier's receipts and replies are decided by nobody")
    trial = dry_run(subject, sample_name)
    if isinstance(subject, Connector) and trial.events:
        trial = replace(trial, decided=_decided(setup, subject, trial.events, tenant))
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


def _decided(setup: Setup, connector: Connector, events: Sequence[Event], tenant: str | None) -> list[Rehearsed]:
    if tenant:
        return rehearsing.rehearse_for(setup, tenant, connector.name, events)
    note("An example trigger decides; --tenant SLUG decides by that tenant's own.")
    return [rehearsing.rehearse(connector, event, installation(connector), NOW) for event in events]


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
    for event, decided in zip(trial.events, trial.decided, strict=True):
        say(f"read: {event.type} {event.subject} (id {event.id})")
        print_table(
            ["field", "value"],
            [
                ("occurred_at", event.occurred_at),
                *((f"{role}: phones", person.phones) for role, person in event.people.items()),
                *sorted(event.data.items()),
            ],
        )
        _show_decided(decided)
    for dlr in trial.dlrs:
        say(f"read: receipt {dlr.raw_status} of {dlr.carrier_ref}: {dlr.status or 'moves nothing'}")
    for reply in trial.replies:
        say(f"read: reply {reply.id} from {reply.msisdn} to {reply.to}: {reply.text}")


def _show_decided(found: Rehearsed) -> None:
    if found.fetched:
        say(f"fetch: the platform is asked for the rest first ({', '.join(found.fetched)}); a sample has no more than this")
    for one in found.entries:
        who = f"{one.trigger}: " if one.trigger else ""
        why = ", ".join(part for part in (one.reason, one.line) if part)
        say(f"decide: {who}{one.outcome}{f' ({why})' if why else ''}")
        for line in one.conditions:
            say(f"  {'holds' if line.matched else 'does not hold'}: {line.text}")
        if one.text:
            _show_text(one)


def _show_text(one: Considered) -> None:
    """The text with its measures; of one that was refused, what it would have been."""
    cost = f"{pricing.shown(one.price)} {one.currency}" if one.price is not None else "no price known"
    by = f", by {one.carrier_account} as {one.sender_id or 'its own sender'}" if one.carrier_account else ""
    measures = f"{one.locale}, {one.encoding}, {one.segments} segment{'' if one.segments == 1 else 's'}, {cost}"
    say(f"render: to {one.to or 'nobody'}{by} ({measures})")
    say(f"  {one.text}")
