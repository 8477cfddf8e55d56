"""The consent ledger's arithmetic: what all that a person said amounts to. The ledger itself is never overwritten.

A `Standing` keeps the newest statement of each kind, so the order in which statements arrive, and how often, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from bellwire.model import ConsentState, Purpose, Word

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Source(Word):
    """Where a statement comes from."""

    REPLY = "reply"  # a keyword from the handset
    CARRIER = "carrier"  # the same, taken by the carrier: its stop list
    API = "api"
    PLATFORM = "platform"  # the person's act, reported by the platform as it happened
    SYNC = "sync"  # a field as we found it at the platform
    IMPORT = "import"
    EVENT = "event"  # implied by a transaction
    MANUAL = "manual"  # one of the tenant's people
    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    REGISTRY = "registry"  # a public list of numbers that refuse advertising
    ERASURE = "erasure"  # the person had the data erased
    RELEASE = "release"  # one of the tenant's people lifts a suppression

    @classmethod
    def read(cls, text: str) -> Source:
        """The source behind a caller's own word; one we don't know is a statement by the API."""
        word = text.strip().lower()
        return cls(word) if word in _SOURCES - {cls.ERASURE, cls.RELEASE} else cls.API


_SOURCES = frozenset(Source)
_ONLY_NO = frozenset({Source.COMPLAINT, Source.BOUNCE, Source.REGISTRY, Source.ERASURE})
#: Lists that say what a person once said elsewhere: without proof they never lift an opt-out.
_SECOND_HAND = frozenset({Source.SYNC, Source.IMPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One line of the ledger. `purpose` None: all. `at`: aware, when it was said; None = when it is kept.

    `proof`: what shows it (the reply, a form, a document). `confirmed`: an opt-in whose second step was made (double opt-in).
    Raises ValueError for a naive time, and for an opt-in by a source that can only refuse.
    """

    purpose: Purpose | None
    state: ConsentState
    source: Source
    at: datetime | None = None
    proof: str = field(default="", repr=False)
    confirmed: bool = False

    def __post_init__(self) -> None:
        if self.at is not None and self.at.utcoffset() is None:
            raise ValueError("the time of a statement must be aware")
        is_no = self.state is ConsentState.OPTED_OUT
        if (self.source in _ONLY_NO and not is_no) or (self.source is Source.RELEASE and is_no):
            raise ValueError(f"{self.source} can't say {self.state}")


class Mark(Word):
    """The kinds of statement that are told apart. Of each the newest counts."""

    GRANTED = "granted"  # a proven opt-in
    CONFIRMED = "confirmed"  # one with its second step
    RESUMED = "resumed"  # START
    CLAIMED = "claimed"  # an opt-in without proof
    IMPLIED = "implied"
    REVOKED = "revoked"
    HELD = "held"  # an opt-out by one of the tenant's people: START does not lift it
    SUPPRESSED = "suppressed"  # of the person, not of a purpose, as the two that follow
    RELEASED = "released"
    ERASED = "erased"


class Said(NamedTuple):
    """When, and by whom."""

    at: datetime
    source: Source


#: Of each purpose the names of its plain columns.
_PLAIN = tuple((purpose, str(purpose), f"{purpose}_at", f"{purpose}_by") for purpose in Purpose)

