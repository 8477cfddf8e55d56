"""Trello webhooks: the HEAD probe, a signature over body and callback URL, cards as tasks. Pure.

developer.atlassian.com, Trello, "Webhooks" and "Action types".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from bellwire import Event, HttpReply, Installation, Person, SignatureMismatch, WebhookRequest
from bellwire.signing import hmac_base64, require
from pydantic import Field

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import Body, DayOrTime, Id, Line, Moment, read_body

HEADER = "X-Trello-Webhook"
_SHORT = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)


class Member(Body):
    """Somebody."""

    id: Id
    fullName: Line = ""  # noqa: N815  # the platform's name

    def person(self) -> Person:
        """The person."""
        return Person(ref=self.id, name=self.fullName)


class Named(Body):
    """A list or a board."""

    name: Line = ""


class Card(Body):
    """A card, as far as the action tells it."""

    id: Id
    name: Line = ""
    shortLink: Line = ""  # noqa: N815  # as above
    due: DayOrTime = None
    dueComplete: bool | None = None  # noqa: N815  # as above


class Data(Body):
    """What an action is about. `old` names what changed, also where it was null."""

    card: Card
    board: Named = Named()
    list_: Named = Field(alias="list", default=Named())
    listBefore: Named | None = None  # noqa: N815  # as above
    listAfter: Named | None = None  # noqa: N815  # as above
    old: dict[str, object] = Field(default_factory=dict)


class Kind(Body):
    """Any action."""

    type: Line


class AnyAction(Body):
    """Any delivery."""

    action: Kind


class Action(Kind):
    """An action about a card."""

    id: Id
    date: Moment = None
    data: Data
    memberCreator: Member | None = None  # noqa: N815  # as above
    member: Member | None = None


class Delivery(Body):
    """A delivery about a card."""

    action: Action


def probe(request: WebhookRequest, installation: Installation) -> HttpReply | None:  # noqa: ARG001  # the same for each
    """Trello asks by HEAD whether the URL is there before it makes a webhook."""
    return HttpReply(body=b"") if request.method == "HEAD" else None


def callback_url(installation: Installation) -> str:
    """The URL that is part of the signature: as registered, never as requested. Raises SignatureMismatch where none is known."""
    known = str(installation.settings.get("callback_url") or installation.webhook_url)
    if not known:
        raise SignatureMismatch("trello: PUBLIC_URL is not set, so the signed callback URL is not known")
    return known


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as Trello would send it: signed with the newest secret."""
    made = _signatures(request, installation)
    if not made:
        raise SignatureMismatch("trello: the installation has no app_secret")
    return request.with_headers(X_Trello_Webhook=made[0])


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:  # noqa: ARG001  # no signed time here
    """Pass when body and callback URL are signed with one of the secrets. Raises SignatureMismatch."""
    require(request.header(HEADER), _signatures(request, installation), "trello")


def _signatures(request: WebhookRequest, installation: Installation) -> list[str]:
    signed = request.body + callback_url(installation).encode()  # the bytes as they came: names are not all ASCII
    return [hmac_base64(secret, signed, "sha1") for secret in installation.secrets if secret]


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for an action we don't serve. Raises PayloadInvalid."""
    kind = read_body(AnyAction, request.body, "trello").action.type
    if kind not in ("addMemberToCard", "removeMemberFromCard", "updateCard"):
        return []  # comments, ours among them, and all that is no card's member, list or date
    action = read_body(Delivery, request.body, f"trello {kind}").action
    own = installation.settings.get("integration_user")
    if own and action.memberCreator and action.memberCreator.id == own:
        return []
    readable = bool(installation.credentials.get("api_key") and installation.credentials.get("api_token"))
    return list(_events(action, request.received_at, readable=readable))


def _events(action: Action, received_at: datetime, *, readable: bool) -> Iterator[Event]:
    card, data = action.data.card, action.data
    if action.member is not None and action.type != "updateCard":
        kind = "task.assigned" if action.type == "addMemberToCard" else "task.unassigned"
        yield _event(action, received_at, kind, worker=action.member.person(), changed="task.assignee")
        return
    if "idList" in data.old and data.listAfter is not None:
        before = data.listBefore.name if data.listBefore else ""
        yield _event(
            action,
            received_at,
            "task.status_changed",
            status=data.listAfter.name,
            previous=before,
            changed="task.status",
            fetch=readable,
        )
    if "dueComplete" in data.old and card.dueComplete is not None:
        status, before = ("complete", "incomplete") if card.dueComplete else ("incomplete", "complete")
        yield _event(
            action,
            received_at,
            "task.status_changed",
            part="done",
            status=status,
            previous=before,
            changed="task.status",
            fetch=readable,
        )
    if "due" in data.old and card.due:
        yield _event(action, received_at, "task.due", changed="task.due_at", fetch=readable)


def _event(
    action: Action,
    received_at: datetime,
    kind: str,
    *,
    worker: Person | None = None,
    part: str = "",
    status: str = "",
    previous: str = "",
    changed: str = "",
    fetch: bool = False,
) -> Event:
    card, data = action.data.card, action.data
    part = part or kind.partition(".")[2]
    fields = happenings.task(
        id=card.id,
        title=card.name,
        status=status or data.list_.name,
        previous_status=previous,
        due_at=card.due,
        url=f"https://trello.com/c/{card.shortLink}" if _SHORT.fullmatch(card.shortLink) else "",
        project=data.board.name,
    )
    return happenings.event(
        kind,
        id=f"{action.id}:{part}",
        fact=f"{card.id}:{action.id}:{part}",
        subject=f"task/{card.id}",
        at=action.date or received_at,
        worker=worker,
        actor=action.memberCreator.person() if action.memberCreator else None,
        data=happenings.new_date(fields) if kind == "task.due" else fields,
        changed=(changed,),
        fetch={"card": card.id} if fetch else {},
    )
