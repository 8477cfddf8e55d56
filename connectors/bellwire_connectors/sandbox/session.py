"""A sandbox account without a network: the send is answered in process, by the number's scenario."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from bellwire import CarrierAccount, ErrorClass, Outcome, Outgoing, Verdict

from ..answers import money
from .plan import THROTTLE_S, carrier_ref, scenario

_REMEMBERED = 10_000


class Session:
    """Answers sends. Remembers only whom it has throttled once, the newest 10,000 of them."""

    def __init__(self) -> None:
        self._throttled: OrderedDict[str, None] = OrderedDict()

    async def send(self, messages: Sequence[Outgoing], account: CarrierAccount) -> Sequence[Outcome]:
        """One outcome a message. A repeated reference gets the first one's answer: no handset is ever texted."""
        await asyncio.sleep(max((scenario(message.msisdn).answer_after_s for message in messages), default=0.0))
        return [self._outcome(message, account) for message in messages]

    def _outcome(self, message: Outgoing, account: CarrierAccount) -> Outcome:
        found = scenario(message.msisdn)
        if found.silent:
            return Outcome(message_id=message.message_id, verdict=Verdict.AMBIGUOUS, error_class=ErrorClass.AMBIGUOUS)
        if found.refusal is not None and not (found.once and self._seen(message.ref)):
            return Outcome(
                message_id=message.message_id,
                verdict=Verdict.REJECTED,
                error_class=found.refusal,
                code=found.refusal,
                detail=found.says,
                retry_after_s=THROTTLE_S if found.refusal is ErrorClass.THROTTLED else None,
            )
        price = money(account.settings.get("price"))
        return Outcome(
            message_id=message.message_id,
            verdict=Verdict.ACCEPTED,
            carrier_ref=carrier_ref(message.ref),
            code="accepted",
            price=None if price is None else price * message.segments,
            currency="" if price is None else str(account.settings.get("currency") or "USD"),
            segments=message.segments,
        )

    def _seen(self, ref: str) -> bool:
        if ref in self._throttled:
            return True
        self._throttled[ref] = None
        if len(self._throttled) > _REMEMBERED:
            self._throttled.popitem(last=False)
        return False
