"""The body of a request: whole, or not at all."""

from __future__ import annotations

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

_READ = "bellwire.body_read"


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
    incoming.environ[_READ] = True
    return body


def ends_connection(incoming: Request) -> bool:
    """Whether the connection can't carry another request: a body was announced that nobody read (of a stranger, or too large).

    The server would close it behind the answer, and a caller who was not told writes its next request into the void.
    """
    announced = bool(incoming.content_length) or "HTTP_TRANSFER_ENCODING" in incoming.environ
    one_at_a_time = incoming.environ.get("SERVER_PROTOCOL", "").startswith("HTTP/1")  # HTTP/2 has streams for that
    return announced and one_at_a_time and _READ not in incoming.environ
