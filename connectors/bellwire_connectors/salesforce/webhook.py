"""Outbound Messages and the action's runs in: who may call, what they tell, and the answer that Salesforce waits for.

Neither is signed. What proves a call is the unguessable key in its URL, compared by its hash before this code runs; the
organization's id is no secret and only keeps another org's messages out (developer.salesforce.com, "Security Considerations" of
Outbound Messaging).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from bellwire import Event, HttpReply, Installation, SignatureMismatch, WebhookRequest
from bellwire.signing import same

from . import action, configured
from .envelope import ACK, Envelope, Notification, organization_of, parse
from .facts import event_of, is_ours, kind_of
from .ids import long_id
from .records import Record


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:  # noqa: ARG001  # the contract's arguments
    """The request as it is: nothing is signed."""
    return request


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:  # noqa: ARG001  # no signed time here
    """Pass when the organization is the installation's, and for an outbound message that holds nothing at all.

    Raises SignatureMismatch; PayloadInvalid when there is no organization to see.
    """
    wanted = configured.organization(installation)
    if action.is_action(request):
        given = long_id(action.asked(request.body).organization_id)
    else:
        given = organization_of(request.body)
        if not given:
            return
    if not wanted or not same(given, wanted):
        raise SignatureMismatch(
            "salesforce: the call is for another organization than the installation's"
            if wanted
            else "salesforce: settings.organization_id is not set"
        )


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a call: one for each notification that is news. Raises PayloadInvalid."""
    if action.is_action(request):
        return action.requested(request, installation)
    envelope = parse(request.body)
    mapped = configured.actions(installation).get(envelope.action, "")
    if not mapped and installation.settings.get("mapped_actions_only") is True:
        return []
    return [
        event_of(record, installation, mapped or kind_of(record).updated, request.received_at, event_id=one.id)
        for one, record in _news(envelope, installation, mapped)
    ]


def answer(request: WebhookRequest, events: Sequence[str]) -> HttpReply:
    """After the commit: the SOAP Ack, whose absence has the message sent again for 24 hours; JSON to a flow."""
    if not action.is_action(request):
        return ACK
    said = {"event_id": events[0] if events else "", "duplicate": not events}
    return HttpReply(status=200, content_type="application/json", body=json.dumps(said).encode())


def _news(envelope: Envelope, installation: Installation, mapped: str) -> Sequence[tuple[Notification, Record]]:
    """Each notification once. What was deleted before it was sent has no data; two changes of a record that were sent together
    carry the same content, as it is read when it is sent, and are one.
    """
    seen_ids: set[str] = set()
    seen_states: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    found = []
    for one in envelope.notifications:
        if one.id in seen_ids:
            continue
        seen_ids.add(one.id)
        record = one.record
        if record is None or is_ours(record, installation, mapped):
            continue
        state = (record.id, tuple(sorted(record.fields.items())))
        if state not in seen_states:
            seen_states.add(state)
            found.append((one, record))
    return found
