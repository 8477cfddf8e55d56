"""Webhooks, triggers, fields and the secret: made once, found missing, made again; and what a check says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bellwire import (
    CheckResult,
    Installation,
    InstallStart,
    PayloadInvalid,
    PlatformRejected,
    PlatformUnauthorized,
    SignatureMismatch,
    WebhookRequest,
)
from bellwire.testing import NOW, LooseLink
from bellwire.testing.standins import Fault
from bellwire_connectors.zendesk import connector
from bellwire_connectors.zendesk.setup import CONDITIONS, event_types
from bellwire_connectors.zendesk.webhook import verify
from standins.zendesk import Zendesk


def subscribe(link: LooseLink) -> Installation:
    """Set up; the installation as it is stored afterwards."""
    assert connector.subscribe is not None
    connector.subscribe(link)
    made = link.installation
    secret = str(made.credentials.get("signing_secret") or "")
    return replace(made, cursor={**made.cursor, **link.cursor}, secrets=(secret,) if secret else ())


def check(link: LooseLink) -> dict[str, CheckResult]:
    assert connector.check is not None
    return {one.name: one for one in connector.check(link)}


def test_the_webhook_of_events_is_made_and_its_secret_kept(desk: Zendesk, link: LooseLink, ana: int) -> None:
    made = subscribe(link)
    [hook] = desk.webhooks.values()
    assert (hook.endpoint, sorted(hook.subscriptions)) == (made.webhook_url, sorted(event_types(made)))
    assert made.credentials["signing_secret"] == hook.secret
    desk.open_ticket(ana, "Hello")
    [request] = desk.deliveries()
    verify(request, made, NOW)
    assert [event.type for event in connector.read(request, made)] == ["ticket.created"]


def test_triggers_bring_the_tickets_where_that_is_wanted(
    desk: Zendesk, open_link: Callable[..., LooseLink], ticket: int, ana: int
) -> None:
    made = subscribe(open_link(tickets_by="triggers"))
    assert sorted(one.subscriptions[0] for one in desk.webhooks.values()) == [
        "conditional_ticket_events",
        "zen:event-type:user.custom_field_changed",
    ]
    assert made.credentials["signing_secret"] != made.credentials["event_signing_secret"]
    desk.open_ticket(ana, 'A "quoted" title\nwith a line break')
    desk.comment(ticket, "Today", by=desk.agent)
    desk.comment(ticket, "Private", by=desk.agent, public=False)
    desk.comment(ticket, "Thanks", by=ana)
    desk.set_status(ticket, "solved")
    desk.put_ticket(str(ticket), sent={"ticket": {"comment": {"body": "by us", "public": True}}}, caller=desk.bot)
    told = desk.deliveries()
    for request in told:
        verify(request, made, NOW)
    assert [event.type for request in told for event in connector.read(request, made)] == [
        "ticket.created",
        "ticket.commented",
        "ticket.solved",
    ]
    assert len({event.fact for request in told for event in connector.read(request, made)}) == 3


def test_again_it_makes_nothing_twice(desk: Zendesk, open_link: Callable[..., LooseLink]) -> None:
    link = open_link(tickets_by="triggers")
    subscribe(link)
    before = (list(desk.webhooks), list(desk.triggers), list(desk.ticket_fields), list(desk.user_fields))
    subscribe(link)
    assert (list(desk.webhooks), list(desk.triggers), list(desk.ticket_fields), list(desk.user_fields)) == before
    assert [len(one) for one in before] == [2, len(CONDITIONS), 1, 2]


def test_a_webhook_that_lacks_a_type_is_made_anew(desk: Zendesk, link: LooseLink) -> None:
    subscribe(link)
    [hook] = desk.webhooks.values()
    hook.subscriptions.remove("zen:event-type:ticket.created")
    made = subscribe(link)
    [again] = desk.webhooks.values()
    assert (again.id != hook.id, made.credentials["signing_secret"]) == (True, again.secret)


def test_an_admin_s_own_webhook_stays_as_it_is(desk: Zendesk, link: LooseLink) -> None:
    own = {"name": "For texts", "status": "active", "http_method": "POST", "request_format": "json"}
    wanted = {**own, "endpoint": link.installation.webhook_url, "subscriptions": ["zen:event-type:ticket.created"]}
    desk.post_webhook(sent={"webhook": wanted})
    made = subscribe(link)
    [hook] = desk.webhooks.values()
    assert (hook.name, hook.subscriptions) == ("For texts", ["zen:event-type:ticket.created"])
    assert made.credentials["signing_secret"] == hook.secret
    link._installation = made
    told = check(link)["webhooks"]
    assert (told.ok, "not subscribed: zen:event-type:ticket.agent_assignment_changed" in told.detail) == (True, True)


def test_who_changes_over_to_triggers_gets_no_ticket_twice(desk: Zendesk, open_link: Callable[..., LooseLink]) -> None:
    subscribe(open_link())
    subscribe(open_link(tickets_by="triggers"))
    subscriptions = {one for hook in desk.webhooks.values() for one in hook.subscriptions}
    assert {one for one in subscriptions if "ticket" in one} == {"conditional_ticket_events"}


def test_the_user_we_act_as_is_looked_up_once(desk: Zendesk, open_link: Callable[..., LooseLink]) -> None:
    link = open_link(bot_user_id="")
    subscribe(link)
    assert link.cursor["bot_user_id"] == str(desk.bot)


def test_who_may_not_make_fields_has_the_rest(desk: Zendesk, link: LooseLink) -> None:
    desk.may_make_fields = False
    made = subscribe(link)
    assert (len(desk.webhooks), desk.ticket_fields, desk.user_fields) == (1, {}, {})
    link._installation = made
    assert {name for name, one in check(link).items() if not one.ok} == {"status_field", "consent_field"}


def test_without_an_address_nothing_can_be_made(open_link: Callable[..., LooseLink]) -> None:
    link = open_link()
    link._installation = replace(link.installation, webhook_url="")
    with pytest.raises(PlatformRejected) as caught:
        subscribe(link)
    assert caught.value.code == "no_public_url"


# -- check ----------------------------------------------------------------------------------------------------------


def ready(desk: Zendesk, link: LooseLink) -> LooseLink:
    link._installation = subscribe(link)
    return link


def test_all_is_well(desk: Zendesk, open_link: Callable[..., LooseLink]) -> None:
    found = check(ready(desk, open_link(tickets_by="triggers")))
    assert {name: one.ok for name, one in found.items()} == dict.fromkeys(
        ("token", "user", "webhooks", "triggers", "status_field", "consent_field"), True
    )


def idle(desk: Zendesk) -> None:
    next(iter(desk.webhooks.values())).status = "inactive"


WRONG: list[tuple[str, Callable[[Zendesk], Any], str, str]] = [
    ("a token that is switched off", lambda desk: setattr(desk, "api_tokens_on", False), "token", "nobody's"),
    ("a user who is no agent", lambda desk: desk.users[desk.bot].update(role="end-user"), "user", "no agent"),
    ("another user than the setting's", lambda desk: setattr(desk, "bot", desk.agent), "user", "loops"),
    ("no webhook", lambda desk: desk.webhooks.clear(), "webhooks", "missing"),
    ("a webhook that is switched off", idle, "webhooks", "switched off"),
    ("no status field", lambda desk: desk.ticket_fields.clear(), "status_field", "no ticket field"),
    ("no consent field", lambda desk: desk.user_fields.clear(), "consent_field", "no user field"),
    ("an account that is down", lambda desk: desk.fail(Fault(status=503)), "token", "down"),
    ("one that is down half-way", lambda desk: desk.fail(Fault(), Fault(status=503)), "webhooks", "down"),
]


@pytest.mark.parametrize(("break_", "name", "says"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_check_tells(desk: Zendesk, link: LooseLink, break_: Callable[[Zendesk], Any], name: str, says: str) -> None:
    ready(desk, link)
    break_(desk)
    found = check(link)
    assert not found[name].ok
    assert says in found[name].detail


def test_a_trigger_that_is_gone_is_named(desk: Zendesk, open_link: Callable[..., LooseLink]) -> None:
    link = ready(desk, open_link(tickets_by="triggers"))
    desk.triggers.pop(next(iter(desk.triggers)))
    assert check(link)["triggers"].detail == "missing: ticket.created"


def test_a_secret_that_is_not_known_is_told(desk: Zendesk, link: LooseLink) -> None:
    ready(desk, link)
    link._installation = replace(link.installation, secrets=())
    assert not check(link)["signing_secret"].ok


# -- tokens ---------------------------------------------------------------------------------------------------------


def oauth(desk: Zendesk, open_link: Callable[..., LooseLink], **more: Any) -> LooseLink:
    return open_link(credentials=desk.oauth_token(**more))


def test_a_token_is_renewed_a_little_early(desk: Zendesk, open_link: Callable[..., LooseLink], clock: Any) -> None:
    link = oauth(desk, open_link, life_s=3600)
    assert check(link)["token"].ok
    clock.advance(3600 - 299)
    assert check(link)["token"].ok
    assert (desk.refreshes(), link.renewals) == (1, 1)
    assert link.installation.credentials["oauth_token_expires_at"] == (clock.now() + timedelta(hours=1)).isoformat().replace(
        "+00:00", "Z"
    )


def test_a_refused_token_is_renewed_once(desk: Zendesk, open_link: Callable[..., LooseLink]) -> None:
    link = oauth(desk, open_link, life_s=3600)
    desk.expire_tokens()
    subscribe(link)
    assert desk.refreshes() == 1


def test_a_token_without_an_end_is_used_until_it_is_refused(
    desk: Zendesk, open_link: Callable[..., LooseLink], ticket: int
) -> None:
    link = oauth(desk, open_link)
    subscribe(link)
    desk.expire_tokens()
    with pytest.raises(PlatformUnauthorized):
        subscribe(link)
    assert desk.refreshes() == 0


def test_no_credentials_is_a_person_s_to_mend(open_link: Callable[..., LooseLink]) -> None:
    with pytest.raises(PlatformUnauthorized) as caught:
        subscribe(open_link(credentials={"email": "x@example.com"}))
    assert caught.value.code == "no_token"


# -- installing -----------------------------------------------------------------------------------------------------

BACK = "https://sms.example.com/install/zendesk/callback"


def callback(desk: Zendesk, **changes: str) -> WebhookRequest:
    query = {"code": desk.code(BACK), "state": "s1", **changes}
    return WebhookRequest(method="GET", url=f"{BACK}?x=y", query=list(query.items()), received_at=NOW)


def begin(app: Installation, **query: str) -> InstallStart:
    assert connector.begin_install is not None
    request = WebhookRequest(
        method="GET", url="https://sms.example.com/install/zendesk", query=list(query.items()), received_at=NOW
    )
    return connector.begin_install(request, app, BACK, "s1")


@pytest.fixture
def app(open_link: Callable[..., LooseLink]) -> LooseLink:
    return open_link(credentials={"client_id": "bellwire", "client_secret": "hush"}, bot_user_id="", consent_field="texts")


def test_the_browser_is_sent_to_the_account(app: LooseLink, desk: Zendesk) -> None:
    start = begin(app.installation)
    assert start.account_ref == "example"
    assert start.redirect == (
        f"{desk.url}/oauth/authorizations/new?response_type=code&client_id=bellwire"
        "&redirect_uri=https%3A%2F%2Fsms.example.com%2Finstall%2Fzendesk%2Fcallback&scope=read+write&state=s1"
    )
    own = replace(app.installation, settings={})
    assert begin(own).redirect.startswith("https://example.zendesk.com/oauth/")


def test_another_account_and_no_client_lead_nowhere(app: LooseLink) -> None:
    with pytest.raises(PayloadInvalid):
        begin(app.installation, subdomain="elsewhere")
    with pytest.raises(PlatformRejected):
        begin(replace(app.installation, credentials={"subdomain": "example"}))


def test_the_code_brings_a_token_and_the_user(app: LooseLink, desk: Zendesk) -> None:
    assert connector.finish_install is not None
    made = connector.finish_install(callback(desk), app.installation, "s1", app)
    assert (made.account_ref, made.settings["bot_user_id"], made.notes) == ("example", str(desk.bot), ())
    assert made.settings["consent_field"] == "texts", "what was set stays"
    assert set(made.credentials) == {
        "subdomain",
        "client_id",
        "client_secret",
        "oauth_token",
        "oauth_token_expires_at",
        "refresh_token",
    }
    app._installation = replace(app.installation, credentials=made.credentials)
    assert check(app)["token"].ok


REFUSED: list[tuple[str, dict[str, str], type[Exception]]] = [
    ("another state", {"state": "s2"}, SignatureMismatch),
    ("no code", {"code": ""}, PayloadInvalid),
    ("access denied", {"error": "access_denied"}, PayloadInvalid),
    ("a code that Zendesk does not know", {"code": "made-up"}, PlatformUnauthorized),
]


@pytest.mark.parametrize(("changes", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_is_not_installed(app: LooseLink, desk: Zendesk, changes: dict[str, str], error: type[Exception]) -> None:
    assert connector.finish_install is not None
    with pytest.raises(error) as caught:
        connector.finish_install(callback(desk, **changes), app.installation, "s1", app)
    assert "hush" not in str(caught.value)


def test_the_account_s_name_is_written_in_one_way() -> None:
    clean = next(one.clean for one in connector.fields if one.name == "subdomain")
    assert clean is not None
    assert {clean(one) for one in ("Example", " example.zendesk.com", "https://example.zendesk.com/agent/tickets/1")} == {"example"}
    for wrong in ("", "evil.com/example.zendesk.com", "example.zendesk.com.evil.com", "a b", "-x"):
        with pytest.raises(ValueError, match="account's name"):
            clean(wrong)


def test_nothing_of_a_secret_is_shown(desk: Zendesk, link: LooseLink) -> None:
    made = subscribe(link)
    assert made.credentials["signing_secret"] not in f"{made!r} {json.dumps(link.cursor)}"
