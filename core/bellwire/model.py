"""The words of the domain, as values. Nothing here does I/O or reads a clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType, Protocol, TypeAlias
from uuid import UUID

from bellwire.errors import ErrorClass

#: A number in E.164 with `+`, made by `bellwire.domain.msisdn.parse` only; whoever holds one need not check it again.
Msisdn = NewType("Msisdn", str)

#: What JSON can say. Event data and template variables are of this shape and nothing else.
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


class Word(StrEnum):
    """Words of a closed list. Each hashes as the string it is: Enum's own hash is a call into Python at every look-up."""

    __hash__ = str.__hash__


class Purpose(Word):
    """Why a person is texted; consent is kept per purpose. The lane (priority class) has the same three names."""

    OTP = "otp"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class Status(Word):
    """A message's life. `domain.status` says which moves are allowed."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Reason(Word):
    """Why policy forbade a text: the closed list that stands in `reason`."""

    NO_CONSENT = "no_consent"
    OPTED_OUT = "opted_out"
    SUPPRESSED = "suppressed"
    QUIET_HOURS = "quiet_hours"
    STALE = "stale"
    EXPIRED = "expired"
    CAP = "cap"
    DUPLICATE = "duplicate"
    NO_RECIPIENT = "no_recipient"
    INVALID_NUMBER = "invalid_number"
    NO_ROUTE = "no_route"
    NO_FUNDS = "no_funds"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    SENDER_MISSING = "sender_missing"
    TEMPLATE_ERROR = "template_error"
    TEMPLATE_NOT_APPROVED = "template_not_approved"
    PLUGIN = "plugin"
    TEST_EVENT = "test_event"


class ConsentState(Word):
    """What a person said (or a transaction implied) about one purpose."""

    OPTED_IN = "opted_in"
    IMPLIED = "implied"
    OPTED_OUT = "opted_out"


class Encoding(Word):
    """The alphabet a text travels in (3GPP TS 23.038)."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


# -- requests from outside ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """One HTTP request from a platform or carrier, before anyone trusts it.

    `headers`: names in lower case. `url`: as the sender called it, built on PUBLIC_URL, "" while that is unset.
    `query`: decoded pairs in order.
    """

    method: str = "POST"
    url: str = ""
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    received_at: datetime

    def header(self, name: str) -> str:
        """The header's value, "" when absent. `name` in any case."""
        return self.headers.get(name.lower(), "")

    def with_headers(self, **more: str) -> WebhookRequest:
        """A copy with more headers; `_` in a name stands for `-`."""
        extra = {name.replace("_", "-").lower(): value for name, value in more.items()}
        return replace(self, headers={**self.headers, **extra})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What we answer where a platform or carrier demands its own form."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


# -- events -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentHint:
    """What a platform says of a person's consent. Only statements about SMS; e-mail consent is never one."""

    purpose: Purpose
    state: ConsentState
    at: datetime
    source: str
    proof: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody an event is about. `phones` as the platform wrote them, in order of preference.

    `marketing_phones`: the only numbers that may get marketing, when the platform ties consent to one number.
    `countries`: ISO 3166 alpha-2, in the order in which a number without `+` is read by them.
    """

    ref: str = ""
    name: str = ""
    phones: Sequence[str] = ()
    marketing_phones: Sequence[str] | None = None
    email: str = ""
    locale: str = ""
    timezone: str = ""
    countries: Sequence[str] = ()
    consents: Sequence[ConsentHint] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a platform reported, in our words.

    `id`: the delivery's dedupe key, unique in its installation.
    `fact`: the business identity (type, object, stage); two deliveries that tell the same fact make one event; "" = only `id`
    counts.
    `subject`: the platform's object, `order/<gid>`; `cancels`: subjects whose waiting messages this event cancels.
    `data`: flat names (`order.total`) to plain values; money is a decimal string. A nested list is allowed for template loops.
    `fetch`: not empty when the body held only ids and `enrich` must complete the event in the worker.
    `account`: the platform's name of the account, where one URL serves many ("" = the installation of the URL).
    """

    id: str
    type: str
    occurred_at: datetime
    fact: str = ""
    subject: str = ""
    people: Mapping[str, Person] = field(default_factory=dict)
    data: Mapping[str, Json] = field(default_factory=dict)
    cancels: Sequence[str] = ()
    fetch: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    test: bool = False

    @property
    def customer(self) -> Person | None:
        """The person the event is about."""
        return self.people.get("customer")


