"""Accounts and messages that samples belong to, a clock that stands still, and a Link that leads nowhere."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import resources
from typing import Any
from uuid import UUID

from bellwire.model import (
    Carrier,
    CarrierAccount,
    Connector,
    CredentialField,
    Encoding,
    Installation,
    Json,
    Limit,
    Msisdn,
    Outgoing,
    Purpose,
)
from bellwire.testing.samples import NOW, load

#: Two secrets that pass wherever a vendor's secret is free text or Standard Webhooks' `whsec_` form.
SECRET = "whsec_" + base64.b64encode(b"a made-up secret, good for tests").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"the one before it, still allowed").decode()

_TENANT = UUID("01900000-0000-7000-8000-000000000001")
_ACCOUNT = UUID("01900000-0000-7000-8000-000000000002")
_MESSAGE = UUID("01900000-0000-7000-8000-000000000003")


def installation(connector: Connector, *, secrets: Sequence[str] = (SECRET,), **changes: Any) -> Installation:
    """An installation that the connector's samples belong to. `changes`: any field of Installation."""
    known = _account_file(connector.samples, "_installation")
    made = Installation(
        id=_ACCOUNT,
        tenant_id=_TENANT,
        connector=connector.name,
        account_ref=known.get("account_ref", ""),
        credentials=_filled(connector.fields, known.get("credentials", {}), connector.secret_field, secrets),
        secrets=secrets,
        settings=_defaults(connector.settings) | known.get("settings", {}),
        webhook_url=f"https://bellwire.example/hooks/{connector.name}/KEY",
    )
    return replace(made, **changes)


def account(carrier: Carrier, *, secrets: Sequence[str] = (SECRET,), **changes: Any) -> CarrierAccount:
    """A carrier account that the carrier's samples belong to. `changes`: any field of CarrierAccount."""
    known = _account_file(carrier.samples, "_account")
    made = CarrierAccount(
        id=_ACCOUNT,
        tenant_id=_TENANT,
        carrier=carrier.name,
        credentials=_filled(carrier.fields, known.get("credentials", {}), carrier.secret_field, secrets),
        secrets=secrets,
        settings=_defaults(carrier.settings) | known.get("settings", {}),
    )
    return replace(made, **changes)


def _account_file(package: str, name: str) -> dict[str, Any]:
    if not package or not resources.files(package).joinpath("samples", f"{name}.json").is_file():
        return {}
    return load(package, name)


def _filled(
    wanted: Sequence[CredentialField], known: Mapping[str, Any], secret_field: str, secrets: Sequence[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {one.name: f"made-up-{one.name}" for one in wanted if one.required and one.kind is str}
    made |= _defaults(wanted)
    for one in wanted:
        if one.name == secret_field and secrets:
            made[one.name] = list(secrets) if one.kind is list else secrets[0]
    return made | dict(known)


def _defaults(wanted: Sequence[CredentialField]) -> dict[str, Any]:
    return {one.name: one.default for one in wanted if one.default is not None}


def outgoing(**changes: Any) -> Outgoing:
    """One message for a carrier's `build`. `changes`: any field of Outgoing."""
    made = Outgoing(
        message_id=_MESSAGE,
        ref=f"msg_{_MESSAGE.hex}",
        msisdn=Msisdn("+15550100001"),
        text="Your order #1001 is on its way.",
        encoding=Encoding.GSM7,
        segments=1,
        sender_id="Example",
        purpose=Purpose.TRANSACTIONAL,
        validity_s=3600,
        dlr_url="https://bellwire.example/dlr/KEY",
    )
    return replace(made, **changes)


class FixedClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start: datetime = NOW) -> None:
        self._start, self._now = start, start

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return (self._now - self._start).total_seconds()

    def advance(self, seconds: float) -> None:
        """Let time pass; a negative number is a wall clock set back."""
        self._now += timedelta(seconds=seconds)


class LooseLink:
    """A Link that belongs to no engine, for tests of a connector's client. `cursor` and `renewals` tell what was kept."""

    def __init__(self, installation: Installation, clock: FixedClock | None = None) -> None:
        import requests

        self._installation, self._clock = installation, clock or FixedClock()
        self._http = requests.Session()
        self.cursor: dict[str, Json] = {}
        self.renewals = 0

    @property
    def installation(self) -> Installation:
        """The installation with what was renewed so far."""
        return self._installation

    @property
    def http(self) -> Any:
        """A plain `requests.Session`."""
        return self._http

    def now(self) -> datetime:
        """The clock's time."""
        return self._clock.now()

    def renew(self, seen: str, refresh: Callable[[Installation], Mapping[str, Any]]) -> Installation:
        """Call `refresh` and keep what it brought, unless `seen` is no longer among the credentials."""
        if seen in self._installation.credentials.values():
            self.renewals += 1
            merged = {**self._installation.credentials, **refresh(self._installation)}
            self._installation = replace(self._installation, credentials=merged)
        return self._installation

    def remember(self, **cursor: Json) -> None:
        """Keep values in `cursor`."""
        self.cursor |= cursor

    def spent(self, name: str, limit: Limit, amount: float = 1.0, *, left: float | None = None) -> None:
        """Nobody keeps to a limit here."""
