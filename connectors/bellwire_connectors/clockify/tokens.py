"""Clockify's webhook tokens: one a webhook, one event a webhook. Kept as `EVENT=token`: each counts for its own event."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_BOUND = re.compile(r"([A-Z][A-Z_]{2,63})=(.+)", re.DOTALL)


def clean_tokens(given: Any) -> list[str]:
    """Tokens by event (`{"NEW_TASK": "…"}`), or a list of tokens, as they are stored. Raises ValueError."""
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        given = [f"{event}={token}" if isinstance(token, str) and token else None for event, token in given.items()]
        if not all(one and _BOUND.fullmatch(one) for one in given):
            raise ValueError('must be tokens by Clockify\'s event names, such as {"NEW_APPROVAL_REQUEST": "…"}')
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise ValueError('must be an object such as {"NEW_APPROVAL_REQUEST": "…"}')
    return list(given)


def tokens_for(event: str, secrets: Sequence[str]) -> list[str]:
    """The tokens that prove this event, newest first: its own, and those bound to none."""
    found = []
    for secret in secrets:
        bound = _BOUND.fullmatch(secret)
        if bound is None or bound[1] == event:
            found.append(bound[2] if bound else secret)
    return [one for one in found if one]
