"""Makes the web application: routes, error answers, headers, access log, the check that every address has a policy."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Collection
from typing import Any

from bellwire.logs import bound, logger
from flask import Flask, Response, g, request

from bellwire_web import health, incoming, installs, pages_of_docs, problems
from bellwire_web.api import ROUTES
from bellwire_web.auth import Authenticator
from bellwire_web.bodies import ends_connection
from bellwire_web.calls import mount
from bellwire_web.operations import DeclarationWrong
from bellwire_web.proxies import trust
from bellwire_web.runtime import Runtime

_access = logger("bellwire_web.access")

_ID = "bellwire.request_id"  # in a request's environ
_KIND = re.compile(r"<\w+:")  # of a parameter in a rule
_BODY_MAX = 1024 * 1024  # what an address takes that says nothing else
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)


def create_app(runtime: Runtime) -> Flask:
    """The application for one process. Raises DeclarationWrong when an address is served without saying to whom."""
    app = Flask("bellwire_web", static_folder="static", static_url_path="/static")
    app.config.update(MAX_CONTENT_LENGTH=_BODY_MAX, MAX_FORM_MEMORY_SIZE=_BODY_MAX)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # of the default provider
    problems.register(app)
    _around_each_request(app)
    operations = [operation for routes in ROUTES for operation in routes.operations]
    mount(app, runtime, operations, Authenticator(runtime))
    open_endpoints = {
        "static",
        *health.mount(app, runtime),
        *pages_of_docs.mount(app, runtime, ROUTES),
        *incoming.mount(app, runtime),
        *installs.mount(app, runtime),
    }
    check_policies(app, {operation.name for operation in operations} | open_endpoints)
    trust(app, runtime.config.trusted_proxies)
    app.wsgi_app = _named(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's documentation has it
    return app


def check_policies(app: Flask, known: Collection[str]) -> None:
    """Every endpoint must be one that somebody declared, with its scope or as open. Raises DeclarationWrong."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in known:
            raise DeclarationWrong(f"{rule.rule}: is served without a policy")


def _named(inner: Callable[..., Any]) -> Callable[..., Any]:
    """Give each request a name, which each line that is written for it bears."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        environ[_ID] = secrets.token_hex(8)
        with bound(request_id=environ[_ID]):
            return inner(environ, start_response)

    return application


def _around_each_request(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        g.request_id = request.environ[_ID]
        g.began = time.perf_counter()
        if "\x00" in request.path:  # no name here has one, and PostgreSQL can't even be asked for it
            raise problems.Refused(404, "not_found", "there is nothing at this address")

    @app.after_request
    def end(response: Response) -> Response:
        headers = response.headers
        for name, value in _HEADERS:
            if name not in headers:
                headers.add(name, value)
        headers.add("X-Request-Id", g.request_id)
        if ends_connection(request):
            headers.set("Connection", "close")
        # the rule, never the path or the query: they hold numbers and keys
        _access.info(
            "request.served",
            method=request.method,
            route=_KIND.sub("<", request.url_rule.rule) if request.url_rule else None,
            http_status=response.status_code,
            duration_ms=round((time.perf_counter() - g.began) * 1000, 1),
        )
        return response
