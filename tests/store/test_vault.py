"""Sealed values open in their own place and nowhere else, under a key that is known; the blind index outlives the master key."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from bellwire.errors import DecryptionFailed
from bellwire.ids import new_id
from bellwire.model import Msisdn
from bellwire.store.vault import Vault, derive, fingerprint
from hypothesis import given, settings
from hypothesis import strategies as st

MASTER, OLDER = b"k" * 32, b"o" * 32
VAULT = Vault(MASTER)
TENANT, ROW = new_id(), new_id()
PLACE = (TENANT, "contacts.msisdn", ROW)
SECRET = "+573001234567"
ELSEWHERE: list[tuple[str, tuple[UUID, str, UUID]]] = [
    ("another tenant", (new_id(), "contacts.msisdn", ROW)),
    ("another row", (TENANT, "contacts.msisdn", new_id())),
    ("another column", (TENANT, "contacts.name", ROW)),
    ("another table", (TENANT, "replies.msisdn", ROW)),
    ("tenant and row changed about", (ROW, "contacts.msisdn", TENANT)),
]


@settings(max_examples=50)
@given(st.text(), st.uuids(), st.uuids(), st.sampled_from(["messages.text", "contacts.msisdn"]))
def test_what_is_sealed_opens_in_its_place(value: str, tenant: UUID, row: UUID, column: str) -> None:
    assert VAULT.open(VAULT.seal(value, tenant, column, row), tenant, column, row) == value


def test_json_comes_back_and_an_empty_column_is_none() -> None:
    value = {"name": "Zoë", "to": [1, None, True]}
    assert VAULT.open_json(VAULT.seal_json(value, *PLACE), *PLACE) == value
    assert VAULT.open_json(None, *PLACE) is None


@pytest.mark.parametrize("place", [row[1] for row in ELSEWHERE], ids=[row[0] for row in ELSEWHERE])
def test_a_value_that_was_moved_does_not_open(place: tuple[UUID, str, UUID]) -> None:
    with pytest.raises(DecryptionFailed) as caught:
        VAULT.open(VAULT.seal(SECRET, *PLACE), *place)
    assert place[1] in str(caught.value)
    assert SECRET not in str(caught.value)


@settings(max_examples=100)
@given(st.data())
def test_a_value_of_which_a_bit_was_changed_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(SECRET, *PLACE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DecryptionFailed):
        VAULT.open(bytes(sealed), *PLACE)


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + b"\0", lambda _: b"", lambda s: s[:5]])
def test_a_value_of_another_length_does_not_open(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DecryptionFailed):
        VAULT.open(change(VAULT.seal(SECRET, *PLACE)), *PLACE)


def test_no_two_seals_are_the_same() -> None:
    sealed = [VAULT.seal(SECRET, *PLACE) for _ in range(1_000)]
    # version and key id, then 96 random bits, then the value with a tag of 128 bits (NIST SP 800-38D)
    assert {(one[:5], len(one)) for one in sealed} == {(sealed[0][:5], 5 + 12 + len(SECRET) + 16)}
    assert len({one[5:17] for one in sealed}) == len(sealed)


def test_a_key_of_before_still_opens_and_seals_nothing_new() -> None:
    old = Vault(OLDER).seal(SECRET, *PLACE)
    rotated = Vault(MASTER, [OLDER])
    assert rotated.open(old, *PLACE) == SECRET
    assert VAULT.open(rotated.seal(SECRET, *PLACE), *PLACE) == SECRET
    with pytest.raises(DecryptionFailed, match="not among"):
        VAULT.open(old, *PLACE)
    assert (rotated.audit_key, rotated.login_key) == (VAULT.audit_key, VAULT.login_key)
    assert rotated.audit_keys == (VAULT.audit_key, Vault(OLDER).audit_key)
    assert rotated.check_values == (*VAULT.check_values, *Vault(OLDER).check_values)


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = {derive(master, purpose) for master in (MASTER, OLDER) for purpose in ("data", "audit", "login", "check")}
    assert len(keys) == 8
    assert {len(key) for key in keys} == {32}
    assert not keys & {MASTER, OLDER}


# -- the blind index ----------------------------------------------------------------------------------------------


def test_a_number_is_found_again_after_the_key_was_changed() -> None:
    wrapped = Vault(OLDER).new_index_key(TENANT)
    before, after = (vault.index(TENANT, wrapped) for vault in (Vault(OLDER), Vault(MASTER, [OLDER])))
    one, other = Msisdn("+573001234567"), Msisdn("+573001234568")
    assert before.of(one) == after.of(one) != after.of(other)
    assert len(after.of(one)) == 32


def test_a_number_tells_nothing_from_one_tenant_to_another() -> None:
    other = new_id()
    keys = {TENANT: VAULT.new_index_key(TENANT), other: VAULT.new_index_key(other)}
    indexes = {VAULT.index(tenant, key).of(Msisdn(SECRET)) for tenant, key in keys.items()}
    assert len(indexes) == 2
    with pytest.raises(DecryptionFailed):
        VAULT.index(other, keys[TENANT])


def test_a_contacts_id_follows_from_its_number() -> None:
    index = VAULT.index(TENANT, VAULT.new_index_key(TENANT))
    ids = [index.contact_id(index.of(Msisdn(f"+57300123{number:04}"))) for number in range(200)]
    assert ids == [index.contact_id(index.of(Msisdn(f"+57300123{number:04}"))) for number in range(200)]
    assert len(set(ids)) == 200
    assert {(one.version, one.variant) for one in ids} == {(8, "specified in RFC 4122")}


@settings(max_examples=50)
@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_the_parts_of_a_fingerprint_do_not_run_together(one: list[str], other: list[str]) -> None:
    assert (fingerprint(*one) == fingerprint(*other)) == (one == other)


def test_a_fingerprint_of_parts_that_read_alike() -> None:
    assert len({fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint("abc"), fingerprint("abc", "")}) == 4
    assert fingerprint("é") == fingerprint("é".encode())
    assert len(fingerprint()) == len(fingerprint("abc" * 100)) == 16
