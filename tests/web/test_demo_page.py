"""The demo's page: what it tells, that it is there in the demo only, and that nothing from outside becomes markup."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import bellwire_web
import pytest
import requests
from bellwire.cli import main
from bellwire.cli.setup import Setup
from bellwire.model import Reason, Status
from bellwire.store.inbox import Reply
from bellwire_web import demo, demo_page
from bellwire_web.api.events import Outcome
from bellwire_web.demo_story import REASONS, TONES, Outgoing, handsets, said
from click.testing import CliRunner
from standins.demo_shop import HOSTILE, free_port, report, set_up, stop

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STATIC = Path(bellwire_web.__file__).parent / "static"


class Markup(HTMLParser):
    """What a browser would take for markup."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(world: Any) -> Any:
    """Gets the page of tenant A."""
    demo_page.mount(world.app, world.runtime, tenant="acme")
    return lambda **headers: world.a.client.get("/", headers=headers)


# -- where it is -------------------------------------------------------------------------------------------------


def test_without_the_demo_there_is_nothing_at_the_root(world: Any) -> None:
    assert world.a.client.get("/").status_code == 404


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[str]:
    port = free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "BELLWIRE_DATABASE_URL": f"sqlite:///{folder}/bellwire.db",
        "BELLWIRE_LOG_LEVEL": "error",
    }
    setup = Setup(environ=environment, cwd=folder)
    assert CliRunner().invoke(main, ["tenant", "create", "demo", "--country", "UZ"], obj=setup).exit_code == 0
    parent = Path(bellwire_web.__file__).with_name("parent.py")
    process = subprocess.Popen(
        [sys.executable, "-P", str(parent), "127.0.0.1", str(port), "1", "4", *more], env=environment, cwd=folder
    )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        stop(process)


@pytest.mark.parametrize(
    ("more", "status"), [((), 404), (("demo", str(os.getpid())), 200)], ids=["a plain serve has no page", "the demo has one"]
)
def test_the_process_that_serves(tmp_path: Path, more: tuple[str, ...], status: int) -> None:
    with serving(tmp_path, *more) as url:
        ends = time.monotonic() + 30
        while True:
            with contextlib.suppress(requests.ConnectionError):
                assert requests.get(url, timeout=5).status_code == status
                return
            assert time.monotonic() < ends, "it never served"
            time.sleep(0.05)


def test_the_story_names_no_address_that_is_gone_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    demo._show({"events": [], "messages": [], "write_backs": []})
    assert "http" not in capsys.readouterr().out


# -- what it tells -----------------------------------------------------------------------------------------------


def test_an_empty_page_says_what_will_stand_there(page: Any) -> None:
    told = Markup(page().text).text
    assert "0 events, 0 texts, 0 delivered" in told
    assert all(
        one in told for one in ("No handset has been texted yet.", "Nothing has come in yet.", "No text has been written yet.")
    )


def test_an_order_stands_there_with_what_decided_and_its_text(world: Any, page: Any) -> None:
    shop = set_up(world)
    report(world, shop, 1001, name="Ana")
    told = " ".join(Markup(page().text).text.split())
    assert "1 event, 1 text, 0 delivered" in told
    assert "Order created #1001" in told
    assert "text on order.created" in told
    assert "What decided: " in told
    assert "Hi Ana, thanks for #1001" in told


def test_what_comes_from_outside_is_text_and_never_markup(world: Any, page: Any) -> None:
    shop = set_up(world, trigger=HOSTILE)
    report(world, shop, 1001, name=HOSTILE)
    found = Markup(page().text)
    assert found.text.count(HOSTILE) >= 3  # the person, the trigger, the text
    tags = [tag for tag, _ in found.tags]
    assert "img" not in tags
    assert tags.count("script") == 1  # the page's own
    assert not [attributes for _, attributes in found.tags if any(name.startswith("on") or name == "style" for name in attributes)]


def test_it_may_load_its_own_files_and_nothing_else(page: Any) -> None:
    answer = page()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    found = Markup(answer.text)
    loaded = [attributes.get("src") or attributes.get("href") for tag, attributes in found.tags if tag in ("script", "link", "img")]
    assert loaded
    assert all(one is not None and one.startswith("/static/") for one in loaded)


def test_a_page_without_news_is_not_sent_again(page: Any) -> None:
    first = page()
    assert page(If_None_Match=first.headers["ETag"]).status_code == 304


