"""The pages say what the code does: what is made from it is as it would be made, examples run, and what is named exists."""

from __future__ import annotations

import ast
import json
import re
import shutil
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

import make_reference
import pytest
from bellwire.cli import COMMANDS
from bellwire.config import settings
from bellwire.domain.ledger import Source
from bellwire.domain.tenant_settings import _CHECKS as TENANT_SETTINGS
from bellwire.domain.triggers import Op
from bellwire.environment import RESERVED
from bellwire.errors import ErrorClass
from bellwire.model import Purpose, Reason, Status
from bellwire.plugins import load_plugins
from bellwire_web.api.events import Outcome
from bellwire_web.api.triggers import Role, TriggerRequest, TriggerState
from docs_session import Block, Session, blocks, difference, runnable

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
KNOWN_BLOCKS = {"sh", "sh server", "sh manual", "json", "json answer", "python", "toml", "text", "ini", "nginx", "caddy", "http"}


def name_of(page: object) -> str:
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else ""


@pytest.mark.parametrize("page", make_reference.paths(), ids=name_of)
def test_what_is_made_from_the_code_is_as_the_code_is(page: Path) -> None:
    assert page.exists(), "run `make docs`"
    assert page.read_text(encoding="utf-8") == make_reference.text_of(page), "run `make docs`"


def test_an_example_has_all_that_its_call_requires() -> None:
    calls = make_reference.text_of(ROOT / "docs/reference/api.md").split("\n### ")
    for call in calls[1:]:
        _, _, after = call.partition("| parameter | type |  |")
        for name in re.findall(r"^\| `(\w+)` \(required\)", after, re.MULTILINE):
            assert f"{name}={{{name}}}" in call, call.partition("\n")[0]
    by_csv = dict(re.findall(r"/v1/(\w+)/import\".*\n.*@(\w+)\.csv", "\n".join(calls)))
    assert by_csv == {"consents": "consents", "workers": "workers"}
    assert "| `message_id` (required) |" in "\n".join(calls)


# -- examples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name_of)
def test_a_pages_examples_run(page: Path, tmp_path: Path) -> None:
    missing = [tool for tool in ("bash", "curl", "openssl", "base64") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    session = Session(tmp_path)
    try:
        session.run(page)
    finally:
        session.close()


def every_block() -> Iterator[tuple[Path, Block]]:
    for page in PAGES:
        for block in blocks(page):
            yield page, block


def test_every_block_says_what_it_is() -> None:
    assert [(name_of(page), block.line, block.info) for page, block in every_block() if block.info not in KNOWN_BLOCKS] == []


def test_every_block_can_be_read_by_who_it_is_for() -> None:
    read = {"json": json.loads, "python": ast.parse, "toml": tomllib.loads}
    for page, block in every_block():
        if block.info in read:
            try:
                read[block.info](block.text)
            except ValueError as e:
                pytest.fail(f"{name_of(page)}:{block.line}: {e}")


ANSWERS = [
    ("a field that is left out does not matter", {"a": 1, "b": 2}, {"a": 1}, True),
    ("a field that is missing does", {"b": 2}, {"a": 1}, False),
    ("another value does", {"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, False),
    ("the rest of a text does not", {"id": "msg_01"}, {"id": "msg_…"}, True),
    ("its beginning does", {"id": "evt_01"}, {"id": "msg_…"}, False),
    ("more items do not", {"a": [1, 2]}, {"a": [1]}, True),
    ("fewer items do", {"a": []}, {"a": [1]}, False),
    ("true is no 1", {"a": 1}, {"a": True}, False),
    ("null is no missing field", {}, {"a": None}, False),
]


@pytest.mark.parametrize(("label", "got", "wanted", "fits"), ANSWERS, ids=[label for label, *_ in ANSWERS])
def test_answers_are_compared(label: str, got: object, wanted: object, fits: bool) -> None:
    assert (difference(got, wanted) == "") is fits


def test_an_example_that_fails_is_told_with_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n```sh\nfalse | cat\necho it goes on\n```\n")
    session = Session(tmp_path)
    try:
        with pytest.raises(AssertionError, match=r"page\.md:3"):
            session.run(page)
    finally:
        session.close()


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_commands_that_there_are(page: Path) -> None:
    known = {*COMMANDS, *load_plugins().commands, "example-till"}
    named = set(re.findall(r"(?:^ *|`|\$\()bellwire ([a-z][a-z-]*)", page.read_text(), re.MULTILINE))
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_settings_that_there_are(page: Path) -> None:
    known = {f"BELLWIRE_{name.upper()}" for name in settings()} | RESERVED | {"BELLWIRE_NAME"}
    assert set(re.findall(r"\bBELLWIRE_[A-Z_]*[A-Z]\b", page.read_text())) <= known


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_links_to_what_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """How a page's headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


COMPLETE: list[tuple[str, Collection[str]]] = [
    ("glossary.md", [*Status, *Reason, *ErrorClass, *Outcome]),
    ("triggers.md", [*Op, *Outcome, *Role, *TriggerState, *(set(TriggerRequest.model_fields) - {"name"})]),
    ("consent.md", [*Purpose, *(set(Source) - {Source.EVENT, Source.ERASURE, Source.RELEASE})]),
    ("operations.md", list(TENANT_SETTINGS)),
]


@pytest.mark.parametrize(("page", "words"), COMPLETE, ids=[page for page, _ in COMPLETE])
def test_a_page_leaves_nothing_out(page: str, words: Collection[str]) -> None:
    told = set(re.findall(r"`([^`\n]+)`", (ROOT / "docs" / page).read_text()))
    assert {str(word) for word in words} <= told


def test_every_page_can_be_reached_from_the_index() -> None:
    todo, seen = [ROOT / "docs" / "index.md"], set()
    while todo:
        page = todo.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        todo += [page.parent / target for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())]
    assert {name_of(page) for page in (ROOT / "docs").rglob("*.md")} <= {name_of(page) for page in seen}
