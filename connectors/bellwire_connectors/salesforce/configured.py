"""What an installation's settings say, read without trust: a field's name that can't be one is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bellwire import Installation, Purpose

from .ids import long_id

#: A field's or object's API name: letters, digits, single underscores, with a package's prefix and `__c`.
API_NAME = re.compile(r"[A-Za-z](?:_{0,2}[A-Za-z0-9]){0,79}", re.ASCII)

DEFAULT_VERSION = "66.0"
MESSAGE_OBJECT = "SMS_Message__c"
CONSENT_FIELD = "SMS_Opt_Out__c"
VERSION = re.compile(r"\d{2,3}\.0", re.ASCII)


def name_in(value: object) -> str:
    """An API name, "" for anything else."""
    return value if isinstance(value, str) and API_NAME.fullmatch(value) else ""


def field_name(installation: Installation, setting: str, default: str = "") -> str:
    """The field that a setting names; `""` switches a default off."""
    given = installation.settings.get(setting)
    return default if given is None else name_in(given)


def field_names(installation: Installation, setting: str) -> tuple[str, ...]:
    """The fields that a setting lists."""
    given = installation.settings.get(setting)
    return tuple(filter(None, map(name_in, given))) if isinstance(given, Sequence) and not isinstance(given, str) else ()


def organization(installation: Installation) -> str:
    """The organization's id with 18 characters, "" while nobody said it."""
    return long_id(installation.settings.get("organization_id"))


def actions(installation: Installation) -> Mapping[str, str]:
    """Outbound message definitions (18 characters) → event types."""
    given = installation.settings.get("actions")
    return {long_id(name): str(kind) for name, kind in given.items() if long_id(name)} if isinstance(given, Mapping) else {}


def version(settings: Mapping[str, Any]) -> str:
    """The API's version, `66.0`; the default for what can't be one."""
    given = str(settings.get("api_version") or DEFAULT_VERSION).lower().removeprefix("v")
    return given if VERSION.fullmatch(given) else DEFAULT_VERSION


def message_object(installation: Installation) -> str:
    """The object that holds a text's status, one record a message; "" where completed Tasks tell it."""
    name = field_name(installation, "message_object", MESSAGE_OBJECT)
    return "" if name == "Task" else name


def writes_on(subject: str, customer_ref: str, installation: Installation) -> bool:
    """Whether a status can be written: always as a record of its own, as a Task only on a record or a person."""
    return bool(message_object(installation) or long_id(subject.partition("/")[2]) or long_id(customer_ref))


def own_user(installation: Installation) -> str:
    """The user we call as: what it changed, we changed. "" while nobody said it."""
    return long_id(installation.settings.get("integration_user")) or long_id(installation.credentials.get("user_id"))


def purposes(installation: Installation) -> tuple[Purpose, ...]:
    """What the consent field speaks of: all texts that are not codes, unless it is said otherwise."""
    given = installation.settings.get("consent_purposes")
    named = [one for one in (Purpose.MARKETING, Purpose.TRANSACTIONAL) if isinstance(given, Sequence) and one.value in given]
    return tuple(named) or (Purpose.MARKETING, Purpose.TRANSACTIONAL)


def can_call(installation: Installation) -> bool:
    """Whether there is anything to call Salesforce with."""
    credentials = installation.credentials
    return any(credentials.get(name) for name in ("access_token", "refresh_token", "consumer_secret", "private_key"))
