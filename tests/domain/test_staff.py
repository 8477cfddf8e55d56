"""One entry of the staff directory: what people write, what of it is refused by name, what an event keeps of its own."""

from __future__ import annotations

import pytest
from bellwire.domain.staff import Entry, entry, filled
from bellwire.errors import FieldInvalid
from bellwire.model import Msisdn, Person

WRITTEN = [
    ("a number of the country", {"phone": "90 123 45 67"}, {"msisdn": "+998901234567"}),
    ("the person's own country wins", {"phone": "091 1234567", "country": "hr"}, {"msisdn": "+385911234567", "country": "HR"}),
    ("a language as people write it", {"locale": "UZ_latn_uz"}, {"locale": "uz-Latn-UZ"}),
    ("who has left", {"active": "No"}, {"active": False}),
    ("nothing but the reference", {}, {"msisdn": None, "active": True, "name": "", "locale": ""}),
    ("a name over two lines", {"name": " Dana\nSample "}, {"name": "Dana Sample"}),
    ("a manager", {"manager": " emp-7 "}, {"manager_ref": "emp-7"}),
]


@pytest.mark.parametrize(("label", "values", "expected"), WRITTEN, ids=[row[0] for row in WRITTEN])
def test_what_people_write(label: str, values: dict[str, str], expected: dict[str, object]) -> None:
    made = entry({"ref": "emp-1", **values}, ["UZ"])
    assert {name: getattr(made, name) for name in expected} == expected


REFUSED = [
    ("no reference", {"ref": " "}, "ref"),
    ("a reference with a line feed inside", {"ref": "a\nb"}, "ref"),
    ("a reference without end", {"ref": "x" * 129}, "ref"),
    ("a phone that is none", {"phone": "12"}, "phone"),
    ("an address that is none", {"email": "dana"}, "email"),
    ("a language that is none", {"locale": "?"}, "locale"),
    ("a zone that is none", {"timezone": "Mars/Olympus"}, "timezone"),
    ("a country that is none", {"country": "XX"}, "country"),
    ("neither yes nor no", {"active": "perhaps"}, "active"),
]


@pytest.mark.parametrize(("label", "values", "place"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_can_not_be_used_is_named(label: str, values: dict[str, str], place: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        entry({"ref": "emp-1", **values}, ["UZ"])
    assert raised.value.field == place
    assert not any(len(value) > 2 and value in str(raised.value) for value in values.values()), "the refusal quotes what was given"


def test_names_at_other_systems_are_connectors() -> None:
    assert entry({"ref": "1"}, [], {"clockify": " 5b ", "jira": ""}).systems == {"clockify": "5b"}
    with pytest.raises(FieldInvalid, match="external_ids"):
        entry({"ref": "1"}, [], {"No such": "5b"})


def test_what_an_event_says_itself_wins() -> None:
    known = Entry(
        ref="1", name="Dana", msisdn=Msisdn("+998901234567"), locale="uz", timezone="Asia/Tashkent", country="UZ"
    ).person()
    assert filled(Person(ref="1"), known) == known
    told = filled(Person(ref="1", phones=["+385911234567"], locale="hr"), known)
    assert (told.phones, told.locale, told.timezone, told.name) == (("+385911234567",), "hr", "Asia/Tashkent", "Dana")


def test_who_has_left_has_no_phone() -> None:
    assert Entry(ref="1", msisdn=Msisdn("+998901234567"), active=False).person().phones == ()
