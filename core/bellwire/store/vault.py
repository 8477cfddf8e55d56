"""Encryption of personal and secret columns, and the blind index that finds them again.

One master key gives, by HKDF-SHA256 (RFC 5869), separate keys for data, index wrapping, login and audit. A sealed value is
`version | key id | nonce | AES-256-GCM ciphertext`; its associated data are tenant, table, column and row, so that a value
moved anywhere else does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bellwire.errors import DecryptionFailed
from bellwire.model import Msisdn

_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12  # NIST SP 800-38D: random 96-bit nonces, at most 2**32 values a key
_HEAD = 1 + _KEY_ID_BYTES
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # made once: it costs more than most values
NOBODY = UUID(int=0)


def derive(master: bytes, purpose: str) -> bytes:
    """The 32-byte key for one purpose: `data`, `index`, `login`, `audit`, `check`."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"bellwire/" + purpose.encode()).derive(master)


class Vault:
    """Seals and opens values. Holds the current master key and older ones that still open what they sealed."""

    def __init__(self, master: bytes, older: Sequence[bytes] = ()) -> None:
        self._boxes: dict[bytes, AESGCM] = {}
        for one in (*older, master):
            key = derive(one, "data")
            self._head = _VERSION + hashlib.sha256(b"id" + key).digest()[:_KEY_ID_BYTES]
            self._box = self._boxes[self._head] = AESGCM(key)
        self.audit_key = derive(master, "audit")
        self.audit_keys = (self.audit_key, *(derive(one, "audit") for one in older))  # what older seals were made with
        self.login_key = derive(master, "login")
        self.check_values = tuple(derive(one, "check") for one in (master, *older))

    def seal(self, value: str, tenant: UUID, column: str, row: UUID) -> bytes:
        """Encrypt `value` for `column` ("table.column") of `row`."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._box.encrypt(nonce, value.encode(), _context(tenant, column, row))

    def open(self, sealed: bytes, tenant: UUID, column: str, row: UUID) -> str:
        """Decrypt what `seal` made for the same place. Raises DecryptionFailed naming the column, never the value."""
        box = self._boxes.get(sealed[:_HEAD])
        if box is None:
            raise DecryptionFailed(f"{column}: written under a key that is not among SECRET_KEY and SECRET_KEYS_OLD")
        try:
            plain = box.decrypt(sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :], _context(tenant, column, row))
        except (InvalidTag, ValueError) as e:  # ValueError: it was cut, so that not even the nonce is whole
            raise DecryptionFailed(f"{column}: the stored value was altered or belongs to another row") from e
        return plain.decode()

    def seal_json(self, value: Any, tenant: UUID, column: str, row: UUID) -> bytes:
        """Encrypt a JSON value."""
        return self.seal(_encode(value), tenant, column, row)

    def open_json(self, sealed: bytes | None, tenant: UUID, column: str, row: UUID) -> Any:
        """The JSON value behind `seal_json`; None for an empty column."""
        return None if sealed is None else json.loads(self.open(sealed, tenant, column, row))

    def new_index_key(self, tenant: UUID) -> bytes:
        """A tenant's own key for its blind index, wrapped: rotating the master key does not touch the index."""
        return self.seal(os.urandom(32).hex(), tenant, "tenants.index_key", tenant)

    def index(self, tenant: UUID, wrapped_key: bytes) -> BlindIndex:
        """The tenant's blind index."""
        return _index(self, tenant, wrapped_key)


class BlindIndex:
    """Exact match on encrypted numbers: HMAC-SHA256 under the tenant's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, msisdn: Msisdn) -> bytes:
        """32 bytes that stand for the number in `contacts.msisdn_ix`."""
        return hmac.digest(self._key, msisdn.encode(), "sha256")

    def of_person(self, installation_id: UUID, ref: str) -> bytes:
        """32 bytes that stand for a person as an account at a platform calls them, in `consents.person_hash`."""
        return hmac.digest(self._key, b"person" + installation_id.bytes + ref.encode(), "sha256")

    def contact_id(self, msisdn_ix: bytes) -> UUID:
        """The id a new contact with this index gets: the same in every process, so that two first messages make one contact."""
        noise = int.from_bytes(hmac.digest(self._key, b"contact" + msisdn_ix, "sha256")[:16])
        return UUID(int=(noise & ~(0xF << 76) & ~(0x3 << 62)) | (0x8 << 76) | (0x2 << 62))  # UUIDv8 (RFC 9562): made as we like


@lru_cache(maxsize=1024)
def _index(vault: Vault, tenant: UUID, wrapped_key: bytes) -> BlindIndex:
    return BlindIndex(bytes.fromhex(vault.open(wrapped_key, tenant, "tenants.index_key", tenant)))


def _context(tenant: UUID, column: str, row: UUID) -> bytes:
    return tenant.bytes + row.bytes + column.encode()


def key_hash(key: str) -> bytes:
    """What is stored of a key that stands in a URL or an Authorization header (256 random bits need no salt)."""
    return hashlib.sha256(key.encode()).digest()


def fingerprint(*parts: str | bytes) -> bytes:
    """16 bytes that stand for a dedupe key; the parts are length-prefixed so that they cannot run together."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(4) + data)
    return digest.digest()
