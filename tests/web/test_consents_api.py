"""Consent over HTTP: what holds, what was said, who is never written to, lists brought in."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest

TO = "+998900000001"
IN = {"purpose": "marketing", "state": "opted_in", "source": "web form", "proof": "form 4711", "at": "2026-03-01T08:00:00Z"}


def test_what_was_said_is_kept_and_what_holds_is_shown(world: Any) -> None:
    answer = world.a.put(f"/v1/consents/{TO}", IN)
    assert answer.status_code == 200, answer.text
    shown = answer.json
    assert (shown["msisdn"], shown["marketing"]["state"], shown["marketing"]["since"]) == (TO, "opted_in", IN["at"])
    assert (shown["marketing"]["may_text"], shown["transactional"]["state"], shown["suppressed"]) == (True, None, False)
    (line,) = shown["history"]
    assert (line["source"], line["proof"], line["author"]) == ("web form", "form 4711", f"key_{world.a.key_id.hex}")
    assert world.a.get(f"/v1/consents/{TO}").json == shown


def test_who_said_what_holds_is_named_in_their_own_words(world: Any) -> None:
    world.a.put(f"/v1/consents/{TO}", IN)
    shown = world.a.put(f"/v1/consents/{TO}", {"state": "opted_out", "source": "phone call", "at": "2026-03-01T07:00:00Z"}).json
    sources = {purpose: shown[purpose]["source"] for purpose in ("transactional", "marketing", "otp")}
    assert sources == {"transactional": "phone call", "marketing": "web form", "otp": "phone call"}


@pytest.mark.parametrize("path", ["%2B998900000001", "998900000001", "+998900000001", "00998900000001", "998%2090%20000-00-01"])
def test_the_plus_may_be_written_in_any_way(world: Any, path: str) -> None:
    world.a.put(f"/v1/consents/{path}", IN)
    assert world.a.get("/v1/consents/998900000001").json["marketing"]["state"] == "opted_in"


@pytest.mark.parametrize("path", ["hello", "12", "+", "998900000001x5y"])
def test_what_is_no_number(world: Any, path: str) -> None:
    answer = world.a.get(f"/v1/consents/{path}")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "msisdn")


def test_an_opt_out_of_everything_closes_all(world: Any) -> None:
    world.a.put(f"/v1/consents/{TO}", IN)
    out = world.a.put(f"/v1/consents/{TO}", {"state": "opted_out", "source": "phone call"}).json
    assert [out[purpose]["may_text"] for purpose in ("transactional", "marketing", "otp")] == [False, False, False]
    assert out["marketing"]["reason"] == "opted_out"
    assert [line["state"] for line in out["history"]] == ["opted_out", "opted_in"]
    (listed,) = world.a.get("/v1/suppressions").json["items"]
    assert (listed["msisdn"], sorted(listed["opted_out"])) == (TO, ["marketing", "otp", "transactional"])
    assert world.a.get("/v1/suppressions?purpose=otp").json["items"] == [listed]


def test_an_opt_out_of_one_purpose_leaves_the_others(world: Any) -> None:
    out = world.a.put(f"/v1/consents/{TO}", {"purpose": "marketing", "state": "opted_out", "source": "api"}).json
    assert [out[purpose]["may_text"] for purpose in ("transactional", "marketing", "otp")] == [True, False, True]
    assert world.a.get("/v1/suppressions?purpose=otp").json["items"] == []


def test_an_older_opt_in_does_not_win(world: Any) -> None:
    world.a.put(f"/v1/consents/{TO}", {"purpose": "marketing", "state": "opted_out", "source": "api", "at": "2026-03-01T12:00:00Z"})
    assert world.a.put(f"/v1/consents/{TO}", IN).json["marketing"]["state"] == "opted_out"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"state": "maybe"}, "state"),
        ({"source": ""}, "source"),
        ({"purpose": "news"}, "purpose"),
        ({"at": "2026-03-03T00:00:00Z"}, "at"),
        ({"source": "bounce"}, "source"),
    ],
)
def test_a_bad_statement_names_the_field(world: Any, change: dict[str, Any], field: str) -> None:
    answer = world.a.put(f"/v1/consents/{TO}", {**IN, **change})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)
    assert world.a.get(f"/v1/consents/{TO}").json["history"] == []


def test_a_change_is_called_back_and_a_repeat_is_not(world: Any) -> None:
    from bellwire.store import schema

    world.a.post("/v1/callbacks", {"url": "https://example.com/x", "types": ["consent.changed"]})
    for _ in range(2):
        world.a.put(f"/v1/consents/{TO}", IN)
    with world.store.read() as connection:
        assert [row.type for row in connection.execute(schema.callbacks.select())] == ["consent.changed"]


# -- lists --------------------------------------------------------------------------------------------------------


def bring(world: Any, text: str, query: str = "") -> Any:
    answer = world.a.post(f"/v1/consents/import{query}", data=text.encode(), content_type="text/csv")
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        job = world.a.get(f"/v1/jobs/{answer.json['id']}").json
        if job["status"] != "running":
            return job
    raise AssertionError("the import did not end")


def test_a_list_may_come_as_a_form_s_file(world: Any) -> None:
    def send(key: str = "k", **more: Any) -> Any:
        """Each call has a boundary of its own, as every client makes one."""
        data = {"file": (io.BytesIO(f"msisdn,state\n{TO},opted_in\n".encode()), "list.csv"), **more}
        path = "/v1/consents/import?purpose=marketing"
        return world.a.post(path, data=data, content_type="multipart/form-data", headers={"Idempotency-Key": key})

    answer = send()
    assert (answer.status_code, answer.json["total"]) == (202, 1)
    assert send().json["id"] == answer.json["id"], "the same list"
    two = send("two", other=(io.BytesIO(b"msisdn\n"), "b.csv")).json
    assert [(error["field"], error["code"]) for error in two["errors"]] == [("file", "one_file")]
    stray = send("stray", state="opted_out").json
    assert [(error["field"], error["code"]) for error in stray["errors"]] == [("state", "unknown_field")]
    none = world.a.post("/v1/consents/import", data=b"--x--", content_type="multipart/form-data; boundary=x")
    assert none.json["errors"][0]["field"] == "file"
    deadline = time.monotonic() + 20
    while world.a.get(f"/v1/jobs/{answer.json['id']}").json["status"] == "running" and time.monotonic() < deadline:
        pass
    assert world.a.get(f"/v1/consents/{TO}").json["marketing"]["state"] == "opted_in"


def test_a_list_is_brought_in(world: Any) -> None:
    job = bring(
        world,
        "\ufeffPhone;Consent;Purpose;Date;Note\r\n"
        "+998 90 000 00 01;yes;marketing;2026-02-01;newsletter\r\n"
        '90 000 00 02;"no";marketing;2026-02-01;\r\n'
        "\r\n"
        "not a number;yes;marketing;;\r\n"
        "+998900000001;yes;marketing;2026-02-01;newsletter\r\n"
        "+998900000003;perhaps;marketing;;\r\n",
    )
    assert (job["status"], job["total"], job["done"]) == ("done", 5, 5)
    assert (job["imported"], job["duplicates"], job["invalid"], job["refused"]) == (2, 1, 2, 0)
    assert [(one["line"], one["field"]) for one in job["errors"]] == [(5, "msisdn"), (7, "state")]
    assert "not a number" not in str(job)
    first = world.a.get("/v1/consents/998900000001").json
    assert (first["marketing"]["state"], first["history"][0]["proof"]) == ("opted_in", "newsletter")
    assert world.a.get("/v1/consents/998900000002").json["marketing"]["state"] == "opted_out"


def test_a_list_does_not_lift_an_opt_out(world: Any) -> None:
    world.a.put(f"/v1/consents/{TO}", {"state": "opted_out", "source": "reply"})
    job = bring(world, "msisdn,state\n+998900000001,opted_in\n", "?purpose=marketing")
    assert (job["imported"], job["refused"]) == (0, 1)
    assert world.a.get(f"/v1/consents/{TO}").json["marketing"]["may_text"] is False


def test_a_dry_run_keeps_nothing(world: Any) -> None:
    job = bring(world, "msisdn\n+998900000001\n+998900000002\n", "?purpose=marketing&state=opted_in&dry_run=true")
    assert (job["status"], job["imported"]) == ("done", 2)
    assert world.a.get(f"/v1/consents/{TO}").json["history"] == []


@pytest.mark.parametrize(
    ("label", "text", "code"),
    [
        ("nothing", b"", "csv_empty"),
        ("no header", b"+998900000001,yes\n", "csv_header"),
        ("two columns that mean the same", b"phone,mobile\n1,2\n", "csv_header"),
        ("a quote that never ends", b'msisdn\n"+998', "csv_invalid"),
        ("not UTF-8", b"msisdn\n\xff\n", "encoding"),
    ],
)
def test_a_file_that_can_not_be_read(world: Any, label: str, text: bytes, code: str) -> None:
    answer = world.a.post("/v1/consents/import", data=text, content_type="text/csv")
    assert answer.status_code == 422, answer.text
    assert (answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]) == ("file", code)


def test_a_file_must_say_that_it_is_csv(world: Any) -> None:
    assert world.a.post("/v1/consents/import", {"x": 1}).status_code == 415


def test_a_job_whose_process_ended_counts_as_failed(world: Any) -> None:
    from bellwire.store import jobs

    job = world.write(lambda connection: jobs.start(connection, "consent_import", 10, world.clock()))
    assert world.a.get(f"/v1/jobs/job_{job.id.hex}").json["status"] == "running"
    world.clock.forward(minutes=3)
    assert world.a.get("/v1/jobs").json["items"][0]["status"] == "failed"
