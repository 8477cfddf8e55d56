"""A small world for the web's tests: a store, two tenants with their keys, and the application, all real."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from bellwire.config import Config
from bellwire.domain.scopes import Scope
from bellwire.engine.runtime import Engine
from bellwire.plugins import Plugins
from bellwire.store import Store, keys, tenants
from bellwire.store.tenancy import TenantConnection
from bellwire.store.vault import Vault
from bellwire_web.api import ROUTES
from bellwire_web.app import create_app
from bellwire_web.document import document
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse


class Clock:
    """A wall clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass(kw_only=True)
class Runtime:
    """What the process that serves would make."""

    config: Config
    store: Store
    plugins: Plugins
    engine: Engine
    clock: Clock

    def now(self) -> datetime:
        return self.clock()


@dataclass(kw_only=True)
class Caller:
    """Somebody with a key. Answers are real responses of the application."""

    client: FlaskClient
    key: str
    key_id: UUID
    tenant_id: UUID
    headers: dict[str, str] = field(default_factory=dict)

    def _headers(self, more: dict[str, str] | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", **self.headers, **(more or {})}

    def get(self, path: str, **more: Any) -> TestResponse:
        return self._send("GET", path, None, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self._send("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self._send("PUT", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self._send("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self._send("DELETE", path, None, **more)

    def _send(self, method: str, path: str, body: Any, **more: Any) -> TestResponse:
        if body is not None:
            more["json"] = body
        answer = self.client.open(path, method=method, headers=self._headers(more.pop("headers", None)), **more)
        check_answer(self.client.application, answer)
        return answer


def check_answer(app: Flask, answer: TestResponse) -> None:
    """Every answer of every test is what the document says of it: its status is named, its fields are all declared."""
    try:
        name, _ = app.url_map.bind("localhost").match(answer.request.path, answer.request.method)
    except HTTPException:
        return
    if name not in OPERATIONS:
        return
    responses = OPERATIONS[name]["responses"]
    assert str(answer.status_code) in responses, f"{name}: {answer.status_code} is not documented: {answer.text}"
    content = responses[str(answer.status_code)].get("content")
    if content is None:
        assert answer.data == b"", f"{name}: a body where none is documented"
        return
    schema = content[answer.mimetype]["schema"]
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in _validator(json.dumps(schema)).iter_errors(answer.json)]
    assert errors == [], f"{name} {answer.status_code}"


DOCUMENT = document(ROUTES, version="1")
OPERATIONS = {operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()}


@cache
def _validator(schema: str) -> OAS30Validator:
    return OAS30Validator({"components": DOCUMENT["components"], "allOf": [json.loads(schema)]})


@dataclass(kw_only=True)
class World:
    """Two tenants and whoever calls for them."""

    app: Flask
    runtime: Runtime
    a: Caller
    b: Caller

    @property
    def store(self) -> Store:
        return self.runtime.store

    @property
    def clock(self) -> Clock:
        return self.runtime.clock

    def caller(self, scopes: Collection[Scope], *, of: UUID | None = None, expires_at: datetime | None = None) -> Caller:
        """Somebody with another key, of tenant A unless said otherwise."""
        return _caller(self.app, self.runtime, of or self.a.tenant_id, scopes, expires_at)

    def read(self, run: Callable[[TenantConnection], Any], *, of: UUID | None = None) -> Any:
        with self.store.for_tenant(of or self.a.tenant_id).reading() as connection:
            return run(connection)

    def write(self, run: Callable[[TenantConnection], Any], *, of: UUID | None = None) -> Any:
        return self.store.for_tenant(of or self.a.tenant_id).write(run)


def _caller(app: Flask, runtime: Runtime, tenant_id: UUID, scopes: Collection[Scope], expires_at: datetime | None = None) -> Caller:
    made, secret = runtime.store.for_tenant(tenant_id).write(
        lambda connection: keys.create(
            connection, name="test", scopes=scopes, expires_at=expires_at, actor="cli", now=runtime.now()
        )
    )
    return Caller(client=app.test_client(), key=secret, key_id=made.id, tenant_id=tenant_id)


def open_runtime(url: str, plugins: Plugins) -> Runtime:
    """A process over a database that has the schema. Close its store."""
    store, clock = Store.open(url, Vault(b"k" * 32)), Clock()
    config = Config(public_url="https://sms.example.com")
    return Runtime(config=config, store=store, plugins=plugins, engine=Engine(config, store, plugins, now=clock), clock=clock)


def new_world(runtime: Runtime) -> World:
    """Two tenants, each with an admin key."""
    app = create_app(runtime)
    made = [
        runtime.store.write(
            lambda connection, slug=slug, country=country: tenants.create(
                connection, runtime.store.vault, slug=slug, country=country, now=runtime.now()
            )
        )
        for slug, country in (("acme", "UZ"), ("other", "HR"))
    ]
    a, b = (_caller(app, runtime, tenant.id, [Scope.ADMIN]) for tenant in made)
    return World(app=app, runtime=runtime, a=a, b=b)


def world_again(runtime: Runtime, before: World) -> World:
    """The same world over a copy of its database."""
    app = create_app(runtime)
    a, b = (replace(one, client=app.test_client()) for one in (before.a, before.b))
    return World(app=app, runtime=runtime, a=a, b=b)
