"""Whom a privacy request is about, and which events tell of that person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bellwire.domain import msisdn as numbers
from bellwire.model import Event, Msisdn, Person

_TAIL = 7  # digits that a number has in every spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One person as somebody asks for them. `refs`: a platform's names of them; `subjects`: objects of theirs (orders).

    An e-mail address counts only where nothing better is known: families share them.
    """

    phones: frozenset[Msisdn] = field(default=frozenset(), repr=False)
    refs: frozenset[str] = frozenset()
    emails: frozenset[str] = field(default=frozenset(), repr=False)
    subjects: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is meant."""
        return not (self.phones or self.refs or self.emails or self.subjects)

    def document(self) -> dict[str, Any]:
        """As plain JSON, personal."""
        return {name: sorted(getattr(self, name)) for name in ("phones", "refs", "emails", "subjects")}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Wanted:
        """The request behind `document`."""
        return cls(
            phones=frozenset(Msisdn(one) for one in document["phones"]),
            refs=frozenset(document["refs"]),
            emails=frozenset(document["emails"]),
            subjects=frozenset(document["subjects"]),
        )

    def shares(self, other: Wanted) -> bool:
        """Whether both mean the same person: one number or name in common, an address where one of them has nothing better."""
        if self.phones & other.phones or self.refs & other.refs:
            return True
        is_known = (self.phones or self.refs) and (other.phones or other.refs)
        return not is_known and bool(self.emails & other.emails)

    def is_told_of(self, people: Mapping[str, Person], subject: str, countries: Sequence[str]) -> bool:
        """Whether an event tells of the person. `countries`: by which numbers without `+` are read, after the person's own."""
        if subject and (subject in self.subjects or subject.partition("/")[2] in self.refs):
            return True
        return any(self.is_it(person, countries) for person in people.values())

    def is_it(self, person: Person, countries: Sequence[str]) -> bool:
        """Whether this is the person."""
        if person.ref and person.ref in self.refs:
            return True
        if self._has_phone(person, countries):
            return True
        return not (self.phones or self.refs) and bool(person.email) and person.email.strip().casefold() in self.emails

    def _has_phone(self, person: Person, countries: Sequence[str]) -> bool:
        tails = {one[-_TAIL:] for one in self.phones}
        for written in (*person.phones, *(person.marketing_phones or ())):
            digits = "".join(str(int(char)) for char in written if char.isdigit())
            # parsing costs; the last digits are the same however a number is written
            if digits[-_TAIL:] in tails and numbers.parse(written, [*person.countries, *countries]) in self.phones:
                return True
        return False


def wanted_in(event: Event, countries: Sequence[str]) -> Wanted:
    """Whom a platform's request is about: its customer, and the orders it lists."""
    person = event.customer or Person()
    parsed = (numbers.parse(one, [*person.countries, *countries]) for one in person.phones)
    orders = event.data.get("request.orders")
    listed = [one for one in orders if isinstance(one, str)] if isinstance(orders, Sequence) and not isinstance(orders, str) else []
    return Wanted(
        phones=frozenset(one for one in parsed if one is not None),
        refs=frozenset({person.ref} - {""}),
        emails=frozenset({person.email.strip().casefold()} - {""}),
        subjects=frozenset(f"order/{one}" for one in listed),
    )
