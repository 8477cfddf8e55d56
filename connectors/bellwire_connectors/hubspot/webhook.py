"""HubSpot's requests: who sent one, whose accounts it is about, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bellwire import Decided, Event, HttpReply, Installation, SignatureMismatch, TemplateChoice, WebhookRequest

from . import action, signature
from .bodies import Execution, Question, parse, portal_of, split
from .changes import events_of


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as HubSpot would send it at its `received_at`: v3, with the newest secret."""
    stamp = str(int(request.received_at.timestamp() * 1000))
    made = signature.v3(_secrets(installation)[0], request.method, request.url, request.body, stamp)
    return request.with_headers(X_HubSpot_Signature_v3=made, X_HubSpot_Request_Timestamp=stamp)


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    """Pass when the app's secret signed the request for this URL, now. Raises SignatureMismatch, StaleSignature.

    v2 is for the workflow action only and v1 for webhooks only, and each must be switched on: they sign no time.
    """
    signature.check(request, _secrets(installation), _allowed(request, installation), now)


def parts(request: WebhookRequest) -> Sequence[tuple[str, WebhookRequest]]:
    """The request's part for each portal: one URL serves all accounts of an app. Raises PayloadInvalid."""
    found = parse(request.body)
    if isinstance(found, Execution | Question):
        return [(portal_of(found), request)]
    portals = dict.fromkeys(portal_of(change) for change in found)
    if len(portals) <= 1:
        return [(portal, request) for portal in portals]
    return [(portal, replace(request, body=body)) for portal, body in split(request.body).items()]


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a request for one portal, each fact once. Raises PayloadInvalid."""
    found = parse(request.body)
    if isinstance(found, Question):
        return []
    if isinstance(found, Execution):
        return action.requested(found, installation, request.received_at)
    events: dict[str, Event] = {}
    for change in found:
        events |= {event.id: event for event in events_of(change, installation)}
    return list(events.values())


def consult(request: WebhookRequest, installation: Installation, choices: Sequence[TemplateChoice]) -> HttpReply | None:  # noqa: ARG001  # the tenant's templates are all that counts
    """What the template picker of the workflow action offers; None for any other request."""
    found = parse(request.body)
    return action.options(found, choices) if isinstance(found, Question) else None


def respond(request: WebhookRequest, installation: Installation, decided: Sequence[Decided]) -> HttpReply | None:
    """The answer to a run of the action; webhooks get the usual one."""
    asked = [one for one in decided if one.type == "message.requested"]
    return action.answered(asked[0], installation, request.received_at) if asked else None


def _allowed(request: WebhookRequest, installation: Installation) -> Collection[str]:
    given = installation.settings.get("accept_signature_versions") or ("v3",)
    wanted = {str(one).lower() for one in given}
    is_batch = request.body.lstrip()[:1] == b"["
    return wanted - {"v2" if is_batch else "v1"}


def _secrets(installation: Installation) -> Sequence[str]:
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise SignatureMismatch("hubspot: the installation has no client_secret")
    return secrets
