"""`export`: everything of one tenant and nothing of another, opened, exact as JSON and harmless as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire.cli.opened import tenant_id
from bellwire.engine import exports, intake, replies
from bellwire.engine.exports import COLUMNS, What
from bellwire.engine.runtime import Engine
from bellwire.model import CarrierAccount, Event, Person, Reply
from bellwire.store import carrier_accounts
from bellwire.store.database import reading
from standins.shell import Shell

ANA, BEN = "+998901234567", "+998901234568"
EVIL = "=cmd|'/C calc'!A1"


def rows(shell: Shell, what: str, *more: object) -> list[dict[str, Any]]:
    """What is exported as JSON lines."""
    out = shell("export", what, "--tenant", "acme", "--json", *more).stdout
    return [json.loads(line) for line in out.splitlines()]


def cells(shell: Shell, what: str, *more: object) -> list[dict[str, str]]:
    """What is exported as CSV."""
    out = shell("export", what, "--tenant", "acme", *more).stdout
    return list(csv.DictReader(io.StringIO(out, newline=""), strict=True))


def ship(engine: Engine, place: int, name: str = "#1001") -> None:
    """Let the shop report a parcel."""
    with reading(engine.store.engine) as connection:
        held = intake.configured(engine, connection, tenant_id(engine.store, "acme"))
    (installation,) = held.config.installations.values()
    event = Event(
        id=f"delivery-{place}",
        type="fulfillment.shipped",
        occurred_at=datetime.now(UTC),
        subject=f"order/{place}",
        people={"customer": Person(name="Ana Example", phones=[ANA])},
        data={"order.name": name, "order.total": "12.50"},
    )
    intake.take_events(engine, held, installation.value, [event])


def answer(engine: Engine, text: str) -> None:
    """Let a handset answer."""
    key = tenant_id(engine.store, "acme")
    with engine.store.for_tenant(key).reading() as scoped:
        (kept,) = carrier_accounts.listed(scoped, engine.vault, limit=5).items
    account = CarrierAccount(id=kept.id, tenant_id=key, carrier=kept.carrier)
    replies.accept(engine, account, [Reply(id=f"r-{text}", msisdn=ANA, to="ACME", text=text)])


@pytest.fixture
def busy(shell: Shell) -> Shell:
    """A tenant with something of everything, and another one."""
    shell.acme()
    shell("tenant", "create", "beta", "--country", "KZ")
    with shell.engine() as engine:
        ship(engine, 1)
        ship(engine, 2, EVIL)
        answer(engine, EVIL)
        answer(engine, "STOP")
    return shell


def test_messages_are_opened(busy: Shell) -> None:
    found = rows(busy, "messages")
    assert [one["text"] for one in found if one["event"]] == [f"Order {EVIL} is on its way", "Order #1001 is on its way"]
    first = found[-1]
    assert (first["to"], first["status"], first["trigger"], first["segments"]) == (ANA, "queued", "parcel sent", 1)
    assert first["why"][0]["outcome"] == "sent"
    assert cells(busy, "messages")[-1]["to"] == ANA, "a number is no formula"
    assert json.loads(cells(busy, "messages")[-1]["why"])[0]["step"] == "decide"


def test_events_hold_what_the_platform_told(busy: Shell) -> None:
    newest, oldest = rows(busy, "events")
    assert (oldest["type"], oldest["subject"], oldest["status"]) == ("fulfillment.shipped", "order/1", "decided")
    assert (oldest["data"]["order.total"], oldest["people"]["customer"]["phones"]) == ("12.50", [ANA])
    assert [one["outcome"] for one in newest["decisions"]] == ["sent"]


def test_replies_and_the_trail(busy: Shell) -> None:
    assert [(one["text"], one["kind"], one["msisdn"]) for one in rows(busy, "replies")] == [
        ("STOP", "stop", ANA),
        (EVIL, None, ANA),
    ]
    assert cells(busy, "replies")[1]["text"] == f"'{EVIL}"
    trail = rows(busy, "audit")
    assert trail[0]["action"] == "data.exported", "who took the data out is in the trail"
    assert trail[0]["details"] == {"what": "audit", "since": None}
    assert trail[-1]["action"] == "tenant.created"


def test_consents_can_be_imported_again(busy: Shell) -> None:
    stop = next(one for one in rows(busy, "consents") if one["state"] == "opted_out")
    assert (stop["msisdn"], stop["source"]) == (ANA, "reply")
    file = busy.folder / "consents.csv"
    busy("export", "consents", "--tenant", "acme", "-o", file)
    told = busy.json("import", "consents", file, "--tenant", "beta", code=1)
    assert (told["imported"], [one["field"] for one in told["errors"]]) == (1, ["state"]), "what a parcel implied nobody said"
    out = busy("export", "consents", "--tenant", "beta", "--json").stdout.splitlines()
    assert ("opted_out", ANA) in [(json.loads(line)["state"], json.loads(line)["msisdn"]) for line in out]


@pytest.mark.parametrize("what", list(What))
def test_only_one_s_own_and_a_header_always(busy: Shell, what: What) -> None:
    header, *lines = busy("export", what, "--tenant", "beta").stdout.splitlines()
    assert header.split(",") == list(COLUMNS[what])
    assert [line for line in lines if "acme" in line.lower()] == []
    assert len(lines) == {What.AUDIT: 3}.get(what, 0), "made, its first key, and this export"
    assert set(rows(busy, what)[0]) == set(COLUMNS[what])


def test_since(busy: Shell) -> None:
    for what in What:
        assert len(rows(busy, what, "--since", "1h")) > 0
        assert [one for one in rows(busy, what, "--since", "0s") if one.get("action") != "data.exported"] == []


def test_a_file_is_nobody_else_s_and_nothing_is_overwritten(embedded: Shell) -> None:
    embedded.acme()
    file = embedded.folder / "audit.csv"
    result = embedded("export", "audit", "--tenant", "acme", "-o", file)
    assert (file.stat().st_mode & 0o777, result.stdout) == (0o600, "")
    assert f"{len(file.read_text().splitlines()) - 1} audit in {file}." in result.stderr
    before = file.read_text()
    assert "exists already" in embedded("export", "audit", "--tenant", "acme", "-o", file, code=2).stderr
    assert file.read_text() == before
    assert "can't be made" in embedded("export", "audit", "--tenant", "acme", "-o", "/nowhere/x", code=2).stderr


def test_a_file_that_could_not_be_finished_is_gone(embedded: Shell) -> None:
    embedded.acme()
    with embedded.engine() as engine:
        ship(engine, 1)
        with engine.store.engine.connect() as connection:
            connection.exec_driver_sql("UPDATE events SET content = x'00'")
            connection.commit()
    file = embedded.folder / "events.csv"
    assert "events.content" in embedded("export", "events", "--tenant", "acme", "-o", file, code=1).stderr
    assert not file.exists()


def test_many_pages_come_whole_and_once(embedded: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 7)
    embedded.acme()
    numbers: Sequence[str] = [f"+99890{place:07d}" for place in range(1_000_000, 1_000_030)]
    file = embedded.folder / "list.csv"
    file.write_text("\n".join(["msisdn", *numbers]))
    embedded("import", "consents", file, "--tenant", "acme", "--state", "opted_in", "--purpose", "marketing")
    found = rows(embedded, "consents")
    assert sorted(one["msisdn"] for one in found) == sorted(numbers)
    assert len({one["id"] for one in found}) == len(found)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["secrets", "--tenant", "acme"], 2, "'secrets' is not one of"),
        (["messages", "--tenant", "nobody"], 1, "tenant nobody does not exist"),
        (["messages", "--tenant", "acme", "--since", "soon"], 1, "since: must be a time"),
        (["messages"], 2, "--tenant"),
    ],
)
def test_what_can_t_be_exported(embedded: Shell, args: list[str], code: int, said: str) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    assert said in embedded("export", *args, code=code).stderr
