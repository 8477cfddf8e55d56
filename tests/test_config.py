"""Settings: where they come from, which are refused with what line, and that no line tells a secret (promises H11)."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError
from ipaddress import ip_network
from pathlib import Path

import pytest
from bellwire.config import Config, key_for, load, settings
from bellwire.environment import gather
from bellwire.errors import ConfigInvalid
from bellwire.master_key import decode_key
from hypothesis import given
from hypothesis import strategies as st

RAW = bytes((7 * i * i + 31 * i + 200) % 256 for i in range(32))  # 32 bytes without a pattern that is looked for
KEY = base64.urlsafe_b64encode(RAW).decode()
OLD = base64.urlsafe_b64encode(bytes(reversed(RAW))).decode()
POSTGRES = "postgresql://bellwire@db.example/bellwire"


def toml(folder: Path, text: str, mode: int = 0o600) -> None:
    path = folder / "bellwire.toml"
    path.write_text(text)
    path.chmod(mode)


# -- where they come from ---------------------------------------------------------------------------------------


def test_nothing_set_is_an_embedded_installation(tmp_path: Path) -> None:
    config = load({}, tmp_path)
    assert config == Config()
    assert (config.database_url, config.sqlite_file) == ("sqlite:///bellwire.db", Path("bellwire.db"))
    assert (config.public_url, config.trusted_proxies, config.plugins, config.allow_private_addresses) == ("", (), (), False)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    toml(tmp_path, 'port = 9000\nhost = "127.0.0.2"\nplugins = ["acme", "beta"]\n')
    config = load({"BELLWIRE_PORT": "9001"}, tmp_path)
    assert (config.port, config.host, config.plugins) == (9001, "127.0.0.2", ("acme", "beta"))


def test_the_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 9002\n")
    (tmp_path / "third.toml").write_text("port = 9003\n")
    assert load({"BELLWIRE_CONFIG": "other.toml"}, tmp_path).port == 9002
    assert load({"BELLWIRE_CONFIG": "other.toml"}, tmp_path, Path("third.toml")).port == 9003


def test_every_kind_of_value_comes_from_text(tmp_path: Path) -> None:
    config = load(
        {
            "BELLWIRE_DATABASE_URL": "postgres://bellwire@db.example/bellwire",
            "BELLWIRE_SECRET_KEY": KEY,
            "BELLWIRE_SECRET_KEYS_OLD": f"{OLD}",
            "BELLWIRE_PUBLIC_URL": "https://sms.example.com/base/",
            "BELLWIRE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1",
            "BELLWIRE_PLUGINS": "acme , beta,",
            "BELLWIRE_LOG_FORMAT": "json",
            "BELLWIRE_WORKERS": "4",
            "BELLWIRE_HOST": "",
            "UNRELATED": "x",
        },
        tmp_path,
    )
    assert (config.database_url, config.sqlite_file) == (POSTGRES, None)
    assert (config.public_url, config.plugins, config.workers) == ("https://sms.example.com/base", ("acme", "beta"), 4)
    assert config.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert (config.host, config.log_format, config.allow_private_addresses) == ("127.0.0.1", "json", True)
    assert (key_for(config), config.old_keys) == (RAW, (bytes(reversed(RAW)),))


def test_a_number_of_proxies_is_kept_as_a_number(tmp_path: Path) -> None:
    assert load({"BELLWIRE_TRUSTED_PROXIES": "2"}, tmp_path).trusted_proxies == 2


def test_loopback_may_be_http_on_one_machine(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"):
        config = load({"BELLWIRE_PUBLIC_URL": url, "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1"}, tmp_path)
        assert config.public_url == url


def test_settings_are_frozen_and_each_is_described() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().port = 1  # type: ignore[misc]  # that is the point
    assert [name for name, info in settings().items() if not info.description] == []


def test_plugins_can_be_listed_without_judging_the_rest(tmp_path: Path) -> None:
    """So that `bellwire --help` knows which plugins to ask, also while another setting is wrong."""
    toml(tmp_path, 'plugins = ["acme"]\nport = "x"\n')
    assert gather({}, tmp_path).names("plugins") == ("acme",)
    assert gather({"BELLWIRE_PLUGINS": "a, b"}, tmp_path).names("plugins") == ("a", "b")
    assert gather({}, tmp_path).names("port") == ("x",)
    assert gather({}, tmp_path).names("host") == ()


# -- what is refused --------------------------------------------------------------------------------------------

REFUSED = [
    (
        "an unknown setting, with the one that was meant",
        {"BELLWIRE_PROT": "1"},
        "BELLWIRE_PROT: there is no such setting; did you mean BELLWIRE_PORT?",
    ),
    ("an unknown setting unlike any other", {"BELLWIRE_ZZZZ": "1"}, "BELLWIRE_ZZZZ: there is no such setting; take it out"),
    ("a port that is no number", {"BELLWIRE_PORT": "http"}, "BELLWIRE_PORT: input should be a valid integer"),
    (
        "a port out of range",
        {"BELLWIRE_PORT": "70000"},
        "BELLWIRE_PORT: input should be less than or equal to 65535; expected is the port",
    ),
    ("a format there isn't", {"BELLWIRE_LOG_FORMAT": "xml"}, "BELLWIRE_LOG_FORMAT: input should be 'console' or 'json'"),
    (
        "a switch that is neither on nor off",
        {"BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "perhaps"},
        "BELLWIRE_ALLOW_PRIVATE_ADDRESSES: input should be a valid boolean",
    ),
    (
        "a database we don't know",
        {"BELLWIRE_DATABASE_URL": "mysql://u:hunter2@h/d"},
        "BELLWIRE_DATABASE_URL: is neither SQLite nor PostgreSQL",
    ),
    ("SQLite in memory", {"BELLWIRE_DATABASE_URL": "sqlite:///:memory:"}, "BELLWIRE_DATABASE_URL: names no file"),
    ("SQLite with two slashes", {"BELLWIRE_DATABASE_URL": "sqlite://bellwire.db"}, "BELLWIRE_DATABASE_URL: has two slashes"),
    (
        "a public URL without TLS",
        {"BELLWIRE_PUBLIC_URL": "http://sms.example.com"},
        "BELLWIRE_PUBLIC_URL: must start with https://",
    ),
    (
        "a public URL without TLS although loopback",
        {"BELLWIRE_PUBLIC_URL": "http://127.0.0.1"},
        "BELLWIRE_PUBLIC_URL: must start with https://",
    ),
    (
        "no TLS elsewhere although private addresses are allowed",
        {"BELLWIRE_PUBLIC_URL": "http://10.0.0.1", "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1"},
        "BELLWIRE_PUBLIC_URL: must start with https://",
    ),
    (
        "a public URL that holds a password",
        {"BELLWIRE_PUBLIC_URL": "https://u:hunter2@sms.example.com"},
        "BELLWIRE_PUBLIC_URL: has a user",
    ),
    ("a public URL that is a word", {"BELLWIRE_PUBLIC_URL": "sms"}, "BELLWIRE_PUBLIC_URL: is not a web address"),
    ("a public URL with a bad port", {"BELLWIRE_PUBLIC_URL": "https://sms.example.com:http"}, "BELLWIRE_PUBLIC_URL: is not a URL"),
    (
        "trust in the whole internet",
        {"BELLWIRE_TRUSTED_PROXIES": "0.0.0.0/0"},
        "BELLWIRE_TRUSTED_PROXIES: trusts the whole internet",
    ),
    (
        "proxies that are no networks",
        {"BELLWIRE_TRUSTED_PROXIES": "10.0.0.1/8"},
        "BELLWIRE_TRUSTED_PROXIES: lists something that is no network",
    ),
    ("too many proxies", {"BELLWIRE_TRUSTED_PROXIES": "90"}, "BELLWIRE_TRUSTED_PROXIES: as a number says"),
    ("many processes on SQLite", {"BELLWIRE_WORKERS": "2"}, "BELLWIRE_WORKERS: more than one needs PostgreSQL"),
]

# promises H11: each of these stops the start
BAD_KEYS = [
    ("an empty key", {"BELLWIRE_SECRET_KEY": ""}, "BELLWIRE_SECRET_KEY: is empty; make one with"),
    ("a short key", {"BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(RAW[:16]).decode()}, "holds 16 bytes instead of 32"),
    ("a long key", {"BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(RAW * 2).decode()}, "holds 64 bytes instead of 32"),
    ("the same byte 32 times", {"BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(b"\xaa" * 32).decode()}, "is weak"),
    ("counting", {"BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(bytes(range(100, 132))).decode()}, "is weak"),
    ("few different bytes", {"BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(RAW[:8] * 4).decode()}, "is weak"),
    (
        "a phrase in base64",
        {"BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(b"correct horse battery staple no1").decode()},
        "is weak",
    ),
    ("a phrase", {"BELLWIRE_SECRET_KEY": "correct horse battery staple"}, "is not urlsafe base64"),
    ("hexadecimal", {"BELLWIRE_SECRET_KEY": RAW.hex()}, "holds 48 bytes instead of 32"),
    ("plain base64", {"BELLWIRE_SECRET_KEY": base64.b64encode(b"\xfb\xff" + RAW[2:]).decode()}, "is plain base64"),
    ("none on PostgreSQL", {"BELLWIRE_DATABASE_URL": POSTGRES}, "BELLWIRE_SECRET_KEY: is required on PostgreSQL"),
    (
        "two sources",
        {"BELLWIRE_SECRET_KEY": KEY, "BELLWIRE_SECRET_KEY_FILE": "k"},
        "BELLWIRE_SECRET_KEY_FILE: the master key is already given by BELLWIRE_SECRET_KEY",
    ),
    (
        "a weak old key",
        {"BELLWIRE_SECRET_KEY": KEY, "BELLWIRE_SECRET_KEYS_OLD": f"{OLD},{'A' * 43}="},
        "BELLWIRE_SECRET_KEYS_OLD: is weak",
    ),
    (
        "the present key among the old ones",
        {"BELLWIRE_SECRET_KEY": KEY, "BELLWIRE_SECRET_KEYS_OLD": KEY},
        "BELLWIRE_SECRET_KEYS_OLD: holds the present key",
    ),
]


@pytest.mark.parametrize(("environ", "line"), [row[1:] for row in REFUSED + BAD_KEYS], ids=[row[0] for row in REFUSED + BAD_KEYS])
def test_refused_with_one_clear_line(environ: dict[str, str], line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        load(environ, tmp_path)
    told = str(raised.value)
    assert line in told
    assert told.count("\n") == 0
    assert "hunter2" not in told
    for name, value in environ.items():
        assert "SECRET" not in name or len(value) < 8 or value not in told


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    toml(tmp_path, 'prot = 1\nhost = ""\n')
    with pytest.raises(ConfigInvalid) as raised:
        load({"BELLWIRE_PORT": "x", "BELLWIRE_SECRET_KEY": "short"}, tmp_path)
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "BELLWIRE_PORT",
        "BELLWIRE_SECRET_KEY",
        "host in bellwire.toml",
        "prot in bellwire.toml",
    ]
    assert raised.value.__cause__ is None, "pydantic's own error holds the values"


FILES = [
    ("broken TOML", 'secret_key = "hunter2', "is not TOML"),
    ("not UTF-8", "\udcff", "is not UTF-8"),
]


@pytest.mark.parametrize(("text", "line"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_an_unreadable_file_is_refused(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "bellwire.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigInvalid, match=line) as raised:
        load({}, tmp_path)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"none\.toml: can't be read"):
        load({"BELLWIRE_CONFIG": "none.toml"}, tmp_path)


@pytest.mark.parametrize("line", [f'secret_key = "{KEY}"', f'secret_keys_old = ["{OLD}"]'])
def test_a_file_that_others_can_read_may_not_hold_a_key(line: str, tmp_path: Path) -> None:
    toml(tmp_path, line, 0o644)
    with pytest.raises(ConfigInvalid, match="the file can be read by others; chmod 600"):
        load({}, tmp_path)
    toml(tmp_path, line, 0o600)
    load({}, tmp_path)
    toml(tmp_path, line, 0o644)
    load({"BELLWIRE_SECRET_KEY": KEY, "BELLWIRE_SECRET_KEYS_OLD": OLD}, tmp_path)  # the environment's count, not the file's


def test_no_secret_in_the_repr(tmp_path: Path) -> None:
    config = load(
        {"BELLWIRE_DATABASE_URL": "postgresql://u:hunter2@h/d", "BELLWIRE_SECRET_KEY": KEY, "BELLWIRE_SECRET_KEYS_OLD": OLD},
        tmp_path,
    )
    told = f"{config!r} {config} {gather({'BELLWIRE_SECRET_KEY': KEY}, tmp_path)!r}"
    assert not [secret for secret in ("hunter2", KEY, OLD) if secret in told]


# -- the key ----------------------------------------------------------------------------------------------------


def at(folder: Path, **more: object) -> Config:
    return Config(database_url=f"sqlite:///{folder}/bellwire.db", **more)  # type: ignore[arg-type]  # any setting


def test_an_embedded_installation_makes_its_key_once(tmp_path: Path) -> None:
    key = key_for(at(tmp_path))
    path = tmp_path / "bellwire.key"
    assert (len(key), stat.S_IMODE(path.stat().st_mode)) == (32, 0o600)
    assert key_for(at(tmp_path)) == key == decode_key(path.read_text())
    assert [entry.name for entry in tmp_path.iterdir()] == ["bellwire.key"], "no draft is left"


def test_the_key_is_private_whatever_the_umask_says(tmp_path: Path) -> None:
    script = "import os, pathlib as p, bellwire.master_key as k; os.umask(0); k.read_or_make_key_file(p.Path('k'))"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    for trial in range(20):
        folder = tmp_path / str(trial)
        folder.mkdir()
        start, found = threading.Barrier(8), []

        def begin(folder: Path = folder, start: threading.Barrier = start, found: list[bytes] = found) -> None:
            start.wait()
            found.append(key_for(at(folder)))

        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len(set(found)) == 1


def test_no_key_is_made_when_none_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="can't be read"):
        key_for(at(tmp_path), make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="can't be made"):
        key_for(at(tmp_path / "none"))


KEY_FILES = [
    ("readable by everybody", KEY, 0o644, "open to others"),
    ("writable by the group", KEY, 0o620, "open to others"),
    ("empty", "", 0o600, "is empty"),
    ("cut short", KEY[:20], 0o600, "instead of 32"),
    ("not text", "\udcff" * 43, 0o600, "is not urlsafe base64"),
    ("a weak key", "A" * 43 + "=", 0o600, "is weak"),
]


@pytest.mark.parametrize(("text", "mode", "line"), [row[1:] for row in KEY_FILES], ids=[row[0] for row in KEY_FILES])
@pytest.mark.parametrize("named", [False, True], ids=["beside the database", "named by a setting"])
def test_a_bad_key_file_is_refused(text: str, mode: int, line: str, named: bool, tmp_path: Path) -> None:
    path = tmp_path / ("mounted" if named else "bellwire.key")
    path.write_bytes(text.encode(errors="surrogateescape"))
    path.chmod(mode)
    with pytest.raises(ConfigInvalid, match=line) as raised:
        key_for(at(tmp_path, secret_key_file=path) if named else at(tmp_path))
    assert str(path) in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="the key file"):
        key_for(at(tmp_path, secret_key_file=tmp_path))


def test_a_mounted_key_may_be_readable_by_its_group(tmp_path: Path) -> None:
    path = tmp_path / "mounted"
    path.write_text(KEY)
    path.chmod(0o440)
    assert key_for(at(tmp_path, secret_key_file=path)) == RAW


def test_a_command_may_bring_the_key(tmp_path: Path) -> None:
    config = load({"BELLWIRE_SECRET_KEY_COMMAND": f"{sys.executable} -c \"print('{KEY}')\""}, tmp_path)
    assert key_for(config) == RAW


COMMANDS = [
    ("a program that isn't there", ("/nowhere/vault", "hunter2"), "vault can't be started"),
    ("a program that fails", (sys.executable, "-c", "raise SystemExit('hunter2')"), "ended with 1"),
    ("a program that prints nothing", (sys.executable, "-c", ""), "is empty"),
    ("a program that prints something else", (sys.executable, "-c", "print('hunter2')"), "what it printed"),
]


@pytest.mark.parametrize(("command", "line"), [row[1:] for row in COMMANDS], ids=[row[0] for row in COMMANDS])
def test_a_command_that_brings_no_key_is_refused(command: tuple[str, ...], line: str) -> None:
    with pytest.raises(ConfigInvalid, match=line) as raised:
        key_for(Config(secret_key_command=command))
    assert "hunter2" not in str(raised.value)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_read_as_it_was_written_or_called_weak(raw: bytes) -> None:
    try:
        assert decode_key(base64.urlsafe_b64encode(raw).decode().rstrip("=")) == raw
    except ValueError as refused:
        assert str(refused).startswith("is weak")  # noqa: PT017  # both ends are right


@given(st.text(max_size=60))
def test_any_text_is_a_key_or_a_clear_no(text: str) -> None:
    try:
        assert len(decode_key(text)) == 32
    except ValueError as refused:
        assert str(refused).startswith(("is ", "holds "))  # noqa: PT017  # both ends are right
