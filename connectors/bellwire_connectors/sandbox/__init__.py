"""The sandbox: a carrier that texts nobody. In process without `base_url`, over HTTP to `simulate-carrier` with it."""

from __future__ import annotations

from collections.abc import Mapping

from bellwire import Capability, Carrier, CredentialField, hookimpl

from .plan import plan
from .session import Session
from .webhook import build, build_query, check, checked, interpret, interpret_query, read_dlrs, read_replies, sign, verify

carrier = Carrier(
    name="sandbox",
    title="Sandbox",
    capabilities=frozenset(
        {
            Capability.IDEMPOTENT_BY_REFERENCE,
            Capability.BATCH,
            Capability.STATUS_QUERY,
            Capability.STATUS_QUERY_BY_REFERENCE,
            Capability.DLR,
            Capability.DLR_URL,
            Capability.MO,
            Capability.PRICE,
            Capability.VALIDITY,
            Capability.SIGNED,
            Capability.CARRIER_AUTO_REPLY,
        }
    ),
    fields=(
        CredentialField(
            name="api_key",
            help="signs in at the simulator and signs its callbacks; only needed with base_url, any value will do",
            required=False,
        ),
    ),
    settings=(
        CredentialField(name="sender_id", help="what the handset shows", required=False, secret=False),
        CredentialField(name="price", help='made-up price of a segment, "0.01"', required=False, secret=False),
        CredentialField(name="currency", help="of that price, USD when left out", required=False, secret=False),
    ),
    secret_field="api_key",  # noqa: S106 - a field's name
    build=build,
    interpret=interpret,
    build_query=build_query,
    interpret_query=interpret_query,
    verify=verify,
    read_dlrs=read_dlrs,
    read_replies=read_replies,
    sign=sign,
    check=check,
    checked=checked,
    send=Session().send,
    plan=plan,
    samples="bellwire_connectors.sandbox",
)


@hookimpl
def register_carriers() -> list[Carrier]:
    """Bring the carrier."""
    return [carrier]


@hookimpl
def register_commands() -> Mapping[str, str]:
    """Bring `bellwire simulate-carrier`."""
    return {"simulate-carrier": "bellwire_connectors.sandbox.simulator:simulate_carrier"}
