"""What the two protocols have in common, seen from the carrier's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bellwire import ErrorClass

from .book import Message


@dataclass(slots=True, kw_only=True)
class Request:
    """One HTTP request: header names in lower case, `query` as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Submission:
    """One text that somebody wants sent."""

    ref: str
    to: str
    sender: str
    text: str = field(repr=False)
    segments: int = 1
    dlr_url: str = ""
    account: str = ""
    secret: str = field(default="", repr=False)
    service: str = ""


@dataclass(slots=True, kw_only=True)
class Result:
    """What the carrier does with a submission: takes it (`message`), refuses it, or stays silent."""

    submission: Submission
    message: Message | None = None
    refusal: ErrorClass | None = None
    says: str = ""
    retry_after_s: float | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One request to Bellwire, signed."""

    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mo:
    """A text from a handset, on its way to Bellwire. `answered`: the carrier has answered the word itself."""

    id: str
    url: str
    msisdn: str
    to: str
    text: str = field(repr=False)
    secret: str = field(repr=False)
    account: str = ""
    answered: str = ""


class Wire(Protocol):
    """One protocol's other side."""

    name: str

    def read(self, request: Request) -> Sequence[Submission] | Answer:
        """The texts in a send, or the refusal of the call."""
        ...

    def answer(self, results: Sequence[Result]) -> Answer | None:
        """The answer to a send; None when nobody is to be answered."""
        ...

    def error(self, kind: ErrorClass, says: str, retry_after_s: float | None = None) -> Answer:
        """The refusal of a whole call, with the carrier's own error body."""
        ...

    def show(self, message: Message | None) -> Answer:
        """What became of a message."""
        ...

    def receipt(self, message: Message, status: str, code: str) -> Callback:
        """A receipt, in the sandbox's words, as this protocol's signed callback."""
        ...

    def reply(self, mo: Mo) -> Callback:
        """A reply as this protocol's signed callback."""
        ...

    def new_id(self, submission: Submission) -> str:
        """The carrier's id of a text that is taken."""
        ...


def rest(value: Any, longest: int = 2_000) -> str:
    """A text field of a request, cut; "" when it is none."""
    return value[:longest] if isinstance(value, str) else ""
