"""The user data header: its bytes, and how much text a segment holds behind it (3GPP TS 23.040 9.2.3.24)."""

from __future__ import annotations

from functools import cache

from bellwire.domain.national import National
from bellwire.model import Encoding

USER_DATA_OCTETS = 140
MAX_SEGMENTS = 255  # the concatenation element counts them in one octet


def udh(reference: int, total: int, index: int, bits: int = 8, national: National | None = None) -> bytes:
    """The header of segment `index` (from 1) of `total`, with its length octet; empty when none is needed.

    `reference` is the same in all segments of a message: 8 or 16 `bits`. Raises ValueError when a number is out of range.
    """
    if not 1 <= total <= MAX_SEGMENTS or not 1 <= index <= total:
        raise ValueError(f"segment {index} of {total}: a message has 1 to {MAX_SEGMENTS} segments, counted from 1")
    if not 0 <= reference < 1 << _checked(bits):
        raise ValueError(f"reference {reference} does not fit {bits} bits")
    elements = b""
    if total > 1:  # 9.2.3.24.1 and .8
        number = reference.to_bytes(bits // 8)
        elements = bytes([0x00 if bits == 8 else 0x08, len(number) + 2]) + number + bytes([total, index])
    if national is not None:
        elements += national.elements
    return bytes([len(elements)]) + elements if elements else b""


@cache
def capacity(encoding: Encoding, *, concatenated: bool, bits: int = 8, national: National | None = None) -> int:
    """Septets or UTF-16 units that one segment holds behind its header: 160/153 and 70/67 with the usual reference."""
    header = len(udh(0, 2 if concatenated else 1, 1, bits, national))
    octets = USER_DATA_OCTETS - header
    return octets * 8 // 7 if encoding is Encoding.GSM7 else octets // 2


def _checked(bits: int) -> int:
    if bits not in (8, 16):
        raise ValueError(f"reference of {bits} bits: use 8 or 16")
    return bits
