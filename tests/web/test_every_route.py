"""Promises that hold for every route, made from the route map: a new route is tested before anybody thinks of it.

Who may call it, that nobody reaches another tenant's things by it, and that each change leaves its line in the trail.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.domain.scopes import Scope
from bellwire.domain.wanted import Wanted
from bellwire.ids import new_id
from bellwire.model import Status
from bellwire.plugins import Plugins
from bellwire.store import jobs, privacy, schema
from bellwire.store.schema import STATUS_CODES, TENANT_TABLES
from bellwire_web.api import ROUTES
from bellwire_web.operations import Operation
from web_world import World, new_world, open_runtime, world_again

TO = "+998900000001"
EVERY = [pytest.param(operation, id=operation.name) for routes in ROUTES for operation in routes.operations]
CHANGES = [pytest.param(operation, id=operation.name) for routes in ROUTES for operation in routes.operations if operation.audit]
#: What these change is not configuration: a message's life is its attempts and its why.
NO_TRAIL = {"sendMessage", "sendMessageBatch"}
BY_ID = [
    pytest.param(operation, id=operation.name)
    for routes in ROUTES
    for operation in routes.operations
    if set(operation.parameters.values()) - {"msisdn"}
]


@dataclass(frozen=True)
class Things:
    """One of everything that a path can name, of one tenant."""

    ids: Mapping[str, str]
    body: Mapping[str, str]

    def path(self, operation: Operation) -> str:
        path = operation.path
        for name, kind in operation.parameters.items():
            path = path.replace(f"{{{name}}}", self.ids["text" if kind == "text" else kind])
        return path

    def example(self, operation: Operation) -> Any:
        """The documented example, with this tenant's ids in it."""
        text = json.dumps(operation.example)
        for placeholder, real in self.body.items():
            text = text.replace(placeholder, real)
        return json.loads(text)


def things(world: Any, caller: Any) -> Things:
    """One of everything, made over HTTP where that is possible."""

    def made(path: str, body: Any) -> Any:
        answer = caller.post(path, body)
        assert answer.status_code in (201, 202), answer.text
        return answer.json

    made("/v1/templates", {"name": "order_paid", "bodies": {"en": "Paid"}})
    made("/v1/templates", {"name": "free", "bodies": {"en": "Nobody uses it"}})
    trigger = made("/v1/triggers", {"name": "t", "connector": "shopify", "event": "order.paid", "template": "order_paid"})
    shop = {"shop": "example.myshopify.com", "client_secret": "x", "access_token": "y"}
    installation = made("/v1/installations", {"connector": "shopify", "name": "s", "credentials": shop})
    accounts = [
        made("/v1/carrier-accounts", {"carrier": "sandbox", "name": name, "settings": {"sender_id": name}})
        for name in ("One", "Two")
    ]
    callback = made("/v1/callbacks", {"url": "https://example.com/x", "types": ["reply.received"]})
    key = made("/v1/keys", {"name": "other", "scopes": ["messages:read"]})
    message = made("/v1/messages", {"to": TO, "body": "x"})
    assert caller.put("/v1/routes", {"primary": [accounts[0]["id"]]}).status_code == 200
    made("/v1/workers", {"ref": "free", "name": "Nobody"})
    tenant_id, vault, now = caller.tenant_id, world.store.vault, world.clock()
    event_id, reply_id = new_id(), new_id()

    def rows(connection: Any) -> Any:
        content = {"id": "1", "fact": "", "people": {}, "data": {"a": 1}, "cancels": [], "fetch": {}, "test": False}
        event = {"id": event_id, "connector": "shopify", "type": "order.paid", "subject": "o", "attempts": 0}
        event |= {"occurred_at": now, "received_at": now, "status": schema.EVENT_DECIDED}
        event["content"] = vault.seal_json(content, tenant_id, "events.content", event_id)
        connection.insert(schema.events, [event])
        reply = {"id": reply_id, "account_id": new_id(), "to": "1", "status": "taken", "received_at": now}
        reply |= {name: vault.seal(TO, tenant_id, f"replies.{name}", reply_id) for name in ("msisdn", "text")}
        connection.insert(schema.replies, [reply])
        nobody: Any = {"installation_id": None, "event_id": None, "wanted": Wanted().document()}
        asked = privacy.request(connection, vault, privacy.EXPORT_PERSON, now=now, **nobody)
        result = {"tenant": "t", "made_at": "now", "person": {}, "data": {}}
        privacy.done(connection, asked, now, result=vault.seal_json(result, tenant_id, "privacy_requests.result", asked))
        return jobs.start(connection, "consent_import", 1, now), asked

    job, asked = world.write(rows, of=tenant_id)
    ids = {
        "text": "free",
        "int": "1",
        "msisdn": TO,
        "trg": trigger["id"],
        "ins": installation["id"],
        "acc": accounts[1]["id"],
        "cbk": callback["id"],
        "key": key["id"],
        "msg": message["id"],
        "evt": f"evt_{event_id.hex}",
        "rpl": f"rpl_{reply_id.hex}",
        "job": f"job_{job.id.hex}",
        "prv": f"prv_{asked.hex}",
    }
    examples = {
        "acc_0192f0c800007000800000000000abcd": accounts[0]["id"],
        "acc_0192f0c800007000800000000000abce": accounts[1]["id"],
        '"version": 3': '"version": 1',
        '"name": "order_paid"': '"name": "order_paid_2"',
    }
    return Things(ids, examples)


