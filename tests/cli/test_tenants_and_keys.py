"""`tenant`, `key` and `credit` on a real database."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from bellwire.engine.runtime import Engine
from bellwire.store import audit, keys, snapshot, tenants
from bellwire.store.vault import key_hash
from standins.shell import KEY, Shell

NO_CREDIT = dict.fromkeys(("currency", "credit", "reserved", "spent", "left"))  # as GET /v1/balance answers


def trail(shell: Shell, slug: str = "acme") -> list[tuple[str, str]]:
    with shell.engine() as engine, engine.store.for_tenant(by_slug(engine, slug)).reading() as connection:
        return [(one.actor, one.action) for one in reversed(audit.listed(connection, limit=200).items)]


def by_slug(engine: Engine, slug: str = "acme") -> UUID:
    with engine.store.read() as connection:
        return tenants.by_slug(connection, slug)


def version(shell: Shell) -> int:
    with shell.engine() as engine, engine.store.read() as connection:
        found = snapshot.config_version(connection, tenants.by_slug(connection, "acme"))
        assert found is not None
        return found


# -- tenants --------------------------------------------------------------------------------------------------------


def test_a_tenant_is_made_with_a_key_that_works(shell: Shell) -> None:
    made = shell.json("tenant", "create", "acme", "--country", "UZ", "--locale", "uz_latn_uz")
    assert (made["slug"], made["tenant_id"][:4]) == ("acme", "ten_")
    with shell.engine() as engine, engine.store.read() as connection:
        key = keys.find(connection, key_hash(made["api_key"]))
    assert key is not None
    assert key.scopes == {"admin"}
    shown = shell.json("tenant", "show", "acme")
    assert (shown["locale"], shown["timezone"], shown["settings"], shown["balance"]) == (
        "uz-Latn-UZ",
        "Asia/Tashkent",
        {},
        NO_CREDIT,
    )
    assert shell.json("tenant", "show", made["tenant_id"]) == shown


@pytest.mark.postgres
def test_a_database_that_is_behind_is_to_be_tried_again(bare: Shell, empty_postgres_url: str) -> None:
    shell = replace(bare, environ={"BELLWIRE_DATABASE_URL": empty_postgres_url, "BELLWIRE_SECRET_KEY": KEY})
    for command in (("tenant", "create", "acme", "--country", "UZ"), ("serve", "--port", "0"), ("work",)):
        said = shell(*command, code=75).stderr
        assert said.startswith("bellwire: the database is at revision none, this version needs")
        assert said.endswith("run `bellwire db upgrade`\n")


def test_tenants_are_listed(shell: Shell) -> None:
    assert "There is no tenant yet" in shell("tenant", "list").stdout
    for slug, country in (("acme", "UZ"), ("beta", "CO")):
        shell("tenant", "create", slug, "--country", country)
    assert [(one["slug"], one["country"]) for one in shell.json("tenant", "list")["items"]] == [("acme", "UZ"), ("beta", "CO")]
    assert "America/Bogota" in shell("tenant", "list").stdout


@pytest.mark.parametrize(
    ("slug", "more", "said"),
    [
        ("acme", ["--country", "UZ"], "slug: is taken"),
        ("Acme", ["--country", "UZ"], "slug: must be"),
        ("beta", ["--country", "ZZ"], "country: "),
        ("beta", ["--country", "UZ", "--locale", "?"], "locale: must be a language"),
        (
            "beta",
            ["--country", "UZ", "--locale", "xx-yy-zz-bad"],
            "locale: must be a language such as es-CO, uz-Latn-UZ or hr, and not 'xx-",
        ),
        ("beta", ["--country", "UZ", "--timezone", "Mars/Base"], "timezone: "),
    ],
)
def test_a_tenant_that_can_t_be(embedded: Shell, slug: str, more: list[str], said: str) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    assert said in embedded("tenant", "create", slug, *more, code=1).stderr


#: What is written, and what stands in the settings then.
SETTINGS: list[tuple[str, list[str], dict[str, object]]] = [
    ("a list with commas", ["countries=kz, UZ"], {"countries": ["KZ", "UZ"]}),
    ("a list as JSON", ['countries=["UZ"]'], {"countries": ["UZ"]}),
    ("an empty list allows all", ["countries=[]"], {"countries": []}),
    ("hours as people write them", ["quiet_hours=21:00-08:00"], {"quiet_hours": "21:00-08:00"}),
    (
        "hours as JSON",
        ['quiet_hours={"quiet": "20:00-09:00", "transactional": true}'],
        {"quiet_hours": {"quiet": "20:00-09:00", "transactional": True}},
    ),
    ("a part of a setting", ["consent.transactional=explicit"], {"consent": {"transactional": "explicit"}}),
    ("two parts of one", ["expires_in.otp=5m", "expires_in.marketing=3600"], {"expires_in": {"otp": 300, "marketing": 3600}}),
    ("a part beside one that was there", ["expires_in.otp=5m", "currency=UZS"], {"expires_in": {"otp": 300}, "currency": "UZS"}),
    ("taken out", ["currency=USD", "currency="], {}),
    ("the last part taken out", ["consent.transactional=explicit", "consent.transactional="], {}),
    ("null takes out, too", ["links=example.com", "links=null"], {}),
]


@pytest.mark.parametrize(("changes", "settings"), [row[1:] for row in SETTINGS], ids=[row[0] for row in SETTINGS])
def test_settings(embedded: Shell, changes: list[str], settings: dict[str, object]) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    for one in changes:
        embedded("tenant", "set", "acme", one)
    assert embedded.json("tenant", "show", "acme")["settings"] == settings


def test_many_at_once_count_from_then_on(shell: Shell) -> None:
    shell("tenant", "create", "acme", "--country", "UZ")
    before = version(shell)
    changed = shell.json("tenant", "set", "acme", "name=Acme Ltd", "timezone=Asia/Almaty", "countries=UZ,KZ", "expires_in.otp=5m")
    assert (changed["name"], changed["timezone"]) == ("Acme Ltd", "Asia/Almaty")
    assert changed["settings"] == {"countries": ["KZ", "UZ"], "expires_in": {"otp": 300}}
    assert version(shell) > before, "other processes read it again"
    assert trail(shell)[-1] == ("cli", "tenant.changed")
    assert json.dumps(["KZ", "UZ"]) in shell("tenant", "set", "acme", "locale=ru").stdout


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("colour=red", 1, "settings.colour: is no setting"),
        ("countries=Uzbekistan", 1, "settings.countries.0: "),
        ("consent.transactional=maybe", 1, "settings.consent.transactional: "),
        ("quiet_hours=late", 1, "settings.quiet_hours"),
        ("expires_in.otp=9000d", 1, "settings.expires_in.otp: "),
        ("currency=dollars", 1, "settings.currency: "),
        ("currency.name=USD", 1, "settings.currency.name: currency is no object now"),
        ("country=", 1, "country: can't be taken out"),
        ("locale=", 1, "locale: must be a language"),
        ("name", 2, "is not KEY=VALUE"),
        ("=x", 2, "is not KEY=VALUE"),
    ],
)
def test_a_change_that_can_t_be_changes_nothing(embedded: Shell, change: str, code: int, said: str) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    embedded("tenant", "set", "acme", "currency=USD")
    before = embedded.json("tenant", "show", "acme")
    assert said in embedded("tenant", "set", "acme", "name=Other", change, code=code).stderr
    assert embedded.json("tenant", "show", "acme") == before


def test_a_tenant_that_does_not_exist(embedded: Shell) -> None:
    for args in (("tenant", "show"), ("tenant", "set"), ("credit", "show")):
        more = ["name=x"] if args[1] == "set" else []
        assert "tenant nobody does not exist" in embedded(*args, "nobody", *more, code=1).stderr


# -- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_that_would_have_ended_before_it_is_made(embedded: Shell) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    asked = ("key", "create", "--tenant", "acme", "--name", "shop", "--expires", "2001-01-01T00:00:00Z")
    said = embedded(*asked, code=1).stderr
    assert said == "bellwire: expires: lies in the past; leave it out for a key without an end\n"


def test_a_key_s_life(shell: Shell) -> None:
    shell("tenant", "create", "acme", "--country", "UZ")
    made = shell.json("key", "create", "--tenant", "acme", "--name", "shop", "--scope", "messages:send", "--expires", "90d")
    listed = shell.json("key", "list", "--tenant", "acme")["items"]
    assert [(one["name"], one["scopes"]) for one in listed] == [("shop", ["messages:send"]), ("first", ["admin"])]
    assert made["api_key"] not in json.dumps(listed), "a key is shown once"
    revoked = shell.json("key", "revoke", made["id"], "--tenant", "acme")
    assert revoked["revoked_at"] is not None
    first = listed[1]["id"]
    assert "the last key with the scope admin" in shell("key", "revoke", first, "--tenant", "acme", code=1).stderr


# -- credit ---------------------------------------------------------------------------------------------------------


def test_credit_is_booked_and_checked_from_then_on(shell: Shell) -> None:
    shell("tenant", "create", "acme", "--country", "UZ")
    assert "nothing is checked" in shell("credit", "show", "acme").stdout
    before = version(shell)
    booked = shell.json("credit", "add", "acme", "100.5", "--currency", "usd", "--note", "invoice 1")
    assert (booked["amount"], booked["currency"], booked["balance"]["left"]) == ("100.50", "USD", "100.50")
    assert version(shell) > before, "the balance is looked at from now on"
    taken = shell.json("credit", "add", "acme", "-0.500001")
    assert (taken["currency"], taken["balance"]["left"]) == ("USD", "99.999999")
    told = shell.json("credit", "show", "acme")
    assert [(one["kind"], one["amount"], one["note"]) for one in told["ledger"]] == [
        ("credit", "-0.500001", ""),
        ("credit", "100.50", "invoice 1"),
    ]
    assert told["balance"] == shell.json("tenant", "show", "acme")["balance"]
    assert trail(shell)[-2:] == [("cli", "balance.credited")] * 2
    assert "99.999999 USD left" in shell("credit", "show", "acme").stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["0"], 1, "amount: "),
        (["0.0000001"], 1, "amount: "),
        (["much"], 2, "is no amount"),
        (["NaN"], 2, "is no amount"),
        (["1e999999999"], 2, "is no amount"),
        (["5", "--currency", "EUR"], 1, "currency: the balance is kept in USD"),
        (["5", "--currency", "euros"], 1, "currency: must be a currency code"),
        (["5", "--curency", "EUR"], 2, "unexpected extra argument"),
    ],
)
def test_credit_that_can_t_be(embedded: Shell, args: list[str], code: int, said: str) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    embedded("credit", "add", "acme", "1", "--currency", "USD")
    assert said in embedded("credit", "add", "acme", *args, code=code).stderr
    assert embedded.json("credit", "show", "acme")["balance"]["left"] == "1.00"


def test_the_tenant_s_own_currency_is_the_default(embedded: Shell) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    embedded("tenant", "set", "acme", "currency=UZS")
    assert embedded.json("credit", "add", "acme", "1000")["currency"] == "UZS"
