"""The settings: what they are called, what they may be, and one clear line for each that is wrong.

Pydantic without pydantic-settings: see docs/decisions/settings.md.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from bellwire.environment import PREFIX, Gathered, gather
from bellwire.errors import ConfigInvalid
from bellwire.master_key import CURE, decode_key, read_key_command, read_key_file, read_or_make_key_file

KEY_FILE = "bellwire.key"


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _database(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not text; use sqlite:///bellwire.db or postgresql://user@host/name")  # noqa: TRY004  # pydantic's way
    scheme, _, rest = value.partition("://")
    if scheme == "sqlite":
        if rest.split("?")[0] in ("", "/", "/:memory:"):
            raise ValueError("names no file; SQLite needs one, as in sqlite:///bellwire.db")
        if not rest.startswith("/"):
            raise ValueError("has two slashes; write three, as in sqlite:///bellwire.db, or four for a path from the root")
        return value
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return f"postgresql://{rest}"
    raise ValueError("is neither SQLite nor PostgreSQL; use sqlite:///bellwire.db or postgresql://user@host/name")


def _key(value: object) -> object:
    decode_key(value.get_secret_value() if isinstance(value, SecretStr) else str(value))
    return value


def _proxies(value: object) -> object:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool | int):
        if isinstance(value, bool) or not 0 <= value <= 8:
            raise ValueError("as a number says how many proxies stand in front, 0 to 8; or list their networks: 10.0.0.0/8")
        return value
    try:
        networks = tuple(ip_network(one) for one in _listed(value))  # type: ignore[attr-defined]  # what isn't a list raises
    except (TypeError, ValueError):
        raise ValueError("lists something that is no network; write 10.0.0.0/8 (no bits after the prefix), or a number") from None
    if any(one.prefixlen == 0 for one in networks):
        raise ValueError("trusts the whole internet with /0; list the networks of your own proxies")
    return networks


def _public_url(value: object) -> object:
    url = str(value).rstrip("/")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError when it is no number
    except ValueError:
        raise ValueError("is not a URL; write it as https://sms.example.com") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("is not a web address; write it as https://sms.example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("has a user, query or fragment; write only https://, the host and perhaps a path")
    return url


def _command(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", hide_input_in_errors=True))
class Config:
    """All settings, judged. Each is BELLWIRE_NAME in the environment, or `name` in bellwire.toml."""

    database_url: Annotated[
        str,
        BeforeValidator(_database),
        Field(description="the database: sqlite:///FILE (embedded) or postgresql://USER@HOST/NAME (many machines)"),
    ] = field(default="sqlite:///bellwire.db", repr=False)  # may hold a password
    secret_key: Annotated[
        SecretStr | None,
        BeforeValidator(_key),
        Field(description="the master key: urlsafe base64 of 32 random bytes; made by itself beside a SQLite file"),
    ] = None
    secret_key_file: Annotated[
        Path | None, Field(description="a file that holds the master key, readable by nobody else (a mounted secret)")
    ] = None
    secret_key_command: Annotated[
        tuple[str, ...], BeforeValidator(_command), Field(description="a command that prints the master key")
    ] = field(default=(), repr=False)
    secret_keys_old: Annotated[
        tuple[Annotated[SecretStr, BeforeValidator(_key)], ...],
        BeforeValidator(_listed),
        Field(description="earlier master keys, which still open what they sealed, until a rotation has ended"),
    ] = ()
    public_url: Annotated[
        str,
        BeforeValidator(_public_url),
        Field(description="how platforms and carriers reach this installation, as https://sms.example.com"),
    ] = ""
    trusted_proxies: Annotated[
        int | tuple[IPv4Network | IPv6Network, ...],
        BeforeValidator(_proxies),
        Field(description="whose X-Forwarded-For counts: networks of your proxies, or how many stand in front; none by default"),
    ] = ()
    allow_private_addresses: Annotated[
        bool, Field(description="whether calls out may reach private and loopback addresses, for tests on one machine")
    ] = False
    plugins: Annotated[
        tuple[str, ...], BeforeValidator(_listed), Field(description="plugins of other distributions to load, by name")
    ] = ()
    host: Annotated[str, Field(min_length=1, description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="the port to listen on, 0 for any free one")] = 8080
    workers: Annotated[int, Field(ge=1, le=64, description="processes of `serve`; more than one needs PostgreSQL")] = 1
    threads: Annotated[int, Field(ge=1, le=256, description="web threads of each process")] = 16
    log_format: Annotated[
        Literal["console", "json"] | None, Field(description="console or json; by default console on a terminal")
    ] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="the least a line must matter")] = "info"
    hook_quota_per_minute: Annotated[
        int, Field(ge=0, description="requests a minute that one installation may send to /hooks before 429; 0: no limit")
    ] = 60_000
    api_quota_per_minute: Annotated[
        int, Field(ge=0, description="requests a minute that one API key may make before 429; 0: no limit")
    ] = 60_000

    audit_anchor: Annotated[
        Path | None,
        Field(description="a file, best on another machine's disk, that gets the audit trail's newest seal every 5 minutes"),
    ] = None

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, None on PostgreSQL."""
        if not self.database_url.startswith("sqlite:///"):
            return None
        return Path(self.database_url.removeprefix("sqlite:///").split("?")[0])

    @property
    def old_keys(self) -> tuple[bytes, ...]:
        """The earlier master keys, newest first."""
        return tuple(decode_key(one.get_secret_value()) for one in self.secret_keys_old)