# -- accounts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One tenant's account at one platform, as a connector's functions see it.

    `secrets`: every value of the connector's secret field that is valid for `verify` now, newest first.
    `account_ref`: the platform's name of the account (shop domain, portal id).
    `cursor`: the connector's own memory between reconciles; plain JSON.
    """

    id: UUID
    tenant_id: UUID
    connector: str
    name: str = ""
    account_ref: str = ""
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    webhook_url: str = field(default="", repr=False)
    country: str = ""
    locale: str = ""
    timezone: str = ""
    installed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierAccount:
    """One tenant's account at one carrier, as a carrier's functions see it."""

    id: UUID
    tenant_id: UUID
    carrier: str
    name: str = ""
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def base_url(self, default: str) -> str:
        """Where its API is called, without a trailing slash: `settings.base_url` or the vendor's."""
        return str(self.settings.get("base_url") or default).rstrip("/")


# -- what goes to a carrier, and comes back -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One MT as a carrier's `build` sees it. `validity_s`: seconds left until it is worthless."""

    message_id: UUID
    ref: str  # "msg_…": our reference, as in the API
    msisdn: Msisdn
    text: str = field(repr=False)
    encoding: Encoding
    segments: int
    sender_id: str
    purpose: Purpose
    validity_s: int
    dlr_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One call to a carrier, not yet made. `headers` may hold credentials: never logged."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back, body cut at 64 kB."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = field(default=b"", repr=False)


class Verdict(Word):
    """What a carrier's answer means for one message."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One message's result of one attempt. `code`, `detail`: the carrier's own, raw."""

    message_id: UUID
    verdict: Verdict
    carrier_ref: str = ""
    error_class: ErrorClass | None = None
    code: str = ""
    detail: str = ""
    retry_after_s: float | None = None
    price: Decimal | None = None
    currency: str = ""
    segments: int | None = None
    handed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dlr:
    """A delivery receipt. `status` None: an unmapped or "unknown" raw status, recorded and counted, moves nothing.

    `message_ref`: our own reference when the carrier echoes it ("" otherwise); `part`: segment number for carriers with one DLR a
    segment.
    """

    carrier_ref: str
    status: Status | None
    raw_status: str
    raw_code: str = ""
    raw_text: str = ""
    error_class: ErrorClass | None = None
    handed_over: bool = False
    message_ref: str = ""
    part: int | None = None
    parts: int | None = None
    occurred_raw: str = ""
    price: Decimal | None = None
    currency: str = ""
    segments: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDlr:
    """A receipt that a carrier without a network announces at once. `after_s` counts from the moment `send` was called:
    a small one is due before `send` returns.
    """

    after_s: float
    dlr: Dlr


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A text from a handset (MO). `msisdn` as the carrier wrote it. `carrier_answered`: it has confirmed STOP/HELP itself."""

    id: str
    msisdn: str
    to: str
    text: str = field(repr=False)
    carrier_answered: bool = False
    part: int | None = None
    parts: int | None = None
    part_ref: str = ""


class Capability(Word):
    """What a carrier declares; the engine branches on these, never on a carrier's name."""

    IDEMPOTENT_BY_REFERENCE = "idempotent_by_reference"
    BATCH = "batch"
    STATUS_QUERY = "status_query"
    STATUS_QUERY_BY_REFERENCE = "status_query_by_reference"
    DLR = "dlr"
    DLR_URL = "dlr_url"
    SEGMENT_DLR = "segment_dlr"
    MO = "mo"
    MO_SEGMENTS = "mo_segments"
    PRICE = "price"
    BALANCE = "balance"
    VALIDITY = "validity"
    SCHEDULE = "schedule"
    CANCEL = "cancel"
    SIGNED = "signed"
    CARRIER_AUTO_REPLY = "carrier_auto_reply"
    MODERATED = "moderated"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialField:
    """One credential or setting an account takes; `POST` is checked against these.

    `clean`: a given value as it is stored (one spelling of an account's name); raises ValueError saying how it should look.
    `number`: a text that the platform itself writes as a number; a whole number is taken for its digits.
    """

    name: str
    help: str
    required: bool = True
    secret: bool = True
    kind: type = str
    default: Any = None
    clean: Callable[[Any], Any] | None = None
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Who takes our MT, as pure functions: the engine owns the connection pool, time-outs and retries.

    build: messages, account → the call. One message unless BATCH is declared.
    interpret: answer, messages, account → one outcome per message; one that is not named is ambiguous.
    verify: raises SignatureMismatch. read_dlrs / read_replies: raise PayloadInvalid.
    check: an account → the call that proves its credentials, `checked` reads its answer: "" or what is wrong.
    send: takes the messages without `build`, where `by_session` says so. plan: the receipts that follow a `send`; for a
    message that was refused there are none.
    """

    name: str
    title: str
    capabilities: frozenset[Capability] = frozenset()
    fields: Sequence[CredentialField] = ()
    settings: Sequence[CredentialField] = ()
    secret_field: str = ""
    default_rate: float | None = None  # messages a second, an account's `settings.rate` wins
    build: Callable[[Sequence[Outgoing], CarrierAccount], HttpCall] | None = None
    interpret: Callable[[HttpAnswer, Sequence[Outgoing], CarrierAccount], Sequence[Outcome]] | None = None
    build_query: Callable[[str, Outgoing, CarrierAccount], HttpCall] | None = None
    interpret_query: Callable[[HttpAnswer], Dlr | None] | None = None
    verify: Callable[[WebhookRequest, CarrierAccount, datetime], None]
    read_dlrs: Callable[[WebhookRequest, CarrierAccount], Sequence[Dlr]] | None = None
    read_replies: Callable[[WebhookRequest, CarrierAccount], Sequence[Reply]] | None = None
    acknowledge: HttpReply = HttpReply(status=200, content_type="text/plain", body=b"")
    sign: Callable[[WebhookRequest, CarrierAccount], WebhookRequest] | None = None
    check: Callable[[CarrierAccount], HttpCall] | None = None
    checked: Callable[[HttpAnswer], str] | None = None
    send: Callable[[Sequence[Outgoing], CarrierAccount], Awaitable[Sequence[Outcome]]] | None = None
    plan: Callable[[Outgoing], Sequence[PlannedDlr]] | None = None
    samples: str = ""  # the package whose `samples/` folder belongs to it

    def by_session(self, account: CarrierAccount) -> bool:
        """Whether `send` takes this account's messages: a carrier that has both goes over HTTP once `settings.base_url` is set."""
        return self.send is not None and (self.build is None or not account.settings.get("base_url"))


