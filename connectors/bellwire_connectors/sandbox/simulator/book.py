"""What the simulator has seen: counts per reference, its calls with their times, its messages, what the handsets got. Bounded."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from dataclasses import asdict, dataclass, field
from typing import Any

KEEP_MESSAGES = 200_000
KEEP_CALLS = 200_000
KEEP_TEXTS = 50_000
KEEP_REFS = 2_000_000
KEEP_SECRETS = 10_000


@dataclass(slots=True, kw_only=True)
class Message:
    """One text that was taken. `secret`: what its callbacks are signed with. `status`, `code`: the sandbox's raw words."""

    carrier: str
    id: str
    ref: str
    to: str
    sender: str
    text: str = field(repr=False)
    segments: int
    dlr_url: str
    account: str
    secret: str = field(repr=False)
    service: str = ""  # a Messaging Service, where one sends
    status: str = "accepted"
    code: str = ""
    price: str = ""
    currency: str = ""
    taken_at: float = 0.0


@dataclass(slots=True)
class Call:
    """One send as the log shows it. Times in seconds since 1970; `ended` 0 while it is in flight."""

    call: int
    carrier: str
    started: float
    ended: float = 0.0
    refs: list[str] = field(default_factory=list)
    taken: int = 0
    status: int = 0
    end: str = ""  # answered | cut | hung | gone (the caller went first)
    fault: str = ""


class Book:
    """The counts. `accepted` counts texts that reach a handset, a repeat that was answered with the first result is none."""

    def __init__(self) -> None:
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.accepted = 0
        self.rejected = 0
        self.refs: Counter[str] = Counter()
        self.repeats: Counter[str] = Counter()
        self.throttled_once: OrderedDict[str, None] = OrderedDict()
        self.opted_out: set[tuple[str, str]] = set()
        self.secrets: OrderedDict[tuple[str, str], str] = OrderedDict()  # (carrier, account) → secret, the last sender last
        self._log: deque[Call] = deque(maxlen=KEEP_CALLS)
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._by_ref: dict[tuple[str, str, str], str] = {}
        self._texts: deque[dict[str, Any]] = deque(maxlen=KEEP_TEXTS)
        self._texts_seen = 0

    # -- calls --------------------------------------------------------------------------------------------------

    def begin(self, carrier: str) -> Call:
        """A send has begun: its head was read."""
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        call = Call(self.calls, carrier, time.time())
        self._log.append(call)
        return call

    def end(self, call: Call, how: str, status: int = 0) -> None:
        """A send has ended; the first end counts."""
        if not call.end:
            call.end, call.status, call.ended = how, status, time.time()
            self.in_flight -= 1

    def log(self, since: int, limit: int = 5_000) -> dict[str, Any]:
        """The calls numbered above `since`, oldest first."""
        found = [call for call in self._log if call.call > since][:limit]
        return {"calls": [asdict(call) for call in found], "next": found[-1].call if found else since}

    def signed_in(self, carrier: str, account: str, secret: str) -> None:
        """Keep the secret that a send signed in with: its callbacks are signed with it."""
        self.secrets[carrier, account] = secret
        self.secrets.move_to_end((carrier, account))
        if len(self.secrets) > KEEP_SECRETS:
            self.secrets.popitem(last=False)

    # -- messages -----------------------------------------------------------------------------------------------

    def take(self, message: Message, call: Call) -> None:
        """Keep a message that was taken."""
        self.accepted += 1
        call.taken += 1
        if message.ref in self.refs or len(self.refs) < KEEP_REFS:
            self.refs[message.ref] += 1
        message.taken_at = time.time()
        self._messages[message.id] = message
        self._by_ref[message.carrier, message.account, message.ref] = message.id
        if len(self._messages) > KEEP_MESSAGES:
            _, old = self._messages.popitem(last=False)
            self._by_ref.pop((old.carrier, old.account, old.ref), None)

    def message(self, carrier: str, message_id: str) -> Message | None:
        """A message by the carrier's id."""
        found = self._messages.get(message_id)
        return found if found is not None and found.carrier == carrier else None

    def by_ref(self, carrier: str, account: str, ref: str) -> Message | None:
        """A message by its sender's reference."""
        return self._messages.get(self._by_ref.get((carrier, account, ref), ""))

    def throttle_once(self, ref: str) -> bool:
        """Whether this reference is to be throttled: the first time only."""
        if ref in self.throttled_once:
            return False
        self.throttled_once[ref] = None
        if len(self.throttled_once) > KEEP_MESSAGES:
            self.throttled_once.popitem(last=False)
        return True

    # -- handsets -----------------------------------------------------------------------------------------------

    def show(self, carrier: str, to: str, sender: str, text: str, ref: str = "", segments: int = 1) -> None:
        """A handset got a text."""
        self._texts_seen += 1
        self._texts.append(
            {
                "n": self._texts_seen,
                "at": time.time(),
                "carrier": carrier,
                "to": to,
                "from": sender,
                "text": text,
                "ref": ref,
                "segments": segments,
            }
        )

    def received(self, since: int, limit: int = 1_000) -> dict[str, Any]:
        """The texts numbered above `since`, oldest first."""
        found = [one for one in self._texts if one["n"] > since][:limit]
        return {"texts": found, "next": found[-1]["n"] if found else since}

    def stats(self) -> dict[str, Any]:
        """The counts, with those per reference."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "refs": dict(self.refs),
            "repeats": dict(self.repeats),
            "calls": self.calls,
            "calls_in_flight": self.in_flight,
            "most_calls_in_flight": self.most_in_flight,
        }
