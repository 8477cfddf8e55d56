"""The staff directory over HTTP: made, changed, listed in pages, imported, taken out."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from web_world import World

DANA = {
    "ref": "emp-1",
    "name": "Dana",
    "phone": "90 123 45 67",
    "locale": "uz",
    "manager": "emp-7",
    "external_ids": {"clockify": "5b"},
}


def test_a_person_is_made_changed_and_taken_out(world: World) -> None:
    made = world.a.post("/v1/workers", DANA)
    assert (made.status_code, made.json["phone"], made.json["active"]) == (201, "+998901234567", True)
    changed = world.a.patch("/v1/workers/emp-1", {"phone": None, "timezone": "Asia/Tashkent", "active": False})
    assert changed.status_code == 200
    shown = world.a.get("/v1/workers/emp-1").json
    assert (shown["phone"], shown["timezone"], shown["active"], shown["name"]) == (None, "Asia/Tashkent", False, "Dana")
    assert shown["external_ids"] == {"clockify": "5b"}
    assert world.a.delete("/v1/workers/emp-1").status_code == 204
    assert world.a.get("/v1/workers/emp-1").status_code == 404
    assert world.a.patch("/v1/workers/emp-1", {"name": "x"}).status_code == 404


@pytest.mark.parametrize("ref", ["users/17", "17/", "a b", "a?b#c%d", "import", "é"])
def test_a_person_is_reached_whatever_a_system_calls_them(world: World, ref: str) -> None:
    path = f"/v1/workers/{quote(ref, safe='')}"
    assert world.a.post("/v1/workers", {**DANA, "ref": ref}).status_code == 201
    assert world.a.patch(path, {"name": "Dana the second"}).json["ref"] == ref
    assert world.a.get(path).json["name"] == "Dana the second"
    assert world.b.get(path).status_code == 404
    assert world.a.delete(path).status_code == 204
    assert world.a.get(path).status_code == 404


def test_what_is_wrong_is_named(world: World) -> None:
    for body, field in (({**DANA, "phone": "123"}, "phone"), ({**DANA, "timezone": "Mars"}, "timezone"), ({"name": "x"}, "ref")):
        answer = world.a.post("/v1/workers", body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json["errors"]] == [field]


def test_the_list_comes_in_pages(world: World) -> None:
    for number in range(5):
        world.a.post("/v1/workers", {"ref": f"emp-{number}", "active": number != 3})
    refs, query = [], "?limit=2"
    while query:
        page = world.a.get(f"/v1/workers{query}").json
        refs += [one["ref"] for one in page["items"]]
        query = f"?limit=2&cursor={page['next']}" if page["next"] else ""
    assert refs == ["emp-4", "emp-3", "emp-2", "emp-1", "emp-0"]
    assert [one["ref"] for one in world.a.get("/v1/workers?active=false").json["items"]] == ["emp-3"]
    assert world.b.get("/v1/workers").json["items"] == []


def imported(world: World, text: str, query: str = "") -> dict[str, Any]:
    answer = world.a.post(f"/v1/workers/import{query}", data=text.encode(), content_type="text/csv")
    assert answer.status_code == 202
    ends = time.monotonic() + 10
    while (job := world.a.get(f"/v1/jobs/{answer.json['id']}").json)["status"] == "running":
        assert time.monotonic() < ends
        time.sleep(0.01)
    return dict(job)


def test_a_list_is_brought_in_as_a_job(world: World) -> None:
    text = "ref,name,phone\nemp-1,Dana,901234567\nemp-2,Max,12\n"
    for query, count in (("?dry_run=true", 0), ("", 1)):
        job = imported(world, text, query)
        assert (job["status"], job["total"], job["done"], job["imported"], job["invalid"]) == ("done", 2, 2, 1, 1)
        assert [(one["line"], one["field"]) for one in job["errors"]] == [(3, "phone")]
        assert len(world.a.get("/v1/workers").json["items"]) == count
    assert imported(world, text)["duplicates"] == 1
