"""How given settings are stored: one spelling of ids and names. Each raises ValueError saying how a value should look."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .configured import API_NAME, VERSION
from .ids import long_id

_EVENT = re.compile(r"[a-z]{2,30}\.[a-z_]{2,40}", re.ASCII)


def clean_id(given: str) -> str:
    """An id with 18 characters."""
    made = long_id(given)
    if not made:
        raise ValueError("is an id of 15 or 18 letters and digits")
    return made


def clean_name(given: str) -> str:
    """The API name of a field or object."""
    if not API_NAME.fullmatch(given.strip()):
        raise ValueError("is an API name such as SMS_Opt_Out__c")
    return given.strip()


def clean_names(allowed: Collection[str] | None) -> Callable[[list[str]], list[str]]:
    """A list of API names, or of the allowed words."""

    def clean(given: list[str]) -> list[str]:
        names = [clean_name(one) for one in given]
        wrong = [one for one in names if allowed is not None and one not in allowed]
        if wrong:
            raise ValueError(f"may hold {', '.join(sorted(allowed or ()))}; not {wrong[0]}")
        return names

    return clean


def clean_actions(given: Mapping[str, Any]) -> dict[str, str]:
    """ActionId → event type."""
    for event in given.values():
        if not (isinstance(event, str) and _EVENT.fullmatch(event)):
            raise ValueError('maps ids to event types: {"04k…": "lead.created"}')
    return {clean_id(action): str(event) for action, event in given.items()}


def clean_version(given: str) -> str:
    """`66.0`, also from `v66.0` and `66`."""
    text = given.strip().lower().removeprefix("v")
    text = text if "." in text else f"{text}.0"
    if not VERSION.fullmatch(text):
        raise ValueError("looks like 66.0")
    return text