Marks: TypeAlias = Mapping[tuple[Purpose | None, Mark], Said]
#: Of each purpose the marks that `record` weighs.
_DECIDING = {
    purpose: tuple((purpose, mark) for mark in (Mark.HELD, Mark.REVOKED, Mark.GRANTED, Mark.RESUMED, Mark.CLAIMED, Mark.IMPLIED))
    for purpose in Purpose
}
_NEVER = Said(_EPOCH.replace(year=1), Source.API)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a contact's ledger amounts to now. An empty one: the person has said nothing."""

    marks: Marks = field(default_factory=dict)

    @property
    def suppression(self) -> Said | None:
        """Since when and why this number is never written to, whoever asks; None when it may be."""
        suppressed = self._newest(None, Mark.SUPPRESSED)
        return suppressed if suppressed is not _NEVER and suppressed.at >= self._newest(None, Mark.RELEASED).at else None

    @property
    def suppressed(self) -> bool:
        """Whether this number is never written to."""
        return self.suppression is not None

    @property
    def states(self) -> Mapping[Purpose, ConsentState | None]:
        """The state of each purpose."""
        return {purpose: self.state(purpose) for purpose in Purpose}

    @property
    def stop_all(self) -> bool:
        """Whether the person opted out of everything."""
        return all(self.state(purpose) is ConsentState.OPTED_OUT for purpose in Purpose)

    def state(self, purpose: Purpose) -> ConsentState | None:
        """What the person's statements about one purpose amount to; None: nothing was said."""
        record = self.record(purpose)
        return record.state if record else None

    def record(self, purpose: Purpose) -> Statement | None:
        """The statement that decides about one purpose. At the same instant an opt-out wins."""
        if not self.marks:
            return None
        held, revoked, granted, resumed, claimed, implied = [self.marks.get(key, _NEVER) for key in _DECIDING[purpose]]
        newest = max(granted, resumed)
        if held is not _NEVER and held.at >= granted.at:
            return _record(purpose, ConsentState.OPTED_OUT, held)
        if revoked is not _NEVER and revoked.at >= newest.at:
            return _record(purpose, ConsentState.OPTED_OUT, revoked)
        erased = self._newest(None, Mark.ERASED)
        for said, state in (
            (newest, ConsentState.OPTED_IN),
            (claimed, ConsentState.OPTED_IN),
            (implied, ConsentState.IMPLIED),
        ):
            if said.at > erased.at:
                return _record(purpose, state, said)
        return None

    def is_confirmed(self, purpose: Purpose) -> bool:
        """Whether the opt-in was confirmed, and nothing took it back since."""
        taken_back = max(self._newest(purpose, Mark.REVOKED), self._newest(None, Mark.ERASED))
        return self._newest(purpose, Mark.CONFIRMED).at > taken_back.at

    def to_row(self) -> dict[str, Any]:
        """The columns of a contact: `{purpose}`, `{purpose}_at`, `{purpose}_by`, `suppressed`, `suppressed_at`, `consent_marks`."""
        row: dict[str, Any] = {}
        for purpose in Purpose:
            record = self.record(purpose)
            row[str(purpose)] = str(record.state) if record else None
            row[f"{purpose}_at"] = record.at if record else None
            row[f"{purpose}_by"] = str(record.source) if record else None
        suppression = self.suppression
        row["suppressed"] = str(suppression.source) if suppression else None
        row["suppressed_at"] = suppression.at if suppression else None
        row["consent_marks"] = {
            f"{purpose or 'all'}.{mark}": [said.at.astimezone(UTC).isoformat(), str(said.source)]
            for (purpose, mark), said in sorted(self.marks.items(), key=lambda item: (item[0][0] or "", item[0][1]))
        } or None
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Standing:
        """The standing behind `to_row`. Where `consent_marks` is null or missing, the plain columns are all there is.

        A state `implied` may have been written to the plain columns alone: the ordinary order needs no more.
        """
        stored = row.get("consent_marks")
        marks: dict[tuple[Purpose | None, Mark], Said] = {}
        for key, (at, source) in (stored or {}).items():
            purpose, _, mark = key.partition(".")
            marks[None if purpose == "all" else Purpose(purpose), Mark(mark)] = Said(datetime.fromisoformat(at), Source(source))
        for one, name, at_name, by_name in _PLAIN:
            state = row.get(name)
            if state and (not stored or state == ConsentState.IMPLIED):
                said = Said(row.get(at_name) or _EPOCH, _stored(row.get(by_name)))
                for mark in _marks_of(ConsentState(state), said.source, proven=False, confirmed=False):
                    marks[one, mark] = max(said, marks.get((one, mark), said))
        if row.get("suppressed") and (None, Mark.SUPPRESSED) not in marks:
            marks[None, Mark.SUPPRESSED] = Said(row.get("suppressed_at") or _EPOCH, _stored(row["suppressed"]))
        return cls(marks=marks)

    def _newest(self, purpose: Purpose | None, mark: Mark) -> Said:
        return self.marks.get((purpose, mark), _NEVER)


#: The standing of somebody who has said nothing.
SILENT = Standing()
#: The columns of a contact that `Standing.from_row` reads.
CONSENT_COLUMNS = (*(name for _, *names in _PLAIN for name in names), "suppressed", "suppressed_at", "consent_marks")


def apply(standing: Standing, statement: Statement, *, now: datetime) -> Standing:
    """The standing once a statement is kept. The order of statements, and keeping one twice, make no difference.

    A proven newer statement wins; an opt-out is lifted by a newer proven opt-in or START, never by a list without proof; what one
    of the tenant's people, a complaint or a bounce set is never lifted by START. `now`: when it reaches us (aware): a clock that
    is ahead must not outlive the next STOP, so nothing counts as said later than that.
    """
    said = Said(max(min(statement.at or now, now), _EPOCH), statement.source)
    marks = dict(standing.marks)
    for key in _keys(statement):
        marks[key] = max(said, marks.get(key, said))
    return Standing(marks=marks)


def _keys(statement: Statement) -> Iterator[tuple[Purpose | None, Mark]]:
    """The marks a statement sets."""
    source, purpose = statement.source, statement.purpose
    if source is Source.RELEASE:
        yield None, Mark.RELEASED
        return
    if source is Source.ERASURE:
        yield None, Mark.ERASED
        yield Purpose.MARKETING, Mark.REVOKED  # GDPR 17(1)(b): consent is withdrawn; what was refused stays refused
        return
    is_no = statement.state is ConsentState.OPTED_OUT
    if source in (Source.COMPLAINT, Source.BOUNCE) or (source is Source.MANUAL and purpose is None and is_no):
        yield None, Mark.SUPPRESSED
        if source is Source.COMPLAINT:
            yield Purpose.MARKETING, Mark.REVOKED
        return
    for one in (purpose,) if purpose else Purpose:
        for mark in _marks_of(statement.state, source, proven=bool(statement.proof), confirmed=statement.confirmed):
            yield one, mark


def _marks_of(state: ConsentState, source: Source, *, proven: bool, confirmed: bool) -> tuple[Mark, ...]:
    if state is ConsentState.OPTED_OUT:
        return (Mark.REVOKED, Mark.HELD) if source is Source.MANUAL else (Mark.REVOKED,)
    if state is ConsentState.IMPLIED:
        return (Mark.IMPLIED,)
    if not proven and source in _SECOND_HAND:
        return (Mark.CLAIMED,)
    if confirmed:
        return (Mark.GRANTED, Mark.CONFIRMED)
    return (Mark.RESUMED,) if source in (Source.REPLY, Source.CARRIER) else (Mark.GRANTED,)


def _stored(word: str | None) -> Source:
    return Source(word) if word in _SOURCES else Source.API


def _record(purpose: Purpose, state: ConsentState, said: Said) -> Statement:
    return Statement(purpose=purpose, state=state, source=said.source, at=said.at)