def call(caller: Any, operation: Operation, where: Things, *, path: str = "", query: str = "") -> Any:
    """Call an operation as its document shows it."""
    more: dict[str, Any] = {}
    body = None
    if operation.body is not None:
        body = where.example(operation)
    elif operation.has_body:
        more = {"data": CSV.get(operation.name, b"msisdn,state\n+998900000001,yes\n"), "content_type": operation.takes}
    query = query or REQUIRED_QUERY.get(operation.name, "").format(**where.ids)
    return caller._send(operation.method, f"{path or where.path(operation)}{query}", body, **more)


CSV = {"importWorkers": b"ref,phone\nemp-1,+998900000001\n"}
REQUIRED_QUERY = {"getStatus": "?message_id={msg}"}


# -- who may call -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", EVERY)
def test_without_a_key_it_is_401(still: World, operation: Operation) -> None:
    bent = still.a.key[:-1] + ("x" if still.a.key[-1] != "x" else "y")
    for header in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {bent}"}):
        answer = still.app.test_client().open(operation.path, method=operation.method, headers=header)
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("operation", EVERY)
def test_without_its_scope_it_is_403(still: World, operation: Operation) -> None:
    others = [scope for scope in Scope if scope not in (operation.scope, Scope.ADMIN)]
    caller = still.caller(others)
    before = snapshot(still)
    answer = caller._send(operation.method, operation.path, None)
    assert (answer.status_code, answer.json["code"]) == (403, "scope_missing")
    assert str(operation.scope) in answer.json["detail"]
    assert snapshot(still) == before


@pytest.fixture(scope="module")
def furnished(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, plugins: Plugins
) -> tuple[Path, World, Things, Things]:
    """A database in which both tenants have one of everything, to be copied."""
    folder = tmp_path_factory.mktemp("furnished")
    copy(sqlite_template, folder)
    runtime = open_runtime(f"sqlite:///{folder}/bellwire.db", plugins)
    world = new_world(runtime)
    made = folder, world, things(world, world.a), things(world, world.b)
    runtime.store.close()
    return made


@pytest.fixture
def both(furnished: tuple[Path, World, Things, Things], tmp_path: Path, plugins: Plugins) -> Iterator[tuple[World, Things, Things]]:
    """A world in which both tenants have one of everything."""
    folder, before, mine, theirs = furnished
    copy(folder, tmp_path)
    runtime = open_runtime(f"sqlite:///{tmp_path}/bellwire.db", plugins)
    yield world_again(runtime, before), mine, theirs
    runtime.store.close()


@pytest.fixture(scope="module")
def still(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, plugins: Plugins) -> Iterator[World]:
    """A world that no test changes."""
    folder = tmp_path_factory.mktemp("still")
    copy(sqlite_template, folder)
    runtime = open_runtime(f"sqlite:///{folder}/bellwire.db", plugins)
    yield new_world(runtime)
    runtime.store.close()


def copy(source: Path, target: Path) -> None:
    for part in source.glob("bellwire.db*"):
        shutil.copy(part, target)


@pytest.mark.parametrize("operation", EVERY)
def test_with_its_scope_alone_it_is_served(both: tuple[World, Things, Things], operation: Operation) -> None:
    world, mine, _ = both
    prepare(world, operation, mine)
    answer = call(world.caller([operation.scope]), operation, mine)
    assert answer.status_code == operation.status, answer.text


# -- other tenants ------------------------------------------------------------------------------------------------


def snapshot(world: Any, tenant_id: UUID | None = None) -> dict[str, list[Any]]:
    """Every row of a tenant (or of all) as SQLite has it, but for when a key was last used."""
    found = {}
    with closing(sqlite3.connect(world.store.engine.url.database)) as connection:
        for table in schema.META.sorted_tables:
            if table.name not in TENANT_TABLES and table is not schema.tenants:
                continue
            columns = ", ".join(f'"{column.name}"' for column in table.c if column.name != "last_used_at")
            whose = "" if tenant_id is None else f" WHERE {'id' if table is schema.tenants else 'tenant_id'} = ?"
            values = () if tenant_id is None else (tenant_id.bytes,)
            rows = connection.execute(f'SELECT {columns} FROM "{table.name}"{whose}', values)  # noqa: S608  # our own names
            found[table.name] = sorted(map(repr, rows))
    assert found["tenants"], "whose rows are looked at"
    return found


