"""What an installation needs at the portal: our properties. The webhooks themselves belong to the app and are its developer's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellwire import Link, PlatformRejected, PlatformUnauthorized

from . import sdk
from .client import Hub
from .communications import OWN_PROPERTY

_AREA = "crm.properties"
_GROUP = "bellwire"


def subscribe(link: Link) -> None:
    """Make the group and properties that are missing. One that can't be made (no scope) is done without; `check` tells.

    Raises PlatformError when HubSpot can't be reached.
    """
    hub = Hub(link)
    settings = hub.installation.settings
    status, consent = str(settings.get("status_field") or ""), str(settings.get("consent_field") or "")
    wanted: dict[str, dict[str, Any]] = {}
    if status:
        wanted[status] = {"label": "Last SMS status", "type": "string", "field_type": "text"}
        wanted[f"{status}_at"] = {"label": "Last SMS status at", "type": "datetime", "field_type": "date"}
        wanted[f"{status}_reason"] = {"label": "Last SMS refusal", "type": "string", "field_type": "text"}
    if consent:
        options = [
            sdk.model(_AREA, "OptionInput", label=label, value=value, display_order=place, hidden=False)
            for place, (value, label) in enumerate((("opted_in", "Opted in"), ("opted_out", "Opted out")))
        ]
        wanted[consent] = {"label": "SMS consent", "type": "enumeration", "field_type": "select", "options": options}
        wanted[f"{consent}_at"] = {"label": "SMS consent at", "type": "datetime", "field_type": "date"}
    _made(hub, "contacts", None)
    made = [name for name, shape in wanted.items() if _made(hub, "contacts", {"name": name, **shape})]
    unique = {"name": OWN_PROPERTY, "label": "Bellwire message", "type": "string", "field_type": "text", "has_unique_value": True}
    _made(hub, "communications", None)
    link.remember(properties=made, message_property=_made(hub, "communications", unique))


def _made(hub: Hub, kind: str, shape: Mapping[str, Any] | None) -> bool:
    """Whether the property (None: our group) is there now."""
    try:
        if shape is None:
            group = sdk.model(_AREA, "PropertyGroupCreate", name=_GROUP, label="Bellwire SMS", display_order=-1)
            hub.do(f"{_AREA}.groups_api.create", kind, group)
        else:
            hub.do(f"{_AREA}.core_api.create", kind, sdk.model(_AREA, "PropertyCreate", group_name=_GROUP, **shape))
    except (PlatformRejected, PlatformUnauthorized) as e:
        return e.http_status == 409
    return True