def load(environ: Mapping[str, str], cwd: Path, file: Path | None = None) -> Config:
    """The settings of this process. Raises ConfigInvalid with one line for each that is wrong, never quoting a value."""
    found = gather(environ, cwd, file)
    try:
        config = Config(**found.values)
    except ValidationError as e:
        raise ConfigInvalid("\n".join(_lines(e, found))) from None
    wrong = _contradictions(config, found)
    if wrong:
        raise ConfigInvalid("\n".join(wrong))
    return config


def key_for(config: Config, *, make: bool = True) -> bytes:
    """The master key, 32 bytes. With `make` an embedded installation that has none gets one beside its SQLite file.

    Raises ConfigInvalid when there is none, it is weak, or others can read it.
    """
    if config.secret_key is not None:
        return decode_key(config.secret_key.get_secret_value())
    if config.secret_key_file is not None:
        return read_key_file(config.secret_key_file, group_may_read=True)
    if config.secret_key_command:
        return read_key_command(config.secret_key_command)
    if config.sqlite_file is None:
        raise ConfigInvalid(f"{PREFIX}SECRET_KEY: is required on PostgreSQL; {CURE}")
    path = config.sqlite_file.absolute().with_name(KEY_FILE)
    return read_or_make_key_file(path) if make else read_key_file(path)


def settings() -> Mapping[str, FieldInfo]:
    """Each setting's name, type, default and description, for the reference page."""
    found: Mapping[str, FieldInfo] = vars(Config)["__pydantic_fields__"]
    return found


def _lines(error: ValidationError, found: Gathered) -> list[str]:
    lines = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(one["loc"][0])
        place = found.places.get(name, PREFIX + name.upper())
        if name not in settings():
            near = difflib.get_close_matches(name, settings(), n=1)
            cure = f"did you mean {_like(place, near[0])}?" if near else "take it out (the settings page lists all there are)"
            line = f"{place}: there is no such setting; {cure}"
        elif one["type"] == "value_error":
            line = f"{place}: {one['msg'].removeprefix('Value error, ')}"
        else:
            line = f"{place}: {one['msg'][0].lower()}{one['msg'][1:]}; expected is {settings()[name].description}"
        if line not in lines:
            lines.append(line)
    return sorted(lines)


def _like(place: str, name: str) -> str:
    return PREFIX + name.upper() if place.startswith(PREFIX) else name


def _contradictions(config: Config, found: Gathered) -> list[str]:
    """What is wrong only together with another setting."""
    lines = []

    def wrong(setting: str, text: str) -> None:
        lines.append(f"{found.places.get(setting, PREFIX + setting.upper())}: {text}")

    keys = [name for name in ("secret_key", "secret_key_file", "secret_key_command") if getattr(config, name)]
    if len(keys) > 1:
        wrong(keys[1], f"the master key is already given by {found.places[keys[0]]}; keep one of the two")
    if not keys and config.sqlite_file is None:
        wrong("secret_key", f"is required on PostgreSQL; {CURE}")
    if config.sqlite_file is not None and config.workers > 1:
        wrong("workers", "more than one needs PostgreSQL; set it to 1 or set DATABASE_URL to a PostgreSQL database")
    if config.public_url.startswith("http://") and not (config.allow_private_addresses and _is_loopback(config.public_url)):
        wrong("public_url", "must start with https:// (http only on loopback, with ALLOW_PRIVATE_ADDRESSES=1)")
    if config.secret_key and config.secret_key in config.secret_keys_old:
        wrong("secret_keys_old", "holds the present key; list only earlier ones")
    for name in ("secret_key", "secret_keys_old"):
        if found.file and name in found.in_file and os.name == "posix" and found.file.stat().st_mode & 0o077:
            wrong(name, f"the file can be read by others; chmod 600 {found.file} and change the key")
    return lines


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
