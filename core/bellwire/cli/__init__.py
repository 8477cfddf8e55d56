"""The command `bellwire`: its subcommands are imported when they are called, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import bellwire
from bellwire import sqlite_file
from bellwire.cli.setup import Setup
from bellwire.errors import BellwireError, CarrierError, ConfigInvalid, PlatformError, PluginBroken, Retry, StoreUnavailable
from bellwire.masking import name, one_line, where

OK, REFUSED, USAGE, TRY_LATER = 0, 1, 2, 75  # 75: EX_TEMPFAIL of sysexits.h

#: Name → where it is, and the line that `--help` shows. `@NAME`: our plugin NAME brings it (`register_commands`), which is
#: loaded when the command is called; that it does is tested.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("@web", "The main job on made-up orders: watch texts go out and come back."),
    "serve": ("@web", "Take webhooks, serve the API and send."),
    "work": ("@web", "Send without serving, beside other processes."),
    "db": ("bellwire.cli.database:db", "Check the database's schema, or bring it up to date."),
    "tenant": ("bellwire.cli.tenant:tenant", "Make tenants, list them, change their settings."),
    "key": ("bellwire.cli.key:key", "Make, list and revoke API keys."),
    "credit": ("bellwire.cli.credit:credit", "Give a tenant credit, and show its balance."),
    "send": ("bellwire.cli.send:send", "Send one text."),
    "import": ("bellwire.cli.importing:import_", "Bring in consents from a CSV, with a dry run first."),
    "export": ("bellwire.cli.export:export", "Write out messages, events, consents, the audit trail or replies."),
    "doctor": ("bellwire.cli.doctor:doctor", "Look at everything that must be well, and say what to do."),
    "verify-audit": ("bellwire.cli.audit:verify_audit", "Follow the audit trail's seals and name the first wrong entry."),
    "plugins": ("bellwire.cli.plugins:plugins", "List plugins: what is loaded, what is broken, what each brings."),
    "try": ("bellwire.cli.try_sample:try_sample", "Dry run of a sample request through a connector or carrier."),
    "certify": ("bellwire.cli.certify:certify", "Ask a connector or carrier the questions each must pass."),
    "prove": ("bellwire.cli.prove:prove", "Kill workers while they send, and count what is lost or doubled."),
    "simulate-carrier": ("@sandbox", "A carrier for tests: takes texts, counts them, sends receipts."),
}


class _Main(click.Group):
    """Finds commands by name, and turns every error into one line and an exit code, in this one place."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit with 0 ok, 1 refused, 2 usage, 75 try later."""
        logging.getLogger("bellwire").addHandler(logging.NullHandler())  # what a command has to say it says itself
        setup = extra.setdefault("obj", Setup())

        try:
            result: Any = super().main(
                args, prog_name or "bellwire", complete_var, standalone_mode=False, windows_expand_args=windows_expand_args, **extra
            )
        except Exception as e:  # the one place where whatever happened becomes a line
            if not standalone_mode:
                raise
            sys.exit(told(e, debug=setup.debug))
        if not standalone_mode:
            return result
        sys.exit(result if isinstance(result, int) else OK)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours, and those that enabled plugins of other distributions bring."""
        return [*COMMANDS, *sorted(_strangers(ctx.obj).keys() - COMMANDS.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; a plugin never replaces one of ours. None: no such command."""
        target = COMMANDS[cmd_name][0] if cmd_name in COMMANDS else ctx.obj.plugins.commands.get(cmd_name, "")
        if target.startswith("@"):
            target = _ours(cmd_name, target.removeprefix("@"))
        if not target:
            return None
        module, _, attribute = target.partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as e:
            raise PluginBroken(f"command {cmd_name}: {target} can't be loaded: {e}") from e
        if not isinstance(command, click.Command):
            raise PluginBroken(f"command {cmd_name}: {target} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Their names and lines, without importing one."""
        rows = [(one, COMMANDS[one][1] if one in COMMANDS else "Brought by a plugin.") for one in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _strangers(setup: Setup) -> Mapping[str, str]:
    """The commands of enabled plugins of other distributions. Ours are known; asking our connectors would take 300 ms."""
    enabled = setup.enabled_plugins()
    if not enabled:
        return {}
    from bellwire.plugins import load_plugins

    return load_plugins(enabled, only={one.rpartition("/")[2] for one in enabled}).commands


def _ours(command: str, plugin: str) -> str:
    """Where a command of one of our own plugins is."""
    from bellwire.plugins import load_plugins

    plugins = load_plugins(only=[plugin])
    if command not in plugins.commands:
        why = "; ".join(info.error for info in plugins.listing()) or "it is not installed"
        raise PluginBroken(f"command {command}: plugin {plugin} does not bring it: {why}")
    return plugins.commands[command]


def told(error: Exception, *, debug: bool) -> int:
    """Say what went wrong on stderr; the exit code. Also for the process that a command becomes."""
    if debug and not isinstance(error, click.ClickException | click.Abort):
        traceback.print_exception(error)
    match error:
        case click.UsageError():
            error.show()
            return USAGE
        case click.ClickException():
            error.show()
            return REFUSED
        case click.Abort():
            click.echo("Stopped.", err=True)
            return REFUSED
        case ConfigInvalid():
            for line in str(error).splitlines():
                _complain(line)
            return USAGE
        case BellwireError():
            _complain(f"{error}" or type(error).__name__)
            return TRY_LATER if _may_go_well_later(error) else REFUSED
    spoilt = sqlite_file.told(None, error)  # met only now: neither its head nor its first tables show it
    if spoilt is not None:
        _complain(str(spoilt))
        return USAGE
    _complain(f"internal error: {name(error)} at {where(error)}; run it again with --debug to see the way there")
    return REFUSED


def _complain(line: str) -> None:
    click.echo(f"bellwire: {one_line(line)}", err=True)


def _may_go_well_later(error: BellwireError) -> bool:
    match error:
        case StoreUnavailable():
            return True
        case PlatformError():
            return error.retry is not Retry.NEVER
        case CarrierError():
            return error.error_class.retry in (Retry.LATER, Retry.NEXT_CARRIER)
    return False


def _set(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Told at once, not when the group runs: by then the command has been looked for, with the settings."""
    if value is not None:
        setattr(ctx.obj, {"config": "config_file"}.get(parameter.name or "", parameter.name or ""), value)
    return value


@click.command("bellwire", cls=_Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_set,
    help="The settings file, instead of bellwire.toml here.",
)
@click.option(
    "--debug",
    is_flag=True,
    envvar="BELLWIRE_DEBUG",
    is_eager=True,
    expose_value=False,
    callback=_set,
    help="Show the traceback of an error.",
)
@click.version_option(bellwire.__version__, prog_name="bellwire", message="%(prog)s %(version)s")
def main() -> None:
    """Business events in, text messages out, and the answer carried back.

    Settings come from BELLWIRE_* and bellwire.toml. Exit codes: 0 ok, 1 refused, 2 usage or settings, 75 try later.
    """
