"""Any platform that sends JSON: a mapping says what its webhooks mean. One without a connector is a form, not code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bellwire import Connector, CredentialField, hookimpl

from . import signature, webhook
from .mapping import EVENTS, clean_mapping

FIELDS = (
    CredentialField(
        name="secret",
        help="What the platform signs with, or sends in its header: at least 16 characters",
        clean=signature.clean_secret,
    ),
)

SETTINGS = (
    CredentialField(
        name="signature",
        help='How the platform proves who it is: {"scheme": "hmac", "header": "X-Signature"}, "token" or "standard_webhooks"',
        secret=False,
        kind=dict,
        clean=signature.clean_signature,
    ),
    CredentialField(
        name="mapping",
        help="Which of its fields are which of ours: docs/connectors/mapped.md",
        secret=False,
        kind=dict,
        clean=clean_mapping,
    ),
)

connector = Connector(
    name="mapped",
    title="Mapped webhooks",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="secret",  # noqa: S106  # the name of a field
    verify=signature.verify,
    read=webhook.read,
    sign=signature.sign,
    samples="bellwire_connectors.mapped",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]


@hookimpl
def register_commands() -> Mapping[str, str]:
    """Brings `bellwire try-mapping`."""
    return {"try-mapping": "bellwire_connectors.mapped.command:try_mapping"}
