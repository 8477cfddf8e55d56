"""Our answer to STOP, START and HELP: one text, from the sender that was written to, whatever the ledger says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bellwire.domain import msisdn as numbers
from bellwire.domain.confirmations import SILENCE, Kind, confirmation, may_confirm
from bellwire.domain.consent import CONFIRMATION, Standing
from bellwire.domain.routing import Choice
from bellwire.domain.settle import Draft, Person, settle
from bellwire.engine.configs import Held
from bellwire.engine.people import Contact
from bellwire.engine.rows import RowMaker, stamp
from bellwire.ids import show
from bellwire.model import Purpose
from bellwire.store import audit, heard, intake
from bellwire.store.tenancy import TenantConnection
from bellwire.store.types import AnyRow

if TYPE_CHECKING:
    from bellwire.engine.replies import Came
    from bellwire.engine.runtime import Engine

WORTH = timedelta(minutes=5)  # 47 CFR 64.1200(a)(12): a confirmation goes within five minutes, or not at all


def confirm(
    engine: Engine,
    connection: sa.Connection,
    held: Held,
    came: Came,
    kind: Kind,
    standing: Standing | None,
    answered: AnyRow | None,
) -> bool:
    """Queue the answer to a keyword inside the transaction under way; False where none may go.

    Not twice a day for the same word, not by an account that takes nothing, and only HELP is answered to a suppressed person.
    """
    config, now = held.config, came.at
    account = next((one for one in config.accounts if one.value.id == came.account.id), None)
    if came.msisdn is None or came.contact_id is None or account is None or account.status != "active":
        return False
    if kind is not Kind.HELP and (standing is None or standing.suppressed):
        return False
    if not may_confirm(heard.last_answer(connection, came.contact_id, kind, now - SILENCE), now):
        return False
    choice = _back(came, answered)
    locale = (answered.locale if answered is not None else "") or config.locale
    brand = config.name
    draft = Draft(
        purpose=Purpose.TRANSACTIONAL,
        basis=CONFIRMATION,
        msisdn=came.msisdn,
        text=confirmation(kind, locale, brand, str(config.settings.get("help_contact") or "")),
        timezones=numbers.timezones_of(came.msisdn),
        locale=locale,
        sender_id=choice.sender_id,
        ttl=WORTH,
        answers=str(kind),
    )
    planned = settle(draft, Person(standing=standing or Standing()), config, lambda *_asked: choice, lambda _account: False, now)
    maker = RowMaker(engine.vault, config, held.index, engine.followups(), now)
    known = Contact(came.contact_id, Person(standing=standing or Standing()), numbered=False)
    contact_id = maker.contact(came.msisdn, known, planned.country, "", planned)
    entry = {
        "at": stamp(now),
        "step": "decide",
        "outcome": "sent",
        "detail": f"{planned.line} ({kind})",
    }
    message_id = maker.message(planned, contact_id, entry=entry)
    intake.apply(connection, [[intake.Unit(rows=maker.all(), numbered=maker.numbered, at=now)]])
    details = {"kind": str(kind), "reply": show("rpl", came.id)}
    audit.note(TenantConnection(connection, config.id), "reply", "confirmation.queued", show("msg", message_id), now, details)
    return True


def _back(came: Came, answered: AnyRow | None) -> Choice:
    """The way the reply came."""
    same = answered is not None and answered.account_id == came.account.id and answered.sender_id
    sender_id = answered.sender_id if same and answered is not None else came.to
    return Choice(account=show("acc", came.account.id), sender_id=sender_id, line="back the way it came")
