"""The document as /openapi.json, its small forms for Salesforce and for actions in its Flow, and a page people can read: /docs."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from bellwire import __version__
from flask import Flask, Response, render_template

from bellwire_web.actions_document import actions_document
from bellwire_web.document import document
from bellwire_web.operations import Routes
from bellwire_web.runtime import Runtime

_PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def mount(app: Flask, runtime: Runtime, routes: Sequence[Routes]) -> Collection[str]:
    """Serve the document and its page; gives their endpoints."""

    @cache
    def made(only_salesforce: bool) -> dict[str, Any]:
        return document(routes, version=__version__, server=runtime.config.public_url, only_salesforce=only_salesforce)

    def openapi() -> Response:
        return Response(json.dumps(made(False), ensure_ascii=False), mimetype="application/json")

    def openapi_salesforce() -> Response:
        return Response(json.dumps(made(True), ensure_ascii=False), mimetype="application/json")

    def openapi_actions() -> Response:
        return Response(json.dumps(actions_document(made(True)), ensure_ascii=False), mimetype="application/json")

    def docs() -> Response:
        page = render_template("docs.html", document=made(False), by_tag=_by_tag(made(False)), pretty=_pretty)
        return Response(page, mimetype="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})

    served = (
        ("/openapi.json", openapi),
        ("/openapi-salesforce.json", openapi_salesforce),
        ("/openapi-actions.json", openapi_actions),
        ("/docs", docs),
    )
    for rule, view in served:
        app.add_url_rule(rule, view.__name__, view, methods=["GET"], provide_automatic_options=False)
    return [view.__name__ for _, view in served]


def _by_tag(made: dict[str, Any]) -> list[tuple[dict[str, Any], list[tuple[str, str, dict[str, Any]]]]]:
    """The tags, each with its (method, path, operation)."""
    return [
        (
            tag,
            [
                (method, path, operation)
                for path, methods in made["paths"].items()
                for method, operation in methods.items()
                if operation["tags"] == [tag["name"]]
            ],
        )
        for tag in made["tags"]
    ]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
