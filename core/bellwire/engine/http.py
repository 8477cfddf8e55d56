"""The sessions in which platforms and callback URLs are called: bounded in time and size, no redirects, public addresses only.

Retries belong to the queue, not here. Nothing of a header or body is ever logged.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response

from bellwire.domain.addresses import check_url
from bellwire.engine.connections import ENDS, Adapter, AddressPrivate, Resolve
from bellwire.errors import FieldInvalid
from bellwire.logs import logger

log = logger(__name__)

USER_AGENT = "Bellwire"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a call may take. `cut`: of a longer answer the beginning is kept undecoded; otherwise it is an error.

    `connect_s`: name, address and TLS; `read_s`: between two pieces of the answer; `total_s`: from the start to the last byte.
    """

    connect_s: float = 3.05
    read_s: float = 15.0
    total_s: float = 60.0
    body_max: int = 5 * 1024 * 1024
    cut: bool = False


PLATFORM = Bounds()
CALLBACK = Bounds(read_s=5.0, total_s=8.0, body_max=64 * 1024, cut=True)


class AddressRefused(requests.ConnectionError):
    """The URL is not https, or leads to a private or loopback address. Nothing was sent."""


class AnswerTooLarge(requests.RequestException):
    """The answer is longer than anything we expect; the call itself was made."""


class Http:
    """The connection pools of a process. Sessions are light: one a job. `resolve`: as socket.getaddrinfo."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        bounds: Bounds = PLATFORM,
        resolve: Resolve | None = None,
        verify: bool | str = True,
    ) -> None:
        self.allow_private, self.bounds, self.verify = allow_private, bounds, verify
        self.adapter = Adapter(allow_private=allow_private, resolve=resolve)

    def session(self) -> Session:
        """A session over the shared pools: no cookies, no proxies and no .netrc of the environment."""
        return Session(self)

    def close(self) -> None:
        """Close the connections that are kept."""
        self.adapter.close()


class Session(requests.Session):
    """A `requests.Session` that keeps to its bounds whatever the caller asks for. Made by `Http.session`."""

    def __init__(self, http: Http) -> None:
        super().__init__()
        self._http = http
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = USER_AGENT
        if http.bounds.cut:
            self.headers["Accept-Encoding"] = "identity"
        self.mount("https://", http.adapter)
        self.mount("http://", http.adapter)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Make the call. Raises what requests raises, AddressRefused, AnswerTooLarge."""
        bounds = self._http.bounds
        host = _allowed(str(request.url), self._http.allow_private)
        began = time.monotonic()
        kwargs |= {
            "allow_redirects": False,
            "stream": True,
            "proxies": {},
            "verify": self._http.verify,
            "timeout": _within(kwargs.get("timeout"), bounds),
        }
        context = ENDS.set(began + bounds.total_s)
        try:
            response = super().send(request, **kwargs)
            _read(response, bounds)
        except requests.ConnectionError as e:
            reason = getattr(e.args[0] if e.args else None, "reason", None)
            if isinstance(reason, AddressPrivate):
                raise AddressRefused("the URL leads to a private or loopback address", request=request) from e
            raise
        finally:
            ENDS.reset(context)
        took_ms = round((time.monotonic() - began) * 1000)
        log.debug("http.called", host=host, method=request.method, http_status=response.status_code, duration_ms=took_ms)
        return response

    def get_redirect_target(self, resp: Response) -> str | None:  # noqa: ARG002  # requests' signature
        """None: requests would read the whole body of a redirect to tell the next URL."""
        return None

    def close(self) -> None:
        """The connections are shared and stay."""


def _allowed(url: str, allow_private: bool) -> str:
    """The URL's host, when it may be called."""
    parts = urlsplit(url)
    return _origin(parts.scheme, parts.netloc, allow_private)


@lru_cache(maxsize=4096)
def _origin(scheme: str, netloc: str, allow_private: bool) -> str:
    try:
        check_url(f"{scheme}://{netloc}", "url", allow_private=allow_private)
    except FieldInvalid as e:
        raise AddressRefused(str(e)) from e
    return urlsplit(f"//{netloc}").hostname or ""


def _within(asked: Any, bounds: Bounds) -> tuple[float, float]:
    """The caller's time-outs, no longer than ours."""
    connect, read = asked if isinstance(asked, tuple) else (asked, asked)
    return min(connect or bounds.connect_s, bounds.connect_s), min(read or bounds.read_s, bounds.read_s)


def _read(response: Response, bounds: Bounds) -> None:
    """Read the body within its bounds; the connection is kept only when that was all of it."""
    try:
        response._content = _beginning(response, bounds.body_max) if bounds.cut else _whole(response, bounds.body_max)
        response._content_consumed = True  # type: ignore[attr-defined]  # requests' own way to say so
    except BaseException:
        response.close()
        raise


def _whole(response: Response, most: int) -> bytes:
    parts, size = [], 0
    for chunk in response.iter_content(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > most:
            raise AnswerTooLarge(f"the answer has more than {most} bytes", request=response.request, response=response)
    return b"".join(parts)


def _beginning(response: Response, most: int) -> bytes:
    """The status has come: what is wrong with the body no longer matters."""
    found = bytearray()
    try:
        while len(found) <= most:
            chunk: bytes = response.raw.read(min(_CHUNK, most + 1 - len(found)), decode_content=False)
            if not chunk:
                response.raw.release_conn()
                return bytes(found)
            found += chunk
    except Exception:  # whatever a hostile receiver makes urllib3 or the socket say
        log.debug("http.body_unreadable", http_status=response.status_code)
    response.close()
    return bytes(found[:most])
