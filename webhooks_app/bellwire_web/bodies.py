"""The body of a request: whole, or not at all."""

from __future__ import annotations

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge


def whole(incoming: Request, most: int) -> bytes:
    """The raw body. Raises RequestEntityTooLarge above `most` bytes, ClientDisconnected when less came than was announced.

    Werkzeug alone would end a body without a length at its limit, and one that was cut off where it breaks, and not say so.
    """
    incoming.max_content_length = most + 1
    body = incoming.get_data()
    if len(body) > most:
        raise RequestEntityTooLarge
    if len(body) < (incoming.content_length or 0):
        raise ClientDisconnected
    return body
