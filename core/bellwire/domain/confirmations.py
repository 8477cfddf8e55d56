"""What we answer to STOP, START and HELP: one segment each, never marketing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files

from bellwire.domain.locales import pick
from bellwire.domain.segments import measure

#: The same word again within this time is not answered again.
SILENCE = timedelta(hours=24)
_MAX_BRAND = 40


class Kind(StrEnum):
    """What a reply may ask of us."""

    STOP = "stop"
    START = "start"
    HELP = "help"


def confirmation(kind: Kind | str, language: str, brand: str, contact: str = "") -> str:
    """Our answer in one segment: GSM-7 where the language and the brand allow it, else UCS-2.

    `language`: a locale; one we have no text for gets English. `brand`: the tenant's name, cut where there is no room. `contact`:
    where help is (a link, a number), left out when it takes too much. Raises ValueError for an unknown kind.
    """
    kind, texts = Kind(kind), _texts()
    chosen = texts[pick(texts, [language], "en") or "en"]
    name, where = " ".join(brand.split())[:_MAX_BRAND].strip(), " ".join(contact.split())
    if kind is Kind.HELP and not where:
        return _fitting(chosen["help_alone"], name, "")
    text = _fitting(chosen[kind], name, where)
    return text if _is_short(text) else _fitting(chosen["help_alone"], name, "")


def may_confirm(last: datetime | None, now: datetime) -> bool:
    """Whether a keyword is answered: not again within 24 hours of the last answer to the same one."""
    return last is None or now - last >= SILENCE


def _fitting(texts: Sequence[str], brand: str, contact: str) -> str:
    """The fullest text that is one segment; else the shortest, with as much of the brand as fits."""
    for text in texts:
        whole = text.format(brand=brand, contact=contact)
        if _is_short(whole):
            return whole
    for room in range(len(brand) - 1, 0, -1):
        cut = texts[-1].format(brand=brand[:room].rstrip(), contact=contact)
        if _is_short(cut):
            return cut
    return texts[-1].format(brand=brand[:1], contact=contact)


def _is_short(text: str) -> bool:
    return measure(text).segments == 1


@cache
def _texts() -> Mapping[str, Mapping[str, Sequence[str]]]:
    raw = json.loads((files("bellwire.domain") / "data" / "confirmations.json").read_text(encoding="utf-8"))
    return {language: texts for language, texts in raw.items() if language != "about"}
