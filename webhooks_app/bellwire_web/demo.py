"""`bellwire demo`: the product's main job on made-up orders, through the same doors that users come by.

It starts a real `serve` on an embedded database, installs a made-up shop and the sandbox carrier over the API, posts signed
webhooks, and tells what became of them. No text leaves this machine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import requests
from bellwire.cli.output import json_option, note, print_json, print_table, say
from bellwire.errors import BellwireError, ConfigInvalid
from bellwire.model import Installation, WebhookRequest

from bellwire_web.cli import wait_for_port
from bellwire_web.demo_orders import BODIES, BUYERS, SHOP, order
from bellwire_web.demo_shop import TOKEN, DemoShop

SECRET = "demo-client-secret"  # noqa: S105  # of a shop that does not exist
KEY = "demo-carrier-key"  # of a carrier that texts nobody
FINAL = {"delivered", "undelivered", "failed", "expired", "canceled", "refused"}
_WAIT_S = 30.0
_PARENT = Path(__file__).with_name("parent.py")


@click.command()
@click.option("--once", is_flag=True, help="End when the story is told, instead of serving on.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="The local port. Default: a free one, or 8080.")
@json_option
def demo(once: bool, port: int | None, as_json: bool) -> None:
    """Watch a signed Shopify order become a text, and the outcome stand in the order again.

    Everything is made up and local: shop, buyers, carrier.

    \b
    Examples:
      bellwire demo
      bellwire demo --once --json
    """
    if find_spec("shopify") is None:
        raise ConfigInvalid("demo: writing back to the shop needs the extra: pip install 'bellwire[shopify]'")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the server must not outlive its story
    with tempfile.TemporaryDirectory(prefix="bellwire-demo-") as directory:
        told = _Story(Path(directory), wait_for_port("127.0.0.1", port, 0) if port else _free_port(8080), quiet=as_json)
        with told.running():
            result = told.tell()
            if as_json:
                print_json(result)
            else:
                _show(result)
            if not once:
                told.stay()


class _Story:
    """One run: the shop, the server, and what is done with them."""

    def __init__(self, directory: Path, port: int, *, quiet: bool) -> None:
        self.directory, self.port, self._quiet = directory, port, quiet
        self.url = f"http://127.0.0.1:{port}"
        self.shop = DemoShop()
        self._server: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._installation: dict[str, Any] = {}
        self._account: dict[str, Any] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """A `serve` of our own, ended whatever happens."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BELLWIRE_")} | {
            "BELLWIRE_DATABASE_URL": f"sqlite:///{self.directory / 'demo.db'}",
            "BELLWIRE_PUBLIC_URL": self.url,
            "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1",
            "BELLWIRE_LOG_LEVEL": "warning",
        }
        made = self._run(environment, "tenant", "create", "demo", "--country", "UZ", "--name", "Demo shop", "--json")
        self._http.headers["Authorization"] = f"Bearer {json.loads(made)['api_key']}"
        # as `serve` does it, and with the page at /
        command = [sys.executable, "-P", str(_PARENT), "127.0.0.1", str(self.port), "1", "16", "demo", str(os.getpid())]
        self._server = subprocess.Popen(command, env=environment, cwd=self.directory, stderr=subprocess.PIPE)  # noqa: S603  # ours
        try:
            self._wait("the server to answer", self._is_ready)
            yield
        finally:
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(40)
            except subprocess.TimeoutExpired:
                self._server.kill()
            self.shop.close()

    def tell(self) -> dict[str, Any]:
        """Install, post, wait; what came of it."""
        self._install()
        self._say("Posting signed webhooks …")
        posted = [self._deliver(order(number, buyer)) for number, buyer in enumerate(BUYERS, 1001)]
        posted.append(self._deliver(order(1001, BUYERS[0])))  # the platform repeats itself: nobody is texted twice
        self._wait("receipts and write-backs", self._is_over)
        self._reply(BUYERS[1].phone, "STOP")
        posted.append(self._deliver(order(1006, BUYERS[1])))
        self._wait("the last write-back", self._is_over)
        return self._result()

    def stay(self) -> None:
        """Serve on until Ctrl-C."""
        self._say(f"The API answers at {self.url}, its documentation at {self.url}/docs.")
        say(f"Look at {self.url}/ – stop with Ctrl-C.")
        try:
            while self._server is not None and self._server.poll() is None:
                time.sleep(0.5)
        except KeyboardInterrupt:
            return

    # -- steps --------------------------------------------------------------------------------------------------

    def _install(self) -> None:
        self._account = self._api(
            "POST",
            "/v1/carrier-accounts",
            {"carrier": "sandbox", "name": "Sandbox", "credentials": {"api_key": KEY}, "settings": {}},
        )
        self._installation = self._api(
            "POST",
            "/v1/installations",
            {
                "connector": "shopify",
                "name": "Demo shop",
                "credentials": {"shop": SHOP, "client_secret": SECRET, "access_token": TOKEN},
                "settings": {"base_url": self.shop.url},
            },
        )
        for name, bodies in BODIES.items():
            self._api("POST", "/v1/templates", {"name": name, "purpose": "transactional", "bodies": bodies})
            self._api("POST", f"/v1/templates/{name}/versions/1/approve")
        for event, template in (("order.created", "order_created"), ("fulfillment.shipped", "shipped")):
            self._api(
                "POST",
                "/v1/triggers",
                {
                    "name": f"text on {event}",
                    "connector": "shopify",
                    "event": event,
                    "all": [],
                    "any": [],
                    "template": template,
                    "recipient": "customer",
                    "purpose": "transactional",
                    "state": "on",
                },
            )

    def _deliver(self, sample: Mapping[str, Any]) -> str:
        """Post one webhook as Shopify would, signed with the shop's secret."""
        from bellwire_connectors.shopify import connector

        body = json.dumps(sample["body"], ensure_ascii=False).encode()
        request = WebhookRequest(
            headers={name.lower(): value for name, value in sample["headers"].items()}, body=body, received_at=datetime.now(UTC)
        )
        someone = Installation(
            id=uuid.uuid4(),
            tenant_id=uuid.uuid4(),
            connector="shopify",
            account_ref=SHOP,
            credentials={"shop": SHOP},
            secrets=(SECRET,),
        )
        signed = connector.sign(request, someone)
        answer = requests.post(self._installation["webhook_url"], data=body, headers=dict(signed.headers), timeout=10)
        answer.raise_for_status()
        return answer.text

    def _reply(self, msisdn: str, text: str) -> None:
        """Answer from the handset, as the carrier passes it on."""
        from bellwire_connectors.sandbox import carrier

        reply = {"id": f"sbr_{uuid.uuid4().hex}", "from": msisdn, "to": "Demo shop", "text": text, "answered": True}
        body = json.dumps({"replies": [reply]}).encode()
        unsigned = WebhookRequest(
            headers={"content-type": "application/json"}, body=body, received_at=datetime.now(UTC), url=self._account["mo_url"]
        )
        signed = carrier.sign(unsigned, _someone_at_the_sandbox()) if carrier.sign else unsigned
        requests.post(self._account["mo_url"], data=body, headers=dict(signed.headers), timeout=10).raise_for_status()

    def _is_over(self) -> bool:
        messages = self._api("GET", "/v1/messages?limit=200")["items"]
        if not messages or any(one["status"] not in FINAL for one in messages):
            return False
        details = (self._api("GET", f"/v1/messages/{one['id']}") for one in messages)
        return all(job["status"] == "done" for one in details for job in one["write_backs"])

    def _result(self) -> dict[str, Any]:
        events = [self._api("GET", f"/v1/events/{one['id']}") for one in self._api("GET", "/v1/events?limit=200")["items"]]
        messages = [self._api("GET", f"/v1/messages/{one['id']}") for one in self._api("GET", "/v1/messages?limit=200")["items"]]
        return {
            "events": [
                {"id": one["id"], "type": one["type"], "outcome": one["decisions"][0]["outcome"]} for one in reversed(events)
            ],
            "messages": [
                {name: one.get(name) for name in ("id", "status", "reason", "to", "text", "encoding", "segments")}
                for one in reversed(messages)
            ],
            "write_backs": [
                {
                    "platform": job["platform"],
                    "target": job["target"],
                    "status": job["status"],
                    "written": self.shop.written.get(job["target"].removeprefix("order/"), {}).get("status"),
                }
                for one in reversed(messages)
                for job in one["write_backs"]
            ],
        }

    # -- plumbing -----------------------------------------------------------------------------------------------

    def _api(self, method: str, path: str, body: object = None) -> Any:
        answer = self._http.request(method, self.url + path, json=body, timeout=10)
        if not answer.ok:
            raise BellwireError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def _is_ready(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            said = self._server.stderr.read().decode(errors="replace") if self._server.stderr else ""
            raise BellwireError(f"serve ended at once: {said.strip()}")
        try:
            return self._http.get(f"{self.url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        ends = time.monotonic() + _WAIT_S
        while not done():
            if time.monotonic() > ends:
                raise BellwireError(f"waited {_WAIT_S:.0f} s for {what}, in vain")
            time.sleep(0.1)

    def _run(self, environment: Mapping[str, str], *arguments: str) -> bytes:
        command = [sys.executable, "-m", "bellwire", *arguments]
        done = subprocess.run(command, env=dict(environment), cwd=self.directory, capture_output=True, check=False)  # noqa: S603  # ours
        if done.returncode:
            raise BellwireError(
                f"bellwire {arguments[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout

    def _say(self, text: str) -> None:
        if not self._quiet:
            note(text)


def _someone_at_the_sandbox() -> Any:
    from bellwire.model import CarrierAccount

    return CarrierAccount(id=uuid.uuid4(), tenant_id=uuid.uuid4(), carrier="sandbox", credentials={"api_key": KEY}, secrets=(KEY,))


def _free_port(wanted: int) -> int:
    """The wanted port when it is free, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise BellwireError("no local port is free")


def _show(result: Mapping[str, Any]) -> None:
    say("What came in:")
    print_table(["event", "what", "outcome"], [(one["id"], one["type"], one["outcome"]) for one in result["events"]])
    say("What went out (to the sandbox, which texts nobody):")
    print_table(
        ["to", "status", "encoding", "segments", "text"],
        [
            (
                one["to"],
                one["status"] + (f" ({one['reason']})" if one["reason"] else ""),
                one["encoding"],
                one["segments"],
                one["text"],
            )
            for one in result["messages"]
        ],
    )
    say("What stands in the orders again:")
    print_table(
        ["platform", "order", "write-back", "the order says"],
        [(one["platform"], one["target"], one["status"], one["written"]) for one in result["write_backs"]],
    )
