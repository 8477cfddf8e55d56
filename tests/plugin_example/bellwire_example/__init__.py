"""Example: a till that reports paid receipts, and a carrier to go with it. Shows all that a plugin must bring."""

from collections.abc import Mapping

from bellwire import Capability, Carrier, Connector, CredentialField, hookimpl, loaded_on_call

from .sms import webhook as sms
from .till import webhook

client = loaded_on_call("bellwire_example.till.client")  # what calls out is imported when it is needed, never on load

connector = Connector(
    name="example_till",
    title="Example till",
    events=["order.paid"],
    fields=[CredentialField(name="signing_secret", help="shown once in the till's settings")],
    secret_field="signing_secret",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    write_back=client.write_back,
    samples="bellwire_example.till",
)

carrier = Carrier(
    name="example_sms",
    title="Example SMS",
    capabilities=frozenset({Capability.DLR, Capability.MO, Capability.SIGNED}),
    fields=[CredentialField(name="token", help="the account's API token")],
    secret_field="token",
    build=sms.build,
    interpret=sms.interpret,
    verify=sms.verify,
    sign=sms.sign,
    read_dlrs=sms.read_dlrs,
    read_replies=sms.read_replies,
    samples="bellwire_example.sms",
)


@hookimpl
def register_connectors() -> list[Connector]:
    return [connector]


@hookimpl
def register_carriers() -> list[Carrier]:
    return [carrier]


@hookimpl
def register_commands() -> Mapping[str, str]:
    return {"example-till": "bellwire_example.command:till"}
