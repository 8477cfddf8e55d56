"""A corner shop: orders and consent in; statuses, replies and consent back. Passes every rule of the certification kit."""

from collections.abc import Sequence
from datetime import datetime

from bellwire import CheckResult, Connector, ConsentChange, CredentialField, Event, Link, ReplyNote, StatusChange

from . import webhook


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    from . import client

    client.write_back(changes, link)


def write_reply(note: ReplyNote, link: Link) -> None:
    from . import client

    client.write_reply(note, link)


def write_consent(change: ConsentChange, link: Link) -> None:
    from . import client

    client.write_consent(change, link)


def subscribe(link: Link) -> None:
    from . import client

    client.subscribe(link)


def reconcile(link: Link, since: datetime) -> Sequence[Event]:
    from . import client

    return client.reconcile(link, since)


def check(link: Link) -> Sequence[CheckResult]:
    from . import client

    return client.check(link)


connector = Connector(
    name="corner_shop",
    title="Corner shop",
    events=["order.created", "order.updated", "customer.consent_changed"],
    fields=[
        CredentialField(name="signing_secret", help="signs what the shop sends"),
        CredentialField(name="access_token", help="lets us in", required=False),
        CredentialField(name="refresh_token", help="brings a new one", required=False),
        CredentialField(name="shop", help="its name", required=False, secret=False),
    ],
    secret_field="signing_secret",
    account_field="shop",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    write_back=write_back,
    write_reply=write_reply,
    write_consent=write_consent,
    subscribe=subscribe,
    reconcile=reconcile,
    check=check,
    samples="corner_shop",
)
