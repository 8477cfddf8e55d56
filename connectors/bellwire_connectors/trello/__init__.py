"""Trello: members, lists and due dates of cards in; what became of a text as a comment on the card."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire import CheckResult, Connector, CredentialField, Event, Link, ReplyNote, StatusChange, hookimpl

from bellwire_connectors.translating.notes import writes_on_tasks

from . import webhook

EVENTS = ("task.assigned", "task.unassigned", "task.status_changed", "task.due")

FIELDS = (
    CredentialField(name="app_secret", help="The Power-Up's secret, beside its API key; it signs every webhook"),
    CredentialField(name="api_key", help="The Power-Up's API key", required=False),
    CredentialField(name="api_token", help="The token of the member who comments", required=False),
)

SETTINGS = (
    CredentialField(
        name="callback_url",
        help="The callbackURL exactly as registered, where it is not this installation's webhook_url; it is part of what is signed",
        required=False,
        secret=False,
    ),
    CredentialField(
        name="integration_user",
        help="The member id whose changes make no event: the token's own",
        required=False,
        secret=False,
    ),
)

# -- what calls out: loaded on first use, so that reading needs no HTTP library --------------------------------------------


def _enrich(event: Event, link: Link) -> Event:
    from .client import enrich as run

    return run(event, link)


def _write_back(changes: Sequence[StatusChange], link: Link) -> None:
    from .client import write_back as run

    run(changes, link)


def _write_reply(reply: ReplyNote, link: Link) -> None:
    from .client import write_reply as run

    run(reply, link)


def _check(link: Link) -> Sequence[CheckResult]:
    from .client import check as run

    return run(link)


connector = Connector(
    name="trello",
    title="Trello",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="app_secret",  # noqa: S106  # the name of a field
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    probe=webhook.probe,
    enrich=_enrich,
    write_back=_write_back,
    writes_on=writes_on_tasks,
    write_reply=_write_reply,
    check=_check,
    samples="bellwire_connectors.trello",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
