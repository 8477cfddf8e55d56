"""What became of a text, as a comment where the people work. Each is written once: a mark in its text tells it again.

No whole number stands in a note, the text only where `settings.write_back_text` asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC

from bellwire import Installation, PlatformRejected, ReplyNote, StatusChange

from bellwire_connectors.redaction import without_numbers

from .bodies import one_line

Existing = Callable[[str], Iterable[str]]
Add = Callable[[str, str], None]


def write_notes(changes: Sequence[StatusChange], *, who: str, kind: str, existing: Existing, add: Add) -> None:
    """Write each status on its object unless it stands there already. Raises PlatformError.

    `kind`: the subject's (`task`). `existing`: an object's newest comments; `add`: writes one. One object that is refused does not
    keep the others from being written; it is raised at the end.
    """
    refused: list[PlatformRejected] = []
    for target, group in _by_target(changes, kind).items():
        if not target:
            refused.append(PlatformRejected(f"{who}: the event is about no {kind}", code="no_target"))
            continue
        try:
            _write(target, [(mark(change), note(change)) for change in group], existing, add)
        except PlatformRejected as e:
            refused.append(e)
    if refused:
        raise refused[0]


def write_reply_note(reply: ReplyNote, *, who: str, kind: str, existing: Existing, add: Add) -> None:
    """Write a person's reply on the object of the message replied to, once. Raises PlatformError."""
    target = target_of(reply.subject, kind)
    if not target:
        raise PlatformRejected(f"{who}: the reply belongs to no {kind}", code="no_target")
    sign = f"({reply.reply_id})"
    text = (
        f"SMS reply from …{reply.msisdn[-2:]} at {reply.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {one_line(reply.text, 1600)} {sign}"
    )
    _write(target, [(sign, text)], existing, add)


def mark(change: StatusChange) -> str:
    """What a note of this status is told by."""
    return f"({change.message_id} {change.status.value})"


def note(change: StatusChange) -> str:
    """The note: one line."""
    parts = [f"SMS {change.status.value} at {change.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"]
    parts += [f"to …{change.msisdn_tail}"] if change.msisdn_tail else []
    parts += [f"by trigger {one_line(change.trigger)}"] if change.trigger else []
    parts += [f"reason: {without_numbers(one_line(change.reason))}"] if change.reason else []
    parts += [f"text: {one_line(change.text, 1600)}"] if change.text else []
    return f"{', '.join(parts)} {mark(change)}"


def target_of(subject: str, kind: str) -> str:
    """The object's id in a subject of this kind: `task/BUG-15` → `BUG-15`; "" for any other."""
    given, _, rest = subject.partition("/")
    return rest if given == kind else ""


def writes_on_tasks(subject: str, _customer_ref: str, _installation: Installation) -> bool:
    """Whether what an event is about holds comments: a task does."""
    return bool(target_of(subject, "task"))


def _by_target(changes: Iterable[StatusChange], kind: str) -> Mapping[str, list[StatusChange]]:
    found: dict[str, list[StatusChange]] = {}
    for change in changes:
        found.setdefault(target_of(change.subject, kind), []).append(change)
    return found


def _write(target: str, notes: Sequence[tuple[str, str]], existing: Existing, add: Add) -> None:
    there = list(existing(target))
    for sign, text in notes:
        if not any(sign in one for one in there):
            add(target, text)
            there.append(text)
