"""Where a status goes, by what its event is about: a workflow's run, a record's timeline, a contact. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bellwire import Installation

#: communication → record, HubSpot's own association types.
ASSOCIATIONS = {"contact": 81, "deal": 85, "ticket": 83}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a status goes: the workflow's run, the record that the event was about, the person."""

    callback: str = ""
    record: tuple[str, str] = ("", "")
    contact: str = ""

    def __bool__(self) -> bool:
        """Whether there is anything to write on."""
        return bool(self.callback or self.record[0] or self.contact)


def target_of(subject: str, customer_ref: str) -> Target:
    """`action/ap-1/deal/7`, `deal/7`, `contact/904`, and the person's own reference."""
    steps = subject.split("/")
    callback = ""
    if steps[0] == "action" and len(steps) == 4:
        callback, steps = steps[1], steps[2:]
    kind, number = steps if len(steps) == 2 else ("", "")
    record = (kind, number) if kind in ASSOCIATIONS and _is_id(number) else ("", "")
    person = customer_ref.removeprefix("contact/")
    contact = record[1] if record[0] == "contact" else person if _is_id(person) else ""
    return Target(callback=callback, record=record, contact=contact)


def writes_on(subject: str, customer_ref: str, _installation: Installation) -> bool:
    """Whether a status can be written on what an event is about, or on its person."""
    return bool(target_of(subject, customer_ref))


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdigit() and len(number) <= 19
