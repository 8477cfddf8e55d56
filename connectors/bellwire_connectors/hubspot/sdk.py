"""hubspot-api-client: the only file that imports it. It makes paths, checks and writes request bodies; the call itself is ours.

Left to itself the library makes a new connection pool at each property access, has no time-out, follows redirects, logs
answers, and an API object keeps the token it was made with. So each API object is made once a process (`api_factory`, its own
way to say how), and its `request` hands over to the job that is under way: the link's session, its token, our errors.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

from bellwire import PlatformRejected

HOST = "https://api.hubapi.com"


class Caller(Protocol):
    """Who makes a call: one job."""

    def send(self, method: str, url: str, query: Any, body: Any) -> Any:
        """The answer's JSON. Raises PlatformError."""
        ...


_CALLER: ContextVar[Caller] = ContextVar("hubspot_caller")
_LOCK = threading.Lock()


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """While it lasts, calls of this thread's API objects are made by `caller`."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


def api(path: str, host: str) -> Any:
    """The API object `crm.contacts.batch_api` and the like, made once for each host."""
    with _LOCK:
        return _api(path, host)


@lru_cache(maxsize=512)
def _api(path: str, host: str) -> Any:
    found: Any = _hubspot().Client(api_factory=_made, host=host)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _made(package: Any, name: str, config: Mapping[str, Any]) -> Any:
    configuration = package.Configuration()
    configuration.host = config["host"]
    client = package.ApiClient(configuration=configuration)
    client.request = _request
    return getattr(package, name)(api_client=client)


def _request(method: str, url: str, query_params: Any = None, body: Any = None, **_: Any) -> Any:
    """In place of ApiClient.request; always with `_preload_content=False`, so that the answer goes through as it is."""
    return _CALLER.get().send(method, url, query_params, body)


def model(area: str, kind: str, /, **fields: Any) -> Any:
    """A request body of the library: it refuses what HubSpot would refuse."""
    _hubspot()
    return getattr(import_module(f"hubspot.{area}.models"), kind)(**fields, local_vars_configuration=_rules(area))


@lru_cache(maxsize=64)
def _rules(area: str) -> Any:
    """What the models of an area check by. Left to itself each model makes its own, and sets the library's loggers up anew."""
    return import_module(f"hubspot.{area}").Configuration()


def _hubspot() -> Any:
    try:
        return import_module("hubspot")
    except ImportError as e:
        raise PlatformRejected(
            "hubspot: calling HubSpot needs the extra `hubspot`: pip install 'bellwire[hubspot]'", code="extra_missing"
        ) from e
