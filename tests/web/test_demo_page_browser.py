"""The demo's page in a browser: no policy is broken, the keyboard reaches all, news come by themselves."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bellwire_web import demo_page
from standins.demo_shop import HOSTILE, free_port, report, set_up, stop
from werkzeug.serving import WSGIRequestHandler, make_server

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
LONG = "Maximiliane-Wilhelmina von und zu Example-Hohenzollern-Sigmaringendorf-Unterhintertupfingen"
WORD = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine ({', '.join(NAMES)})")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `dev`)")
    with playwright.sync_playwright() as started:
        one = started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield one
        one.close()


@dataclass(kw_only=True)
class Seen:
    """A page, and all that the browser complained of."""

    page: Any
    complaints: list[str] = field(default_factory=list)


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Nothing."""


@pytest.fixture
def url(world: Any) -> Iterator[str]:
    demo_page.mount(world.app, world.runtime, tenant="acme")
    server = make_server("127.0.0.1", 0, world.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def look(browser: Any, url: str) -> Iterator[Any]:
    """Opens the page; at the end the browser must have had nothing to complain of."""
    opened: list[tuple[Any, Seen]] = []

    def open_(width: int = 1280, scheme: str = "light", **more: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **more)
        page = context.new_page()
        page.clock.install()  # so that two seconds pass when a test says so
        seen = Seen(page=page)
        page.on("console", lambda said: seen.complaints.append(said.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (seen.complaints.append("a dialog: " + dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: asked.url.startswith(url) or seen.complaints.append("asked " + asked.url))
        page.on("response", lambda answer: answer.status < 400 or seen.complaints.append(f"{answer.status} {answer.url}"))
        page.goto(url)
        opened.append((context, seen))
        return page

    yield open_
    complaints = [one for _, seen in opened for one in seen.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []


def test_names_that_are_markup_are_shown_as_they_were_typed(world: Any, look: Any) -> None:
    report(world, set_up(world, trigger=HOSTILE), 1001, name=HOSTILE)
    page = look()
    page.locator("summary").first.click()
    assert HOSTILE in page.locator("section[aria-labelledby=in] details").first.inner_text()
    assert HOSTILE in page.locator(".phone h3").inner_text()
    assert HOSTILE in page.locator(".bubble p").inner_text()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hangs_over_the_edge(world: Any, look: Any, width: int, scheme: str) -> None:
    shop = set_up(world)
    report(world, shop, 1001, name=LONG)
    report(world, shop, 1002, name=WORD, phone="+998901230098")
    page = look(width, scheme)
    for summary in page.locator("summary").all():
        summary.click()
    beyond = "e => e.getBoundingClientRect().right > innerWidth + 1"
    wide = f"[...document.querySelectorAll('main *')].filter({beyond}).map(e => e.outerHTML)"
    assert page.evaluate(wide) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, dark.removeprefix("rgb(").removesuffix(")").split(","))) < 150) == (scheme == "dark")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_without_data_stands(look: Any, width: int) -> None:
    page = look(width)
    assert page.locator(".empty").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_and_opens_everything(world: Any, look: Any) -> None:
    report(world, set_up(world), 1001, name="Ana")
    page = look()
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.className || document.activeElement.id || document.activeElement.localName")
        )
        if reached[-1].startswith("msg_"):
            break
    assert reached[:4] == ["skip", "pause", "a", "screen"]
    assert reached[4].startswith("evt_")
    assert reached[5].startswith("msg_")
    assert page.locator("section[aria-labelledby=out] details[open]").count() == 0
    page.keyboard.press("Enter")
    assert page.locator("section[aria-labelledby=out] details[open] .trail").first.is_visible()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_skip_link_leads_to_the_content(look: Any) -> None:
    page = look()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_an_event_leads_to_its_text(world: Any, look: Any) -> None:
    report(world, set_up(world), 1001, name="Ana")
    page = look()
    page.locator("section[aria-labelledby=in] summary").click()
    page.get_by_role("link", name="See the text").click()
    assert page.locator("section[aria-labelledby=out] details[open]").count() == 1
    assert page.evaluate("document.activeElement.localName") == "summary"


def test_news_come_by_themselves_and_leave_open_what_is_open(world: Any, look: Any) -> None:
    shop = set_up(world)
    report(world, shop, 1001, name="Ana")
    page = look()
    page.locator("section[aria-labelledby=out] summary").focus()
    page.keyboard.press("Enter")
    report(world, shop, 1002, name="Boris", phone="+998901230098")
    page.clock.run_for(2_000)
    page.get_by_text("2 events").wait_for()
    assert page.locator(".phone").count() == 2
    assert page.locator("details[open]").count() == 1
    assert page.evaluate("document.activeElement.id.startsWith('msg_')")


def test_news_wait_while_they_are_paused(world: Any, look: Any) -> None:
    shop = set_up(world)
    page = look()
    page.get_by_role("button", name="Pause updates").click()
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    report(world, shop, 1001, name="Ana")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert page.get_by_text("0 events").is_visible()
    assert asked == []
    page.get_by_role("button", name="Pause updates").click()
    page.clock.run_for(2_000)
    page.get_by_text("1 event,").wait_for()


def test_without_scripts_it_is_a_page_that_reads_itself_anew(look: Any) -> None:
    page = look(java_script_enabled=False)
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
    assert page.locator("#pause").is_hidden()


def test_the_whole_demo(browser: Any, tmp_path: Path) -> None:
    """The command itself: five made-up buyers, one of whom answers STOP and one of whom can't be reached."""
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "bellwire", "demo", "--port", str(port)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        told = []
        for line in demo.stdout or ():
            told.append(line)
            if line.startswith("Look at"):
                break
        assert f"Look at http://127.0.0.1:{port}/" in told[-1]
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        phones = page.locator(".phone")
        assert phones.count() == 5
        assert page.get_by_text("because this person said STOP").first.is_visible()
        assert page.locator(".bubble.lost").count() == 1
        assert page.locator("section[aria-labelledby=in] details").count() == 6
        page.close()
    finally:
        stop(demo)
        if demo.stdout:
            demo.stdout.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        pass  # the server does not outlive its story
