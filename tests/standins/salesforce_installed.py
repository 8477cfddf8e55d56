"""The app installed in the stand-in organization, as the engine would hand it to the connector."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bellwire import Installation
from bellwire.testing import installation
from bellwire_connectors.salesforce import connector
from standins.salesforce import Organization

WEBHOOK_URL = "https://bellwire.example/hooks/salesforce/KEY"


def installed(org: Organization, *, settings: dict[str, Any] | None = None, **credentials: Any) -> Installation:
    """The app in this organization, by its client credentials, with a token unless `credentials` say otherwise."""
    made = installation(connector, webhook_url=WEBHOOK_URL, country="US")
    own = {"consumer_key": org.consumer_key, "consumer_secret": org.consumer_secret, "access_token": org.token()}
    return replace(
        made,
        credentials={"domain": "example.my.salesforce.com", **own, **credentials},
        settings={
            **made.settings,
            "opt_in_field": "",
            "organization_id": org.id,
            "integration_user": org.user,
            "base_url": org.url,
            **(settings or {}),
        },
    )
