"""An Outbound Message: the SOAP that Salesforce posts, parsed as if an enemy had written it, and the answer it waits for.

Wire format: developer.salesforce.com, "Outbound Messaging" (WSDL, notifications). No DTD, no entity, bounded in size, depth and
number of elements. SessionId, a token of somebody's, is never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from bellwire import HttpReply, PayloadInvalid
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from .ids import long_id
from .records import Record

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
ENTERPRISE = "{urn:sobject.enterprise.soap.sforce.com}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

#: 100 notifications of fifteen fields are about 100 kB; defusedxml stops entities, not size or depth.
BODY_MAX = 1_000_000
DEPTH_MAX = 64
ELEMENTS_MAX = 12_000
ATTRIBUTES_MAX = 16
NOTIFICATIONS_MAX = 100  # the WSDL's maxOccurs
#: What any element of ours costs at least (`<a/>`): more of them than can be read is known before anything is parsed.
_TAGS_MAX = 2 * ELEMENTS_MAX + 100
#: Three values of `xsi:type` and `xmlns` stand beside each notification; text has few of them, an attack by attributes many.
_ASSIGNMENTS_MAX = 12_000

_ACK = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
#: The only thing that ends a message's life before its 24 hours are over.
ACK = HttpReply(status=200, content_type="text/xml; charset=utf-8", body=_ACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One record of a message. `id` is the same when it comes again; `record` None: it was deleted before it was sent."""

    id: str
    record: Record | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message: up to 100 notifications of one definition (`action`) of one organization; both ids with 18 characters."""

    organization: str
    action: str
    notifications: Sequence[Notification] = field(repr=False)


class _Found(Exception):
    """The organization's id was read: nothing after it matters to who only wants that."""


def organization_of(body: bytes) -> str:
    """The OrganizationId of a message, "" for one that holds nothing at all. Parses no further. Raises PayloadInvalid."""
    target = _Target(only_organization=True)
    try:
        _feed(body, target)
    except _Found:
        return target.organization
    return _whole(target).organization


def parse(body: bytes) -> Envelope:
    """The whole message. Raises PayloadInvalid naming the element that is wrong."""
    target = _Target()
    _feed(body, target)
    return _whole(target)


def _whole(target: _Target) -> Envelope:
    if not target.is_message:
        raise _wrong("not a notifications call", "notifications")
    if target.notifications and not target.organization:
        raise _wrong("no OrganizationId", "OrganizationId")
    return Envelope(organization=target.organization, action=target.action, notifications=tuple(target.notifications))


def _feed(body: bytes, target: _Target) -> None:
    if len(body) > BODY_MAX:
        raise _wrong(f"more than {BODY_MAX} bytes; choose fewer fields in the outbound message", "body")
    if body.count(b"<") > _TAGS_MAX or body.count(b"=") > _ASSIGNMENTS_MAX + len(body) // 50:
        raise _wrong("more elements or attributes than a message has", "body")
    parser = DefusedXMLParser(target=target, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(body)
        parser.close()
    except (ParseError, DefusedXmlException, LookupError, ValueError, AttributeError) as e:
        if isinstance(e, PayloadInvalid):
            raise
        # LookupError, ValueError: an encoding that nobody has; AttributeError: what an unfinished parser's close says
        raise _wrong("not the XML of an outbound message", "body") from e


def _wrong(what: str, place: str) -> PayloadInvalid:
    return PayloadInvalid(f"salesforce outbound message: {what}", place)


_MESSAGE = (f"{SOAP}Envelope", f"{SOAP}Body", f"{OUTBOUND}notifications")
_IN_MESSAGE = len(_MESSAGE)
_ORGANIZATION, _ACTION = f"{OUTBOUND}OrganizationId", f"{OUTBOUND}ActionId"
_NOTIFICATION, _ID, _SOBJECT = f"{OUTBOUND}Notification", f"{OUTBOUND}Id", f"{OUTBOUND}sObject"


class _Target:
    """What the parser calls for each element; keeps the few that we use. Prefixes are free, namespaces count."""

    def __init__(self, *, only_organization: bool = False) -> None:
        self.organization = self.action = ""
        self.notifications: list[Notification] = []
        self.is_message = False
        self._only = only_organization
        self._path: list[str] = []
        self._elements = 0
        self._text: list[str] | None = None
        self._id = self._kind = ""
        self._fields: dict[str, str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        path = self._path
        path.append(tag)
        self._elements += 1
        depth = len(path)
        if depth > DEPTH_MAX or self._elements > ELEMENTS_MAX or len(attributes) > ATTRIBUTES_MAX:
            raise _wrong("deeper or larger than a message is", "body")
        if depth <= _IN_MESSAGE:
            if tag != _MESSAGE[depth - 1] or (depth == _IN_MESSAGE and self.is_message):
                if depth == 1 or tag != f"{SOAP}Header":
                    raise _wrong("not a notifications call", "notifications")
            else:
                self.is_message = depth == _IN_MESSAGE
            return
        self._text = None
        if depth == _IN_MESSAGE + 1:
            if tag in (_ORGANIZATION, _ACTION):
                self._text = []
            elif tag == _NOTIFICATION:
                self._id, self._kind, self._fields = "", "", None
        elif depth == _IN_MESSAGE + 2 and path[_IN_MESSAGE] == _NOTIFICATION:
            if tag == _ID:
                self._text = []
            elif tag == _SOBJECT:
                self._fields = {}
                self._kind = attributes.get(_TYPE, "").rpartition(":")[2]
        elif depth == _IN_MESSAGE + 3 and self._fields is not None and attributes.get(_NIL) != "true":
            self._text = []

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        path = self._path
        depth = len(path)
        text = "".join(self._text) if self._text is not None else None
        self._text = None
        if text is not None:
            self._keep(tag, depth, text)
        elif depth == _IN_MESSAGE + 1 and tag == _NOTIFICATION:
            self._notified()
        path.pop()

    def close(self) -> None:
        pass

    def _keep(self, tag: str, depth: int, text: str) -> None:
        if depth == _IN_MESSAGE + 3:
            if self._fields is not None and tag.startswith(ENTERPRISE):
                self._fields[tag[len(ENTERPRISE) :]] = text
        elif tag == _ID:
            self._id = _id_in(text, "Notification.Id")
        elif tag == _ORGANIZATION:
            if self.organization:
                raise _wrong("given twice", "OrganizationId")
            self.organization = _id_in(text, "OrganizationId")
            if self._only:
                raise _Found
        else:
            self.action = _id_in(text, "ActionId")

    def _notified(self) -> None:
        if not self._id:
            raise _wrong("a notification without its Id", "Notification.Id")
        if len(self.notifications) >= NOTIFICATIONS_MAX:
            raise _wrong(f"more than {NOTIFICATIONS_MAX} notifications", "Notification")
        record_id = long_id((self._fields or {}).get("Id", ""))
        record = Record(kind=self._kind, id=record_id, fields=self._fields) if self._fields and self._kind and record_id else None
        self.notifications.append(Notification(id=self._id, record=record))


def _id_in(text: str, place: str) -> str:
    made = long_id(text)
    if not made:
        raise _wrong("not an id", place)
    return made
