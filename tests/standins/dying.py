"""Another process that takes a job, calls the platform, and never comes back: to be killed."""

from __future__ import annotations

import threading
from multiprocessing.synchronize import Event as Flag
from typing import Any
from uuid import UUID

from standins.desk import Desk, Platform, connector
from standins.shift import Shift


def die_writing(url: str, tenant_id: UUID, entered: Flag) -> None:
    """Says when the call is under way."""

    def write_back(changes: Any, link: Any) -> None:
        entered.set()
        threading.Event().wait(60)

    desk = Desk(url, connector(Platform(), write_back=write_back), tenant_id=tenant_id)
    shift = Shift(desk)
    shift.presence.step()
    shift.crew.step()
    threading.Event().wait(60)
