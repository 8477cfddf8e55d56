"""Jira webhooks: two kinds of proof, and issues as tasks. Pure.

developer.atlassian.com, Jira Cloud platform, "Webhooks". A webhook made in the administration is signed over its body
(`X-Hub-Signature`); one that an OAuth app made carries a token signed with the app's client secret, which does not cover the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from bellwire import Event, Installation, Person, SignatureMismatch, WebhookRequest
from bellwire.signing import hmac_hex, require, sha256_hex
from pydantic import Field

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import Body, DayOrTime, Id, Line, Moment, read_body
from bellwire_connectors.translating.tokens import bearer, verify_token

HEADER, DELIVERY = "X-Hub-Signature", "X-Atlassian-Webhook-Identifier"
_DELIVERY_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class User(Body):
    """Somebody. Cloud has `accountId`, older servers `name`."""

    accountId: Line = ""  # noqa: N815  # the platform's name
    name: Line = ""
    displayName: Line = ""  # noqa: N815  # as above
    emailAddress: Line = ""  # noqa: N815  # as above
    timeZone: Line = ""  # noqa: N815  # as above

    @property
    def ref(self) -> str:
        """Who it is."""
        return self.accountId or self.name

    def person(self) -> Person | None:
        """The person, None for nobody."""
        made = Person(ref=self.ref, name=self.displayName, email=self.emailAddress, timezone=self.timeZone)
        return made if self.ref else None


class Named(Body):
    """A project or a status category."""

    key: Line = ""
    name: Line = ""


class StatusField(Body):
    """An issue's status. Its category is `new`, `indeterminate` or `done`."""

    name: Line = ""
    statusCategory: Named = Named()  # noqa: N815  # as above


class Fields(Body):
    """What we use of an issue."""

    summary: Line = ""
    status: StatusField | None = None
    assignee: User | None = None
    duedate: DayOrTime = None
    project: Named | None = None


class Issue(Body):
    """An issue."""

    id: Id
    key: Id
    fields_: Fields = Field(alias="fields", default=Fields())


class Item(Body):
    """One changed field: ids in `from` and `to`, what people see in `fromString` and `toString`."""

    field: Line
    from_: Line = Field(alias="from", default="")
    from_string: Line = Field(alias="fromString", default="")
    to: Line = ""
    to_string: Line = Field(alias="toString", default="")


class Changelog(Body):
    """What an update changed."""

    id: Id | None = None
    items: list[Item] = Field(default_factory=list, max_length=500)


class Kind(Body):
    """Any delivery."""

    webhookEvent: Line  # noqa: N815  # as above


class Delivery(Kind):
    """A delivery about an issue."""

    timestamp: Moment = None
    user: User | None = None
    issue: Issue
    changelog: Changelog | None = None


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as a webhook of Jira's administration: signed with the newest secret."""
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise SignatureMismatch("jira: the installation has no webhook_secret")
    return request.with_headers(X_Hub_Signature=f"sha256={hmac_hex(secrets[0], request.body)}")


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    """Pass when the body is signed with one of the secrets, or the token with the app's client secret.

    A request that brings a signature is judged by it alone. Raises SignatureMismatch, StaleSignature.
    """
    client_secret = str(installation.credentials.get("client_secret") or "")
    token = request.header("Authorization")
    if token and client_secret and not request.header(HEADER):
        verify_token(bearer(token), [client_secret], now, "jira")
        return
    expected = [f"sha256={hmac_hex(secret, request.body)}" for secret in installation.secrets if secret]
    require(request.header(HEADER), expected, "jira")


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for one we don't serve. Raises PayloadInvalid."""
    kind = read_body(Kind, request.body, "jira").webhookEvent
    if kind not in ("jira:issue_created", "jira:issue_updated"):
        return []  # comments, worklogs (which name no issue), sprints …
    found = read_body(Delivery, request.body, f"jira {kind}")
    own = installation.settings.get("integration_user")
    if own and found.user is not None and found.user.ref == own:
        return []
    given = request.header(DELIVERY)
    delivery = given if _DELIVERY_ID.fullmatch(given) else sha256_hex(request.body)
    return list(
        _created(request, installation, found, delivery)
        if kind.endswith("created")
        else _updated(request, installation, found, delivery)
    )


def _created(request: WebhookRequest, installation: Installation, found: Delivery, delivery: str) -> Iterator[Event]:
    assignee = found.issue.fields_.assignee
    worker = assignee.person() if assignee else None
    if worker is not None:
        yield _event(request, installation, found, "task.assigned", f"{delivery}:assigned", "created", worker)


def _updated(request: WebhookRequest, installation: Installation, found: Delivery, delivery: str) -> Iterator[Event]:
    changelog = found.changelog or Changelog()
    assignee = found.issue.fields_.assignee
    worker = assignee.person() if assignee else None
    stage = changelog.id or delivery
    for item in {one.field.lower(): one for one in changelog.items}.values():
        match item.field.lower():
            case "assignee":
                former = Person(ref=item.from_, name=item.from_string)
                # first: it ends the task's deadlines, which begin anew with who has it now
                if item.from_:
                    yield _event(
                        request, installation, found, "task.unassigned", f"{delivery}:unassigned", stage, former, ("task.assignee",)
                    )
                if item.to:
                    named = worker if worker and assignee and item.to in (assignee.accountId, assignee.name) else None
                    taker = named or Person(ref=item.to, name=item.to_string)
                    yield _event(
                        request, installation, found, "task.assigned", f"{delivery}:assigned", stage, taker, ("task.assignee",)
                    )
            case "status":
                yield _event(
                    request,
                    installation,
                    found,
                    "task.status_changed",
                    f"{delivery}:status",
                    stage,
                    worker,
                    ("task.status",),
                    previous=item.from_string,
                )
            case "duedate" if found.issue.fields_.duedate:
                yield _event(request, installation, found, "task.due", f"{delivery}:due", stage, worker, ("task.due_at",))


def _event(
    request: WebhookRequest,
    installation: Installation,
    found: Delivery,
    kind: str,
    event_id: str,
    stage: str,
    worker: Person | None,
    changed: Sequence[str] = (),
    *,
    previous: str = "",
) -> Event:
    issue, fields = found.issue, found.issue.fields_
    site = str(installation.credentials.get("site_url") or "").rstrip("/")
    data = happenings.task(
        id=issue.key,
        title=fields.summary,
        status=fields.status.name if fields.status else "",
        previous_status=previous,
        due_at=fields.duedate,
        url=f"{site}/browse/{issue.key}" if site.startswith("https://") else "",
        project=(fields.project or Named()).name,
        zones=(worker.timezone if worker else "", installation.timezone),
    )
    data["task.status_category"] = fields.status.statusCategory.key if fields.status else ""
    return happenings.event(
        kind,
        id=event_id,
        fact=f"{issue.id}:{stage}",
        subject=f"task/{issue.key}",
        at=found.timestamp or request.received_at,
        worker=worker,
        actor=found.user.person() if found.user else None,
        data=happenings.new_date(data) if kind == "task.due" else data,
        changed=changed,
    )
