"""Log lines: what may stand in them, and that planted canaries never do (promises H5, F8)."""

from __future__ import annotations

import ast
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import bellwire
import pytest
import structlog
from bellwire import PayloadInvalid, Status
from bellwire.logs import GRANIAN, NUMBERS, WORDS, allowed, bound, configure, logger
from bellwire.masking import HIDDEN, mask, name, told, where
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

CANARIES = {
    "msisdn": "+998901234567",
    "national": "(555) 010-0199",
    "text": "Zebra order canary-text",
    "token": "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",
    "secret": "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5",
    "bearer": "Bearer c4n4ry-T0ken.value",
    "email": "ana.canary@example.com",
    "password": "hunter2canary",
}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is written while a test runs; the logging of the test run itself is put back afterwards."""
    root = logging.getLogger()
    kept, level, levels = root.handlers[:], root.level, {n: logging.getLogger(n).level for n in GRANIAN["loggers"]}
    written = io.StringIO()
    configure("json", "info", written)
    yield written
    root.handlers[:] = kept
    root.setLevel(level)
    for one in ("bellwire", "bellwire_connectors", "bellwire_web"):
        logging.getLogger(one).setLevel(logging.NOTSET)
    for one, before in levels.items():
        logging.getLogger(one).setLevel(before)
    structlog.reset_defaults()


def written(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


log = logger("bellwire.tried")


def test_a_line_says_what_happened(lines: io.StringIO) -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    id_ = UUID("01900000-0000-7000-8000-000000000001")
    log.info("message.sent", message=f"msg_{id_.hex}", tenant=id_, status=Status.SENT, state=at, duration_ms=1.5, code=404, ok=True)
    (line,) = written(lines)
    assert line.pop("timestamp")
    assert line == {
        "level": "info",
        "logger": "bellwire.tried",
        "event": "message.sent",
        "message": f"msg_{id_.hex}",
        "tenant": str(id_),
        "status": "sent",
        "state": "2026-01-05T00:00:00Z",
        "duration_ms": 1.5,
        "code": "404",
        "ok": True,
    }


def test_the_standard_librarys_way_says_the_same(lines: io.StringIO) -> None:
    plain = logging.getLogger("bellwire.tried")
    with bound(tenant="shop"):
        plain.warning("a webhook was refused", extra={"connector": "shopify", "reason": "to +998901234567", "unheard_of": "x"})
    logging.getLogger("somebody").warning("odd", extra={"connector": "shopify"})
    ours, theirs = written(lines)
    assert (ours["connector"], ours["tenant"], ours["unheard_of"]) == ("shopify", "shop", "…")
    assert "998901234567" not in str(ours["reason"])
    assert ours["event"] == "a webhook was refused"
    assert "connector" not in theirs


def test_every_field_that_our_code_names_may_pass() -> None:
    """A name that no wall knows is printed as "…", and one of the line's own would take its place."""
    root, unknown = Path(bellwire.__file__).parents[2], set()
    for path in (one for folder in ("core", "connectors", "webhooks_app") for one in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                unknown |= {(path.name, key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
    assert unknown, "there are such lines"
    assert {one for one in unknown if one[1] not in WORDS | NUMBERS | {"fields"}} == set()


def test_levels(lines: io.StringIO) -> None:
    log.debug("too.quiet")
    log.warning("thing.odd", error="late")
    log.error("thing.broken")
    assert [(line["level"], line["event"]) for line in written(lines)] == [("warning", "thing.odd"), ("error", "thing.broken")]


def test_fields_around_a_block_stand_in_each_of_its_lines(lines: io.StringIO) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with bound(trace_id=trace, tenant="shop"):
        log.info("in.side", worker="w1")
    log.info("out.side")
    inside, outside = written(lines)
    assert (inside["trace_id"], inside["tenant"], inside["worker"]) == (trace, "shop", "w1")
    assert "trace_id" not in outside


@pytest.mark.parametrize(("kind", "canary"), CANARIES.items(), ids=list(CANARIES))
def test_no_canary_from_our_own_lines(kind: str, canary: str, lines: io.StringIO) -> None:
    class Holder:
        def __repr__(self) -> str:
            return canary

    log.info("event.read", body=canary, msisdn=canary, text=canary, headers={"x": canary})
    log.info("event.read", carrier=[canary], connector={"a": canary}, tenant=canary.encode(), plugin=Holder(), count=canary)
    with bound(anything=canary):
        log.info("event.read", **{canary: "as a name"})
    structlog.get_logger("bellwire.other").info("event.read", body=canary, reply={"text": canary})
    assert canary not in lines.getvalue()
    assert len(written(lines)) == 4


@pytest.mark.parametrize(("kind", "canary"), [(k, v) for k, v in CANARIES.items() if k not in ("text", "password")])
def test_no_canary_inside_an_allowed_word(kind: str, canary: str, lines: io.StringIO) -> None:
    """A free text can't be told from any other; that is why texts are no allowed field."""
    log.warning("job.failed", why=f"it said {canary} to us", error=f"x {canary}", reason=canary)
    log.info(f"event {canary}")  # noqa: G004  # what nobody should do
    assert canary not in lines.getvalue()


@pytest.mark.parametrize(("kind", "canary"), CANARIES.items(), ids=list(CANARIES))
def test_no_canary_from_a_library(kind: str, canary: str, lines: io.StringIO) -> None:
    for library in ("urllib3.connectionpool", "aiohttp.access", "_granian", "pyactiveresource.connection", "asyncio", "stranger"):
        other = logging.getLogger(library)
        other.info("quiet %s", canary)
        other.warning("sent %s to %r after %d tries", canary, {"to": canary}, 3)
        other.warning("named %(what)s", {"what": canary})
        other.warning("%s", canary)
        if kind not in ("text", "password"):  # words like any other, to whoever looks at a finished sentence
            other.warning(f"it is {canary}")  # libraries do
        other.warning(ValueError(canary))
    assert canary not in lines.getvalue()
    assert "quiet" not in lines.getvalue()
    assert len(written(lines)) == (24 if kind in ("text", "password") else 30)


@pytest.mark.parametrize(("kind", "canary"), CANARIES.items(), ids=list(CANARIES))
def test_no_canary_from_an_error(kind: str, canary: str, lines: io.StringIO) -> None:
    class Body(BaseModel):
        phone: int

    def deep(body: str) -> None:
        held = body * 2
        try:
            Body.model_validate({"phone": held})
        except ValidationError as e:
            raise LookupError(body) from e

    for wrong in (lambda: deep(canary), lambda: {}[canary], lambda: Path(f"/nowhere/{canary}").stat()):
        try:
            wrong()
        except Exception as e:
            log.error("job.failed", error=e)
            logging.getLogger("stranger").exception("it failed")
    assert canary not in lines.getvalue()
    assert canary[:12] not in lines.getvalue()
    told_of = " ".join(str(line["exception"]) for line in written(lines))
    assert "LookupError" in told_of
    assert "ValidationError" in told_of
    assert "FileNotFoundError: ENOENT" in told_of
    assert "tests/test_logs.py" in told_of


def test_our_own_errors_say_what_they_say() -> None:
    assert name(PayloadInvalid("missing", "order.name")) == "PayloadInvalid: missing: order.name"
    assert name(PayloadInvalid("not one of ours +15550100001")) == f"PayloadInvalid: not one of ours {HIDDEN}"


def test_a_chain_of_errors_is_told_with_its_places() -> None:
    def inner() -> None:
        raise KeyError("x")

    try:
        try:
            inner()
        except KeyError as e:
            raise PayloadInvalid("no x") from e
    except PayloadInvalid as e:
        lines, place = told(e).splitlines(), where(e)
    assert place.startswith("test_logs.py:")
    assert [line for line in lines if not line.startswith("  ")] == ["PayloadInvalid: no x", "caused by KeyError"]
    assert lines[-1].endswith(" inner")
    assert where(ValueError()) == ""


KEPT = [
    "msg_01936f7a1b2c7d3e8f90123456789012",
    "01936f7a-1b2c-7d3e-8f90-123456789012",
    "2026-01-05T09:00:00.123Z",
    "2026-01-05",
    "2026-01-05 09:00:00+02:00",
    "127.0.0.1:8080",
    "order.created",
    "HTTP 429, 3 of 5 tries in 120000 ms",
    "bellwire_connectors/shopify/webhook.py:123",
]

MASKED = [
    ("a number with a plus", "to +998901234567 now", "to … now"),
    ("a number without one", "998901234567", "…"),
    ("spaces and brackets", "on +1 (555) 010-0199.", "on …."),
    ("dots", "555.010.0199", "…"),
    ("full-width digits", "+９９８９０１２３４５６７", "…"),
    ("no-break spaces", "+998\u00a090\u00a0123\u00a045\u00a067", "…"),
    ("after a letter", "tel998901234567", "tel…"),
    ("a card number", "4111 1111 1111 1111", "…"),
    ("a query", "GET /sms?to=1&text=hi HTTP", "GET /sms… HTTP"),
    ("a password in a URL", "postgresql://bellwire:hunter2@db/x", "postgresql://…db/x"),
    ("a password in a sentence", 'password="hunter2" refused', '…" refused'),
    ("a header", "Authorization: Bearer abc.def-ghi", "… abc.def-ghi"),
    ("a bearer token", "sent Bearer abcdef123", "sent …"),
    ("a JWT", "eyJhbGciOi.eyJzdWIi.c2ln", "…"),
    ("an API key of ours", "bw_live_abcdefgh", "…"),
    ("a hash", "d41d8cd98f00b204e9800998ecf8427e", "…"),
    ("an e-mail address", "from ana@example.com", "from …"),
    ("a line break", "one\r\ntwo", "one\\x0d\\x0atwo"),
    ("an escape sequence", "\x1b[31mred", "\\x1b[31mred"),
    ("a line separator", "a\u2028b\x85c", "a\\u2028b\\x85c"),
]


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_a_number_is_kept(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in MASKED], ids=[row[0] for row in MASKED])
def test_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


@given(st.text(), st.from_regex(r"\+[1-9][0-9]{9,14}", fullmatch=True), st.text())
def test_no_number_survives_whatever_stands_around_it(before: str, msisdn: str, after: str) -> None:
    assert msisdn not in mask(f"{before}{msisdn}{after}")


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.text() | st.binary(), st.lists, max_leaves=3)))
def test_only_listed_fields_pass(fields: dict[str, object]) -> None:
    for field, value in allowed(fields).items():
        assert value is None or value == HIDDEN or field in WORDS | NUMBERS