@pytest.mark.parametrize("operation", BY_ID)
def test_another_tenants_thing_is_404_and_stays_as_it_is(both: tuple[World, Things, Things], operation: Operation) -> None:
    world, mine, theirs = both
    # names are free in each tenant: the other's is one that only it has
    world.b.post("/v1/templates", {"name": "only_theirs", "bodies": {"en": "x"}})
    strange = Things({**theirs.ids, "text": "only_theirs"}, mine.body)
    before = snapshot(world, world.b.tenant_id)
    answer = call(world.a, operation, mine, path=strange.path(operation))
    assert answer.status_code == 404, answer.text
    assert snapshot(world, world.b.tenant_id) == before


@pytest.mark.parametrize("operation", EVERY)
def test_no_answer_holds_another_tenants_things(both: tuple[World, Things, Things], operation: Operation) -> None:
    world, mine, theirs = both
    prepare(world, operation, mine)
    before = snapshot(world, world.b.tenant_id)
    answer = call(world.a, operation, mine)
    for kind, one in theirs.ids.items():
        if kind not in ("text", "int", "msisdn"):
            assert one not in answer.text
    assert snapshot(world, world.b.tenant_id) == before


def test_a_query_with_another_tenants_ids_finds_nothing(both: tuple[World, Things, Things]) -> None:
    world, _, theirs = both
    for path in (
        f"/v1/messages?event={theirs.ids['evt']}",
        f"/v1/messages?trigger={theirs.ids['trg']}",
        f"/v1/events?installation={theirs.ids['ins']}",
        f"/v1/audit?object={theirs.ids['cbk']}",
    ):
        assert world.a.get(path).json["items"] == [], path
    assert world.a.get(f"/v1/status?message_id={theirs.ids['msg']}").status_code == 404


# -- the trail ----------------------------------------------------------------------------------------------------


def prepare(world: Any, operation: Operation, mine: Things) -> None:
    """Bring things where the operation can change them."""
    if operation.name == "resolveMessage":
        statement = sa.update(schema.messages).where(schema.messages.c.id == UUID(hex=mine.ids["msg"][4:]))
        world.store.write(lambda connection: connection.execute(statement.values(status=STATUS_CODES[Status.UNKNOWN])).rowcount)


@pytest.mark.parametrize("operation", EVERY)
def test_what_is_no_read_says_what_it_leaves_in_the_trail(operation: Operation) -> None:
    reads = {"previewTemplate", "simulateRoute", "testTrigger", "backtestTrigger"}
    if operation.method == "GET" or operation.name in reads | NO_TRAIL:
        assert operation.audit == ""
    else:
        assert operation.audit, f"{operation.name} changes something and names no audit entry"


@pytest.mark.parametrize("operation", CHANGES)
def test_each_change_leaves_its_line(both: tuple[World, Things, Things], operation: Operation) -> None:
    world, mine, _ = both
    prepare(world, operation, mine)

    def lines() -> list[tuple[str, str]]:
        items = world.a.get("/v1/audit?limit=200").json["items"]
        return [(one["action"], one["actor"]) for one in items]

    before = lines()
    answer = call(world.a, operation, mine)
    assert answer.status_code == operation.status, answer.text
    new = lines()[: len(lines()) - len(before)]
    assert new == [(operation.audit, f"key_{world.a.key_id.hex}")]


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_that_is_refused_leaves_nothing(both: tuple[World, Things, Things], operation: Operation) -> None:
    world, mine, _ = both
    before = snapshot(world, world.a.tenant_id)
    if operation.parameters and set(operation.parameters.values()) != {"msisdn"}:
        wrong = Things({kind: one[:4] + "0" * 32 if len(one) == 36 else "nothing" for kind, one in mine.ids.items()}, mine.body)
        wrong.ids["int"] = "99"  # type: ignore[index]  # a dict all the same
        answer = call(world.a, operation, mine, path=wrong.path(operation))
    elif operation.parameters and not operation.has_body:
        answer = call(world.a, operation, mine, path=mine.path(operation).replace(TO, "nobody"))
    elif operation.has_body:
        answer = world.a._send(operation.method, mine.path(operation), None, data=b"{", content_type="application/json")
    else:
        pytest.fail(f"{operation.name} takes nothing that could be wrong: say here how it is refused")
    assert 400 <= answer.status_code < 500
    assert snapshot(world, world.a.tenant_id) == before
