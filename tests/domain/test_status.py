"""How a message's status moves: a table of moves, and the laws that hold for any reports in any order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from bellwire.domain.status import CANCELABLE, FINAL, advance, combine, end_attempt, is_final, report_segment
from bellwire.model import Status
from hypothesis import given, settings
from hypothesis import strategies as st

S = Status
CARRIER_HAS_IT = (S.SENDING, S.UNKNOWN, S.SENT)
RANK = {S.SCHEDULED: 0, S.QUEUED: 1, S.SENDING: 2, S.UNKNOWN: 3, S.SENT: 4, **dict.fromkeys(FINAL, 5)}

MOVES: list[tuple[str, Status, Status | None, Status | None]] = [
    ("the carrier has it", S.SENDING, S.SENT, S.SENT),
    ("sent, then on the handset", S.SENT, S.DELIVERED, S.DELIVERED),
    ("a receipt overtakes the answer to the submit", S.SENDING, S.DELIVERED, S.DELIVERED),
    ("a refusal overtakes the answer to the submit", S.SENDING, S.FAILED, S.FAILED),
    ("the answer comes after the receipt", S.DELIVERED, S.SENT, None),
    ("a buffered state comes after the end", S.UNDELIVERED, S.SENT, None),
    ("the same again", S.SENT, S.SENT, None),
    ("the same final again", S.DELIVERED, S.DELIVERED, None),
    ("a receipt settles an unknown", S.UNKNOWN, S.DELIVERED, S.DELIVERED),
    ("the carrier has it after all", S.UNKNOWN, S.SENT, S.SENT),
    ("an unknown was refused", S.UNKNOWN, S.FAILED, S.FAILED),
    ("delivered overrules undelivered", S.UNDELIVERED, S.DELIVERED, S.DELIVERED),
    ("delivered overrules expired", S.EXPIRED, S.DELIVERED, S.DELIVERED),
    ("delivered does not overrule failed", S.FAILED, S.DELIVERED, None),
    ("delivered does not overrule canceled", S.CANCELED, S.DELIVERED, None),
    ("nothing overrules delivered", S.DELIVERED, S.UNDELIVERED, None),
    ("the first of two other finals stays", S.UNDELIVERED, S.EXPIRED, None),
    ("whichever it is", S.EXPIRED, S.UNDELIVERED, None),
    ("a refusal of ours stays", S.REFUSED, S.DELIVERED, None),
    ("a receipt that says unknown moves nothing", S.SENT, S.UNKNOWN, None),
    ("an unmapped receipt moves nothing", S.SENT, None, None),
    ("unknown is nothing a carrier can report", S.SENDING, S.UNKNOWN, None),
    ("queued is nothing a carrier can report", S.SENDING, S.QUEUED, None),
    ("a refusal of ours is nothing a carrier can report", S.SENT, S.REFUSED, None),
    ("given back, but the carrier has it: no second send", S.QUEUED, S.SENT, S.SENT),
    ("given back, but delivered", S.QUEUED, S.DELIVERED, S.DELIVERED),
    ("given back because it failed: the receipt says nothing new", S.QUEUED, S.FAILED, None),
    ("the carrier took it back for us", S.SENT, S.CANCELED, S.CANCELED),
]


@pytest.mark.parametrize(("current", "reported", "after"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
def test_advance(current: Status, reported: Status | None, after: Status | None) -> None:
    assert advance(current, reported) is after


EARLIER: list[tuple[str, Status, Status, Status | None]] = [
    ("the first carrier's failure does not end what the second has", S.SENT, S.FAILED, None),
    ("nor its expiry what is under way", S.SENDING, S.EXPIRED, None),
    ("nor does its late acceptance move it", S.SENDING, S.SENT, None),
    ("but a handset that has it has it", S.SENT, S.DELIVERED, S.DELIVERED),
    ("also after the second failed to reach it", S.UNDELIVERED, S.DELIVERED, S.DELIVERED),
]


@pytest.mark.parametrize(("current", "reported", "after"), [row[1:] for row in EARLIER], ids=[row[0] for row in EARLIER])
def test_report_about_an_earlier_attempt(current: Status, reported: Status, after: Status | None) -> None:
    assert advance(current, reported, latest_attempt=False) is after


ENDS: list[tuple[str, Status, Status, Status | None]] = [
    ("accepted", S.SENDING, S.SENT, S.SENT),
    ("certainly failed, another try", S.SENDING, S.QUEUED, S.QUEUED),
    ("no answer", S.SENDING, S.UNKNOWN, S.UNKNOWN),
    ("refused", S.SENDING, S.FAILED, S.FAILED),
    ("no answer, but a receipt was faster", S.DELIVERED, S.UNKNOWN, None),
    ("no answer, but the carrier reported it sent", S.SENT, S.UNKNOWN, None),
    ("failed, but a receipt was faster", S.SENT, S.QUEUED, None),
    ("accepted, after the sweeper gave up on it", S.UNKNOWN, S.SENT, S.SENT),
    ("accepted, after its receipt", S.DELIVERED, S.SENT, None),
]


@pytest.mark.parametrize(("current", "result", "after"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_end_attempt(current: Status, result: Status, after: Status | None) -> None:
    assert end_attempt(current, result) is after


@pytest.mark.parametrize("result", [S.SCHEDULED, S.SENDING, S.CANCELED, S.REFUSED])
def test_an_attempt_cannot_end_otherwise(result: Status) -> None:
    with pytest.raises(ValueError, match=result):
        end_attempt(S.SENDING, result)


@pytest.mark.parametrize("status", list(Status))
def test_final_means_that_only_delivered_may_follow(status: Status) -> None:
    followers = {advance(status, reported) for reported in Status} - {None}
    assert is_final(status) is (followers <= {S.DELIVERED} and status not in CARRIER_HAS_IT and status not in CANCELABLE)


# -- laws ---------------------------------------------------------------------------------------------------------

reports = st.one_of(st.none(), st.sampled_from(Status))


def run(start: Status, reported: Sequence[Status | None]) -> Status:
    status = start
    for one in reported:
        status = advance(status, one) or status
    return status


@given(start=st.sampled_from(Status), reported=reports, latest=st.booleans())
def test_a_report_applied_twice_changes_nothing(start: Status, reported: Status | None, latest: bool) -> None:
    once = advance(start, reported, latest_attempt=latest) or start
    assert advance(once, reported, latest_attempt=latest) is None


@settings(max_examples=200)
@given(start=st.sampled_from(Status), reported=st.lists(reports, max_size=8))
def test_never_backwards(start: Status, reported: list[Status | None]) -> None:
    status = start
    for one in reported:
        after = advance(status, one) or status
        assert after is status or RANK[after] > RANK[status] or (after is S.DELIVERED and status in {S.UNDELIVERED, S.EXPIRED})
        status = after


#: Sets whose order makes no difference: whatever is not final, and either one final (repeated or not) or `delivered` with the
#: finals it overrules. In any other set (`failed` with another final, `undelivered` with `expired`) the first final stays.
FINALS_IN_ANY_ORDER: list[tuple[set[Status], Status]] = [
    *(({final}, final) for final in (S.DELIVERED, S.UNDELIVERED, S.FAILED, S.EXPIRED, S.CANCELED)),
    ({S.DELIVERED, S.UNDELIVERED}, S.DELIVERED),
    ({S.DELIVERED, S.EXPIRED}, S.DELIVERED),
    ({S.DELIVERED, S.UNDELIVERED, S.EXPIRED}, S.DELIVERED),
]


@settings(max_examples=200)
@given(
    start=st.sampled_from(CARRIER_HAS_IT),
    finals=st.sampled_from(FINALS_IN_ANY_ORDER),
    others=st.lists(st.sampled_from([None, S.SENT, S.UNKNOWN, S.QUEUED]), max_size=5),
    doubled=st.booleans(),
    data=st.data(),
)
def test_any_order_of_receipts_ends_in_the_same_status(
    start: Status, finals: tuple[set[Status], Status], others: list[Status | None], doubled: bool, data: st.DataObject
) -> None:
    reported: list[Status | None] = [*sorted(finals[0]), *others]
    order = data.draw(st.permutations(reported * 2 if doubled else reported))
    assert run(start, order) is finals[1]


CONFLICTS = [
    (S.FAILED, S.DELIVERED),
    (S.DELIVERED, S.FAILED),
    (S.UNDELIVERED, S.EXPIRED),
    (S.EXPIRED, S.FAILED),
    (S.CANCELED, S.DELIVERED),
]


@pytest.mark.parametrize(("first", "second"), CONFLICTS)
def test_of_other_conflicting_finals_the_first_stays(first: Status, second: Status) -> None:
    assert run(S.SENT, [first, second]) is first


# -- segments -----------------------------------------------------------------------------------------------------

COMBINED: list[tuple[str, dict[int, Status], int, Status | None]] = [
    ("nothing yet", {}, 2, None),
    ("the only segment", {1: S.DELIVERED}, 1, S.DELIVERED),
    ("one of two is there", {1: S.DELIVERED}, 2, S.SENT),
    ("both are there", {2: S.DELIVERED, 1: S.DELIVERED}, 2, S.DELIVERED),
    ("one is there, one on its way", {1: S.DELIVERED, 2: S.SENT}, 2, S.SENT),
    ("one is lost, nothing of the other", {2: S.UNDELIVERED}, 2, S.UNDELIVERED),
    ("one is lost, one is there", {1: S.DELIVERED, 2: S.EXPIRED}, 2, S.EXPIRED),
    ("the worst names the message", {1: S.EXPIRED, 2: S.FAILED, 3: S.UNDELIVERED}, 3, S.FAILED),
    ("more segments than we counted, all there", {1: S.DELIVERED, 2: S.DELIVERED, 3: S.DELIVERED}, 2, S.DELIVERED),
    ("more segments than we counted, one on its way", {1: S.DELIVERED, 2: S.DELIVERED, 3: S.SENT}, 2, S.SENT),
]


@pytest.mark.parametrize(("segments", "total", "status"), [row[1:] for row in COMBINED], ids=[row[0] for row in COMBINED])
def test_combine(segments: dict[int, Status], total: int, status: Status | None) -> None:
    assert combine(segments, total) is status


def test_a_message_has_a_segment() -> None:
    with pytest.raises(ValueError, match="at least one"):
        combine({}, 0)


def test_a_segment_that_is_unmapped_or_repeated_stays() -> None:
    segments = report_segment({1: S.DELIVERED}, 2, None)
    assert segments == {1: S.DELIVERED}
    assert report_segment(segments, 1, S.SENT) == segments


#: Segments' sets whose order makes no difference: every segment is delivered in the end, or all lost ones are lost alike and
#: were never reported otherwise.
per_segment = st.sampled_from(
    [{S.DELIVERED}, {S.DELIVERED, S.UNDELIVERED}, {S.DELIVERED, S.EXPIRED, S.SENT}, {S.SENT, S.DELIVERED}]
)
lost_alike = st.sampled_from([{S.UNDELIVERED}, {S.UNDELIVERED, S.SENT}, {S.DELIVERED}, {S.SENT}])


@settings(max_examples=200)
@given(sets=st.one_of(st.lists(per_segment, min_size=1, max_size=4), st.lists(lost_alike, min_size=1, max_size=4)), data=st.data())
def test_any_order_of_segments_receipts_ends_in_the_same_status(sets: list[set[Status]], data: st.DataObject) -> None:
    def end(order: Sequence[tuple[int, Status]]) -> Status:
        segments: dict[int, Status] = {}
        status = S.SENDING
        for number, reported in order:
            segments = report_segment(segments, number, reported)
            status = advance(status, combine(segments, len(sets))) or status
        return status

    receipts = [(number, status) for number, statuses in enumerate(sets, 1) for status in sorted(statuses)]
    expected = (
        S.DELIVERED
        if all(S.DELIVERED in one for one in sets)
        else S.UNDELIVERED
        if any(S.UNDELIVERED in one for one in sets)
        else S.SENT
    )
    assert end(data.draw(st.permutations([*receipts, receipts[0]]))) is expected