# -- what an answer may tell, and what it may offer ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of one event of a request, for platforms that want to hear it in the same call.

    `event`, `subject`: the event's own id and object, as `read` gave them. `outcome`: sent, held, refused, shadow, not_matched,
    no_trigger; "" while it is pending. `message`: the text that came of it ("" for none), its `status` now, and when it is
    worthless. `duplicate`: the event had come before; the rest is how things stand now.
    """

    event: str
    type: str
    subject: str = ""
    outcome: str = ""
    reason: str = ""
    message: str = ""
    status: Status | None = None
    expires_at: datetime | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One item of a batch that can't be used: the id it gives itself, a stable code, the place that is wrong."""

    id: str
    code: str
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChoice:
    """One approved template, as a platform's picker may offer it."""

    name: str
    purpose: Purpose
    version: int
    locales: Sequence[str] = ()


# -- what goes back to a platform ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """What became of a message, to be written where the people work.

    `subject`: the event's object reference; `customer_ref`: the person's, where the subject is none.
    `msisdn_tail`: the last two digits. `text` only with `settings.write_back_text`. `event_id`: what it came of, as the API shows
    it. `error_class`, `error_code`: what the carrier said of the last attempt, where it refused it.
    """

    message_id: str
    status: Status
    at: datetime
    subject: str
    customer_ref: str = ""
    trigger: str = ""
    reason: str = ""
    msisdn_tail: str = ""
    text: str = field(default="", repr=False)
    event_id: str = ""
    segments: int | None = None
    error_class: str = ""
    error_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange:
    """One statement of the consent ledger, to be written to a platform that can hold it."""

    msisdn: Msisdn = field(repr=False)
    purpose: Purpose
    state: ConsentState
    at: datetime
    source: str
    customer_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyNote:
    """A person's reply on its way to a platform's conversation. `kind`: stop, start or help where it was nothing but that.

    `message_id`, `event_id`: the text that it answers, and what that came of. `answer`: the word (`YES`) where the person
    answered a question, `answers`: the question's object (`shift/55`).
    """

    reply_id: str
    msisdn: Msisdn = field(repr=False)
    text: str = field(repr=False)
    at: datetime
    subject: str = ""
    customer_ref: str = ""
    kind: str = ""
    message_id: str = ""
    event_id: str = ""
    answer: str = ""
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """A platform's limit of calls (or points): `most` at once, `per_s` come back each second."""

    most: float
    per_s: float

    @classmethod
    def window(cls, most: float, span_s: float) -> Limit:
        """`most` in any `span_s` seconds, kept by a small bucket: in the worst span all that it holds goes, and what comes back.

        Together that is 99 % of the window, 1 % being left for calls that were on their way longer than others. The larger share
        comes back, as a full bucket is of use only at the start.
        """
        return cls(most * 0.06, most * 0.93 / span_s)


