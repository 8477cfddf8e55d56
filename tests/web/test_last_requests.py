"""What a platform may still ask of an account that took our app out, and that nothing else comes through (H9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.ids import parse_id
from bellwire.store import schema
from bellwire.store.database import reading
from bellwire.testing import sample
from werkzeug.test import TestResponse

PACKAGE = "bellwire_connectors.shopify"


class Shop:
    """A shop with the app, as Shopify calls for it. The samples' shop unless said otherwise."""

    def __init__(self, world: Any, shop: str = "example", secret: str = "s" * 32) -> None:
        self.world, self.secret = world, secret
        body = {
            "connector": "shopify",
            "name": shop,
            "credentials": {"shop": shop, "client_secret": secret, "access_token": "shpat_x", "client_id": "app-1"},
        }
        made = world.a.post("/v1/installations", body).json
        self.id, self.url = made["id"], made["webhook_url"].removeprefix("https://sms.example.com")

    def calls(self, name: str, *, url: str = "", secret: str = "", shop_domain: str = "") -> TestResponse:
        """The platform sends a sample, to this shop's URL unless another is given."""
        plugins, clock = self.world.runtime.plugins, self.world.clock
        connector = plugins.connectors["shopify"]
        key = f"{name}-{clock().timestamp()}"
        request = sample(PACKAGE, name)
        if shop_domain:
            request = replace(request, body=request.body.replace(b"example.myshopify.com", shop_domain.encode()))
            request = request.with_headers(X_Shopify_Shop_Domain=shop_domain)
        request = request.with_headers(
            X_Shopify_Webhook_Id=key, X_Shopify_Event_Id=key, X_Shopify_Triggered_At=clock().isoformat().replace("+00:00", "Z")
        )
        with reading(self.world.store.engine) as connection:
            row = connection.execute(
                sa.select(schema.installations).where(schema.installations.c.id == parse_id("ins", self.id))
            ).one()
        value = self.world.runtime.engine.configs.reader.installation(row, clock()).value
        signed = connector.sign(request, replace(value, secrets=(secret or self.secret,)))
        return self.world.a.client.post(url or self.url, data=signed.body, headers=dict(signed.headers))

    @property
    def status(self) -> str:
        with reading(self.world.store.engine) as connection:
            rows = connection.execute(sa.select(schema.installations.c.id, schema.installations.c.status))
            return {row.id: row.status for row in rows}[parse_id("ins", self.id)]


def requests(world: Any) -> list[str]:
    with reading(world.store.engine) as connection:
        return [row.kind for row in connection.execute(sa.select(schema.privacy_requests.c.kind))]


@pytest.fixture
def shop(world: Any) -> Shop:
    shop = Shop(world)
    world.clock.forward(minutes=1)
    assert shop.calls("app_uninstalled").status_code == 200
    assert shop.status == "removed"
    world.clock.forward(hours=48)
    return shop


def test_an_order_of_a_removed_shop_is_gone(world: Any, shop: Shop) -> None:
    assert shop.calls("order_created").status_code == 410
    with reading(world.store.engine) as connection:
        types = [row.type for row in connection.execute(sa.select(schema.events.c.type))]
    assert types == ["app.uninstalled"]


def test_what_is_told_again_after_the_removal_is_a_duplicate(world: Any) -> None:
    """The same delivery: the platform missed our answer, and repeats for hours what is answered 410."""
    shop = Shop(world)
    world.clock.forward(minutes=1)
    names = ("order_created", "app_uninstalled", "order_created", "app_uninstalled")
    answers = [shop.calls(name) for name in names]
    assert [(one.status_code, one.json["duplicate"]) for one in answers] == [(200, False)] * 2 + [(200, True)] * 2
    assert shop.calls("app_uninstalled", secret="f" * 32).status_code == 401
    world.clock.forward(hours=4)
    assert [shop.calls(name).status_code for name in ("order_created", "app_uninstalled")] == [410, 410], "new ones"
    with reading(world.store.engine) as connection:
        types = [row.type for row in connection.execute(sa.select(schema.events.c.type).order_by(schema.events.c.id))]
    assert types == ["order.created", "app.uninstalled"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("person_erase_requested", "erase_person"),
        ("person_export_requested", "export_person"),
        ("installation_erase_requested", "erase_installation"),
    ],
)
def test_the_last_requests_are_taken(world: Any, shop: Shop, name: str, kind: str) -> None:
    answer = shop.calls(name)
    assert answer.status_code == 200
    assert len(answer.json["events"]) == 1
    assert requests(world) == [kind]


@pytest.mark.parametrize("name", ["person_erase_requested", "person_export_requested", "installation_erase_requested"])
def test_a_forged_one_is_refused(world: Any, shop: Shop, name: str) -> None:
    assert shop.calls(name, secret="f" * 32).status_code == 401
    assert requests(world) == []


def test_the_apps_one_url_works_on_after_its_first_shop_left(world: Any, shop: Shop) -> None:
    """Compliance topics have one URL an app: the key of its first installation, which is gone now."""
    second = Shop(world, "second")
    answer = second.calls("person_erase_requested", url=shop.url, shop_domain="second.myshopify.com")
    assert answer.status_code == 200
    with reading(world.store.engine) as connection:
        [row] = connection.execute(sa.select(schema.privacy_requests.c.installation_id)).all()
    assert row.installation_id == parse_id("ins", second.id)


def test_an_account_that_the_tenant_took_away_answers_gone(world: Any) -> None:
    shop = Shop(world)
    assert world.a.delete(f"/v1/installations/{shop.id}").status_code == 204
    assert shop.calls("person_erase_requested").status_code == 410
    assert requests(world) == []
