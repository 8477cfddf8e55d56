"""YES 4821: which question a reply answers, and which replies answer none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from bellwire.domain.answers_to import Asked, question, read
from bellwire.domain.newest import State, state_of
from bellwire.model import Event
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIRST, SECOND = UUID(int=1), UUID(int=2)


def asked(number: UUID = FIRST, **more: Any) -> Asked:
    known: dict[str, Any] = {"subject": f"shift/{number.int}", "keywords": ("YES", "NO", "OK"), "code": "0546"}
    return Asked(**{"message_id": number, "event_id": number, **known, **more})


ONE = [asked()]
TWO = [asked(), asked(SECOND, code="7711")]
REPLIES: list[tuple[str, str, list[Asked], tuple[str, str] | None]] = [
    ("the word and the code", "YES 0546", ONE, ("YES", "shift/1")),
    ("in small letters", "yes 0546", ONE, ("YES", "shift/1")),
    ("run together", "No0546", ONE, ("NO", "shift/1")),
    ("the code first", "0546 yes", ONE, ("YES", "shift/1")),
    ("with marks", " Yes! (0546).", ONE, ("YES", "shift/1")),
    ("the code in two", "yes 05 46", ONE, ("YES", "shift/1")),
    ("over two lines", "YES\n0546", ONE, ("YES", "shift/1")),
    ("Arabic-Indic digits", "yes ٠٥٤٦", ONE, ("YES", "shift/1")),
    ("full-width letters", "ＹＥＳ　０５４６", ONE, ("YES", "shift/1")),
    ("a word in Cyrillic", "да 0546", [asked(keywords=("ДА",))], ("ДА", "shift/1")),
    ("a code of letters", "yes ab12", [asked(code="AB12")], ("YES", "shift/1")),
    ("the second of two", "yes 7711", TWO, ("YES", "shift/2")),
    ("an OK where one question is open", "Ok", ONE, ("OK", "shift/1")),
    ("an OK where two are", "OK", TWO, None),
    ("an OK where one of two is answered", "OK", [asked(), asked(SECOND, is_open=False)], ("OK", "shift/1")),
    ("an OK nobody asked for", "OK", [asked(keywords=("YES", "NO"))], None),
    ("a yes without the code decides nothing", "yes", ONE, None),
    ("another code", "yes 0547", ONE, None),
    ("only the code", "0546", ONE, None),
    ("a word that was not offered", "maybe 0546", ONE, None),
    ("a sentence around it", "well yes 0546 I think", ONE, None),
    ("answered already", "yes 0546", [asked(is_open=False)], None),
    ("to the second of its end", "yes 0546", [asked(expires_at=AT)], ("YES", "shift/1")),
    ("a moment after its end", "yes 0546", [asked(expires_at=AT - timedelta(microseconds=1))], None),
    ("two questions with one code", "yes 0546", [asked(), asked(SECOND)], None),
    ("the same question texted twice", "yes 0546", [asked(), asked(SECOND, subject="shift/1")], ("YES", "shift/1")),
    ("nothing", "", ONE, None),
    ("nothing to be asked", "yes 0546", [], None),
    ("a book", "yes 0546 " * 100, ONE, None),
]


@pytest.mark.parametrize(("label", "text", "questions", "expected"), REPLIES, ids=[row[0] for row in REPLIES])
def test_what_a_reply_answers(label: str, text: str, questions: list[Asked], expected: tuple[str, str] | None) -> None:
    found = read(text, questions, AT)
    assert (None if found is None else (found.keyword, found.asked.subject)) == expected


@given(st.text(max_size=80))
def test_no_text_breaks_it_and_without_the_code_nothing_is_decided(text: str) -> None:
    found = read(text, ONE, AT)
    digits = "".join(char for char in text if char.isalnum())
    assert found is None or found.keyword == "OK" or len(digits) > len("0546")


QUESTIONS = [
    ("whole", {"reply.keywords": ["yes", "no"], "reply.code": "1"}, ("YES", "NO")),
    ("no code", {"reply.keywords": ["yes"]}, None),
    ("no words", {"reply.keywords": [], "reply.code": "1"}, None),
    ("words of another kind", {"reply.keywords": [1, None], "reply.code": "1"}, None),
    ("a text for words", {"reply.keywords": "yes", "reply.code": "1"}, None),
]


@pytest.mark.parametrize(("label", "data", "keywords"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_questions_in_events(label: str, data: dict[str, Any], keywords: tuple[str, ...] | None) -> None:
    found = question(data, message_id=FIRST, event_id=FIRST, subject="shift/1")
    assert (found.keywords if found else None) == keywords


OLDER = [
    ("a lower version", (2, AT), (3, AT - timedelta(days=1)), True),
    ("the same version", (3, AT), (3, AT), False),
    ("a higher version told earlier", (4, AT - timedelta(days=1)), (3, AT), False),
    ("no versions, an earlier time", (0, AT), (0, AT + timedelta(seconds=1)), True),
    ("no versions, the same time", (0, AT), (0, AT), False),
    ("a version against none", (1, AT), (0, AT + timedelta(days=1)), False),
    ("none against a version", (0, AT), (5, AT + timedelta(days=1)), False),
]


@pytest.mark.parametrize(("label", "mine", "known", "older"), OLDER, ids=[row[0] for row in OLDER])
def test_which_state_is_older(label: str, mine: tuple[int, datetime], known: tuple[int, datetime], older: bool) -> None:
    assert State(key="x", version=mine[0], at=mine[1]).is_older_than(*known) is older


def test_reminders_and_payments_tell_no_state() -> None:
    for kind in ("shift.reminder", "task.due", "task.payment", "timecard.missing", "order.created"):
        assert state_of(Event(id="1", type=kind, occurred_at=AT, subject="x/1")) is None
    made = state_of(
        Event(id="1", type="task.assigned", occurred_at=AT, subject="task/9", data={"task.id": "9", "task.version": True})
    )
    assert made is not None
    assert (made.key, made.version) == ("task/9", 0)
