"""Printing: JSON for programs, tables for people, progress only where somebody watches."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from bellwire import Status
from bellwire.cli.output import note, print_json, print_table, progress, say
from bellwire.plugins import PluginInfo, PluginState
from pydantic import SecretStr


def test_json_is_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "id": UUID(int=1),
            "at": datetime(2026, 1, 5, 11, tzinfo=timezone(timedelta(hours=2))),
            "price": Decimal("0.0750"),
            "status": Status.SENT,
            "path": Path("a/b"),
            "set": frozenset({"b", "a"}),
            "plugin": PluginInfo(name="x", state=PluginState.ENABLED),
            "text": "Ваш заказ",
        }
    )
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["id"], told["at"]) == ("00000000-0000-0000-0000-000000000001", "2026-01-05T09:00:00Z")
    assert (told["price"], told["status"], told["path"], told["set"]) == ("0.075", "sent", "a/b", ["a", "b"])
    assert (told["plugin"]["state"], "Ваш заказ" in line) == ("enabled", True)


def test_json_never_holds_what_nobody_thought_of() -> None:
    with pytest.raises(TypeError, match="a SecretStr can't be printed"):
        print_json({"key": SecretStr("x")})


def test_a_table_shows_cells_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        ["name", "value"], [("[red]x[/red]", True), ("a\x1b[31m\nb", None), ("list", ["a", 1]), ("long " * 30, Status.SENT)]
    )
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "a\\x1b[31m\\x0ab" in out
    assert "\x1b" not in out
    assert "long " * 29 in out, "nothing is cut for a pipe"
    assert "a, 1" in out
    assert "yes" in out
    assert "sent" in out


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [], empty="No plugin.")
    assert capsys.readouterr().out == "No plugin.\n"


def test_lines_go_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    say("result\x07")
    note("beside it")
    assert capsys.readouterr() == ("result\\x07\n", "beside it\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ticking(*times: float) -> Iterator[float]:
    yield from times


@pytest.mark.parametrize(
    ("stream", "times", "shown"),
    [
        (Terminal(), (0, 0.2, 0.9), False),
        (Terminal(), (0, 0.2, 1.1, 2.0), True),
        (io.StringIO(), (), False),
    ],
    ids=["quick work shows nothing", "long work on a terminal shows a bar", "in a pipe nothing is shown"],
)
def test_progress(stream: io.StringIO, times: tuple[float, ...], shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    clock = ticking(*times)
    with progress("Importing", 3, stream=stream, clock=lambda: next(clock)) as advance:
        for _ in range(max(0, len(times) - 1) or 3):
            advance(1)
    assert ("Importing" in stream.getvalue()) is shown


def test_now_is_utc() -> None:
    assert datetime(2026, 1, 5, tzinfo=UTC).utcoffset() == timedelta(0)