class Link(Protocol):
    """How a connector's client reaches its platform. Made by the engine, one a job; never kept.

    `http` is a `requests.Session` with time-outs, no redirects, address checks and redaction.
    """

    @property
    def installation(self) -> Installation:
        """The account, with its credentials as they are now."""
        ...

    @property
    def http(self) -> Any:
        """The session to call with."""
        ...

    def now(self) -> datetime:
        """The time, aware UTC."""
        ...

    def renew(self, seen: str, refresh: Callable[[Installation], Mapping[str, Any]]) -> Installation:
        """New credentials, fetched once for all processes.

        `seen`: the access token that was refused or is about to end. When another process has replaced it already, its
        installation is returned; otherwise `refresh` is called under a lease and what it returns is merged into the
        stored credentials in one transaction.
        """
        ...

    def remember(self, **cursor: Json) -> None:
        """Keep values for the next reconcile; stored when the job ends well."""
        ...

    def spent(self, name: str, limit: Limit, amount: float = 1.0, *, left: float | None = None) -> None:
        """A call took `amount` of a limit of the account's. The next jobs for it are begun so that the limit is kept.

        `name`: which of its limits; `left`: what the platform says is left of it, for all who call there.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallStart:
    """Where to send the browser that wants to install, and what the callback must bring back."""

    redirect: str
    account_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an install callback brought: the account's name at the platform, and all credentials to store.

    `notes`: what the person who installed must know, a sentence each (a right that was not granted).
    """

    account_ref: str
    credentials: Mapping[str, Any] = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    country: str = ""
    locale: str = ""
    timezone: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One line of an installation's check: what was looked at, whether it is well, what to do."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A platform, as a value of functions. Only `client` functions (those that take a Link) reach outside.

    verify: pure; raises SignatureMismatch. read: pure; raises PayloadInvalid; [] for what we don't serve.
    sign: makes the platform's signature (tests, certification, `bellwire try`).
    account_of: names the account an app-wide request is for, "" when the URL's installation is meant.
    parts: instead of it, where one request may be for several accounts: (account, its own part) each; asked after `verify`.
    consult: answers a platform's question about what there is to choose from, after `verify`; None: the request is none.
    respond: as `answer`, where the answer must tell what was decided; None: the usual answer will do.
    refused: the items of a batch that `read` left out, to stand as `rejected` in our answer; None: the request is no batch.
    enrich: the full event where the request held only ids; enrich_many: of several events of one installation, in their order;
    one that can't be completed keeps its `fetch` and is asked for by itself.
    write_back, write_consent, write_reply: idempotent. write_back_objects: so many objects' statuses one write_back may take.
    write_back_every_s: an object's statuses are so many seconds apart; what comes sooner waits, and goes together.
    writes_on: pure; whether write_back has something to write on for an event's subject and customer_ref, as the installation is
    set; where it has not, no job is made. None: always.
    takes_replies: pure; whether write_reply has anybody to hand a reply to, as the installation is set. None: always.
    reconcile: since → events as `read` makes them, and repairs subscriptions. subscribe: makes them at install.
    begin_install: pure; finish_install exchanges the code. compliance topics arrive as events.
    """

    name: str
    title: str
    events: Sequence[str] = ()
    fields: Sequence[CredentialField] = ()
    settings: Sequence[CredentialField] = ()
    secret_field: str = ""
    account_field: str = ""  # the credential that names the account at the platform
    shared_secret: bool = False  # one app secret signs for all accounts: a body seen for another installation is refused
    punishes_4xx: bool = False
    verify: Callable[[WebhookRequest, Installation, datetime], None]
    read: Callable[[WebhookRequest, Installation], Sequence[Event]]
    sign: Callable[[WebhookRequest, Installation], WebhookRequest]
    probe: Callable[[WebhookRequest, Installation], HttpReply | None] | None = None
    answer: Callable[[WebhookRequest, Sequence[str]], HttpReply] | None = None
    respond: Callable[[WebhookRequest, Installation, Sequence[Decided]], HttpReply | None] | None = None
    refused: Callable[[WebhookRequest, Installation], Sequence[Refused] | None] | None = None
    consult: Callable[[WebhookRequest, Installation, Sequence[TemplateChoice]], HttpReply | None] | None = None
    account_of: Callable[[WebhookRequest], str] | None = None
    parts: Callable[[WebhookRequest], Sequence[tuple[str, WebhookRequest]]] | None = None
    enrich: Callable[[Event, Link], Event] | None = None
    enrich_many: Callable[[Sequence[Event], Link], Sequence[Event]] | None = None
    write_back: Callable[[Sequence[StatusChange], Link], None] | None = None
    write_back_objects: int = 1
    write_back_every_s: float = 0.0
    writes_on: Callable[[str, str, Installation], bool] | None = None
    write_consent: Callable[[ConsentChange, Link], None] | None = None
    write_reply: Callable[[ReplyNote, Link], None] | None = None
    takes_replies: Callable[[Installation], bool] | None = None
    subscribe: Callable[[Link], None] | None = None
    reconcile: Callable[[Link, datetime], Sequence[Event]] | None = None
    check: Callable[[Link], Sequence[CheckResult]] | None = None
    begin_install: Callable[[WebhookRequest, Installation, str, str], InstallStart] | None = None
    finish_install: Callable[[WebhookRequest, Installation, str, Link], Installed] | None = None
    samples: str = ""
