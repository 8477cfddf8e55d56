"""What stands between a request and its view: bodies, parameters, problems, repeats, headers."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from bellwire.domain.scopes import Scope
from bellwire.errors import Conflict, FieldInvalid, NotFound, StoreUnavailable
from bellwire.logs import OURS, configure
from bellwire_web.app import check_policies
from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Duration, Model, Timestamp
from bellwire_web.operations import DeclarationWrong, Routes, check
from flask import Flask

TWILIO = {"account_sid": "AC" + "7" * 32, "auth_token": "a token of nobody's"}
GOOD = {"name": "till", "scopes": ["messages:send"]}

BODIES = [
    ("not JSON", b"{", "application/json", 400, "not_json"),
    ("empty", b"", "application/json", 400, "not_json"),
    ("not UTF-8", b'{"name":"\xff"}', "application/json", 400, "not_json"),
    ("a lone surrogate", b'{"name":"\\ud800","scopes":["admin"]}', "application/json", 400, "not_json"),
    ("nested too deep", b'{"name":' + b"[" * 100_000, "application/json", 400, "not_json"),
    ("a list", b"[]", "application/json", 422, "invalid_fields"),
    ("a form", b"name=till", "application/x-www-form-urlencoded", 415, "content_type"),
    ("no type", b'{"name":"till","scopes":["admin"]}', None, 415, "content_type"),
    ("too large", b'{"name":"' + b"x" * 300_000, "application/json", 413, "too_large"),
    ("NUL in a text", b'{"name":"a\\u0000b","scopes":["admin"]}', "application/json", 422, "invalid_fields"),
    ("a number for a text", b'{"name":5,"scopes":["admin"]}', "application/json", 422, "invalid_fields"),
    ("an unknown field", b'{"name":"x","scopes":["admin"],"colour":1}', "application/json", 422, "invalid_fields"),
]


@pytest.mark.parametrize(("label", "body", "media_type", "status", "code"), BODIES, ids=[row[0] for row in BODIES])
def test_a_bad_body(world: Any, label: str, body: bytes, media_type: str | None, status: int, code: str) -> None:
    answer = world.a.post("/v1/keys", data=body, content_type=media_type)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status


def test_a_backslash_u0000_that_is_no_nul_passes(world: Any) -> None:
    body = b'{"name":"a\\\\u0000b","scopes":["admin"]}'
    assert world.a.post("/v1/keys", data=body, content_type="application/json").json["name"] == "a\\u0000b"


FIELDS = [
    ({"scopes": ["admin"]}, "name", "required", "is required"),
    ({**GOOD, "expires": "x"}, "expires", "unknown_field", "did you mean expires_at?"),
    ({**GOOD, "scopes": ["fly"]}, "scopes.0", "not_one_of", "'messages:send'"),
    ({**GOOD, "expires_at": 0}, "expires_at", "wrong_type", "such as 2026"),
    ({**GOOD, "expires_at": "5"}, "expires_at", "wrong_type", "such as 2026-01-31T09:00:00Z"),
    ({**GOOD, "expires_at": "2026-05-01T00:00:00"}, "expires_at", "wrong_type", "with its zone"),
    ({**GOOD, "expires_at": "9999-05-01T00:00:00Z"}, "expires_at", "out_of_range", "2099"),
    ({**GOOD, "expires_at": "2026-02-30T00:00:00Z"}, "expires_at", "wrong_type", "calendar"),
    ({**GOOD, "name": ""}, "name", "too_short", "must have at least 1"),
    ({**GOOD, "scopes": []}, "scopes", "too_short", "must have at least 1 item$"),
    ({**GOOD, "scopes": 5}, "scopes", "wrong_type", "must be a valid"),
    ({**GOOD, "name": " x"}, "name", "pattern", "must not begin or end with a space"),
]


@pytest.mark.parametrize(("body", "field", "code", "words"), FIELDS, ids=[row[1] + " " + row[2] for row in FIELDS])
def test_each_problem_names_its_field_and_the_cure(world: Any, body: Mapping[str, Any], field: str, code: str, words: str) -> None:
    answer = world.a.post("/v1/keys", body)
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (422, field, code)
    assert words in error["message"] + "$"
    assert "should" not in error["message"]
    assert "validation" not in error["message"]
    assert answer.json["detail"] == f"{field} {error['message']}", "some callers show nothing else"


TRIGGER = {"name": "Paid", "connector": "shopify", "event": "order.paid", "template": "paid"}
INNER = [
    ("/v1/triggers", {**TRIGGER, "all": [{"feild": "x", "op": "is"}]}, "all.0.feild", "did you mean field?"),
    ("/v1/triggers", {**TRIGGER, "cap": {"count": 1, "per": 9, "each": 1}}, "cap.each", "there are count, per"),
    (
        "/v1/routes",
        {"primary": ["acc_" + "0" * 32], "rules": [{"countries": ["UZ"]}]},
        "rules.0.countries",
        "did you mean country?",
    ),
    ("/v1/routes", {"primary": ["x"]}, "primary.0", "must look like acc_ and 32 hexadecimal digits"),
    ("/v1/routes", {"primary": ["acc_" + "0" * 32], "countries": ["uz"]}, "countries.0", "two capital letters, such as UZ"),
    ("/v1/templates", {"name": "a/b", "bodies": {"en": "x"}}, "name", "it stands in addresses"),
    ("/v1/templates", {"name": "a", "bodies": {"en-!": "x"}}, "bodies.en-!", "write it as in es-CO"),
    ("/v1/balance/credits", {"amount": "ten", "currency": "USD"}, "amount", "such as 100.00"),
]


@pytest.mark.parametrize(("path", "body", "field", "words"), INNER, ids=[row[2] for row in INNER])
def test_a_problem_further_in_names_the_cure_as_well(
    world: Any, path: str, body: Mapping[str, Any], field: str, words: str
) -> None:
    answer = (world.a.put if path == "/v1/routes" else world.a.post)(path, body)
    told = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert answer.status_code == 422
    assert words in told[field]


def test_the_detail_of_many_problems_tells_the_first_ones(world: Any) -> None:
    answer = world.a.post("/v1/triggers", {})
    assert answer.json["detail"] == "name is required; connector is required; event is required; and 1 more"
    assert world.a.post("/v1/triggers", []).json["detail"] == "the body must be an object"


PARAMETERS = [
    ("limit=0", "limit", "out_of_range"),
    ("limit=201", "limit", "out_of_range"),
    ("limit=ten", "limit", "wrong_type"),
    ("limit=5&limit=6", "limit", "repeated"),
    ("page=2", "page", "unknown_field"),
    ("cursor=zz", "cursor", "cursor_invalid"),
    ("cursor=%00", "cursor", "nul"),
]


@pytest.mark.parametrize(("query", "field", "code"), PARAMETERS)
def test_a_bad_parameter(world: Any, query: str, field: str, code: str) -> None:
    answer = world.a.get(f"/v1/keys?{query}")
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (422, field, code)


def test_an_empty_parameter_is_left_out(world: Any) -> None:
    """`?status=&cursor=` is what programs write that have nothing to say."""
    assert world.a.get("/v1/messages?status=&to=&trigger=&event=&since=&cursor=&limit=").json["items"] == []
    assert world.a.get("/v1/keys?page=").json["errors"][0]["code"] == "unknown_field"
    assert world.a.get("/v1/status?message_id=").json["errors"][0]["code"] == "required"


@pytest.mark.parametrize("written", ["2026-03-02T14:00:00+05:00", "2026-03-02T14:00:00%2B05:00", "2026-03-02T14:00:00.000+05:00"])
def test_a_time_east_of_utc_may_have_its_plus_unescaped(world: Any, written: str) -> None:
    """An address decodes it to a space; nothing else could have stood there."""
    assert len(world.a.get(f"/v1/audit?action=key.created&since={written}").json["items"]) > 0
    assert world.a.get(f"/v1/audit?action=key.created&since={written.replace('14:', '15:')}").json["items"] == []


@pytest.mark.parametrize("number", ["x", "1.5", "-1", "9" * 20])
def test_what_has_no_such_number_is_404(world: Any, number: str) -> None:
    answer = world.a.get(f"/v1/templates/hello/versions/{number}")
    assert (answer.status_code, answer.json["detail"]) == (404, "nothing has this number here; they are 1, 2, 3 and so on")


def test_a_call_without_parameters_takes_none(world: Any) -> None:
    assert world.a.get(f"/v1/keys/key_{world.a.key_id.hex}?verbose=1").status_code == 422


def test_pages_are_stable_while_rows_are_added(world: Any) -> None:
    names = [world.a.post("/v1/keys", {**GOOD, "name": f"k{number}"}).json["name"] for number in range(5)]
    first = world.a.get("/v1/keys?limit=3").json
    world.a.post("/v1/keys", {**GOOD, "name": "late"})
    second = world.a.get(f"/v1/keys?limit=3&cursor={first['next']}").json
    assert [key["name"] for key in first["items"] + second["items"]] == [*reversed(names), "test"]
    assert second["next"] is None


ADDRESSES = [
    ("GET", "/nowhere", 404, "not_found"),
    ("GET", "/v1/keys/", 404, "not_found"),
    ("GET", "/v1/keys/key_12", 404, "not_found"),
    ("PUT", "/v1/keys", 405, "method_not_allowed"),
    ("OPTIONS", "/v1/keys", 405, "method_not_allowed"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), ADDRESSES)
def test_an_address_or_method_we_do_not_serve(world: Any, method: str, path: str, status: int, code: str) -> None:
    answer = world.a._send(method, path, None)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"


def test_nothing_has_a_name_with_a_nul_in_it(world: Any) -> None:
    for method, path in (
        ("GET", "/v1/templates/%00"),
        ("GET", "/v1/templates/a%00b"),
        ("POST", "/v1/templates/a%00b/versions/1/approve"),
        ("GET", "/v1/workers/a%00b"),
        ("DELETE", "/v1/workers/a%00b"),
        ("GET", "/v1/consents/%2B99890%000000001"),
        ("POST", "/hooks/shopify/%00"),
        ("GET", "/install/%00/callback"),
        ("GET", "/%00"),
    ):
        answer = world.a._send(method, path, None)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found"), path


def test_a_nul_anywhere_else_is_the_caller_s_mistake(world: Any) -> None:
    account = world.a.post("/v1/carrier-accounts", {"carrier": "twilio", "name": "T", "credentials": TWILIO, "settings": {}}).json
    assert world.a.client.get(f"{urlsplit(account['dlr_url']).path}?MessageSid=%00").status_code == 400
    assert world.a.client.get("/install/shopify?shop=a%00b.myshopify.com").status_code == 400
    for path in ("/v1/consents/import", "/v1/workers/import"):
        answer = world.a.post(path, data=b"ref,msisdn\nw\x001,+998900000001\n", content_type="text/csv")
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "nul"), path


CONNECTIONS = [
    ("a stranger's body", "/v1/keys", {"Authorization": "Bearer x"}, b"{}", 401, "close"),
    ("an unknown hook", "/hooks/shopify/nokey", {}, b"{}", 404, "close"),
    ("no such address", "/nowhere", {}, b"{}", 404, "close"),
    ("no such method", "/livez", {}, b"{}", 405, "close"),
    ("too large", "/v1/keys", {}, b"x" * 300_000, 413, "close"),
    ("an action's body that nobody asked for", "/v1/templates/x/versions/1/approve", {}, b"{}", 404, "close"),
    ("no body", "/nowhere", {}, b"", 404, None),
    ("a body that was read", "/v1/keys", {}, b"{", 400, None),
    ("a body that was read for its key", "/v1/templates/x/versions/1/approve", {"Idempotency-Key": "1"}, b"{}", 404, None),
]


@pytest.mark.parametrize(
    ("label", "path", "headers", "body", "status", "connection"), CONNECTIONS, ids=[row[0] for row in CONNECTIONS]
)
def test_who_left_a_body_unread_says_that_the_connection_ends(
    world: Any, label: str, path: str, headers: dict[str, str], body: bytes, status: int, connection: str | None
) -> None:
    answer = world.a.post(path, data=body, headers=headers, content_type="application/json")
    assert (answer.status_code, answer.headers.get("Connection")) == (status, connection)


ALLOWED = [
    ("GET", "/v1/messages/batch", "POST"),
    ("OPTIONS", "/v1/messages/batch", "POST"),
    ("OPTIONS", "/v1/consents/import", "POST"),
    ("OPTIONS", "/v1/messages/msg_1", "DELETE, GET"),
    ("OPTIONS", "/v1/consents/+998900000001", "GET, PUT"),
    # a template or a worker may be called so
    ("OPTIONS", "/v1/templates/preview", "DELETE, GET, PATCH, POST"),
    ("OPTIONS", "/v1/workers/import", "DELETE, GET, PATCH, POST"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ALLOWED)
def test_allow_lists_what_is_there(world: Any, method: str, path: str, allowed: str) -> None:
    answer = world.a._send(method, path, None)
    found = {one.strip() for one in answer.headers["Allow"].split(",")} - {"HEAD"}
    assert (answer.status_code, ", ".join(sorted(found))) == (405, allowed)


def test_every_answer_has_its_headers(world: Any) -> None:
    for path in ("/v1/keys", "/nowhere", "/livez", "/docs"):
        headers = world.a.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Request-Id"]


def test_every_line_of_a_request_names_it(world: Any) -> None:
    """`X-Request-Id` finds not only the access line, but what went wrong."""

    def fail() -> None:
        logging.getLogger("bellwire.web.tried").warning("it went wrong", extra={"reason": "of course"})
        raise RuntimeError("broken")

    world.app.add_url_rule("/fail-loudly", "fail-loudly", fail)
    written, root = io.StringIO(), logging.getLogger()
    kept, levels = root.handlers[:], {one: logging.getLogger(one).level for one in (None, *OURS)}
    try:
        configure("json", "info", written)
        answers = [world.app.test_client().get("/fail-loudly") for _ in range(2)]
    finally:
        root.handlers[:] = kept
        for one, level in levels.items():
            logging.getLogger(one).setLevel(level)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    for answer in answers:
        mine = [line["event"] for line in lines if line.get("request_id") == answer.headers["X-Request-Id"]]
        assert mine[0] == "it went wrong"
        assert mine[-1] == "request.served"
        assert len(mine) == len(lines) / 2


def test_the_access_log_holds_no_query_and_no_path(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="bellwire_web.access"):
        world.a.get("/v1/keys?cursor=998901234567")
    (record,) = [one for one in caplog.records if one.name == "bellwire_web.access"]
    assert record.__dict__["fields"]["route"] == "/v1/keys"
    assert "998901234567" not in str(record.__dict__)


# -- repeats ------------------------------------------------------------------------------------------------------


def count(world: Any) -> int:
    return len(world.a.get("/v1/keys").json["items"])


def test_a_repeat_gets_the_first_answer(world: Any) -> None:
    before = count(world)
    first, second = (world.a.post("/v1/keys", GOOD, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert count(world) == before + 1


def test_the_same_key_with_another_body_is_422(world: Any) -> None:
    world.a.post("/v1/keys", GOOD, headers={"Idempotency-Key": "k1"})
    answer = world.a.post("/v1/keys", {**GOOD, "name": "other"}, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "idempotency_key_reused")


def test_tenants_do_not_share_keys(world: Any) -> None:
    a, b = (one.post("/v1/keys", GOOD, headers={"Idempotency-Key": "k1"}) for one in (world.a, world.b))
    assert a.json["id"] != b.json["id"]


def test_what_was_refused_may_be_repeated(world: Any) -> None:
    bad = {**GOOD, "expires_at": "2026-03-01T00:00:00Z"}
    assert world.a.post("/v1/keys", bad, headers={"Idempotency-Key": "k1"}).status_code == 422
    assert world.a.post("/v1/keys", GOOD, headers={"Idempotency-Key": "k1"}).status_code == 201


def test_a_key_is_forgotten_after_a_day(world: Any) -> None:
    first = world.a.post("/v1/keys", GOOD, headers={"Idempotency-Key": "k1"})
    world.clock.forward(hours=24)
    second = world.a.post("/v1/keys", {**GOOD, "name": "new"}, headers={"Idempotency-Key": "k1"})
    assert second.status_code == 201
    assert second.json["id"] != first.json["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "naïve"])
def test_a_bad_key_is_422(world: Any, key: str) -> None:
    answer = world.a.post("/v1/keys", GOOD, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_many_at_once_make_one(world: Any) -> None:
    before = count(world)
    start = threading.Barrier(8)

    def send() -> int:
        start.wait()
        answer: int = world.a.post("/v1/keys", GOOD, headers={"Idempotency-Key": "k1"}).status_code
        return answer

    with ThreadPoolExecutor(8) as pool:
        statuses = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert count(world) == before + 1


# -- declarations -------------------------------------------------------------------------------------------------


class Thing(Answer):
    """A thing."""

    name: str


class ThingRequest(Model):
    """A thing to make."""

    at: Timestamp | None = None
    wait: Duration | None = None


def test_a_view_without_a_scope_is_not_served() -> None:
    routes = Routes("things", "Things.")

    @routes._declare("GET", "/v1/things")
    def list_things(call: Call) -> Thing:
        """List."""
        raise AssertionError

    with pytest.raises(DeclarationWrong, match="no scope"):
        check(routes.operations[0])


def test_a_view_whose_path_says_something_else_is_not_served() -> None:
    routes = Routes("things", "Things.")

    @routes.get("/v1/things/<thg:thing_id>", scope=Scope.ADMIN)
    def get_thing(call: Call, other_id: str) -> Thing:
        """Show."""
        raise AssertionError

    with pytest.raises(DeclarationWrong, match="parameters"):
        check(routes.operations[0])


def test_an_endpoint_nobody_declared_stops_the_start(world: Any) -> None:
    app = Flask("stray")
    app.add_url_rule("/secret", "secret", lambda: "x")
    with pytest.raises(DeclarationWrong, match="/secret"):
        check_policies(app, {"static"})


@pytest.mark.parametrize(
    ("given", "seconds"), [(90, 90), ("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800), (0, 0), ("366d", 31_622_400)]
)
def test_durations(given: Any, seconds: int) -> None:
    assert ThingRequest.model_validate({"wait": given}).wait == seconds


@pytest.mark.parametrize("given", ["", "-1s", "1.5h", "367d", -1, True, "١s", "soon", [], 10**30, float("nan")])
def test_what_is_no_duration(given: Any) -> None:
    with pytest.raises(ValueError, match="wait"):
        ThingRequest.model_validate({"wait": given})


# -- errors -------------------------------------------------------------------------------------------------------

ERRORS = [
    (FieldInvalid("to", "is no number", "invalid_number"), 422, "invalid_fields", None),
    (NotFound("trigger", "trg_1"), 404, "not_found", None),
    (Conflict("already_final", "it is delivered"), 409, "already_final", None),
    (StoreUnavailable("too many writes are waiting"), 503, "store_unavailable", "1"),
    (RuntimeError("the number is +998901234567"), 500, "internal", None),
]


@pytest.mark.parametrize(("error", "status", "code", "retry"), ERRORS, ids=[row[2] for row in ERRORS])
def test_what_is_raised_becomes_a_problem(world: Any, error: Exception, status: int, code: str, retry: str | None) -> None:
    def fail() -> None:
        raise error

    world.app.add_url_rule("/fail", "fail", fail) if "fail" not in world.app.view_functions else None
    answer = world.app.test_client().get("/fail")
    assert (answer.status_code, answer.json["code"], answer.headers.get("Retry-After")) == (status, code, retry)
    assert "998901234567" not in answer.text
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
