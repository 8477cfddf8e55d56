"""Twilio Programmable Messaging: texts out, status callbacks and replies in."""

from __future__ import annotations

from bellwire import Capability, Carrier, CredentialField, HttpReply, hookimpl

from .signature import sign, verify
from .webhook import build, build_query, check, checked, interpret, interpret_query, read_dlrs, read_replies

carrier = Carrier(
    name="twilio",
    title="Twilio",
    capabilities=frozenset(
        {
            Capability.DLR,
            Capability.DLR_URL,
            Capability.MO,
            Capability.PRICE,
            Capability.STATUS_QUERY,
            Capability.VALIDITY,
            Capability.SIGNED,
            Capability.CARRIER_AUTO_REPLY,
        }
    ),
    fields=(
        CredentialField(name="account_sid", help="AC… of the account that sends, from the console's first page", secret=False),
        CredentialField(name="auth_token", help="the account's auth token: signs in, and proves that a callback is Twilio's"),
        CredentialField(
            name="api_key_sid", help="SK… of an API key that signs in instead of the token", required=False, secret=False
        ),
        CredentialField(name="api_key_secret", help="the API key's secret", required=False),
        CredentialField(name="shared_keys", help="webhook shared keys: name → secret", required=False, kind=dict),
    ),
    settings=(
        CredentialField(
            name="sender_id",
            help="a number of the account, an alphanumeric sender, or MG… of a Messaging Service",
            required=False,
            secret=False,
        ),
    ),
    secret_field="auth_token",  # noqa: S106 - a field's name
    default_rate=100.0,
    build=build,
    interpret=interpret,
    build_query=build_query,
    interpret_query=interpret_query,
    verify=verify,
    read_dlrs=read_dlrs,
    read_replies=read_replies,
    # Twilio logs an error without TwiML, and texts to the person whatever stands in it
    acknowledge=HttpReply(status=200, content_type="text/xml", body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>'),
    sign=sign,
    check=check,
    checked=checked,
    samples="bellwire_connectors.twilio",
)


@hookimpl
def register_carriers() -> list[Carrier]:
    """Bring the carrier."""
    return [carrier]
