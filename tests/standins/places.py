"""Where people read what became of a text: each platform with its stand-in, and how often a message stands there.

`Gate` stands before a stand-in and can be shut: then the whole platform is down, its token endpoint too.
"""

from __future__ import annotations

import http.client
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from bellwire import Connector
from bellwire.testing import FixedClock, HttpStandIn, StandIn
from bellwire_connectors.hubspot import connector as hubspot
from bellwire_connectors.salesforce import connector as salesforce
from bellwire_connectors.shopify import connector as shopify
from bellwire_connectors.timecard import connector as timecard
from bellwire_connectors.zendesk import connector as zendesk
from standins.hubspot_certified import CertifiedPortal
from standins.salesforce_certified import CertifiedOrganization
from standins.shopify_certified import CertifiedShop
from standins.timecard_certified import CertifiedProducer
from standins.zendesk_certified import CertifiedDesk

_MESSAGE = re.compile(r"msg_[0-9a-f]{32}")


class Gate(HttpStandIn):
    """Passes calls on to a stand-in while it is open; otherwise answers 503. `turned_away`: how many.

    `loses`: so many answers get lost, of the first call of each kind that it passes on.
    """

    def __init__(self, behind: str) -> None:
        super().__init__()
        self._behind, self.open, self.turned_away, self.loses = behind, True, 0, 0
        self._lost: set[str] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        if not self.open:
            self.turned_away += 1
            return 503, {}, b"{}"
        where = urlsplit(self._behind)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        try:
            connection.request(method, path, body, {name: value for name, value in headers.items() if name != "host"})
            answer = connection.getresponse()
            told = answer.read()
            kind = method + _NAMES.sub("", path) + _NAMES.sub("", body[:60].decode())
            if kind not in self._lost and self.loses and "/oauth" not in path:  # a token that is lost needs a person again
                self._lost.add(kind)
                self.loses -= 1
                return 502, {}, b""
            return answer.status, {name: value for name, value in answer.getheaders() if name.lower() in _PASSED}, told
        finally:
            connection.close()


_NAMES = re.compile(r"\w*\d\w*")
_PASSED = frozenset({"retry-after", "sforce-limit-info", "x-rate-limit-remaining"})


class CountingProducer(CertifiedProducer):
    """Keeps what it was told, each event once."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, str] = {}  # event → message

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        answer = super().answer(method, path, headers, body)
        if answer[0] == 200:
            event = json.loads(body)
            self.told[event["id"]] = event["data"]["message_id"]
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One platform. `lines`: every text that stands there and names a message by its id."""

    connector: Connector
    stand_in: Callable[[], StandIn]
    lines: Callable[[Any], list[str]]

    @property
    def name(self) -> str:
        return self.connector.name

    def started(self, clock: FixedClock) -> StandIn:
        """The stand-in, running by this clock."""
        made = self.stand_in()
        made.now = clock.now  # type: ignore[misc]  # as the certification kit sets it
        made.start()
        return made

    def counted(self, stand_in: StandIn) -> Counter[str]:
        """How often each message stands there."""
        return Counter(found for line in self.lines(stand_in) for found in _MESSAGE.findall(line))


def _notes(at: Any) -> list[str]:
    """Lines of the orders' notes: the metafield can't hold a message twice."""
    return [line for one in at._shop.orders.values() for line in (one["note"] or "").splitlines()]


def _records(at: Any) -> list[str]:
    return [str(one["Message_Id__c"]) for one in at._org.records["SMS_Message__c"].values()]


def _timeline(at: Any) -> list[str]:
    return [one["hs_communication_body"] for one in at.communications()]


def _audits(at: Any) -> list[str]:
    return [one["metadata"]["custom"].get("bellwire", "") for audits in at.audits.values() for one in audits]


PLACES = [
    Place(connector=shopify, stand_in=CertifiedShop, lines=_notes),
    Place(connector=salesforce, stand_in=CertifiedOrganization, lines=_records),
    Place(connector=hubspot, stand_in=CertifiedPortal, lines=_timeline),
    Place(connector=zendesk, stand_in=CertifiedDesk, lines=_audits),
    Place(connector=timecard, stand_in=CountingProducer, lines=lambda at: list(at.told.values())),
]
