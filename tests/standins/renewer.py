"""Another process whose job's token was refused: renews it at a token endpoint and says with what it ended."""

from __future__ import annotations

import threading
from multiprocessing.synchronize import Barrier
from typing import Any
from uuid import UUID

from bellwire.engine.links import open_link
from bellwire.model import Installation
from standins.desk import Desk, Platform, connector


def renew(url: str, tenant_id: UUID, installation_id: UUID, token_url: str, started: Barrier, threads: int, ended: Any) -> None:
    """Let some threads of this process renew at once; puts the tokens they got into `ended`."""
    desk = Desk(url, connector(Platform()), tenant_id=tenant_id)

    def one() -> None:
        link = open_link(desk.engine, tenant_id, installation_id)

        def refresh(installation: Installation) -> dict[str, Any]:
            answer = link.http.post(token_url, data={"refresh_token": installation.credentials["refresh_token"]})
            fresh: dict[str, Any] = answer.json()
            return fresh

        started.wait(30)
        ended.put(link.renew("old", refresh).credentials["access_token"])

    running = [threading.Thread(target=one) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    desk.close()
