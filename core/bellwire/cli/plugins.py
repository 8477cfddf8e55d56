"""`bellwire plugins`: what is there, what is loaded, what is broken."""

from __future__ import annotations

import click

from bellwire.cli.output import json_option, print_json, print_table
from bellwire.cli.setup import Setup
from bellwire.plugins import PluginInfo


@click.command()
@json_option
@click.pass_obj
def plugins(setup: Setup, as_json: bool) -> None:
    """List every plugin that is installed or was asked for.

    Those of bellwire itself are enabled; others are named in the setting `plugins`.
    """
    found = setup.plugins.listing()
    if as_json:
        print_json({"plugins": found})
        return
    print_table(
        ["plugin", "distribution", "version", "state", "brings", "trouble"],
        [(one.name, one.distribution, one.version, one.state, _brings(one), _trouble(one)) for one in found],
    )


def _brings(info: PluginInfo) -> str:
    kinds = (
        ("connector", info.connectors),
        ("carrier", info.carriers),
        ("filter", info.filters),
        ("command", info.commands),
        ("hook", info.hooks),
    )
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds if names)


def _trouble(info: PluginInfo) -> str:
    off = f"switched off after hanging: {', '.join(info.switched_off)}" if info.switched_off else ""
    return "; ".join(one for one in (info.error, off) if one)
