"""The demo's page: what came in, what was decided, what went out, and what the handsets show. Read-only.

`child.start(demo=True)` mounts it; a plain `serve` never has it. It knows one tenant, the demo's, and all it shows is made up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from bellwire.store import tenants
from bellwire.store.database import reading
from flask import Flask, Response, render_template, request

from bellwire_web.demo_story import Story, gather
from bellwire_web.runtime import Runtime

TENANT = "demo"

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def mount(app: Flask, runtime: Runtime, tenant: str = TENANT) -> Collection[str]:
    """Serve the page at `/`; gives its endpoint. `tenant`: the slug of whose rows it shows."""

    def demo() -> Response:
        page = render_template("demo.html", story=_story(runtime, tenant))
        response = Response(page, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})
        response.set_etag(hashlib.sha256(page.encode()).hexdigest()[:32])  # the page asks every two seconds
        response.make_conditional(request)
        return response

    app.add_url_rule("/", demo.__name__, demo, methods=["GET"], provide_automatic_options=False)
    return (demo.__name__,)


def _story(runtime: Runtime, tenant: str) -> Story:
    with reading(runtime.store.engine) as connection:
        tenant_id = tenants.by_slug(connection, tenant)
    return gather(runtime.store.for_tenant(tenant_id))
