"""Installing in the browser: away to the platform with a state bound to a cookie, back with its code, and a page for the end.

The state is random, good once and for ten minutes, and its cookie is signed: who did not begin here can't end here.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from bellwire.engine import installs
from bellwire.errors import (
    BellwireError,
    Conflict,
    FieldInvalid,
    NotFound,
    PayloadInvalid,
    PlatformError,
    SignatureMismatch,
    StoreUnavailable,
)
from bellwire.ids import parse_id, show
from bellwire.logs import logger
from bellwire.model import Connector
from flask import Flask, Response, render_template, request
from itsdangerous import BadData, URLSafeSerializer

from bellwire_web.incoming import received
from bellwire_web.problems import RETRY_AFTER_S, request_id
from bellwire_web.runtime import Runtime

_log = logger(__name__)

LIFE = timedelta(minutes=10)
COOKIE = "bellwire_install"
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ERROR_WORD = re.compile(r"[a-z_]{1,64}", re.ASCII)  # RFC 6749 4.1.2.1 and what platforms make of it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journey:
    """What we must remember while the browser is away. `until`: seconds since 1970."""

    state: str
    connector: str
    app: str
    account_ref: str
    until: int


class _Lost(BellwireError):
    """The browser came back without our cookie, with an old one, or with one that we did not make."""


class _Declined(BellwireError):
    """The platform says that nothing was granted."""


class _Unreachable(BellwireError):
    """PUBLIC_URL is not set: nobody could come back."""


def mount(app: Flask, runtime: Runtime) -> Collection[str]:
    """Serve /install/{connector} and its callback; gives their endpoints, which are open: signature, state and cookie decide."""
    engine = runtime.engine
    public = runtime.config.public_url.rstrip("/")
    at = urlsplit(public)
    signer = URLSafeSerializer(
        engine.vault.login_key, salt="bellwire.install", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    )

    def install(connector_name: str) -> Response:
        connector = _installable(connector_name)
        if not public:
            raise _Unreachable("PUBLIC_URL is not set")
        given = request.args.get("installation")
        incoming = received(runtime, body=False)
        state = secrets.token_urlsafe(32)
        begun = installs.begin(
            engine,
            connector,
            incoming,
            installation_id=_named(given) if given is not None else None,
            redirect_uri=f"{public}/install/{connector.name}/callback",
            state=state,
        )
        until = runtime.now() + LIFE
        journey = _Journey(
            state=state,
            connector=connector.name,
            app=begun.app.hex,
            account_ref=begun.account_ref,
            until=int(until.timestamp()),
        )
        response = Response(status=302, headers={"Location": begun.redirect})
        response.set_cookie(COOKIE, _packed(journey), max_age=LIFE, **_cookie(connector))
        return response

    def install_callback(connector_name: str) -> Response:
        connector = _installable(connector_name)
        journey = _unpacked(request.cookies.get(COOKIE, ""), connector)
        declined = request.args.get("error")
        if declined is not None:
            raise _Declined(declined if _ERROR_WORD.fullmatch(declined) else "")
        done = installs.finish(
            engine,
            connector,
            received(runtime, body=False),
            app=UUID(hex=journey.app),
            account_ref=journey.account_ref,
            state=journey.state,
        )
        response = _page("installed.html", 200, connector=connector, done=done, shown=show("ins", done.installation))
        response.delete_cookie(COOKIE, **_cookie(connector))
        return response

    def _installable(name: str) -> Connector:
        connector = runtime.plugins.connectors.get(name)
        if connector is None or connector.begin_install is None or connector.finish_install is None:
            raise NotFound("install page", f"of {name[:64]!r}")
        return connector

    def _cookie(connector: Connector) -> dict[str, Any]:
        path = f"{at.path.rstrip('/')}/install/{connector.name}/callback"
        return {"path": path, "secure": at.scheme == "https", "httponly": True, "samesite": "Lax"}

    def _packed(journey: _Journey) -> str:
        names = ("state", "connector", "app", "account_ref", "until")
        packed: str | bytes = signer.dumps([getattr(journey, name) for name in names])
        return packed if isinstance(packed, str) else packed.decode()

    def _unpacked(cookie: str, connector: Connector) -> _Journey:
        if not cookie:
            raise _Lost("this browser did not begin an install here, or not within the last ten minutes")
        try:
            state, name, app_id, account_ref, until = signer.loads(cookie)
        except (BadData, ValueError, TypeError):
            raise _Lost("the install's cookie was not made here") from None
        if name != connector.name:
            raise _Lost("the install was begun for another platform")
        if runtime.now() > datetime.fromtimestamp(until, UTC):
            raise _Lost("the install took longer than ten minutes")
        return _Journey(state=state, connector=name, app=app_id, account_ref=account_ref, until=until)

    app.add_url_rule("/install/<connector_name>", "install", _told(install), methods=["GET"], provide_automatic_options=False)
    app.add_url_rule(
        "/install/<connector_name>/callback",
        "install_callback",
        _told(install_callback),
        methods=["GET"],
        provide_automatic_options=False,
    )
    return ("install", "install_callback")


def _named(given: str) -> UUID:
    try:
        return parse_id("ins", given, "installation")
    except FieldInvalid as e:
        raise PayloadInvalid(str(e)) from None


def _page(template: str, status: int, **values: Any) -> Response:
    page = render_template(template, **values)
    return Response(page, status, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})


# -- what went wrong, for a person in a browser -----------------------------------------------------------------------

_AGAIN = "Open the app from the platform's own admin, or follow the install link once more."
_OPERATOR = "Tell whoever runs Bellwire"

#: Error → status, what happened, what to do. The first that fits.
_CURES: Mapping[type[BellwireError], tuple[int, str, str]] = {
    _Lost: (401, "This install can't be finished", f"{_AGAIN} Cookies must be allowed for this address."),
    _Declined: (400, "The platform did not grant access", _AGAIN),
    _Unreachable: (503, "Installing is not set up", f"{_OPERATOR} to set PUBLIC_URL."),
    SignatureMismatch: (401, "The platform's signature does not fit", _AGAIN),
    PayloadInvalid: (400, "The request is not as the platform makes it", _AGAIN),
    NotFound: (404, "There is nothing to install", f"{_OPERATOR}: the app's first installation has to be created there."),
    Conflict: (409, "This can't be installed now", f"{_OPERATOR}."),
    PlatformError: (502, "The platform did not do what we asked", f"{_AGAIN} If it stays so, tell whoever runs Bellwire."),
    StoreUnavailable: (503, "Nothing could be stored just now", f"Wait a moment. {_AGAIN}"),
    FieldInvalid: (502, "The platform's answer can't be stored", f"{_OPERATOR}."),
    BellwireError: (500, "An error of ours", f"{_OPERATOR}: the log has it under the number below."),
}


def _told(view: Callable[[str], Response]) -> Callable[[str], Response]:
    """The view with its errors as pages."""

    def told(connector_name: str) -> Response:
        if request.method != "GET":  # a HEAD, which Flask passes on, must not use up a code
            return Response(status=405, headers={"Allow": "GET"})
        try:
            return view(connector_name)
        except BellwireError as e:
            status, title, cure = next(cured for kind, cured in _CURES.items() if isinstance(e, kind))
            note = _log.error if status == 500 else _log.warning
            note("install.refused", connector=connector_name[:64], reason=str(e), http_status=status, request_id=request_id())
            page = _page(
                "install_failed.html",
                status,
                title=title,
                cure=cure,
                detail=str(e) if status != 500 else "",
                said=f"{status} {HTTPStatus(status).phrase}",
                request_id=request_id(),
            )
            if isinstance(e, StoreUnavailable):
                page.headers["Retry-After"] = str(RETRY_AFTER_S)
            return page

    return told