def test_it_only_shows_the_demos_tenant(world: Any, page: Any) -> None:
    shop = set_up(world, caller=world.b)
    report(world, shop, 1001, name="Somebody of another tenant")
    assert "another tenant" not in page().text


# -- handsets ----------------------------------------------------------------------------------------------------


def text(status: Status, second: int = 0, *, to: str = "+998900000001", reason: str = "") -> Outgoing:
    return Outgoing(
        id=f"msg_{second}", to=to, person="Ana", about="#1", status=status, reason=said(reason), text="Hello", locale="en",
        facts=(), why=(), attempts=(), write_backs=(), created_at=NOW + timedelta(seconds=second),
    )  # fmt: skip


def reply(words: str, second: int, msisdn: str = "+998900000001") -> Reply:
    nobody = UUID(int=0)
    return Reply(
        id=nobody, msisdn=msisdn, text=words, to="1", kind=None, rule=None, status="", message_id=None, account_id=nobody,
        received_at=NOW + timedelta(seconds=second), passed=None, passed_to=None, error="", answer=None, answers=None,
    )  # fmt: skip


BUBBLES = [
    (Status.DELIVERED, "arrived", "Hello"),
    (Status.SENT, "coming", "Hello"),
    (Status.QUEUED, "coming", "Hello"),
    (Status.SCHEDULED, "coming", "Hello"),
    (Status.SENDING, "coming", "Hello"),
    (Status.UNKNOWN, "coming", "Hello"),
    (Status.UNDELIVERED, "lost", "Hello"),
    (Status.FAILED, "lost", "Hello"),
    (Status.EXPIRED, "lost", "Hello"),
    (Status.REFUSED, "never", ""),
    (Status.CANCELED, "never", ""),
]


@pytest.mark.parametrize(("status", "kind", "shown"), BUBBLES, ids=[status for status, _, _ in BUBBLES])
def test_a_handset_shows_what_became_of_a_text(status: Status, kind: str, shown: str) -> None:
    [phone] = handsets([text(status)], [])
    assert [(bubble.kind, bubble.text) for bubble in phone.bubbles] == [(kind, shown)]


def test_every_status_has_its_row() -> None:
    assert {status for status, _, _ in BUBBLES} == set(Status)


def test_a_handset_shows_texts_and_replies_in_their_order() -> None:
    [phone] = handsets([text(Status.REFUSED, 3, reason="opted_out"), text(Status.DELIVERED, 1)], [reply("STOP", 2)])
    assert [bubble.kind for bubble in phone.bubbles] == ["arrived", "reply", "never"]
    assert phone.bubbles[2].note == "#1: no text was sent, because this person said STOP."


def test_each_number_has_its_own_handset_and_nobody_has_none() -> None:
    found = handsets(
        [text(Status.DELIVERED), text(Status.SENT, 1, to="+998900000002"), text(Status.REFUSED, to="")],
        [reply("Hi", 2, "+998900000003")],
    )
    assert [phone.msisdn for phone in found] == ["+998900000001", "+998900000002", "+998900000003"]


# -- words and colours -------------------------------------------------------------------------------------------


def test_every_reason_is_said_in_words() -> None:
    assert set(REASONS) == set(Reason)


def test_every_status_and_outcome_has_a_tone() -> None:
    assert {*Status, *Outcome} <= TONES.keys()


PAIRS = [
    *[(ink, ground) for ink in ("ink", "soft", "link", "bad") for ground in ("page", "card")],
    *[(ink, "bubble") for ink in ("ink", "soft")],
    *[(tone, f"{tone}-bg") for tone in ("good", "waits", "bad", "none")],
    ("reply-ink", "reply"),
    ("page", "ink"),
]


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour.removeprefix("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_far_enough_apart(scheme: str) -> None:
    light, _, dark = (STATIC / "demo.css").read_text().partition("@media (prefers-color-scheme: dark)")
    source = light if scheme == "light" else dark.partition("* {")[0]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", source))
    ratios = {}
    for ink, ground in PAIRS:
        darker, lighter = sorted((luminance(colours[ink]), luminance(colours[ground])))
        ratios[f"{ink} on {ground}"] = (lighter + 0.05) / (darker + 0.05)
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}  # WCAG 2.2, 1.4.3


def test_the_files_name_no_other_machine() -> None:
    files = list(STATIC.glob("demo.*"))
    assert len(files) == 3
    for file in files:
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", file.read_text()), file.name
