"""Which request goes where: the two protocols' calls, and our own to watch and to steer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from pydantic_core import from_json

from .book import Book
from .callbacks import Courier
from .connection import Connection, Send
from .desk import Desk, Done, ReplyOrder
from .knobs import FAULTS, Armed, Fault, Knobs, Trouble
from .sandbox_wire import SandboxWire
from .twilio_wire import TwilioWire
from .wire import Answer, Request, Wire

_TWILIO = "/2010-04-01/Accounts/"


class Site:
    """The whole simulator behind its socket. `down`: called to refuse connections for some seconds."""

    def __init__(self, *, knobs: Knobs, sandbox: SandboxWire, twilio: TwilioWire, courier: Courier, seed: int) -> None:
        self.desk = Desk(Book(), courier, knobs)
        self._sandbox, self._twilio = sandbox, twilio
        self.wires: Mapping[str, Wire] = {sandbox.name: sandbox, twilio.name: twilio}
        self.trouble = Trouble(seed)
        self.down: Callable[[float], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ours: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/"): self._about,
            ("GET", "/stats"): lambda _: _json({**self.desk.book.stats(), "callbacks": self._callbacks()}),
            ("GET", "/log"): lambda request: _json(self.desk.book.log(_since(request))),
            ("GET", "/received"): lambda request: _json(self.desk.book.received(_since(request))),
            ("GET", "/control"): lambda _: self._shown(),
            ("POST", "/control"): self._control,
            ("POST", "/reset"): self._reset,
        }

    # -- Handler ------------------------------------------------------------------------------------------------

    @property
    def resets(self) -> bool:
        """Whether cuts are made by RST."""
        return self.desk.knobs.reset

    def send_of(self, method: str, path: str) -> Send | None:
        """A send's entry in the log and its fault, None for every other request."""
        if method != "POST":
            return None
        if path == "/v1/messages":
            carrier = "sandbox"
        elif path.startswith(_TWILIO) and path.endswith("/Messages.json"):
            carrier = "twilio"
        else:
            return None
        call = self.desk.book.begin(carrier)
        found = self.trouble.next(self.desk.knobs)
        if found is not None:
            call.fault = found[0]
        return Send(carrier, call, found[1] if found is not None else None)

    def handle(self, connection: Connection, request: Request, send: Send | None) -> None:
        """Answer, at once where nothing is to be waited for."""
        if send is None:
            if (request.method, request.path) == ("POST", "/replies"):
                self._spawn(self._reply(connection, request))
            else:
                connection.answer(self._answer(request))
            return
        delay_s = self.trouble.delay_s(self.desk.knobs)
        if delay_s:
            self._spawn(self._slowly(connection, request, send, delay_s))
            return
        self._finish(connection, send, self._submit(request, send))

    def ended(self, send: Send, how: str, status: int) -> None:
        """Write it into the log."""
        self.desk.book.end(send.call, how, status)

    # -- sends --------------------------------------------------------------------------------------------------

    def _submit(self, request: Request, send: Send) -> Done:
        return self.desk.submit(self.wires[send.carrier], request, send.call, send.fault)

    async def _slowly(self, connection: Connection, request: Request, send: Send, delay_s: float) -> None:
        """Half of the latency before the message is taken, half after it: a caller may die on either side."""
        await asyncio.sleep(delay_s / 2)
        done = self._submit(request, send)
        await asyncio.sleep(delay_s / 2)
        self._finish(connection, send, done)

    def _finish(self, connection: Connection, send: Send, done: Done) -> None:
        fault: Fault | None = send.fault
        if fault is not None and fault.hang:
            self._spawn(self._hang(connection))
        elif done.first or done.delay_s:
            self._spawn(self._patiently(connection, done))
        elif done.answer is None:
            connection.close_now("cut")
        else:
            connection.answer(done.answer)

    async def _hang(self, connection: Connection) -> None:
        await asyncio.sleep(self.desk.knobs.hang_s)
        connection.close_now()

    async def _patiently(self, connection: Connection, done: Done) -> None:
        for make in done.first:
            await self.desk.courier.now(make, self.desk.knobs.callback_attempts)
        await asyncio.sleep(done.delay_s)
        if done.answer is None:
            connection.close_now("cut")
        else:
            connection.answer(done.answer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- everything else ----------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        ours = self._ours.get((request.method, request.path))
        if ours is not None:
            return ours(request)
        if request.method == "GET" and request.path.startswith("/v1/"):
            return self._sandbox_record(request)
        if request.method == "GET" and request.path.startswith(_TWILIO):
            return self._twilio_record(request)
        return _json({"error": {"code": "not_found", "detail": f"{request.method} {request.path}"}}, 404)

    def _sandbox_record(self, request: Request) -> Answer:
        wire, book = self._sandbox, self.desk.book
        if request.path == "/v1/account":
            return _json({"status": "active"})
        if request.path == "/v1/messages":
            return wire.show(book.by_ref("sandbox", "", dict(parse_qsl(request.query)).get("ref", "")))
        return wire.show(book.message("sandbox", request.path.removeprefix("/v1/messages/")))

    def _twilio_record(self, request: Request) -> Answer:
        account = self._twilio.account(request)
        if isinstance(account, Answer):
            return account
        own = f"{_TWILIO}{account[0]}"
        if request.path == f"{own}.json":
            return _json({"sid": account[0], "friendly_name": "Simulator", "status": "active", "type": "Full"})
        if request.path == f"{own}/Messages.json":
            return _json({"messages": [], "page": 0, "page_size": 1, "uri": request.path})
        message = self.desk.book.message("twilio", request.path.removeprefix(f"{own}/Messages/").removesuffix(".json"))
        return self._twilio.show(message if message is not None and message.account == account[0] else None)

    def _about(self, _request: Request) -> Answer:
        calls = [f"{method} {path}" for method, path in self._ours] + ["POST /replies"]
        return _json({"simulator": "bellwire", "protocols": list(self.wires), "calls": calls})

    def _callbacks(self) -> dict[str, int]:
        return {**self.desk.courier.counts, "waiting": self.desk.courier.waiting()}

    def _shown(self) -> Answer:
        faults = {name: fault.says for name, fault in FAULTS.items()}
        return _json({"knobs": self.desk.knobs.model_dump(), "armed": self.trouble.waiting(), "faults": faults})

    def _control(self, request: Request) -> Answer:
        """Turn knobs; `fault`: {kind, count}; `disarm`: true; `down_for_s`: refuse connections from now."""
        try:
            body = dict(from_json(request.body))
            armed = Armed.model_validate(body.pop("fault")) if "fault" in body else None
            disarm, down_s = bool(body.pop("disarm", False)), float(body.pop("down_for_s", 0))
            self.desk.knobs = self.desk.knobs.changed(**body)
        except (ValueError, TypeError) as e:
            return _json({"error": {"code": "bad_request", "detail": _says(e)}}, 400)
        if disarm:
            self.trouble.disarm()
        if armed is not None:
            self.trouble.arm(armed)
        if down_s > 0 and self.down is not None:
            self.down(min(down_s, 3_600.0))
        return self._shown()

    def _reset(self, _request: Request) -> Answer:
        """Forget what was seen and what is due; the knobs stay."""
        self.desk.book = Book()
        self.desk.courier.forget()
        self.trouble.disarm()
        return _json({})

    async def _reply(self, connection: Connection, request: Request) -> None:
        try:
            order = ReplyOrder.model_validate_json(request.body)
        except ValidationError as e:
            connection.answer(_json({"error": {"code": "bad_request", "detail": _says(e)}}, 400))
            return
        connection.answer(_json(await self.desk.reply(self.wires[order.carrier], order)))


def _since(request: Request) -> int:
    said = dict(parse_qsl(request.query)).get("since", "0")
    return int(said[:15]) if said.isascii() and said.isdigit() else 0


def _says(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    lines = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in lines)


def _json(body: Any, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(body, separators=(",", ":")).encode())
