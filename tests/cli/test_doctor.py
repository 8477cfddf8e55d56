"""`doctor`: each thing that is wrong is found, said with what to do about it, and nothing is changed."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import inquiry
from bellwire.errors import PlatformUnavailable
from bellwire.ids import new_id
from bellwire.model import CheckResult, Status
from bellwire.store import schema
from standins.shell import KEY, Shell

ANA = "+998901234567"


def verdicts(shell: Shell, *args: str, code: int = 0) -> dict[str, tuple[str, str, str]]:
    """What is found: verdict, detail and what to do, by what was looked at (an account's id left out)."""
    told = shell.json("doctor", "--offline", *args, code=code)
    assert told["ok"] is (code == 0)
    return {one["what"].partition(" (")[0]: (one["verdict"], one["detail"], one["do"]) for one in told["findings"]}


def test_before_the_first_start_nothing_is_wrong(bare: Shell) -> None:
    found = verdicts(bare)
    assert {what: found[what][0] for what in ("settings", "key", "database", "disk")} | {"disk": ""} == {
        "settings": "ok",
        "key": "look",
        "database": "look",
        "disk": "",
    }
    assert "tenant create" in found["database"][2]
    assert not list(bare.folder.glob("bellwire.*")), "it makes neither database nor key"


def test_a_whole_installation(shell: Shell) -> None:
    shell.acme()
    found = verdicts(shell)
    assert found["database"][0] == found["key"][0] == found["tenants"][0] == found["carrier account acme/Sandbox"][0] == "ok"
    assert "nobody has looked for missed events" in found["installation acme/Acme shop"][1], "it is a day old, and no worker ran"
    assert (found["worker"][0], found["PUBLIC_URL"][0]) == ("look", "look")
    assert all(found[what][:2] == ("ok", "none") for what in ("unknown messages", "dead letters", "write-backs", "callbacks"))
    assert {what for what, (verdict, *_) in found.items() if verdict == "wrong"} == set()


def change(table: sa.Table, **values: Any) -> Callable[[sa.Connection], Any]:
    """A change of every row of a table."""
    return lambda connection: connection.execute(sa.update(table).values(**values))


def send(shell: Shell) -> None:
    """A text that is due."""
    shell("send", ANA, "Hello", "--tenant", "acme")


def back(connection: sa.Connection) -> None:
    """The schema of an older version."""
    connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))


def again(connection: sa.Connection) -> None:
    """The shop is installed once more, by an install from the shop beside the one by hand."""
    [row] = connection.execute(sa.select(schema.installations))
    connection.execute(sa.insert(schema.installations), {**row._mapping, "id": new_id(), "key_hash": os.urandom(32)})


ILLS = [
    ("a shop that is installed twice", False, again, "the same account twice", "delete the others", 0),
    ("no worker, and a text is due", True, None, "worker", "bellwire serve", 1),
    (
        "an account that is off, and a text is due",
        True,
        change(schema.carrier_accounts, status="disabled"),
        "carrier account acme/Sandbox",
        "active",
        1,
    ),
    ("an older schema", False, back, "database", "bellwire db upgrade", 1),
    (
        "a tenant that can't send",
        False,
        change(schema.carrier_accounts, status="removed"),
        "tenants",
        "/v1/carrier-accounts",
        0,
    ),
    (
        "an installation that is off",
        False,
        change(schema.installations, status="disabled"),
        "installation acme/Acme shop",
        "active",
        0,
    ),
    (
        "a message nobody knows of",
        True,
        change(schema.messages, status=schema.STATUS_CODES[Status.UNKNOWN]),
        "unknown messages",
        "resolve",
        0,
    ),
]


@pytest.mark.parametrize(("label", "sends", "ill", "what", "do", "code"), ILLS, ids=[row[0] for row in ILLS])
def test_an_ill_is_found(embedded: Shell, label: str, sends: bool, ill: Any, what: str, do: str, code: int) -> None:
    embedded.acme()
    if sends:
        send(embedded)
    if ill is not None:
        with embedded.engine() as engine:
            engine.write(ill)
    found = verdicts(embedded, code=code)
    assert found[what][0] == ("wrong" if code else "look"), found[what]
    assert do in found[what][2]


def test_another_key_is_told_and_opens_nothing(embedded: Shell) -> None:
    embedded.acme()
    embedded.environ["BELLWIRE_SECRET_KEY"] = base64.urlsafe_b64encode(hashlib.sha256(b"another").digest()).decode()
    found = verdicts(embedded, code=1)
    assert found["database"][0] == "wrong", found


def test_a_bad_setting_is_told_with_its_name(embedded: Shell) -> None:
    embedded.environ["BELLWIRE_LOG_LEVEL"] = "loud"
    found = verdicts(embedded, code=1)
    assert [(what, verdict) for what, (verdict, *_) in found.items()] == [("setting BELLWIRE_LOG_LEVEL", "wrong")]


def test_it_changes_nothing_and_tells_no_secret(embedded: Shell) -> None:
    embedded.acme()
    send(embedded)

    def rows() -> dict[str, list[str]]:
        with embedded.engine() as engine, engine.store.read() as connection:
            return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in schema.META.sorted_tables}

    before = rows()
    said = embedded("doctor", "--offline", code=1).output
    assert rows() == before
    for secret in (KEY, "s" * 32, "t" * 32, ANA, ANA[-9:]):
        assert secret not in said


# -- asking the others ----------------------------------------------------------------------------------------------


def broken() -> Any:
    raise PlatformUnavailable("the shop does not answer")


def a_bug() -> Any:
    raise KeyError(str(UUID(int=1)))


ANSWERS: list[tuple[str, Callable[[], Any], str]] = [
    ("all is well", lambda: [CheckResult(name="scopes", ok=True, detail="")], "ok"),
    ("one thing is not", lambda: [CheckResult(name="scopes", ok=False, detail="lacks read_orders")], "wrong"),
    ("the platform is away", broken, "wrong"),
    ("the plugin has a bug", a_bug, "wrong"),
]


@pytest.mark.parametrize(("label", "question", "verdict"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_an_answer_becomes_a_line(label: str, question: Callable[[], Any], verdict: str) -> None:
    [found] = inquiry.ask([("check", question)], 10)
    assert found.verdict == verdict
    assert str(UUID(int=1)) not in found.detail


def test_who_says_nothing_holds_nobody_up() -> None:
    let_go = threading.Event()

    def silent() -> Any:
        let_go.wait(30)
        return []

    try:
        found = inquiry.ask([("silent", silent), ("quick", list)], 0.3)
    finally:
        let_go.set()
    assert [(one.what, one.verdict) for one in found] == [("silent", "look"), ("quick", "ok")]
