"""Asana: assignments, completion and due dates of tasks in; what became of a text as a comment on the task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, Event, Link, hookimpl, loaded_on_call

from bellwire_connectors.translating.notes import writes_on_tasks

from . import webhook

EVENTS = ("task.assigned", "task.status_changed", "task.due")

FIELDS = (
    CredentialField(name="access_token", help="A service account's or a person's access token", required=False),
    CredentialField(name="workspace_id", help="The workspace's gid", required=False, secret=False),
    CredentialField(
        name="hook_secrets",
        help="The secrets of webhooks made by hand (X-Hook-Secret in the answer); filled for those made here",
        required=False,
        kind=list,
    ),
)

SETTINGS = (
    CredentialField(
        name="resources", help="The gids of the projects to watch", required=False, secret=False, kind=list, default=[]
    ),
    CredentialField(
        name="integration_user", help="The user gid whose changes make no event: the token's own", required=False, secret=False
    ),
)

# -- what calls out: loaded on first use, so that reading needs no HTTP library --------------------------------------------

if TYPE_CHECKING:
    from . import client, subscriptions
else:
    client = loaded_on_call(f"{__name__}.client")
    subscriptions = loaded_on_call(f"{__name__}.subscriptions")


def _reconcile(link: Link, since: datetime) -> Sequence[Event]:  # noqa: ARG001  # nothing is polled
    subscriptions.subscribe(link)
    return []


connector = Connector(
    name="asana",
    title="Asana",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="hook_secrets",  # noqa: S106  # the name of a field
    account_field="workspace_id",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    probe=webhook.probe,
    enrich=client.enrich,
    write_back=client.write_back,
    writes_on=writes_on_tasks,
    write_reply=client.write_reply,
    subscribe=subscriptions.subscribe,
    reconcile=_reconcile,
    check=subscriptions.check,
    samples="bellwire_connectors.asana",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
