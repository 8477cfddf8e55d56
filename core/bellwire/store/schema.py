"""The tables. Each column's `info` says whether it is personal, and what erasing a person does to it; sealed columns hold
ciphertext only.

A column that tells of a person has `erase`: `null` or `empty` (the value goes), `row` (the row goes), `keep` (a keyed hash). The
table's `person` names the columns by which its rows belong to somebody: contact, message, reply or event. Erasing and exporting
(`store.people`) read this and nothing else.

Statuses of rows that the pump scans are small integers, so that a partial index can say "waiting" as `status < 2`. A
statement says it in the same words, as `sa.text`: of a literal of type Boolean SQLAlchemy makes `status < 2 = 1` on SQLite, which
no partial index serves. SQLite would know nothing of how many rows there are, and take the index of all of a tenant's rows where
that of the few that wait is meant: the migrations tell it (`sqlite_stat1`: a million messages, ten thousand waiting, ten tenants).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, ColumnElement, Index, Integer, LargeBinary, SmallInteger, Table, Text

from bellwire.model import Purpose, Status
from bellwire.store.types import Document, Id, Instant

META = sa.MetaData()

#: Message status ↔ what the column holds. Below 2 is waiting, below 4 is not final.
STATUS_CODES: dict[Status, int] = {
    Status.SCHEDULED: 0,
    Status.QUEUED: 1,
    Status.SENDING: 2,
    Status.SENT: 3,
    Status.UNKNOWN: 4,
    Status.DELIVERED: 5,
    Status.UNDELIVERED: 6,
    Status.FAILED: 7,
    Status.EXPIRED: 8,
    Status.CANCELED: 9,
    Status.REFUSED: 10,
}
STATUS_OF: dict[int, Status] = {code: status for status, code in STATUS_CODES.items()}

#: Lane ↔ priority: lower goes first.
LANES: dict[Purpose, int] = {Purpose.OTP: 0, Purpose.TRANSACTIONAL: 1, Purpose.MARKETING: 2}
LANE_OF: dict[int, Purpose] = {code: lane for lane, code in LANES.items()}


def plain(column: Column[Any]) -> ColumnElement[Any]:
    """A column as statements compare it that know their rows by id: no partial index of a status can serve.

    Of a table in which nothing waited when it was last looked at, PostgreSQL takes the index of what waits for empty, and would
    rather walk along it than go to the row by its key.
    """
    return column + sa.literal_column("0")


def _sealed(name: str, *, nullable: bool = True, erase: str = "null", json: bool = False) -> Column[bytes]:
    """A personal value, AES-256-GCM bound to its tenant, table, column and row. `json`: what is inside is a document."""
    return Column(name, LargeBinary, nullable=nullable, info={"sealed": True, "personal": True, "erase": erase, "json": json})


def _secret(name: str, *, nullable: bool = True) -> Column[bytes]:
    """A secret of the tenant's own, sealed the same way. It tells of nobody."""
    return Column(name, LargeBinary, nullable=nullable, info={"sealed": True, "secret": True})


def _ref(name: str, *, nullable: bool = True, erase: str = "null") -> Column[str]:
    """What a platform or a caller calls an object that may be a person: plain, and gone once the person is erased."""
    return Column(name, Text, nullable=nullable, info={"personal": "reference", "erase": erase})


def _present(name: str, column: str) -> Index:
    """An index of the few rows that have something in a column."""
    where = sa.text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=where, postgresql_where=where)


def _id(name: str = "id", **more: object) -> Column[object]:
    return Column(name, Id, **more)  # type: ignore[arg-type]  # passed through to Column


def _tenant() -> Column[object]:
    return Column("tenant_id", Id, nullable=False)


