"""The canonical timecard and task contract, incoming: `sign`, `verify`, `read`, and what of a batch was refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire import Event, Installation, PayloadInvalid, Refused, WebhookRequest

from .envelope import Bad, Envelope, envelopes, is_batch
from .events import event
from .signature import sign, verify

__all__ = ["read", "refused", "sign", "verify"]


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a request, [] for types that are not served. Raises PayloadInvalid; of a batch the good ones are read."""
    events, _ = _read(request, installation)
    return events


def refused(request: WebhookRequest, installation: Installation) -> Sequence[Refused] | None:
    """Which items of a batch can't be used, and why; None where the request is no batch. Raises PayloadInvalid."""
    return _read(request, installation)[1] if is_batch(request) else None


def _read(request: WebhookRequest, installation: Installation) -> tuple[list[Event], list[Refused]]:
    events: list[Event] = []
    bad: list[Refused] = []
    for item in envelopes(request, installation):
        if isinstance(item, Bad):
            bad.append(Refused(id=item.id, code=item.code, field=item.field))
            continue
        try:
            made = event(item, next(iter(installation.secrets), ""))
        except PayloadInvalid as e:
            if not is_batch(request):
                raise
            bad.append(_refusal(item, e))
            continue
        if made is not None:
            events.append(made)
    return events, bad


def _refusal(envelope: Envelope, error: PayloadInvalid) -> Refused:
    return Refused(id=envelope.id, code=error.code, field=error.field)
