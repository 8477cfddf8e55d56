"""Timecards and tasks by the canonical contract: signed CloudEvents in, signed CloudEvents back to the producer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bellwire import Connector, CredentialField, hookimpl, loaded_on_call

from . import address, webhook
from .events import KINDS
from .signature import clean_secrets


def _clean_url(given: str) -> str:
    """The callback's address. Raises ValueError; where it leads is checked at each call."""
    parts = urlsplit(given.strip())
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment or len(given) > 2000:
        raise ValueError("must be https://…, without a user or a fragment")
    return given.strip()


FIELDS = (
    CredentialField(
        name="secrets",
        help="one or two signing secrets, whsec_ and the base64 of 24 to 64 random bytes; the first one signs our callbacks",
        kind=list,
        clean=clean_secrets,
    ),
)

SETTINGS = (
    CredentialField(
        name="callback_url",
        help="where statuses, replies and consent are sent to, signed; without it nothing is sent",
        required=False,
        secret=False,
        clean=_clean_url,
    ),
    CredentialField(name="sources", help="the `source` values that are taken; empty: all", required=False, secret=False, kind=list),
    CredentialField(
        name="directory",
        help="keep the staff directory by worker.updated",
        required=False,
        secret=False,
        kind=bool,
        default=True,
    ),
)

# -- what calls out: loaded on first use -----------------------------------------------------------------------------------

if TYPE_CHECKING:
    from . import callback, check
else:
    callback = loaded_on_call(f"{__name__}.callback")
    check = loaded_on_call(f"{__name__}.check")

connector = Connector(
    name="timecard",
    title="Timecards and tasks",
    events=tuple(KINDS),
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="secrets",  # noqa: S106  # the name of a field
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    refused=webhook.refused,
    write_back=callback.write_back,
    writes_on=address.writes_on,
    write_consent=callback.write_consent,
    write_reply=callback.write_reply,
    takes_replies=address.takes_replies,
    check=check.check,
    samples="bellwire_connectors.timecard",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
