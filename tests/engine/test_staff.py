"""The staff directory at work: people by reference find their numbers, language and manager; platforms keep it; erasure holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine import privacy, staff_imports
from bellwire.errors import FieldInvalid, NotFound
from bellwire.model import Msisdn
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import schema, staff
from standins.timecard_office import DANA, EVE, MAX, Office


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins(only=("sandbox", "timecard"))


@pytest.fixture
def open_office(database_url: str, plugins: Plugins) -> Iterator[Callable[..., Office]]:
    made: list[Office] = []

    def make(**more: Any) -> Office:
        made.append(Office(database_url, plugins=plugins, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    return open_office()


def entry_of(office: Office, ref: str) -> staff.Entry:
    with office.engine.store.for_tenant(office.tenant_id).reading() as scoped:
        return staff.get(scoped, office.engine.vault, ref).entry


def test_a_reference_finds_number_language_zone_and_manager(office: Office) -> None:
    office.hire("dana", DANA, "Dana", {"clockify": "5b"}, locale="uz", timezone="Asia/Tashkent", manager="max")
    office.hire("max", MAX, "Max")
    office.listen("timecard.submitted", body="{{ worker.name }} for {{ manager.name }}")
    office.listen("task.assigned", recipient="worker", body="{{ task.title }}, {{ worker.name }}")
    for worker in ({"id": "dana"}, {"id": "eve"}):
        office.tell("task.assigned", task={"id": worker["id"], "title": "Label"}, worker=worker)
    office.tell("timecard.submitted", timecard={"id": "881"}, worker={"id": "dana"})
    assert office.texts() == [
        (DANA, "Label, Dana", "queued"),
        ("", "", "no_recipient"),
        (MAX, "Dana for Max", "queued"),
    ]
    [zones] = [row.options["timezones"] for row in office.messages() if row.subject == "task/dana"]
    assert zones == ["Asia/Tashkent"]


def test_a_system_s_own_name_of_a_person_comes_before_ours(office: Office) -> None:
    office.hire("dana", DANA, systems={"timecard": "max"})
    office.hire("max", MAX)
    office.listen("task.assigned", recipient="worker")
    office.tell("task.assigned", task={"id": "1"}, worker={"id": "max"})
    assert [to for to, _, _ in office.texts()] == [DANA]


def test_what_the_event_says_itself_wins(office: Office) -> None:
    office.hire("dana", DANA, "Dana")
    office.listen("task.assigned", recipient="worker")
    office.tell("task.assigned", task={"id": "1"}, worker={"id": "dana", "phone": EVE, "name": "D."})
    assert office.texts() == [(EVE, "D.", "queued")]


def test_who_has_left_is_not_texted(office: Office) -> None:
    office.hire("dana", DANA, active="no")
    office.listen("task.assigned", recipient="worker")
    office.tell("task.assigned", task={"id": "1"}, worker={"id": "dana"})
    assert [status for _, _, status in office.texts()] == ["no_recipient"]


def test_a_platform_keeps_the_directory_and_an_older_report_changes_nothing(office: Office) -> None:
    told = {"id": "dana", "phone": DANA, "name": "Dana", "manager_id": "max", "external_ids": {"clockify": "5b"}}
    office.tell("worker.updated", worker=told)
    office.tell("worker.updated", worker={**told, "name": "Older"}, time=office.clock() - timedelta(hours=1))
    found = entry_of(office, "dana")
    assert (found.name, found.msisdn, found.manager_ref, found.systems) == ("Dana", DANA, "max", {"clockify": "5b"})
    office.tell("worker.updated", worker={**told, "phone": "12", "timezone": "Mars/Olympus", "name": "Newer"})
    assert (entry_of(office, "dana").name, entry_of(office, "dana").msisdn) == ("Newer", None)


def test_an_installation_may_be_kept_from_the_directory(open_office: Callable[..., Office]) -> None:
    office = open_office(directory=False)
    office.tell("worker.updated", worker={"id": "dana", "phone": DANA})
    with pytest.raises(NotFound):
        entry_of(office, "dana")


def test_who_was_erased_does_not_come_back_by_a_list(office: Office) -> None:
    office.hire("dana", DANA, "Dana")
    privacy.erase(office.engine, office.tenant_id, Msisdn(DANA), actor="cli")
    assert office.count(schema.staff) == office.count(schema.staff_refs) == 0
    rows = staff_imports.read_csv(f"ref,name,phone\ndana,Dana,{DANA}\n")
    result = staff_imports.import_staff(office.engine, office.tenant_id, rows)
    assert result.document()["refused"] == 1
    assert (entry_of(office, "dana").msisdn, entry_of(office, "dana").name) == (None, "")


def test_a_platform_has_a_worker_erased(office: Office) -> None:
    office.hire("dana", DANA, "Dana")
    office.tell("person.erase_requested", worker={"id": "dana"})
    assert office.count(schema.staff) == 0


def test_another_tenant_s_people_are_not_found(office: Office) -> None:
    office.hire("dana", DANA)
    other = office.tenant("other")
    with office.engine.store.for_tenant(other).reading() as scoped:
        assert staff.find(scoped, office.engine.vault, "timecard", ["dana"]) == {}


def test_nothing_stands_there_in_the_clear(office: Office) -> None:
    office.hire("emp-1", DANA, "Dana Sample", email="dana@example.com")
    [row] = office.all(sa.select(schema.staff))
    told = b"".join(bytes(value) for value in row if isinstance(value, bytes))
    assert b"Dana" not in told
    assert DANA.encode() not in told
    assert b"example.com" not in told


CSV = """personalnummer;Name;Handy;clockify_id;Active
emp-1;Dana;90 123 45 67;5b;yes
emp-2;Max;12;;yes
emp-3;=cmd();901234568;;no

emp-1;Dana S.;901234567;5b;yes
emp-4;;;;perhaps
"""


def test_a_list_is_tried_then_kept_then_known(office: Office) -> None:
    named = {"ref": "Personalnummer", "phone": "Handy"}
    rows = staff_imports.read_csv(CSV, ["clockify"], named)
    wrong: list[int] = []
    told: list[int] = []

    def run(**more: Any) -> dict[str, Any]:
        result = staff_imports.import_staff(
            office.engine,
            office.tenant_id,
            rows,
            wrong=lambda row, _: wrong.append(row.line),
            progress=lambda n, _: told.append(n),
            **more,
        )
        return {name: value for name, value in result.document().items() if name != "errors"}

    expected = {"imported": 2, "created": 2, "changed": 0, "duplicates": 1, "refused": 0, "invalid": 2}
    assert run(dry_run=True) == expected
    assert office.count(schema.staff) == 0
    assert run() == expected
    assert run() == {**expected, "imported": 0, "created": 0, "duplicates": 3}
    assert (wrong, told) == ([3, 7] * 3, [5] * 3)
    assert (entry_of(office, "emp-1").name, entry_of(office, "emp-1").systems) == ("Dana S.", {"clockify": "5b"})


HEADS = [
    ("nothing", "", "file"),
    ("no reference", "name,phone\nDana,1\n", "file"),
    ("two columns for one", "ref,id\n1,2\n", "file"),
    ("an open quote", 'ref,name\n1,"Dana\n', "file"),
]


@pytest.mark.parametrize(("label", "text", "place"), HEADS, ids=[row[0] for row in HEADS])
def test_lists_that_can_not_be_read(label: str, text: str, place: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        staff_imports.read_csv(text)
    assert raised.value.field == place
