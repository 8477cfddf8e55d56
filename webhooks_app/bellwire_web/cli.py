"""`bellwire serve` and `bellwire work`: the processes."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import time
from pathlib import Path

import click
from bellwire import sqlite_file
from bellwire.cli.output import note
from bellwire.cli.setup import Setup
from bellwire.config import key_for
from bellwire.errors import ConfigInvalid

PORT_WAIT_S = 10.0
_PARENT = Path(__file__).with_name("parent.py")


@click.command()
@click.option("--host", default=None, help="The address to listen on. Default: the setting host, 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="The port, 0 for a free one. Default: the setting port, 8080."
)
@click.option("--workers", type=click.IntRange(1, 64), default=None, help="Processes; more than one needs PostgreSQL.")
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None, workers: int | None) -> None:
    """Take webhooks, serve the API and send: web and worker in one process, until SIGTERM.

    \b
    SQLite is upgraded by itself after a copy; a PostgreSQL that is behind ends this with exit code 75 and the command to run.
    Example: bellwire serve --port 8080
    """
    setup: Setup = context.obj
    config = setup.config
    host, port, workers = host or config.host, config.port if port is None else port, workers or config.workers
    ready(setup, workers)
    port = wait_for_port(host, port)
    become_parent(setup, host, port, workers)


def ready(setup: Setup, workers: int) -> None:
    """Check what would only be found out in the child. Raises ConfigInvalid; StoreUnavailable for a database that is behind."""
    config = setup.config
    embedded = config.sqlite_file is not None
    if embedded and workers > 1:
        raise ConfigInvalid("workers: more than one needs PostgreSQL; SQLite has one process that writes")
    if config.sqlite_file is not None:
        sqlite_file.check_place(config.sqlite_file)  # before a key is made beside it
        sqlite_file.check_content(config.sqlite_file)  # this process never connects to it
    key_for(config)
    if embedded:
        return
    # SQLAlchemy takes 0.2 s, which an embedded database's start need not spend twice
    from bellwire.cli.current import require_current

    require_current(config)


def wait_for_port(host: str, port: int, wait_s: float = PORT_WAIT_S) -> int:
    """Come back once the port is ours to take: whoever served before us may still be ending. Gives it; for 0 a free one.

    Raises ConfigInvalid. The server itself would share the port with whoever has it, and each would get half of what comes.
    """
    ends = time.monotonic() + wait_s
    while True:
        taken = port
        try:
            for family, kind, protocol, _, address in socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            ):
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address[0], taken, *address[2:]))
                    taken = int(probe.getsockname()[1])
        except socket.gaierror as e:
            raise ConfigInvalid(f"host: {host} is no address of this machine") from e
        except OSError as e:
            if e.errno != errno.EADDRINUSE:
                raise ConfigInvalid(f"host, port: can't listen on {host}:{port}: {e.strerror}") from e
            if time.monotonic() >= ends:
                raise ConfigInvalid(f"port: something else listens on {port}; stop it, or choose another with --port") from e
            time.sleep(0.1)
        else:
            return taken


def become_parent(setup: Setup, host: str, port: int, workers: int, **more: str) -> None:
    """Replace this process by the thin parent: same process id, none of our imports."""
    environment = {**os.environ, **more}
    if setup.debug:
        environment["BELLWIRE_DEBUG"] = "1"
    if setup.config_file is not None:
        environment["BELLWIRE_CONFIG"] = str(setup.config_file.absolute())
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [sys.executable, "-P", str(_PARENT), host, str(port), str(workers), str(setup.config.threads)]
    os.execve(sys.executable, arguments, environment)  # noqa: S606  # our own interpreter and file


@click.command()
@click.pass_obj
def work(setup: Setup) -> None:
    """Send without serving: a worker beside other processes, until SIGTERM. Needs PostgreSQL.

    \b
    Example: bellwire work
    """
    if setup.config.sqlite_file is not None:
        raise ConfigInvalid("work: SQLite has one process that writes, `bellwire serve`; several workers need PostgreSQL")
    ready(setup, 1)
    from bellwire.asked import stop_signal
    from bellwire.engine.process import Process

    wait = stop_signal(signal.SIGTERM, signal.SIGINT)
    process = Process(setup.config, kind="work")
    process.start()
    note("Working. Stop with Ctrl-C.")
    wait()
    process.drain()
