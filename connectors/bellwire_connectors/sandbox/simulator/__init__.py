"""`bellwire simulate-carrier`: a carrier on this machine, for demos, tests and proofs. It texts nobody.

Speaks the sandbox's protocol and Twilio's, and can be told to go wrong in every way that a carrier can.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .knobs import Knobs

# the names of knobs.FAULTS, which is not imported for `--help`
_FAULTS = ["error_500", "error_503", "bare_500", "bare_500_taken", "throttle", "unauthorized", "garbage", "hang", "hang_untaken"]
_FAULTS += ["cut_connect", "cut_headers", "cut_body", "cut_status", "cut_answer", "cut_end"]


@click.command("simulate-carrier")
@click.option("--port", default=8025, show_default=True, help="0: any free port; the first line of the output names it.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--latency-ms", default=0.0, help="Time from request to answer.")
@click.option("--jitter-ms", "--jitter", default=0.0, help="Up to so much more, at random.")
@click.option("--error-rate", default=0.0, help="Share of sends that go wrong, 0 to 1.")
@click.option("--error", default="error_500", show_default=True, type=click.Choice(_FAULTS), help="How they go wrong.")
@click.option("--dlr", default="once", show_default=True, type=click.Choice(["once", "none", "late", "twice", "first"]))
@click.option("--dlr-delay-ms", "--dlr-delay", default=200.0, show_default=True, help="Time from send to receipt.")
@click.option("--rate", default=0.0, help="Messages a second, above it 429 with Retry-After; 0: no limit.")
@click.option("--price", default="", help="Price of a message, as in 0.0075.")
@click.option("--idempotent/--not-idempotent", default=True, help="Whether the sandbox's protocol recognises a repeated reference.")
@click.option("--key", "keys", multiple=True, help="A sandbox API key that may sign in; any when left out.")
@click.option("--account", "accounts", multiple=True, metavar="SID:TOKEN", help="A Twilio account that may sign in.")
@click.option("--seed", default=1, help="Seed of the dice, for repeatable runs.")
@click.option("--allow-remote", is_flag=True, help="Send callbacks also to hosts that are not this machine.")
@click.option("--with-parent", is_flag=True, help="End when the process that started this one ends.")
@click.option("--json", "_json", is_flag=True, help="Accepted for symmetry: the output is JSON anyway.")
def simulate_carrier(
    port: int,
    host: str,
    keys: tuple[str, ...],
    accounts: tuple[str, ...],
    seed: int,
    allow_remote: bool,
    with_parent: bool,
    _json: bool,
    **knobs: object,
) -> None:
    """Run a carrier that texts nobody: base_url of a sandbox or Twilio account for trying things out.

    Prints {"listening": URL}. GET /stats, /log and /received tell what came; POST /control turns every knob while it runs;
    POST /replies lets a handset answer.
    """
    parent = os.getppid()  # now: who reads our first line may end at once, and we would take somebody else for the parent

    from pydantic import ValidationError

    from .knobs import Knobs

    try:
        turned = Knobs.model_validate(knobs)
        tokens = {sid: token for sid, _, token in (one.partition(":") for one in accounts)}
        asyncio.run(_run(host, port, turned, keys, tokens, seed, allow_remote=allow_remote, parent=parent if with_parent else None))
    except ValidationError as e:
        raise click.UsageError("; ".join(f"--{str(one['loc'][0]).replace('_', '-')}: {one['msg']}" for one in e.errors())) from e
    except OSError as e:
        raise click.ClickException(f"can't listen on {host}:{port}: {e.strerror or e}") from e


async def _run(
    host: str,
    port: int,
    knobs: Knobs,
    keys: tuple[str, ...],
    tokens: dict[str, str],
    seed: int,
    *,
    allow_remote: bool,
    parent: int | None,
) -> None:
    from .callbacks import Courier
    from .connection import Connection
    from .sandbox_wire import SandboxWire
    from .site import Site
    from .twilio_wire import TwilioWire

    gc.set_threshold(100_000, 50, 100)  # what is kept has no cycles: measured 8 % less CPU a send
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    courier = Courier(allow_remote=allow_remote)
    site = Site(knobs=knobs, sandbox=SandboxWire(keys), twilio=TwilioWire(tokens), courier=courier, seed=seed)
    everybody: set[Connection] = set()

    async def listen(at: int) -> asyncio.Server:
        return await loop.create_server(lambda: Connection(site, everybody), host, at, backlog=1024)

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    server = await listen(port)
    chosen = server.sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    click.echo(json.dumps({"listening": f"http://{shown}:{chosen}"}))

    async def down(seconds: float) -> None:
        nonlocal server
        await asyncio.sleep(0.05)  # the answer to whoever asked for it goes out first
        server.close()
        for connection in list(everybody):
            connection.close_now("cut")
        await asyncio.sleep(seconds)
        server = await listen(chosen)

    falls: set[asyncio.Task[None]] = set()

    def fall(seconds: float) -> None:
        if falls:
            return  # it is down already
        task = loop.create_task(down(seconds))
        falls.add(task)
        task.add_done_callback(falls.discard)

    site.down = fall
    while not stop.is_set() and parent in (None, os.getppid()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)
    server.close()
    for connection in list(everybody):
        connection.close_now("cut")
    await courier.close()
