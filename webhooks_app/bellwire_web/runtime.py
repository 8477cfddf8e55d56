"""What the web needs of the process it runs in: one object, made by whoever starts the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Protocol

from bellwire.model import Carrier, Connector
from bellwire.store import Store

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine


class Settings(Protocol):
    """The part of `bellwire.config` that concerns HTTP."""

    @property
    def public_url(self) -> str:
        """How we are reached from outside, "" when nobody said."""

    @property
    def allow_private_addresses(self) -> bool:
        """Whether calls out may reach the own network."""

    @property
    def trusted_proxies(self) -> int | tuple[IPv4Network | IPv6Network, ...]:
        """Whose X-Forwarded-For counts."""

    @property
    def api_quota_per_minute(self) -> int:
        """Requests a minute that one key may make; 0: no limit."""

    @property
    def hook_quota_per_minute(self) -> int:
        """Requests a minute that one installation may send; 0: no limit."""


class Plugins(Protocol):
    """What is installed, by name."""

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """Platforms."""

    @property
    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """Template filters."""

    @property
    def carriers(self) -> Mapping[str, Carrier]:
        """Carriers."""


class Runtime(Protocol):
    """Settings, store, plugins and the engine that works with them."""

    @property
    def config(self) -> Settings:
        """The settings."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def plugins(self) -> Plugins:
        """Connectors and carriers."""

    @property
    def engine(self) -> Engine:
        """Sends, checks, replays."""

    def now(self) -> datetime:
        """The time, aware UTC."""