meta = Table(
    "meta",
    META,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

tenants = Table(
    "tenants",
    META,
    _id(primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("settings", Document, nullable=False),
    Column("config_version", Integer, nullable=False),  # grows with each change of what decisions depend on
    _secret("index_key", nullable=False),  # the blind index's key, wrapped
    Column("created_at", Instant, nullable=False),
)

api_keys = Table(
    "api_keys",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("scopes", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

installations = Table(
    "installations",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("connector", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    _secret("key_sealed", nullable=False),
    Column("account_ref", Text, nullable=False),  # shop domain, portal id
    Column("client_id", Text, nullable=False),  # whose app it is: routes app-wide requests
    _secret("credentials", nullable=False),
    _secret("secrets_old"),  # [{"value", "until"}] still valid for verify
    Column("settings", Document, nullable=False),
    Column("cursor", Document, nullable=False),
    Column("status", Text, nullable=False),  # pending | active | disabled | removed
    Column("status_detail", Text, nullable=False, default=""),
    Column("country", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("installed_at", Instant, nullable=False),
    Column("reported", Document),  # field → when the platform told its value: an older report changes nothing
    Column("reconcile_due", Instant),
    Column("renew_until", Instant),  # lease of whoever refreshes the token now
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_installations_tenant", "tenant_id", "id"),
    Index("ix_installations_account", "connector", "account_ref"),
)

carrier_accounts = Table(
    "carrier_accounts",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("carrier", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    _secret("key_sealed", nullable=False),
    _secret("credentials", nullable=False),
    _secret("secrets_old"),
    Column("settings", Document, nullable=False),
    Column("status", Text, nullable=False),  # active | paused | disabled
    Column("status_detail", Text, nullable=False, default=""),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_carrier_accounts_tenant", "tenant_id", "id"),
)

buckets = Table(
    "buckets",
    META,
    _id("account_id", primary_key=True),
    Column("sender_id", Text, primary_key=True),
    Column("tokens", sa.Float(53), nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("slowed_until", Instant),
    Column("paused_until", Instant),
)

templates = Table(
    "templates",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("name", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("options", Document, nullable=False),  # collection, transliterate, max_segments, description …
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    sa.UniqueConstraint("tenant_id", "name"),
)

template_versions = Table(
    "template_versions",
    META,
    _id("template_id", primary_key=True),
    Column("number", Integer, primary_key=True),
    _tenant(),
    Column("state", Text, nullable=False),  # draft | approved | retired
    Column("bodies", Document, nullable=False),  # locale → Liquid source
    Column("author", Text, nullable=False),
    Column("approver", Text),
    Column("created_at", Instant, nullable=False),
    Column("approved_at", Instant),
    Column("retired_at", Instant),
)

triggers = Table(
    "triggers",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("name", Text, nullable=False),
    Column("connector", Text, nullable=False),
    _id("installation_id"),
    Column("event", Text, nullable=False),
    Column("definition", Document, nullable=False),  # all, any, template, recipient, purpose, delay_s, quiet_hours, max_age_s …
    Column("state", Text, nullable=False),  # off | shadow | on
    Column("active_from", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_triggers_tenant", "tenant_id", "id"),
)

route_policies = Table(
    "route_policies",
    META,
    _id("tenant_id", primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("policy", Document, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

contacts = Table(
    "contacts",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("msisdn_ix", LargeBinary, nullable=False, info={"personal": "keyed hash", "erase": "keep"}),
    _sealed("msisdn"),  # null after erasure
    Column("country", Text, nullable=False),
    Column("timezone", Text, nullable=False, default="", info={"personal": "profile", "erase": "empty"}),
    Column("transactional", Text),
    Column("transactional_at", Instant),
    Column("transactional_by", Text),
    Column("marketing", Text),
    Column("marketing_at", Instant),
    Column("marketing_by", Text),
    Column("otp", Text),
    Column("otp_at", Instant),
    Column("otp_by", Text),
    Column("suppressed", Text),  # why this number is never written to, whoever asks
    Column("suppressed_at", Instant),
    Column("consent_marks", Document),  # the newest statement of each kind; null: the columns above are all there is
    Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("tenant_id", "msisdn_ix"),
    info={"person": {"id": "contact"}},
)

consents = Table(
    "consents",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("contact_id", nullable=False),
    Column("purpose", Text),  # null = all
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    _id("event_id"),
    _id("reply_id"),
    Column("author", Text),  # api key id
    _sealed("proof"),
    Column("person_hash", LargeBinary, info={"hash": True}),  # what the platform that said it calls the person, keyed
    Index("ix_consents_contact", "contact_id", "id"),
    Index(
        "ix_consents_person",
        "person_hash",
        sqlite_where=sa.text("person_hash IS NOT NULL"),
        postgresql_where=sa.text("person_hash IS NOT NULL"),
    ),
    info={"person": {"contact_id": "contact", "event_id": "event", "reply_id": "reply"}},
)

seen = Table(
    "seen",
    META,
    Column("key_hash", LargeBinary(16), primary_key=True),
    Column("kind", SmallInteger, primary_key=True),  # SEEN_*
    _id("scope_id", primary_key=True),  # installation or carrier account
    Column("at", Instant, nullable=False),
    Index("ix_seen_at", "at"),
    sqlite_with_rowid=False,
)
SEEN_EVENT, SEEN_FACT, SEEN_BODY, SEEN_DLR, SEEN_REPLY, SEEN_CANCEL, SEEN_INSTALL = range(7)

events = Table(
    "events",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("installation_id"),
    Column("connector", Text, nullable=False),
    Column("type", Text, nullable=False),
    _ref("subject", nullable=False, erase="empty"),
    Column("status", SmallInteger, nullable=False),  # EVENT_*
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    _sealed("content", json=True),  # id, fact, people, data, cancels, fetch as JSON
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("away", SmallInteger),  # of the attempts those that its platform kept from it: null = none
    Column("due", Instant),
    Column("error", Text),
    _id("owner"),
    Index("ix_events_tenant", "tenant_id", "id"),
    Index("ix_events_pending", "due", sqlite_where=sa.text("status < 2"), postgresql_where=sa.text("status < 2")),
    Index("ix_events_dead", "tenant_id", sqlite_where=sa.text("status = 3"), postgresql_where=sa.text("status = 3")),
    info={"person": {"id": "event"}},
)
EVENT_PENDING, EVENT_WORKING, EVENT_DECIDED, EVENT_DEAD = range(4)

decisions = Table(
    "decisions",
    META,
    _id("event_id", primary_key=True),
    _tenant(),
    Column("at", Instant, nullable=False),
    Column("entries", Document, nullable=False),
)

messages = Table(
    "messages",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("contact_id"),  # null: there was no usable number
    _id("event_id"),
    _id("trigger_id"),
    _id("installation_id"),
    _ref("subject"),  # the platform's object, where the outcome is written back
    _ref("customer_ref"),
    Column("status", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("lane", SmallInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("basis", Text, nullable=False),  # event | api | verification: what consent rests on
    Column("template", Text),
    Column("template_version", Integer),
    Column("locale", Text),
    Column("options", Document),  # collection, quiet hours, timezones: what the claim must judge again
    _id("account_id"),
    Column("sender_id", Text),
    Column("wanted_carrier", Text),  # the caller's `carrier`
    Column("tried", Document),  # accounts that refused it
    _sealed("text"),
    Column("encoding", Text),
    Column("segments", SmallInteger),
    Column("country", Text),
    Column("due", Instant, nullable=False),
    Column("send_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("attempts", SmallInteger, nullable=False, default=0),
    _id("owner"),  # the worker that is sending it
    Column("epoch", Integer, nullable=False, default=0),
    Column("carrier_ref", Text),
    Column("handed_over_at", Instant),
    Column("dlr_due", Instant),
    Column("parts", Document),  # per-segment receipts
    Column("price", Text),
    Column("currency", Text),
    _ref("reference"),  # the caller's own
    _sealed("metadata", json=True),
    Column("notes", Document),  # what claims and people added to the why
    # two indexes hold what waits: the second is only for statements that name a tenant. Where PostgreSQL's statistics are of a
    # quiet hour in which nothing waited, both look as good, and a claim walked along what waits for all accounts
    Index(
        "ix_messages_claim",
        "account_id",
        "lane",
        "due",
        "id",
        sqlite_where=sa.text("status < 2"),
        postgresql_where=sa.text("status < 2"),
    ),
    Index(
        "ix_messages_subject",
        "tenant_id",
        "subject",
        sqlite_where=sa.text("status < 2"),
        postgresql_where=sa.text("status < 2 AND tenant_id IS NOT NULL"),
    ),
    Index("ix_messages_owner", "owner", sqlite_where=sa.text("status = 2"), postgresql_where=sa.text("status = 2")),
    Index("ix_messages_tenant", "tenant_id", "id"),
    Index("ix_messages_contact", "contact_id", "id"),
    Index(
        "ix_messages_event",
        "tenant_id",
        "event_id",
        sqlite_where=sa.text("event_id IS NOT NULL"),
        postgresql_where=sa.text("event_id IS NOT NULL"),
    ),
    Index(
        "ix_messages_ref",
        "account_id",
        "carrier_ref",
        sqlite_where=sa.text("carrier_ref IS NOT NULL"),
        postgresql_where=sa.text("carrier_ref IS NOT NULL"),
    ),
    info={"person": {"id": "message"}},
)

attempts = Table(
    "attempts",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("message_id", nullable=False),
    _id("account_id", nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", Text, nullable=False),  # accepted | rejected | ambiguous | lost
    Column("error_class", Text),
    Column("code", Text),
    Column("detail", Text, info={"personal": "a carrier's words, masked", "erase": "null"}),
    Column("http_status", SmallInteger),
    Column("carrier_ref", Text),
    Column("charge", Text),
    Index("ix_attempts_message", "message_id"),
    info={"person": {"message_id": "message"}},
)

dlrs = Table(
    "dlrs",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("account_id", nullable=False),
    _id("message_id"),
    Column("carrier_ref", Text, nullable=False),
    Column("status", Text),
    Column("raw_status", Text, nullable=False),
    Column("raw_code", Text, nullable=False),
    Column("error_class", Text),
    Column("details", Document),  # part, parts, handed_over, price, segments, moved
    Column("received_at", Instant, nullable=False),
    Column("parked", Boolean, nullable=False),
    Index("ix_dlrs_message", "message_id"),
    Index(
        "ix_dlrs_parked",
        "account_id",
        "carrier_ref",
        sqlite_where=sa.text("parked"),
        postgresql_where=sa.text("parked"),
    ),
)

replies = Table(
    "replies",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("account_id", nullable=False),
    _id("contact_id"),
    _id("message_id"),  # the last message to that person from that sender
    _sealed("msisdn", nullable=False, erase="row"),
    _sealed("text", nullable=False, erase="row"),
    _sealed("normalised", erase="row"),  # what was compared with the keywords
    Column("to", Text, nullable=False),
    Column("kind", Text),  # stop | start | help
    Column("rule", Text),
    Column("status", Text, nullable=False),  # part | received | taken | review
    Column("carrier_ref", Text),  # the carrier's id of it
    Column("part_ref", Text),  # what its segments have in common, where the carrier hands them over one by one
    Column("part", SmallInteger),
    Column("parts", SmallInteger),
    Column("received_at", Instant, nullable=False),
    Column("passed", Text),  # waiting | taken | dead: to the platform of the conversation; null: to nobody
    Column("answer", Text),  # the word by which a question was answered: YES, NO, OK
    _ref("answers", erase="row"),  # the question's object: shift/55
    _id("passed_to"),  # the installation that has it or had it last
    Column("error", Text),  # why nobody took it
    Index("ix_replies_tenant", "tenant_id", "id"),
    Index(
        "ix_replies_dead",
        "tenant_id",
        "passed",  # always the same here: without it SQLite takes the index of all of them, which serves the order as well
        "id",
        sqlite_where=sa.text("passed = 'dead'"),
        postgresql_where=sa.text("passed = 'dead'"),
    ),
    Index("ix_replies_contact", "contact_id", "id"),
    Index(
        "ix_replies_parts",
        "account_id",
        "part_ref",
        sqlite_where=sa.text("status = 'part'"),
        postgresql_where=sa.text("status = 'part'"),
    ),
    info={"person": {"id": "reply"}},
)

write_backs = Table(
    "write_backs",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("installation_id", nullable=False),
    Column("kind", Text, nullable=False),  # status | consent | reply
    _ref("subject", nullable=False, erase="row"),  # the platform's object: coalesced by it, one in flight for it
    _ref("customer_ref", erase="row"),
    _id("message_id"),
    _id("contact_id"),
    _id("reply_id"),
    Column("value", Text, nullable=False),  # our status word, or the consent state
    Column("details", Document),
    Column("at", Instant, nullable=False),  # when the fact happened
    Column("status", SmallInteger, nullable=False),  # JOB_*
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("due", Instant, nullable=False),
    _id("owner"),
    Column("error", Text),
    Column("updated_at", Instant, nullable=False),
    Index(
        "ix_write_backs_due",
        "installation_id",
        "due",
        "id",
        sqlite_where=sa.text("status = 0"),
        postgresql_where=sa.text("status = 0"),
    ),
    Index("ix_write_backs_owner", "owner", sqlite_where=sa.text("status = 1"), postgresql_where=sa.text("status = 1")),
    Index(
        "ix_write_backs_object",
        "installation_id",
        "subject",
        sqlite_where=sa.text("status < 2"),
        postgresql_where=sa.text("status < 2"),
    ),
    Index("ix_write_backs_message", "message_id"),
    _present("ix_write_backs_contact", "contact_id"),
    info={"person": {"contact_id": "contact", "message_id": "message", "reply_id": "reply", "installation_id": "installation"}},
)
JOB_QUEUED, JOB_WORKING, JOB_DONE, JOB_FAILED = range(4)

callback_endpoints = Table(
    "callback_endpoints",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("url", Text, nullable=False),
    Column("types", Document, nullable=False),
    _secret("secret", nullable=False),
    Column("status", Text, nullable=False),  # active | disabled
    Column("failing_since", Instant),
    Column("created_at", Instant, nullable=False),
    Index("ix_callback_endpoints_tenant", "tenant_id", "id"),
)

callbacks = Table(
    "callbacks",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("endpoint_id", nullable=False),
    Column("type", Text, nullable=False),
    _id("message_id"),
    _id("reply_id"),
    _id("contact_id"),
    _sealed("body", nullable=False, erase="row", json=True),
    Column("created_at", Instant, nullable=False),
    Column("status", SmallInteger, nullable=False),  # JOB_*
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("due", Instant, nullable=False),
    _id("owner"),
    Column("error", Text),
    Index(
        "ix_callbacks_due",
        "endpoint_id",
        "due",
        "id",
        sqlite_where=sa.text("status = 0"),
        postgresql_where=sa.text("status = 0"),
    ),
    Index("ix_callbacks_owner", "owner", sqlite_where=sa.text("status = 1"), postgresql_where=sa.text("status = 1")),
    Index("ix_callbacks_endpoint", "endpoint_id", "id"),
    _present("ix_callbacks_contact", "contact_id"),
    info={"person": {"contact_id": "contact", "message_id": "message", "reply_id": "reply"}},
)

idempotency = Table(
    "idempotency",
    META,
    _id("tenant_id", primary_key=True),
    Column("key_hash", LargeBinary(16), primary_key=True),
    Column("body_hash", LargeBinary(16), nullable=False),
    Column("status", SmallInteger, nullable=False),
    _sealed("answer", erase="row", json=True),
    Column("created_at", Instant, nullable=False),
    Index("ix_idempotency_created", "created_at"),
    info={"person": {}},  # found by what is inside
)

balances = Table(
    "balances",
    META,
    _id("tenant_id", primary_key=True),
    Column("currency", Text, nullable=False),
    Column("micros", sa.BigInteger, nullable=False),  # millionths of the currency unit left to spend
)

ledger = Table(
    "ledger",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("kind", Text, nullable=False),  # credit | charge | refund
    Column("micros", sa.BigInteger, nullable=False),  # signed; their sum is the balance
    Column("currency", Text, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_ledger_tenant", "tenant_id", "id"),
    Index("ix_ledger_credit", "tenant_id", sqlite_where=sa.text("kind = 'credit'"), postgresql_where=sa.text("kind = 'credit'")),
)

jobs = Table(
    "jobs",
    META,
    _id(primary_key=True),
    _tenant(),
    Column("kind", Text, nullable=False),  # consent_import
    Column("status", Text, nullable=False),  # running | done | failed
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("result", Document, nullable=False),  # counts, and what was wrong by line: numbers and codes only
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_jobs_tenant", "tenant_id", "id"),
)

privacy_requests = Table(
    "privacy_requests",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("installation_id"),  # whose data is meant; null: the tenant's
    _id("event_id"),  # the platform's request
    Column("kind", Text, nullable=False),  # erase_person | export_person | erase_installation
    Column("status", SmallInteger, nullable=False),  # JOB_*
    _sealed("wanted", erase="row", json=True),  # numbers, references, e-mail addresses
    _sealed("result", erase="row", json=True),  # an export, until it is fetched or too old
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("due", Instant, nullable=False),
    Column("error", Text),
    Column("created_at", Instant, nullable=False),
    Column("done_at", Instant),
    Index("ix_privacy_requests_tenant", "tenant_id", "id"),
    Index("ix_privacy_requests_due", "due", sqlite_where=sa.text("status < 2"), postgresql_where=sa.text("status < 2")),
    info={"person": {}},  # found by what is inside
)

staff = Table(
    "staff",
    META,
    _id(primary_key=True),
    _tenant(),
    _ref("ref", nullable=False, erase="row"),  # what the tenant calls the person: emp-1042
    _id("contact_id"),  # whose number it is; null without one
    _sealed("name", erase="row"),
    _sealed("msisdn", erase="row"),
    _sealed("email", erase="row"),
    Column("locale", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("country", Text, nullable=False),
    _ref("manager_ref", erase="row"),
    Column("active", Boolean, nullable=False),
    Column("told_at", Instant, nullable=False),  # an older report changes nothing
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("tenant_id", "ref"),
    Index("ix_staff_tenant", "tenant_id", "id"),
    Index("ix_staff_contact", "contact_id"),
    info={"person": {"contact_id": "contact"}},
)

staff_refs = Table(
    "staff_refs",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("staff_id", nullable=False),
    _id("contact_id"),
    Column("system", Text, nullable=False),  # the connector whose name of the person this is
    _ref("ref", nullable=False, erase="row"),
    sa.UniqueConstraint("tenant_id", "system", "ref"),
    Index("ix_staff_refs_staff", "staff_id"),
    info={"person": {"contact_id": "contact"}},
)

deadlines = Table(
    "deadlines",
    META,
    _id(primary_key=True),
    _tenant(),
    _id("installation_id", nullable=False),
    Column("kind", Text, nullable=False),  # the event it makes: shift.reminder
    Column("stage", Text, nullable=False),  # before_60, manager
    Column("key_hash", LargeBinary(16), nullable=False),  # object and stage: one row each
    Column("about", LargeBinary(16), nullable=False, info={"hash": True}),  # all that ends together: a shift, a worker's period
    Column("due", Instant, nullable=False),
    Column("status", SmallInteger, nullable=False),  # DEADLINE_*
    _sealed("content", erase="row", json=True),  # the event to come, as in events.content
    _id("source_id"),  # the event that set it
    _id("event_id"),  # the event it made
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("error", Text),
    Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("installation_id", "key_hash"),
    Index("ix_deadlines_due", "due", sqlite_where=sa.text("status = 0"), postgresql_where=sa.text("status = 0")),
    Index("ix_deadlines_ended", "updated_at", sqlite_where=sa.text("status > 0"), postgresql_where=sa.text("status > 0")),
    Index("ix_deadlines_about", "installation_id", "about"),
    info={"person": {"source_id": "event", "event_id": "event"}},
)
DEADLINE_WAITING, DEADLINE_DONE, DEADLINE_OVER = range(3)

object_versions = Table(
    "object_versions",
    META,
    _id("installation_id", primary_key=True),
    Column("key_hash", LargeBinary(16), primary_key=True),  # the platform's object
    Column("version", sa.BigInteger, nullable=False),  # 0 where the platform counts none
    Column("at", Instant, nullable=False),  # when the newest state came to be
    Index("ix_object_versions_at", "at"),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    META,
    _id(primary_key=True),
    _id("tenant_id"),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),  # key_…, cli, worker
    Column("action", Text, nullable=False),  # trigger.created
    Column("object", Text, nullable=False),  # ids and field names only, nothing personal
    Column("details", Document),
    Column("seq", sa.BigInteger, unique=True),  # its place in the chain; null until sealed
    Column("seal", LargeBinary),
    Index("ix_audit_tenant", "tenant_id", "id"),
    Index("ix_audit_unsealed", "id", sqlite_where=sa.text("seq IS NULL"), postgresql_where=sa.text("seq IS NULL")),
)

workers = Table(
    "workers",
    META,
    _id(primary_key=True),
    Column("kind", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("beat", sa.BigInteger, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("beat_at", Instant, nullable=False),
)

#: Tables a tenant's statement may not touch without its criterion.
TENANT_TABLES: frozenset[str] = frozenset(table.name for table in META.sorted_tables if "tenant_id" in table.c)
