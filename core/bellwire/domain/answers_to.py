"""What a reply answers: a question was texted with its words and a code, `YES 4821` names both. Pure.

A word alone decides nothing, because a person may have been asked twice: without the code only an OK counts (it settles nothing
but that the text was read), and only where one question is open. A code is good once, and until its question ends.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bellwire.domain.deadlines import moment
from bellwire.model import Json
from bellwire.signing import same

ACKNOWLEDGED = "OK"
_LONGEST = 64  # a longer text is no keyword and a code


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that went out. `subject`: what it is about; `is_open`: nobody has answered it yet."""

    message_id: UUID
    event_id: UUID
    subject: str
    keywords: tuple[str, ...]
    code: str
    expires_at: datetime | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """The word that was said, as the question has it, and the question."""

    keyword: str
    asked: Asked


def question(data: Mapping[str, Json], *, message_id: UUID, event_id: UUID, subject: str, is_open: bool = True) -> Asked | None:
    """The question in an event's data: `reply.keywords`, `reply.code`, `reply.expires_at`; None where nothing is asked."""
    words, code = data.get("reply.keywords"), data.get("reply.code")
    if not isinstance(words, Sequence) or isinstance(words, str) or not isinstance(code, str) or not _folded(code):
        return None
    keywords = tuple(word.upper() for word in words if isinstance(word, str) and _folded(word))
    if not keywords:
        return None
    return Asked(
        message_id=message_id,
        event_id=event_id,
        subject=subject,
        keywords=keywords,
        code=code,
        expires_at=moment(data.get("reply.expires_at")),
        is_open=is_open,
    )


def may_answer(text: str) -> bool:
    """Whether a text could be an answer at all: a word, with or without a code."""
    return 0 < len(_folded(text)) <= _LONGEST and len(text) <= 4 * _LONGEST


def read(text: str, asked: Sequence[Asked], at: datetime) -> Answer | None:
    """What a text answers of what a person was asked, the newest question first. None: an ordinary reply, or not one question's."""
    said = _folded(text)
    if not said or not may_answer(text):
        return None
    still = [one for one in asked if one.is_open and (one.expires_at is None or at <= one.expires_at)]
    found = [
        Answer(word, one)
        for one in still
        for word in one.keywords
        if same(said, _folded(word + one.code)) | same(said, _folded(one.code + word))
    ]
    if not found and said == _folded(ACKNOWLEDGED):
        found = [Answer(ACKNOWLEDGED, one) for one in still if ACKNOWLEDGED in one.keywords]
    about = {(answer.asked.subject, answer.keyword) for answer in found}
    return found[0] if len(about) == 1 else None


def _folded(text: str) -> str:
    """Letters and digits as they were meant: no case, no marks, no blanks, digits of any script as ours."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(str(unicodedata.decimal(char, char)) for char in plain if char.isalnum())
