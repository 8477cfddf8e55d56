"""Country codes as people write them in settings: ISO 3166 alpha-2, checked where they come in."""

from __future__ import annotations

from bellwire.errors import FieldInvalid

#: ISO 3166 says GB; people write UK.
_ALSO_CALLED = {"UK": "GB"}


def country_code(raw: object, field: str) -> str:
    """The code in capital letters. Raises FieldInvalid naming `field`: a misspelt country would silently never match."""
    import phonenumbers  # 6 MB that a command line seldom needs

    code = raw.upper() if isinstance(raw, str) and len(raw) == 2 else ""
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    if code in _ALSO_CALLED:
        raise FieldInvalid(field, f"is written {_ALSO_CALLED[code]}")
    raise FieldInvalid(field, "must be a country code of two letters (ISO 3166), such as CO")
