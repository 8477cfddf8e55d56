"""The sandbox's protocol from the carrier's side; docs/carriers/sandbox.md."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from bellwire import ErrorClass
from pydantic_core import from_json

from ..plan import carrier_ref
from .book import Message
from .wire import Answer, Callback, Mo, Request, Result, Submission, rest

MAX_BATCH = 1_000
_STATUS = {ErrorClass.AUTH: 401, ErrorClass.THROTTLED: 429, ErrorClass.CARRIER_DOWN: 503, ErrorClass.BAD_REQUEST: 400}


class SandboxWire:
    """`keys`: the API keys that may sign in; any when empty."""

    name = "sandbox"

    def __init__(self, keys: Collection[str] = ()) -> None:
        self._keys = frozenset(keys)

    def read(self, request: Request) -> Sequence[Submission] | Answer:
        """The texts of `{"messages": […]}`."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or (self._keys and key not in self._keys):
            return self.error(ErrorClass.AUTH, "Authorization: Bearer and an API key are needed")
        try:
            said = from_json(request.body)
        except ValueError:
            said = None
        listed = said.get("messages") if isinstance(said, dict) else None
        if not isinstance(listed, list) or not 0 < len(listed) <= MAX_BATCH or not all(isinstance(one, dict) for one in listed):
            return self.error(ErrorClass.BAD_REQUEST, f"messages: a list of 1 to {MAX_BATCH} objects is needed")
        for place, one in enumerate(listed):
            for field in ("ref", "to", "text"):
                if not isinstance(one.get(field), str) or not one[field]:
                    return self.error(ErrorClass.BAD_REQUEST, f"messages.{place}.{field}: a text is needed")
        return [self._submission(one, key) for one in listed]

    @staticmethod
    def _submission(one: dict[str, Any], key: str) -> Submission:
        segments = one.get("segments")
        return Submission(
            ref=rest(one["ref"], 200),
            to=rest(one["to"], 32),
            sender=rest(one.get("from"), 64),
            text=rest(one["text"], 10_000),
            segments=segments if isinstance(segments, int) and 0 < segments <= 255 else 1,
            dlr_url=rest(one.get("dlr_url")),
            secret=key,
        )

    def answer(self, results: Sequence[Result]) -> Answer | None:
        """One result a message; the silent ones are left out."""
        said = [self._result(one) for one in results if not one.silent]
        return _json(200, {"results": said}) if said else None

    @staticmethod
    def _result(result: Result) -> dict[str, Any]:
        if result.message is None:
            error: dict[str, Any] = {"code": result.refusal or ErrorClass.UNKNOWN, "detail": result.says}
            if result.retry_after_s is not None:
                error["retry_after_s"] = max(1, round(result.retry_after_s))
            return {"ref": result.submission.ref, "status": "rejected", "error": error}
        taken = result.message
        said = {"ref": taken.ref, "id": taken.id, "status": "accepted", "segments": taken.segments}
        return said | ({"price": taken.price, "currency": taken.currency} if taken.price else {})

    def error(self, kind: ErrorClass, says: str, retry_after_s: float | None = None) -> Answer:
        """`{"error": …}`."""
        wait = () if retry_after_s is None else (("retry-after", str(max(1, round(retry_after_s)))),)
        return _json(_STATUS.get(kind, 400), {"error": {"code": kind, "detail": says}}, wait)

    def show(self, message: Message | None) -> Answer:
        """The message's record, 404 for none."""
        if message is None:
            return _json(404, {"error": {"code": "unknown_message", "detail": "no such message was taken"}})
        said = {"ref": message.ref, "id": message.id, "status": message.status, "code": message.code, "segments": message.segments}
        return _json(200, said | ({"price": message.price, "currency": message.currency} if message.price else {}))

    def receipt(self, message: Message, status: str, code: str) -> Callback:
        """`{"receipts": [one]}`."""
        said: dict[str, Any] = {"id": message.id, "ref": message.ref, "status": status, "code": code}
        said["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        if message.price:
            said |= {"price": message.price, "currency": message.currency, "segments": message.segments}
        return _signed(message.dlr_url, {"receipts": [said]}, message.secret)

    def reply(self, mo: Mo) -> Callback:
        """`{"replies": [one]}`."""
        said = {"id": mo.id, "from": mo.msisdn, "to": mo.to, "text": mo.text, "answered": bool(mo.answered)}
        return _signed(mo.url, {"replies": [said]}, mo.secret)

    def new_id(self, submission: Submission) -> str:
        """The id of a message that is taken."""
        return carrier_ref(submission.ref)


def _json(status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status=status, body=json.dumps(body, separators=(",", ":")).encode(), headers=headers)


def _signed(url: str, body: Any, secret: str) -> Callback:
    data, timestamp = json.dumps(body, ensure_ascii=False).encode(), str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{timestamp}.{url}.".encode() + data, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-sandbox-timestamp": timestamp, "x-sandbox-signature": signature}
    return Callback(url=url, headers=headers, body=data)
