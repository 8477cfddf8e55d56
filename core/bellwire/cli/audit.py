"""`bellwire verify-audit`: was anything in the audit trail changed afterwards?"""

from __future__ import annotations

import click

from bellwire.cli.opened import opened_engine
from bellwire.cli.output import json_option, note, print_json, say
from bellwire.cli.setup import Setup
from bellwire.engine import sealer


@click.command("verify-audit")
@json_option
@click.pass_context
def verify_audit(ctx: click.Context, as_json: bool) -> None:
    """Follow the audit trail's chain of seals and name the first entry that is wrong. Exit code 1 when there is one.

    \b
    Example: bellwire verify-audit --json
    """
    setup: Setup = ctx.obj
    with opened_engine(setup) as engine:
        report = sealer.verify(engine)
        has_anchors = sealer.anchor_path(engine) is not None
    if as_json:
        print_json(report)
    elif report.ok:
        say(f"The audit trail is whole: {report.entries} sealed entries, {report.anchors} anchors fit.")
    else:
        say(f"The audit trail is broken at entry {report.first_bad} {report.entry}: {report.why}.")
    if report.unsealed:
        note(f"{report.unsealed} entries are not sealed yet: a running `serve` or `work` does that within a second.")
    if not has_anchors:
        note("No anchors are kept: set BELLWIRE_AUDIT_ANCHOR to a file, so that a cut tail can't be hidden by an older head.")
    ctx.exit(0 if report.ok else 1)
