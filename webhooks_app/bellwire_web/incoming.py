"""What platforms and carriers call: webhooks, delivery receipts, replies. Answered 2xx only after the commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from bellwire.domain.tenant import HeldAccount, HeldInstallation, TenantConfig
from bellwire.engine import decided, dlrs, intake
from bellwire.engine.configs import Held
from bellwire.errors import FieldInvalid, PayloadInvalid, SignatureMismatch
from bellwire.ids import parse_id
from bellwire.model import Carrier, Connector, Event, HttpReply, TemplateChoice, WebhookRequest
from bellwire.store import snapshot
from bellwire.store.database import reading
from bellwire.store.intake import seen_among
from bellwire.store.schema import SEEN_EVENT
from bellwire.store.vault import fingerprint, key_hash
from flask import Flask, Response, jsonify, request

from bellwire_web.bodies import whole
from bellwire_web.problems import Refused
from bellwire_web.quota import Quota
from bellwire_web.runtime import Runtime

log = logging.getLogger("bellwire.web.incoming")

BODY_MAX = 5 * 1024 * 1024  # orders with hundreds of lines are in the 100 kB range and more
_KEY_MAX = 128
#: What a platform may still ask after the app was taken out; the secret that proves it is kept for this alone.
_LAST_REQUESTS = frozenset({"person.erase_requested", "person.export_requested", "installation.erase_requested"})


@dataclass(frozen=True, slots=True)
class _Served:
    """One installation that a request is for, and its part of the request."""

    held: Held
    installation: HeldInstallation
    request: WebhookRequest


def mount(app: Flask, runtime: Runtime) -> Collection[str]:
    """Add the routes; their endpoints, which are open: the key in the URL and the signature are their policy."""
    engine = runtime.engine
    quota = Quota(runtime.config.hook_quota_per_minute)

    def hooks(connector_name: str, key: str) -> Response:
        connector = engine.plugins.connectors.get(connector_name)
        with reading(engine.store.engine) as connection:
            found = snapshot.installation_by_key(connection, key_hash(key)) if len(key) <= _KEY_MAX else None
            if connector is None or found is None or found.connector != connector_name:
                raise Refused(404, "unknown_installation", "copy webhook_url of the installation again")
            held = intake.configured(engine, connection, found.tenant_id, found.config_version)
            installation = held.config.installations[found.id]
            incoming = received(runtime)
            replayed = connector.shared_secret and intake.seen_elsewhere(connection, installation.value, incoming.body)
        # its key is the address of the whole app where requests are told apart by account: the others go on
        is_off = installation.status == "disabled" and connector.parts is None
        if is_off or (installation.status == "removed" and not installation.value.secrets):
            return _gone(connector, installation)
        if connector.probe is not None:
            reply = connector.probe(incoming, installation.value)
            if reply is not None:
                return _reply(reply)
        if request.method != "POST":
            raise Refused(405, "method_not_allowed", f"{connector.title} sends POST", headers={"Allow": "POST"})
        if not quota.take(found.tenant_id.bytes):
            raise Refused(429, "quota", "the tenant's quota for this minute is used up", headers={"Retry-After": "30"})
        return _take(connector, held, installation, incoming, replayed=replayed)

    def _take(
        connector: Connector, held: Held, installation: HeldInstallation, incoming: WebhookRequest, *, replayed: bool
    ) -> Response:
        try:
            connector.verify(incoming, installation.value, engine.now())
            served = list(_served(connector, held, installation, incoming))
            if any(one.installation is installation for one in served):
                _first_here(connector, replayed=replayed)
            if connector.consult is not None and len(served) == 1 and served[0].installation.status == "active":
                reply = connector.consult(served[0].request, served[0].installation.value, choices(served[0].held.config))
                if reply is not None:
                    return _reply(reply)
            read = [(one, connector.read(one.request, one.installation.value)) for one in served]
        except SignatureMismatch as e:
            log.warning("a webhook was refused", extra={"connector": connector.name, "reason": str(e)})
            raise Refused(401, e.code, str(e)) from e
        except PayloadInvalid as e:
            raise Refused(e.status, e.code, str(e)) from e
        wanted = [(one, events) for one, events in ((one, _of_gone(one, events)) for one, events in read) if events is not None]
        if read and not wanted:
            if all(_told_before(one, events) for one, events in read):
                return jsonify({"events": [], "duplicate": True})
            return _gone(connector, read[0][0].installation)
        body = incoming.body if connector.shared_secret else None
        taken = [(one, intake.take_events(engine, one.held, one.installation.value, events, body=body)) for one, events in wanted]
        ids = [event for _, one in taken for event in one.events]
        if connector.respond is not None and len(taken) == 1:
            one, what = taken[0]
            answer = connector.respond(one.request, one.installation.value, decided.told(engine, one.installation.value, what))
            if answer is not None:
                return _reply(answer)
        if connector.answer is not None and served:
            return _reply(connector.answer(incoming, ids))
        duplicates = [one.duplicate for _, one in taken]
        told: dict[str, object] = {"events": ids, "duplicate": bool(duplicates) and all(duplicates)}
        if connector.refused is not None and len(taken) == 1:
            left_out = connector.refused(incoming, taken[0][0].installation.value)
            if left_out is not None:  # a batch: what is wrong with one item is no reason to send the others again
                told["rejected"] = [{"id": one.id, "code": one.code, "field": one.field} for one in left_out]
        return jsonify(told)

    def _served(connector: Connector, held: Held, installation: HeldInstallation, incoming: WebhookRequest) -> Iterator[_Served]:
        """The installations that a verified request is for, each with its part; an account nobody installed has none."""
        if connector.parts is not None:
            parts = connector.parts(incoming)
        else:
            parts = [(connector.account_of(incoming) if connector.account_of is not None else "", incoming)]
        for account, part in parts:
            if not account or account == installation.value.account_ref:
                yield _Served(held, installation, part)
                continue
            with reading(engine.store.engine) as connection:
                rows = snapshot.installations_of(connection, connector.name, account, installation.client_id)
                if not rows:
                    continue
                other = intake.configured(engine, connection, rows[0].tenant_id, rows[0].config_version)
            yield _Served(other, other.config.installations[rows[0].id], part)

    def _told_before(one: _Served, events: Sequence[Event]) -> bool:
        """Whether an installation that is off took these very events while it was on: what the sender missed is our answer."""
        keys = {(fingerprint(event.id), SEEN_EVENT, one.installation.value.id) for event in events}
        with reading(engine.store.engine) as connection:
            return bool(keys) and seen_among(connection, keys) == keys

    def dlr(carrier_name: str, key: str, message: str = "") -> Response:
        carrier, account = _account(carrier_name, key)
        if carrier.read_dlrs is None:
            raise Refused(404, "no_receipts", carrier.name)
        incoming = received(runtime)
        try:
            carrier.verify(incoming, account.value, engine.now())
            receipts = carrier.read_dlrs(incoming, account.value)
            message_id = parse_id("msg", message) if message else None
        except SignatureMismatch as e:
            log.warning("a receipt was refused", extra={"carrier": carrier.name, "reason": str(e)})
            raise Refused(401, "signature_mismatch", str(e)) from e
        except (PayloadInvalid, FieldInvalid) as e:
            raise Refused(400, "payload_invalid", str(e)) from e
        dlrs.accept(engine, dlrs.read(account.value, receipts, message_id, engine.now()))
        return _reply(carrier.acknowledge)

    def mo(carrier_name: str, key: str) -> Response:
        carrier, account = _account(carrier_name, key)
        if carrier.read_replies is None:
            raise Refused(404, "no_replies", carrier.name)
        incoming = received(runtime)
        try:
            carrier.verify(incoming, account.value, engine.now())
            came = carrier.read_replies(incoming, account.value)
        except SignatureMismatch as e:
            log.warning("a reply was refused", extra={"carrier": carrier.name, "reason": str(e)})
            raise Refused(401, "signature_mismatch", str(e)) from e
        except PayloadInvalid as e:
            raise Refused(400, "payload_invalid", str(e)) from e
        from bellwire.engine import replies

        replies.accept(engine, account.value, came)
        return _reply(carrier.acknowledge)

    def _account(carrier_name: str, key: str) -> tuple[Carrier, HeldAccount]:
        carrier = engine.plugins.carriers.get(carrier_name)
        with reading(engine.store.engine) as connection:
            found = snapshot.account_by_key(connection, key_hash(key)) if len(key) <= _KEY_MAX else None
            if carrier is None or found is None or found.carrier != carrier_name:
                raise Refused(404, "unknown_account", "copy dlr_url or mo_url of the account again")
            held = intake.configured(engine, connection, found.tenant_id, found.config_version)
        return carrier, next(account for account in held.config.accounts if account.value.id == found.id)

    any_method = ["GET", "HEAD", "POST"]
    app.add_url_rule("/hooks/<connector_name>/<key>", "hooks", hooks, methods=any_method)
    app.add_url_rule("/dlr/<carrier_name>/<key>", "dlr", dlr, methods=["GET", "POST"])
    app.add_url_rule("/dlr/<carrier_name>/<key>/<message>", "dlr_message", dlr, methods=["GET", "POST"])
    app.add_url_rule("/mo/<carrier_name>/<key>", "mo", mo, methods=["GET", "POST"])
    return {"hooks", "dlr", "dlr_message", "mo"}


def received(runtime: Runtime, *, body: bool = True) -> WebhookRequest:
    """The request as connectors see it: raw bytes once, and the URL as the sender called it, built on PUBLIC_URL.

    A body is read from those only whose key is known: who sends it slowly holds a thread. Raises HTTPException: 413, 400, and
    PayloadInvalid for a NUL in the query, which PostgreSQL can't be asked for.
    """
    query = request.query_string.decode("ascii", "replace")
    if "%00" in query:
        raise PayloadInvalid("the query must not hold the NUL character")
    path = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path
    public = runtime.config.public_url.rstrip("/")
    target = path.partition("?")[0]
    return WebhookRequest(
        method=request.method,
        url=f"{public}{target}{'?' + query if query else ''}" if public else "",
        query=[
            (unquote_plus(name), unquote_plus(value))
            for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
        ],
        headers={name.lower(): value for name, value in request.headers.items()},
        body=whole(request, BODY_MAX) if body else b"",
        received_at=runtime.engine.now(),
    )


def _reply(reply: HttpReply) -> Response:
    return Response(reply.body, reply.status, headers=dict(reply.headers), content_type=reply.content_type)


def choices(config: TenantConfig) -> Sequence[TemplateChoice]:
    """The tenant's templates that may be sent: those with an approved version, by name."""
    return [
        TemplateChoice(name=one.name, purpose=one.purpose, version=one.number, locales=sorted(one.bodies))
        for one in sorted(config.templates.values(), key=lambda template: template.name)
        if one.number is not None
    ]


def _of_gone(one: _Served, events: Sequence[Event]) -> Sequence[Event] | None:
    """What is still taken for an installation that is off; None: nothing, and the sender is told."""
    if one.installation.status not in {"disabled", "removed"}:
        return events
    last = [event for event in events if one.installation.status == "removed" and event.type in _LAST_REQUESTS]
    return last or None


def _gone(connector: Connector, installation: HeldInstallation) -> Response:
    """Disabled: 410, but 200 for a platform that would punish us for it; nothing is stored."""
    if connector.punishes_4xx:
        return jsonify({"events": [], "duplicate": False})
    raise Refused(410, "installation_disabled", f"it is {installation.status}")


def _first_here(connector: Connector, *, replayed: bool) -> None:
    """One secret signs for all accounts of an app: a body taken for one of them is refused at another's address."""
    if replayed:
        raise SignatureMismatch(f"{connector.name}: this body was taken for another installation")
