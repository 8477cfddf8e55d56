"""Any platform by a mapping: the path language, the mapping's checks, what is read, how it is proved, the dry run."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bellwire import Event, Installation, PayloadInvalid, Person, SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.signing import standard_webhooks_sign
from bellwire.testing import NOW, SECRET, Case, installation, sample
from bellwire_connectors.mapped import connector
from bellwire_connectors.mapped.command import try_mapping
from bellwire_connectors.mapped.mapping import EVENTS, clean_mapping
from bellwire_connectors.mapped.paths import look_up, parse_path
from bellwire_connectors.mapped.signature import clean_secret, clean_signature
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

# -- paths ------------------------------------------------------------------------------------------------------

BODY = {
    "a": {"b": [{"c": 1}, {"c": None}, {"d": 2}]},
    "odd key": {"x.y": "z"},
    "n": None,
    "$s": 3,
    "list": [[1, 2], [3]],
    "empty": [],
    "": 9,
}

PATHS: list[tuple[str, Any]] = [
    ("a.b[0].c", 1),
    ("$.a.b[0].c", 1),
    ('$["odd key"]["x.y"]', "z"),
    ('["odd key"]["x.y"]', "z"),
    ("a.b[-1].d", 2),
    ("a.b[*].c", [1]),
    ("a.b[*]", [{"c": 1}, {"c": None}, {"d": 2}]),
    ("a.b[9]", None),
    ("a.b[-9]", None),
    ("a.b.c", None),
    ("a[0]", None),
    ("a.b[0].c.d", None),
    ("n", None),
    ("n.x", None),
    ("nobody", None),
    ("nobody[*]", None),
    ("a[*]", None),
    ("empty[*]", []),
    ("$s", 3),
    ("list[0][1]", 2),
    ("a.__class__", None),
    ("a.b.__len__", None),
]


@pytest.mark.parametrize(("path", "value"), PATHS, ids=[row[0] for row in PATHS])
def test_a_path_leads_to_its_value(path: str, value: Any) -> None:
    assert look_up(parse_path(path), BODY) == value


WRONG = [
    "", "$", ".a", "a.", "a..b", "a b", "a[", "a]", "a[x]", "a['b']", 'a[""]', "a[1.5]", "a[99999]", "a[0]b",
    "a.*", "..", "a[?(@.b)]", "a()", "a|b", "a[*].b[*]", "a" * 201, ".".join("abcdefghijklm"), "é", "a\n", "$.", "$[", "{{a}}",
]  # fmt: skip


@pytest.mark.parametrize("path", WRONG)
def test_what_is_no_path_is_refused_with_a_reason(path: str) -> None:
    with pytest.raises(ValueError, match=r"path has 1|can't be read|has more|has \[\*\] more"):
        parse_path(path)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except ValueError:
        return
    look_up(path, BODY)


# -- the mapping's checks ---------------------------------------------------------------------------------------

LEAST: dict[str, Any] = {"type": {"value": "task.due"}, "subject": "id"}


def less(**more: Any) -> dict[str, Any]:
    return {**LEAST, **more}


FAULTS: list[tuple[Any, str]] = [
    (None, "mapping: must be an object"),
    ([], "mapping: must be an object"),
    ({}, "type: is missing"),
    ({"type": {"value": "task.due"}}, "subject: is missing"),
    (less(peeple={}), "peeple: is not known here; there are events, type, id,"),
    (less(type={"value": "task.lost"}), "type: is no event that a mapping may make; there are timecard.submitted,"),
    (less(type={"path": "a", "map": {"x": "lost"}}), 'type: map: "x" becomes lost, which is no event'),
    (less(type={"path": "a", "map": {"x": "app.uninstalled"}}), 'type: map: "x" becomes app.uninstalled, which is no event'),
    (less(type={"path": "a", "default": "person.erase_requested"}), "type: is no event that a mapping may make"),
    (less(subject="a..b"), 'subject.path: can\'t be read from "..b" on; write it as a.b[0]'),
    (less(subject=["a", "b["]), 'subject.path.1: can\'t be read from "[" on'),
    (less(subject=[]), "subject: path is an empty list"),
    (less(subject=7), "subject: must be an object"),
    (less(subject={"path": "a", "header": "X-A"}), "subject: needs exactly one of path, header and value; it has path and header"),
    (less(subject={}), "subject: needs exactly one of path, header and value; it has none"),
    (less(subject={"pth": "a"}), "subject.pth: is not known here; there are path, header, value, map, default, as"),
    (less(subject={"header": "X A"}), "subject.header: must be a header's name"),
    (less(subject_kind="Time Card"), "subject_kind: must be a lower-case word"),
    (less(events="items"), "events: must end with [*]"),
    (less(events="items[*].x[*]"), "events: has [*] more than once"),
    (less(people={"boss": {"ref": "a"}}), "people.boss: must be one of customer, worker,"),
    (less(people={"worker": {"name": "a"}}), "people.worker: needs phones, or ref for the directory"),
    (less(people={"worker": {"phone": "a"}}), "people.worker.phone: is not known here; there are ref, name, phones,"),
    (less(people={"worker": {"phones": ["a b"]}}), "people.worker.phones.0.path: can't be read"),
    (less(data={"Reason": "a"}), "data.Reason: must be a name such as timecard.reason"),
    (less(data={"reason": "a"}), "data.reason: must be a name such as timecard.reason"),
    (less(data={"a.b": {"path": "a", "as": "blob"}}), "data.a.b.as: input should be 'text', 'number'"),
    (less(data={f"a.b{number}": "a" for number in range(61)}), "data: "),
    (less(cancels=["shift.lost"]), "cancels.0: is no event"),
    (less(changed=["Status"]), "changed.0: must be a name"),
    (less(fact="a"), "fact: "),
]


@pytest.mark.parametrize(("mapping", "told"), FAULTS, ids=[row[1] for row in FAULTS])
def test_a_fault_is_told_by_field_and_fix(mapping: Any, told: str) -> None:
    with pytest.raises(ValueError) as error:
        clean_mapping(mapping)
    assert str(error.value).startswith(told)


def test_a_good_mapping_stays_as_it_was_written() -> None:
    kept = installation(connector).settings["mapping"]
    assert clean_mapping(copy.deepcopy(kept)) == kept
    assert clean_mapping(LEAST) == LEAST


def test_no_event_of_a_mapping_changes_more_than_who_is_texted() -> None:
    from bellwire.engine import effects

    assert not set(EVENTS) & set(effects._SPECIAL)
    assert not any(event.startswith(("app.", "installation.", "person.")) for event in EVENTS)


# -- what is read -----------------------------------------------------------------------------------------------


def edited(run: Callable[[Any], Any]) -> Callable[[Any], object]:
    def edit(body: Any) -> object:
        run(body)
        return None

    return edit


ANA = {"customer.ref": "emp-1042", "worker.phones": ["+998 90 000 00 00", "+998 90 000 00 01"], "worker.countries": ["UZ"]}
CASES = [
    Case(
        "a timesheet handed in",
        sample="timecard_submitted",
        events=[{"type": "timecard.submitted", "id": "timecard.submitted:d-7001", **ANA}],
    ),
    Case(
        "its fields in our words",
        sample="timecard_approved",
        events=[
            {
                "subject": "timecard/881",
                "fact": "timecard.approved:881:2",
                "data.timecard.hours": "40.5",
                "data.timecard.period_end": "2026-01-04",
                "data.payment.amount": "412.5",
                "data.timecard.reason": "no reason given",
                "data.timecard.status": "approved",
            }
        ],
    ),
    Case("a key that is no plain word", sample="timecard_rejected", events=[{"data.timecard.reason": "Thursday is missing"}]),
    Case(
        "what is over cancels what waits for it",
        sample="shift_cancelled",
        events=[{"subject": "shift/881", "cancels": ("shift/881",)}],
    ),
    Case("a word that the mapping does not name", sample="timesheet_opened", events=[]),
    Case("no type at all", sample="timecard_approved", edit=edited(lambda body: body.pop("event")), events=[]),
    Case(
        "the second path where the first leads nowhere",
        sample="timecard_approved",
        edit=edited(lambda body: body["object"].pop("decided_at")),
        events=[{"data.timecard.id": 881}],
    ),
    Case(
        "a test is marked", sample="timecard_approved", edit=edited(lambda body: body.update(sandbox=True)), events=[{"test": True}]
    ),
    Case(
        "nobody known: the event stays",
        sample="timecard_approved",
        edit=edited(lambda body: body.update(employee=None, manager=7)),
        events=[{"people": {}}],
    ),
    Case(
        "a phone list of nonsense",
        sample="timecard_approved",
        edit=edited(lambda body: body["employee"].update(mobile={}, phones=[None, {}, True, "x" * 41, 998900000001])),
        events=[{"worker.phones": ["998900000001"]}],
    ),
    Case(
        "no delivery id",
        sample="timecard_approved",
        edit=edited(lambda body: body.pop("delivery_id")),
        error=PayloadInvalid,
        names="delivery_id",
    ),
    Case(
        "an id that is an object",
        sample="timecard_approved",
        edit=edited(lambda body: body["object"].update(id={})),
        error=PayloadInvalid,
        names="object.id",
    ),
    Case(
        "an id that is too long",
        sample="timecard_approved",
        edit=edited(lambda body: body["object"].update(id="x" * 129)),
        error=PayloadInvalid,
        names="object.id",
    ),
    Case(
        "no version",
        sample="timecard_approved",
        edit=edited(lambda body: body["object"].pop("version")),
        error=PayloadInvalid,
        names="object.version",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


def read(mapping: Any, body: Any, **headers: str) -> list[Event]:
    """What a mapping makes of a body."""
    at = replace(installation(connector), settings={"mapping": clean_mapping(mapping)})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(connector.read(WebhookRequest(body=raw, received_at=NOW).with_headers(**headers), at))


def value(spec: Any, body: Any, **headers: str) -> Any:
    """What becomes of one field; None: it is missing."""
    [event] = read(less(data={"x.y": spec}), {"id": 1, **body}, **headers)
    return event.data.get("x.y")


FIELDS: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("a text in one line", "a", {"a": " two\nlines\x00 "}, "two lines"),
    ("a whole number stays one", "a", {"a": 7}, 7),
    ("a broken one becomes decimal text", "a", {"a": 7.5}, "7.5"),
    ("a truth stays one", "a", {"a": False}, False),
    ("null is missing", "a", {"a": None}, None),
    ("an object is missing", "a", {"a": {}}, None),
    ("a list of plain values", "a[*].n", {"a": [{"n": "x"}, {"n": 2}, {"n": {}}]}, ["x", 2]),
    ("an empty list is missing", "a[*]", {"a": []}, None),
    ("the first that is there", ["a", "b"], {"a": "", "b": "B"}, "B"),
    ("a default for a missing one", {"path": "a", "default": "none"}, {}, "none"),
    ("a default for an object", {"path": "a", "default": "none"}, {"a": {}}, "none"),
    ("our word for theirs", {"path": "a", "map": {"OK": "approved"}}, {"a": "OK"}, "approved"),
    ("no word of ours", {"path": "a", "map": {"OK": "approved"}}, {"a": "NO"}, None),
    ("a word for a truth", {"path": "a", "map": {"true": "yes"}}, {"a": True}, "yes"),
    ("a default for no word", {"path": "a", "map": {"OK": "approved"}, "default": "open"}, {"a": "NO"}, "open"),
    ("a fixed value", {"value": "Acme"}, {}, "Acme"),
    ("a fixed false", {"value": False}, {}, False),
    ("money", {"path": "a", "as": "number"}, {"a": "42.50"}, "42.50"),
    ("money of no number", {"path": "a", "as": "number"}, {"a": "much"}, None),
    ("endless money", {"path": "a", "as": "number"}, {"a": "1e999"}, None),
    ("minutes", {"path": "a", "as": "minutes_as_hours"}, {"a": 450}, "7.5"),
    ("seconds", {"path": "a", "as": "seconds_as_hours"}, {"a": "27000"}, "7.5"),
    ("minutes of no number", {"path": "a", "as": "minutes_as_hours"}, {"a": "many"}, None),
    ("a time in UTC", {"path": "a", "as": "time"}, {"a": "2026-01-05T09:00:00+05:00"}, "2026-01-05T04:00:00Z"),
    ("a day stays a day", {"path": "a", "as": "time"}, {"a": "2026-01-05"}, "2026-01-05"),
    ("seconds since 1970", {"path": "a", "as": "time"}, {"a": 1767603600}, "2026-01-05T09:00:00Z"),
    ("milliseconds as text", {"path": "a", "as": "time"}, {"a": "1767603600000"}, "2026-01-05T09:00:00Z"),
    ("no time", {"path": "a", "as": "time"}, {"a": "soon"}, None),
    ("yes", {"path": "a", "as": "true_or_false"}, {"a": "Yes"}, True),
    ("zero", {"path": "a", "as": "true_or_false"}, {"a": 0}, False),
    ("neither", {"path": "a", "as": "true_or_false"}, {"a": "perhaps"}, None),
    ("Liquid is text like any other", "a", {"a": "{{ tenant.name }}"}, "{{ tenant.name }}"),
]


@pytest.mark.parametrize(("label", "spec", "body", "expected"), FIELDS, ids=[row[0] for row in FIELDS])
def test_a_field(label: str, spec: Any, body: dict[str, Any], expected: Any) -> None:
    assert value(spec, body) == expected


def test_a_field_from_a_header() -> None:
    assert value({"header": "X-Kind"}, {}, X_Kind="paid") == "paid"
    assert value({"header": "X-Kind", "default": "none"}, {}) == "none"


def test_the_type_from_a_header_and_the_id_from_the_body_itself() -> None:
    mapping = {"type": {"header": "X-Event", "map": {"paid": "order.paid"}}, "subject": "id", "subject_kind": "invoice"}
    [event] = read(mapping, {"id": 7}, X_Event="paid")
    assert (event.type, event.subject, event.fact) == ("order.paid", "invoice/7", "")
    assert event.id == read(mapping, {"id": 7}, X_Event="paid")[0].id
    assert event.id != read(mapping, {"id": 8}, X_Event="paid")[0].id


def test_a_type_that_is_our_own_word_needs_no_map() -> None:
    mapping = {"type": "kind", "subject": "id"}
    assert [event.type for event in read(mapping, {"id": 7, "kind": "task.due"})] == ["task.due"]
    assert read(mapping, {"id": 7, "kind": "app.uninstalled"}) == []


def test_each_item_of_a_batch_is_an_event() -> None:
    mapping = less(events="data.items[*]")
    body = {"data": {"items": [{"id": 1}, {"id": 2}]}}
    found = read(mapping, body)
    assert [event.subject for event in found] == ["task/1", "task/2"]
    assert len({event.id for event in found}) == 2
    assert [event.subject for event in read(less(events="[*]"), [{"id": 1}, None, {"id": 3}])] == ["task/1", "task/3"]
    assert read(mapping, {"data": {"items": []}}) == []


def test_a_form_is_read_like_an_object() -> None:
    mapping = less(data={"task.title": "title"}, people={"worker": {"phones": ["phone"]}})
    [event] = read(
        mapping, b"id=7&title=Refill+it&phone=%2B998900000000", Content_Type="application/x-www-form-urlencoded; charset=utf-8"
    )
    assert (event.subject, event.data["task.title"]) == ("task/7", "Refill it")
    assert event.customer == Person(phones=["+998900000000"], countries=[])


REFUSED: list[tuple[str, Any, str]] = [
    ("not JSON", b"{", "body"),
    ("nothing", b"", "body"),
    ("NaN", b'{"id": NaN}', "body"),
    ("nested without end", b"[" * 100_000, "body"),
    ("a list where an object should be", [], "body"),
    ("null", None, "body"),
    ("no list where events should be", {"items": {}}, "items[*]"),
    ("more than a hundred", {"items": [{"id": 1}] * 101}, "items[*]"),
]


@pytest.mark.parametrize(("label", "body", "place"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_body_that_can_t_be_read_is_refused_by_its_place(label: str, body: Any, place: str) -> None:
    mapping = less(events="items[*]") if place == "items[*]" else LEAST
    with pytest.raises(PayloadInvalid) as error:
        read(mapping, body)
    assert error.value.field == place


@pytest.mark.parametrize("mapping", [None, {}, {"type": "x"}])
def test_an_installation_whose_mapping_can_t_be_used_reads_nothing(mapping: Any) -> None:
    at = replace(installation(connector), settings={"mapping": mapping})
    with pytest.raises(PayloadInvalid, match="mapping"):
        connector.read(sample(connector.samples, "timecard_approved"), at)


# -- who is believed --------------------------------------------------------------------------------------------

SCHEMES: list[tuple[Any, str]] = [
    (None, "scheme: must be one of hmac, token, standard_webhooks"),
    ({}, "scheme: must be one of hmac, token, standard_webhooks"),
    ({"scheme": "none"}, "scheme: must be one of"),
    ({"scheme": "unsigned"}, "scheme: must be one of"),
    ({"scheme": ["hmac"]}, "scheme: must be one of"),
    ({"scheme": "hmac"}, "header: is missing"),
    ({"scheme": "token"}, "header: is missing"),
    ({"scheme": "hmac", "header": "X Y"}, "header: must be a header's name"),
    ({"scheme": "hmac", "header": "X", "algorithm": "md5"}, "algorithm: input should be 'sha256', 'sha1' or 'sha512'"),
    ({"scheme": "hmac", "header": "X", "prefix": "a\nb"}, "prefix: must be printable"),
    ({"scheme": "hmac", "header": "X", "secret": "s"}, "secret: is not known here"),
    ({"scheme": "standard_webhooks", "header": "X"}, "header: is not known here"),
]


@pytest.mark.parametrize(("scheme", "told"), SCHEMES, ids=[f"{row[0]}" for row in SCHEMES])
def test_a_scheme_s_fault_is_told_by_field_and_fix(scheme: Any, told: str) -> None:
    with pytest.raises(ValueError) as error:
        clean_signature(scheme)
    assert str(error.value).startswith(told)


def at(scheme: Any, secret: str = SECRET) -> Installation:
    made = installation(connector, secrets=(secret,))
    return replace(made, settings={**made.settings, "signature": scheme})


GOOD = [
    {"scheme": "hmac", "header": "X-Sig"},
    {"scheme": "hmac", "header": "X-Sig", "algorithm": "sha1", "encoding": "base64", "prefix": "v0="},
    {"scheme": "hmac", "header": "X-Sig", "algorithm": "sha512", "timestamp_header": "X-Time", "separator": ":"},
    {"scheme": "token", "header": "Authorization", "prefix": "Bearer "},
    {"scheme": "standard_webhooks"},
]


@pytest.mark.parametrize("scheme", GOOD, ids=[json.dumps(one) for one in GOOD])
def test_each_scheme_believes_what_it_signed(scheme: Any) -> None:
    request = connector.sign(sample(connector.samples, "timecard_approved"), at(clean_signature(scheme)))
    connector.verify(request, at(scheme), NOW)
    for other in GOOD:
        if other is not scheme:
            with pytest.raises(SignatureMismatch):
                connector.verify(request, at(other), NOW)


@pytest.mark.parametrize("scheme", [None, {}, {"scheme": "none"}, {"scheme": "hmac"}])
def test_without_a_usable_scheme_nobody_is_believed(scheme: Any) -> None:
    with pytest.raises(SignatureMismatch):
        connector.verify(sample(connector.samples, "timecard_approved"), at(scheme), NOW)


@pytest.mark.parametrize("scheme", [GOOD[2], GOOD[4]])
@pytest.mark.parametrize(("late", "good"), [(299, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_a_signed_time_is_good_for_five_minutes(scheme: Any, late: int, good: bool) -> None:
    request = connector.sign(sample(connector.samples, "timecard_approved"), at(scheme))
    now = NOW + timedelta(seconds=late)
    if good:
        connector.verify(request, at(scheme), now)
    else:
        with pytest.raises(StaleSignature):
            connector.verify(request, at(scheme), now)


def test_another_time_under_the_same_signature_is_refused() -> None:
    request = connector.sign(sample(connector.samples, "timecard_approved"), at(GOOD[2]))
    later = str(int((NOW + timedelta(hours=1)).timestamp()))
    with pytest.raises(SignatureMismatch):
        connector.verify(request.with_headers(X_Time=later), at(GOOD[2]), NOW + timedelta(hours=1))


def test_the_callbacks_of_a_standard_webhooks_sender_are_believed() -> None:
    headers = standard_webhooks_sign(SECRET, "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", int(NOW.timestamp()), b'{"id": 1}')
    connector.verify(WebhookRequest(headers=headers, body=b'{"id": 1}', received_at=NOW), at(GOOD[4]), NOW)
    with pytest.raises(SignatureMismatch, match="whsec_"):
        connector.verify(WebhookRequest(headers=headers, body=b"", received_at=NOW), at(GOOD[4], "not base64 at all"), NOW)


@pytest.mark.parametrize("secret", ["", "short", "x" * 15])
def test_a_secret_that_can_be_guessed_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="at least 16") as error:
        clean_secret(secret)
    assert not secret or secret not in str(error.value)
    with pytest.raises(SignatureMismatch):
        connector.verify(sample(connector.samples, "timecard_approved").with_headers(X_Sig=secret), at(GOOD[3], secret), NOW)


# -- the dry run ------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "settings.json").write_text(json.dumps(dict(installation(connector).settings)))
    (tmp_path / "mapping.json").write_text(json.dumps(LEAST))
    (tmp_path / "wrong.json").write_text(json.dumps(less(peeple={})))
    (tmp_path / "unsigned.json").write_text(json.dumps({"mapping": LEAST, "signature": {"scheme": "none"}}))
    (tmp_path / "body.json").write_bytes(sample(connector.samples, "timecard_approved").body)
    (tmp_path / "other.json").write_text('{"id": 7}')
    (tmp_path / "broken.json").write_text("{")
    return tmp_path


RUNS = [
    ("an event", "settings.json", "body.json", 0, "read: timecard.approved timecard/881"),
    ("a mapping alone", "mapping.json", "other.json", 0, "read: task.due task/7"),
    ("a fault of the mapping", "wrong.json", "other.json", 1, "refused: peeple: is not known here"),
    ("a fault of the scheme", "unsigned.json", "other.json", 1, "refused: scheme: must be one of"),
    ("a body without its id", "mapping.json", "body.json", 1, "refused: mapped: subject is not there, or too long: id"),
    ("a broken mapping", "broken.json", "other.json", 1, "refused: broken.json: is not JSON"),
    ("a broken body", "mapping.json", "broken.json", 1, "refused: mapped: not JSON: body"),
    ("no such file", "nobody.json", "other.json", 2, "nobody.json"),
]


@pytest.mark.parametrize(("label", "mapping", "body", "code", "told"), RUNS, ids=[row[0] for row in RUNS])
def test_the_dry_run(files: Path, label: str, mapping: str, body: str, code: int, told: str) -> None:
    done = CliRunner().invoke(try_mapping, [str(files / mapping), str(files / body)])
    assert done.exit_code == code, done.output
    assert told in done.output


def test_the_dry_run_prints_json_and_takes_headers(files: Path) -> None:
    (files / "mapping.json").write_text(json.dumps({"type": {"header": "X-Event"}, "subject": "id"}))
    command = [str(files / "mapping.json"), str(files / "other.json"), "--header", "X-Event=order.paid", "--json"]
    done = CliRunner().invoke(try_mapping, command)
    assert [event["type"] for event in json.loads(done.output)["events"]] == ["order.paid"]
    done = CliRunner().invoke(try_mapping, [str(files / "wrong.json"), str(files / "other.json"), "--json"])
    assert "peeple" in json.loads(done.output)["refused"]
    done = CliRunner().invoke(try_mapping, [*command[:2], "--header", "X-Event"])
    assert "nothing that the mapping names" in done.output