@given(st.text())
def test_a_line_stays_one_line(text: str) -> None:
    assert len((mask(text) or "x").splitlines()) == 1


def test_a_console_line_has_no_local_values(lines: io.StringIO) -> None:
    configure("console", "info", lines)
    canary = CANARIES["msisdn"]
    try:
        raise ValueError(canary)
    except ValueError as e:
        log.error("job.failed", error=e, job="pump", body=canary)
    assert "job.failed" in lines.getvalue()
    assert "ValueError" in lines.getvalue()
    assert canary not in lines.getvalue()


def test_a_library_s_line_whose_arguments_do_not_fit_is_told_without_them(lines: io.StringIO) -> None:
    (ours,) = [one for one in logging.getLogger().handlers if type(one).__module__ == "bellwire.logs"]
    ours.handle(logging.LogRecord("stranger", logging.WARNING, "", 0, "%d and %s", (CANARIES["msisdn"],), None))
    assert [line["event"] for line in written(lines)] == ["… and …"]


def test_a_line_that_cannot_be_written_prints_nothing_else(lines: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    closed = io.StringIO()
    configure("json", "info", closed)
    closed.close()
    logging.getLogger("stranger").warning("to %s", CANARIES["msisdn"])
    assert capsys.readouterr() == ("", "")


def test_granian_speaks_through_the_same_walls(lines: io.StringIO) -> None:
    script = """
import logging.config, sys
from bellwire import logs
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **logs.GRANIAN})
logs.configure("json", "info", sys.stdout)
logging.getLogger("_granian").warning("Worker %s", "+998901234567")
logging.getLogger("granian.access").info("GET /mo?from=+998901234567")
"""
    told_of = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(told_of.stdout)["event"] == "Worker …"
    assert told_of.stderr == ""


def test_a_module_s_log_costs_nothing_on_import() -> None:
    script = "import sys, bellwire.logs as l; l.logger('bellwire.x').info('a.b', tenant='t'); print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_writing_lines_does_not_load_what_draws_errors() -> None:
    script = (
        "import sys, bellwire.logs as l; l.configure('console', 'info', sys.stderr)\n"
        "print([one for one in ('rich', 'pygments') if one in sys.modules])\n"
        "import rich.table; l.configure(); print(rich.table.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    assert (done.stdout, done.stderr) == ("[]\nrich.table\n", "")
