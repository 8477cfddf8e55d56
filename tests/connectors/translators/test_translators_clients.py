"""The way out: what is asked of each platform, what its answers become, and what stands there once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests
import responses
from bellwire import Connector, Event, Msisdn, Person, PlatformError, PlatformThrottled, ReplyNote, Retry, Status, StatusChange
from bellwire.testing import NOW, LooseLink, installation, sample
from bellwire.testing.standins import Fault
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.translating.bodies import one_line
from bellwire_connectors.translating.calls import call
from bellwire_connectors.trello import connector as trello
from translators_stand_ins import Asana, Board, Clockify, Jira, Monday, Toggl, Trello

Opened = tuple[Any, LooseLink]


@contextmanager
def opened(connector: Connector, board: Board, **settings: Any) -> Iterator[Opened]:
    """A stand-in, and a link of an installation at it."""
    board.start()
    made = installation(connector)
    made = replace(
        made,
        credentials={**made.credentials, **board.credentials()},
        settings={**made.settings, **board.settings(), "base_url": board.url, **settings},
    )
    link = LooseLink(made)
    try:
        yield board, link
    finally:
        link.http.close()
        board.stop()


def change(subject: str, status: Status = Status.DELIVERED, **more: Any) -> StatusChange:
    return StatusChange(message_id="msg_1", status=status, at=NOW, subject=subject, trigger="told", msisdn_tail="01", **more)


BOARDS = [
    pytest.param(jira, Jira, id="jira"),
    pytest.param(asana, Asana, id="asana"),
    pytest.param(trello, Trello, id="trello"),
    pytest.param(monday, Monday, id="monday"),
]
Open = Callable[..., AbstractContextManager[Opened]]


@pytest.mark.parametrize(("connector", "made"), BOARDS)
class TestNotes:
    """What became of a text, as a comment."""

    def test_each_status_stands_there_once(self, connector: Connector, made: type[Board]) -> None:
        assert connector.write_back is not None
        with opened(connector, made()) as (board, link):
            subject = board.subject()
            for _ in range(3):
                connector.write_back([change(subject, Status.SENT), change(subject)], link)
            [texts] = board.written().values()
        assert texts == [
            "SMS sent at 2026-01-05 09:00 UTC, to …01, by trigger told (msg_1 sent)",
            "SMS delivered at 2026-01-05 09:00 UTC, to …01, by trigger told (msg_1 delivered)",
        ]

    def test_among_many_other_comments_it_is_found_again(self, connector: Connector, made: type[Board]) -> None:
        assert connector.write_back is not None
        with opened(connector, made()) as (board, link):
            subject = board.subject()
            connector.write_back([change(subject)], link)
            name = subject.partition("/")[2]
            board.comments[name] += [f"remark {number}" for number in range(5)]
            connector.write_back([change(subject)], link)
            assert len(board.comments[name]) == 6

    def test_what_is_written_is_text_and_nothing_else(self, connector: Connector, made: type[Board]) -> None:
        assert connector.write_back is not None
        with opened(connector, made()) as (board, link):
            subject = board.subject()
            said = change(subject, reason='<b>no</b> [~admin] "x" +15550100199', text="Hi <script>")
            for _ in range(2):
                connector.write_back([said], link)
            [[text]] = board.written().values()
        assert "+15550100199" not in text
        assert "5550100" not in text
        assert "<script>" not in text if connector is monday else "<script>" in text  # monday's updates are HTML

    def test_a_reply_stands_there_once(self, connector: Connector, made: type[Board]) -> None:
        assert connector.write_reply is not None
        with opened(connector, made()) as (board, link):
            note = ReplyNote(reply_id="rpl_1", msisdn=Msisdn("+15550100199"), text="On\nmy way", at=NOW, subject=board.subject())
            for _ in range(2):
                connector.write_reply(note, link)
            [[text]] = board.written().values()
        assert text == "SMS reply from …99 at 2026-01-05 09:00 UTC: On my way (rpl_1)"

    @pytest.mark.parametrize("subject", ["", "shift/1", "task/"])
    def test_what_is_about_no_task_is_refused(self, connector: Connector, made: type[Board], subject: str) -> None:
        assert connector.write_back is not None
        assert connector.write_reply is not None
        note = ReplyNote(reply_id="rpl_1", msisdn=Msisdn("+15550100199"), text="Yes", at=NOW, subject=subject)
        with opened(connector, made()) as (board, link):
            for run in (lambda: connector.write_back([change(subject)], link), lambda: connector.write_reply(note, link)):  # type: ignore[misc]
                with pytest.raises(PlatformError) as error:
                    run()
                assert error.value.retry is Retry.NEVER
            assert board.calls() == 0

    def test_one_that_is_refused_keeps_no_other_from_being_written(self, connector: Connector, made: type[Board]) -> None:
        assert connector.write_back is not None
        with opened(connector, made()) as (board, link):
            there = board.subject()
            with pytest.raises(PlatformError):
                connector.write_back([change("shift/1"), change(there)], link)
            assert [len(texts) for texts in board.written().values()] == [1]

    def test_without_a_token_nothing_is_called(self, connector: Connector, made: type[Board]) -> None:
        assert connector.write_back is not None
        with opened(connector, made()) as (board, link):
            kept = {name: value for name, value in link.installation.credentials.items() if "token" not in name}
            bare = LooseLink(replace(link.installation, credentials=kept))
            with pytest.raises(PlatformError, match="token is missing") as error:
                connector.write_back([change(board.subject())], bare)
            assert error.value.retry is Retry.NEVER
            assert board.calls() == 0

    def test_a_check_tells_a_refused_token(self, connector: Connector, made: type[Board]) -> None:
        assert connector.check is not None
        with opened(connector, made()) as (board, link):
            board.fail(Fault(status=401))
            assert any("refused" in one.detail for one in connector.check(link) if not one.ok)
            assert any(one.ok for one in connector.check(link))


ANSWERS = [
    ("too fast", {"status": 429, "headers": {"Retry-After": "7"}}, Retry.LATER),
    ("refused", {"status": 401}, Retry.NEVER),
    ("forbidden", {"status": 403}, Retry.NEVER),
    ("not there", {"status": 404}, Retry.NEVER),
    ("gone", {"status": 410}, Retry.NEVER),
    ("led elsewhere", {"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, Retry.NEVER),
    ("not understood", {"status": 422}, Retry.NEVER),
    ("down", {"status": 503}, Retry.LATER),
    ("a page", {"status": 200, "body": "<html>"}, Retry.LATER),
    ("no answer", {"body": requests.ConnectionError("https://user:secret@example.com")}, Retry.LATER),
    ("too slow", {"body": requests.ReadTimeout("+15550100199")}, Retry.LATER),
]


@pytest.mark.parametrize(("label", "answer", "retry"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_what_an_answer_means(label: str, answer: dict[str, Any], retry: Retry) -> None:
    link = LooseLink(installation(jira))
    with responses.RequestsMock() as server:
        server.get("https://api.example/x", **answer)
        with pytest.raises(PlatformError) as error:
            call(link, "test", "GET", "https://api.example/x", headers={"Authorization": "Bearer made-up"})
    assert error.value.retry is retry
    assert "secret" not in str(error.value)
    assert "555" not in str(error.value)
    if isinstance(error.value, PlatformThrottled):
        assert error.value.retry_after_s == 7


def refusal(message: str, code: str, **more: object) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code, **more}}]}


REFUSALS = [
    (refusal("Complexity budget exhausted", "COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=12), Retry.LATER, 12.0),
    ({"error_code": "ComplexityException", "error_message": "Complexity budget exhausted"}, Retry.LATER, None),
    (refusal("Rate Limit Exceeded.", "RATE_LIMIT_EXCEEDED", retry_in_seconds="soon"), Retry.LATER, None),
    (refusal("Not Authenticated", "UserUnauthorizedException"), Retry.NEVER, None),
    (refusal("item 7 not found", "InvalidItemIdException"), Retry.NEVER, None),
    ({"errors": ["what?"]}, Retry.NEVER, None),
    ({"errors": "what?"}, Retry.NEVER, None),
]


@pytest.mark.parametrize(("refused", "retry", "wait"), REFUSALS, ids=range(len(REFUSALS)))
def test_monday_refuses_with_status_200(refused: dict[str, Any], retry: Retry, wait: float | None) -> None:
    assert monday.write_back is not None
    with opened(monday, Monday()) as (board, link):
        board.refusals.append(refused)
        with pytest.raises(PlatformError) as error:
            monday.write_back([change(board.subject())], link)
        assert board.written() == {"1200000000000001": []}
    assert (error.value.retry, error.value.retry_after_s) == (retry, wait)


# -- what an event is completed by ------------------------------------------------------------------------------


TASK = {
    "name": "Refill the printer",
    "completed": False,
    "due_on": "2026-01-09",
    "due_at": None,
    "permalink_url": "https://app.asana.com/0/1/2",
    "assignee": {"gid": "1200000000000007", "name": "Sample Worker", "email": "worker@example.com"},
    "projects": [{"name": "Operations"}],
}
USER = {
    "name": "Sample Worker",
    "email": "worker@example.com",
    "phone": "+1 555 010 0002",
    "mobile_phone": "+1 555 010 0001",
    "country_code": "us",
    "time_zone_identifier": "America/New_York",
}
ITEM = {"name": "Refill the printer", "url": "https://example.monday.com/boards/1/pulses/2", "board": {"name": "Operations"}}
ROW = {
    "id": "65a1c0ffee00000000000055",
    "userName": "Sample Worker",
    "projectName": "Warehouse 2",
    "note": "Forklift",
    "period": {"start": "2026-01-06T07:00:00Z", "end": "2026-01-06T15:00:00Z"},
}


def read(connector: Connector, name: str, **credentials: str) -> Event:
    """The last event of a sample, where the API may be asked."""
    at = installation(connector)
    return connector.read(sample(connector.samples, name), replace(at, credentials={**at.credentials, **credentials}))[-1]


class TestAsanaTasks:
    @staticmethod
    def completed(name: str, **changes: Any) -> Event:
        assert asana.enrich is not None
        with opened(asana, Asana()) as (board, link):
            board.made("1200000000000500", **{**TASK, **changes})
            return asana.enrich(read(asana, name), link)

    def test_a_task_brings_title_due_date_and_person(self) -> None:
        event = self.completed("task_assigned")
        assert event.fetch == {}
        assert event.customer == Person(ref="1200000000000007", name="Sample Worker", email="worker@example.com")
        assert event.data["task.title"] == "Refill the printer"
        assert event.data["task.due_at"] == "2026-01-09"
        assert event.data["task.project"] == "Operations"
        assert event.data["actor.is_worker"] is False

    def test_who_got_it_stays_when_somebody_else_has_it_since(self) -> None:
        event = self.completed("task_assigned", assignee={"gid": "1", "name": "Other Worker"})
        assert event.customer == Person(ref="1200000000000007")

    def test_a_finished_task(self) -> None:
        event = self.completed("task_status_changed", completed=True)
        assert (event.data["task.status"], event.data["previous.task.status"]) == ("completed", "incomplete")

    def test_a_task_open_again(self) -> None:
        event = self.completed("task_status_changed")
        assert (event.data["task.status"], event.data["previous.task.status"]) == ("incomplete", "completed")

    def test_nobody_s_task_is_about_nobody(self) -> None:
        assert self.completed("task_due", assignee=None, projects=[], due_at="2026-01-09T17:00:00.000Z").customer is None

    def test_a_task_that_is_gone_stays_as_it_was_told(self) -> None:
        assert asana.enrich is not None
        with opened(asana, Asana()) as (_, link):
            event = read(asana, "task_assigned")
            assert asana.enrich(event, link) == replace(event, fetch={})

    def test_a_refused_token_is_no_missing_task(self) -> None:
        assert asana.enrich is not None
        with opened(asana, Asana()) as (board, link):
            board.fail(Fault(status=401))
            with pytest.raises(PlatformError):
                asana.enrich(read(asana, "task_assigned"), link)


class TestTrelloCards:
    @staticmethod
    def completed(name: str, **fields: Any) -> Event:
        assert trello.enrich is not None
        with opened(trello, Trello()) as (board, link):
            board.made("65a1c0ffee0000000000dd01", **fields)
            return trello.enrich(read(trello, name, api_key="k", api_token="t"), link)

    def test_a_card_brings_its_first_member(self) -> None:
        event = self.completed("task_due", members=[{"id": "m1", "fullName": "Sample Worker"}, {"id": "m2"}])
        assert event.customer == Person(ref="m1", name="Sample Worker")
        assert event.data["task.due_at"] == "2026-01-09T17:00:00Z"

    def test_a_moved_card_brings_its_due_date(self) -> None:
        event = self.completed("task_status_changed", members=[], due="2026-01-10T10:00:00.000Z")
        assert event.customer is None
        assert event.data["task.due_at"] == "2026-01-10T10:00:00Z"

    def test_a_card_that_is_gone_stays_as_it_was_told(self) -> None:
        assert trello.enrich is not None
        with opened(trello, Trello()) as (_, link):
            event = read(trello, "task_due", api_key="k", api_token="t")
            assert trello.enrich(event, link) == replace(event, fetch={})

    def test_without_a_token_a_card_comes_as_it_is(self) -> None:
        assert read(trello, "task_due").fetch == {}


class TestMondayItems:
    @staticmethod
    def completed(name: str, **fields: Any) -> Event:
        assert monday.enrich is not None
        with opened(monday, Monday()) as (board, link):
            board.made("1772099344", **ITEM, **fields)
            board.people = {"9603417": USER}
            return monday.enrich(read(monday, name, api_token="t"), link)

    def test_an_item_brings_its_person_with_the_mobile_number_first(self) -> None:
        columns = [{}, {"persons_and_teams": [{"id": "5", "kind": "team"}, {"id": "9603417", "kind": "person"}]}]
        for name in ("task_created", "task_status_changed", "task_due"):
            event = self.completed(name, column_values=columns)
            worker = event.customer
            assert worker is not None
            assert worker.ref == "9603417"
            assert worker.phones == ("+1 555 010 0001", "+1 555 010 0002")
            assert (worker.countries, worker.timezone) == (("US",), "America/New_York")
            assert event.data["task.url"] == "https://example.monday.com/boards/1/pulses/2"
            assert event.data["worker.name"] == "Sample Worker"

    def test_who_was_assigned_is_asked_for_by_name(self) -> None:
        event = self.completed("task_assigned", column_values=[])
        assert event.customer is not None
        assert event.customer.phones

    def test_an_item_of_nobody(self) -> None:
        assert self.completed("task_due", column_values=None).customer is None

    def test_somebody_who_is_gone_is_known_by_the_number_alone(self) -> None:
        assert monday.enrich is not None
        with opened(monday, Monday()) as (_, link):
            event = monday.enrich(read(monday, "task_assigned", api_token="t"), link)
        assert event.customer == Person(ref="9603417")
        assert event.data["task.title"] == "Refill the printer"


class TestClockifyAssignments:
    def test_a_shift_brings_its_times_and_place_from_the_second_page(self) -> None:
        assert clockify.enrich is not None
        with opened(clockify, Clockify()) as (board, link):
            board.assignments = [{"id": str(number)} for number in range(200)] + [ROW]
            event = clockify.enrich(read(clockify, "shift_published", api_key="k"), link)
            assert board.calls() == 2
        assert event.data["shift.starts_at"] == "2026-01-06T07:00:00Z"
        assert event.data["shift.ends_at"] == "2026-01-06T15:00:00Z"
        assert (event.data["shift.location"], event.data["shift.role"]) == ("Warehouse 2", "Forklift")
        assert event.customer == Person(ref="65a1c0ffee00000000000007", name="Sample Worker")
        assert event.fetch == {}

    def test_a_shift_that_is_gone_stays_as_it_was_told(self) -> None:
        assert clockify.enrich is not None
        with opened(clockify, Clockify()) as (_, link):
            event = read(clockify, "shift_published", api_key="k")
            assert clockify.enrich(event, link) == event

    def test_without_a_key_and_for_a_deleted_one_nothing_is_asked(self) -> None:
        assert read(clockify, "shift_published").fetch == {}
        assert read(clockify, "shift_cancelled", api_key="k").fetch == {}


# -- subscriptions ----------------------------------------------------------------------------------------------


class TestAsanaWebhooks:
    def test_each_project_is_watched_and_its_secret_kept(self) -> None:
        assert asana.subscribe is not None
        with opened(asana, Asana()) as (board, link):
            asana.subscribe(link)
            assert {hook["resource"]["gid"] for hook in board.hooks.values()} == {"1200000000000050", "1200000000000051"}
            assert set(board.secrets.values()) <= set(link.installation.credentials["hook_secrets"])
            assert link.cursor["hooks"] == {hook["resource"]["gid"]: gid for gid, hook in board.hooks.items()}

    def test_asking_again_makes_none_and_a_deleted_one_comes_back(self) -> None:
        assert asana.reconcile is not None
        with opened(asana, Asana()) as (board, link):
            for many in (2, 2):
                assert asana.reconcile(link, NOW) == []
                link = LooseLink(replace(link.installation, cursor=link.cursor or link.installation.cursor))
                assert len(board.secrets) == many
            del board.hooks[next(iter(board.hooks))]
            asana.reconcile(link, NOW)
            assert (board.subscriptions(), len(board.secrets)) == (2, 3)

    def test_one_whose_secret_is_not_known_is_made_again(self) -> None:
        assert asana.subscribe is not None
        with opened(asana, Asana(), resources=["1200000000000050"]) as (board, link):
            asana.subscribe(link)
            [first] = board.hooks
            asana.subscribe(LooseLink(replace(link.installation, cursor={})))
            [second] = board.hooks
            assert first != second

    def test_a_webhook_of_somebody_else_s_stays(self) -> None:
        assert asana.subscribe is not None
        with opened(asana, Asana(), resources=["1200000000000050"]) as (board, link):
            board.hooks["1"] = {
                "gid": "1",
                "resource": {"gid": "1200000000000050"},
                "target": "https://other.example",
                "active": True,
            }
            asana.subscribe(link)
            assert set(board.hooks) > {"1"}

    @pytest.mark.parametrize("less", [{"resources": []}, {"resources": None}])
    def test_without_projects_nothing_is_asked(self, less: dict[str, Any]) -> None:
        assert asana.subscribe is not None
        with opened(asana, Asana(), **less) as (board, link):
            asana.subscribe(link)
            assert board.calls() == 0

    def test_a_check_names_what_is_not_watched(self) -> None:
        assert asana.check is not None
        assert asana.subscribe is not None
        with opened(asana, Asana()) as (_, link):
            assert [one.detail for one in asana.check(link) if not one.ok] == [
                "not watched: 1200000000000050, 1200000000000051; run …/reconcile"
            ]
            asana.subscribe(link)
            assert [one for one in asana.check(link) if not one.ok] == []


class TestClockifyWebhooks:
    def test_each_event_has_one_and_its_token_is_kept(self) -> None:
        assert clockify.reconcile is not None
        assert clockify.check is not None
        with opened(clockify, Clockify()) as (board, link):
            for _ in range(2):
                assert clockify.reconcile(link, NOW) == []
            assert board.subscriptions() == 7
            assert "NEW_TASK=token of NEW_TASK" in link.installation.credentials["tokens"]
            assert link.renewals == 1
            assert [one for one in clockify.check(link) if not one.ok] == []
            board.drop_subscriptions()
            clockify.reconcile(link, NOW)
            assert board.subscriptions() == 7

    def test_without_a_key_nothing_is_asked(self) -> None:
        assert clockify.subscribe is not None
        with opened(clockify, Clockify()) as (board, link):
            bare = replace(link.installation, credentials={**link.installation.credentials, "api_key": ""})
            clockify.subscribe(LooseLink(bare))
            assert board.calls() == 0


class TestTogglSubscription:
    def test_there_is_one_signed_with_our_secret(self) -> None:
        assert toggl.reconcile is not None
        with opened(toggl, Toggl()) as (board, link):
            for _ in range(2):
                assert toggl.reconcile(link, NOW) == []
            [hook] = board.hooks
            assert hook["secret"] == link.installation.credentials["secret"]
            assert hook["url_callback"] == link.installation.webhook_url
            board.drop_subscriptions()
            toggl.reconcile(link, NOW)
            assert board.subscriptions() == 1

    def test_one_that_was_switched_off_is_switched_on(self) -> None:
        assert toggl.subscribe is not None
        assert toggl.check is not None
        with opened(toggl, Toggl()) as (board, link):
            assert [one.ok for one in toggl.check(link)] == [False]
            toggl.subscribe(link)
            assert [one.detail for one in toggl.check(link)] == ["not validated"]
            board.hooks[0] |= {"enabled": False, "validated_at": "2026-01-05T09:00:00Z"}
            assert [one.detail for one in toggl.check(link)] == ["disabled"]
            toggl.subscribe(link)
            assert [one.ok for one in toggl.check(link)] == [True]

    def test_without_a_token_nothing_is_asked(self) -> None:
        assert toggl.subscribe is not None
        with opened(toggl, Toggl()) as (board, link):
            toggl.subscribe(LooseLink(replace(link.installation, credentials={"secret": "s" * 20})))
            assert board.calls() == 0


def test_a_line_has_no_control_characters() -> None:
    assert one_line("a\x00b\r\nc\u2028d ") == "a b  c d"
