"""The page of commands: each with its own `--help`."""

from __future__ import annotations

from collections.abc import Iterator

import click
from bellwire.cli import COMMANDS, main
from bellwire.errors import PluginBroken
from reference_tables import NOTICE, table

ABOUT = """\
Those that print take `--json`. Exit codes: 0 ok, 1 refused, 2 usage or settings, 75 try later. Connectors may bring more:
`bellwire plugins` lists them."""
_WIDTH = 100


def page() -> str:
    """Every command with its line, then its help."""
    found = {name: _command(name) for name in COMMANDS}
    rows = [
        (f"[`bellwire {name}`](#bellwire-{name})" if found[name] else f"`bellwire {name}`", line)
        for name, (_, line) in COMMANDS.items()
    ]
    parts = ["# Commands", NOTICE, ABOUT, table(["command", "what it does"], rows)]
    for name, command in found.items():
        for path, one in _tree(f"bellwire {name}", command) if command else ():
            context = click.Context(
                one, info_name=path, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=["-h", "--help"]
            )
            one._help_option = None  # click keeps the one it made first, for whoever called the command in this process
            parts += [f"{'##' if path.count(' ') == 1 else '###'} {path}", f"```text\n{one.get_help(context)}\n```"]
    return "\n\n".join(parts)


def _command(name: str) -> click.Command | None:
    """The command; None while it is not written yet."""
    try:
        return main.get_command(click.Context(main, info_name="bellwire", obj=None), name)
    except PluginBroken:
        return None


def _tree(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in sorted(command.commands.items()):
            yield from _tree(f"{path} {name}", one)
