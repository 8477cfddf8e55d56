"""`send`: one text by the same judgement as the API's."""

from __future__ import annotations

from bellwire.cli.opened import tenant_id
from bellwire.ids import parse_id
from bellwire.model import Status
from bellwire.store import messages
from standins.shell import Shell

ANA = "+998901234567"


def test_a_text_is_stored_to_be_sent(shell: Shell) -> None:
    shell.acme()
    told = shell.json("send", ANA, "Your order is ready", "--tenant", "acme")
    assert (told["status"], told["reason"]) == ("queued", None)
    with shell.engine() as engine, engine.store.for_tenant(tenant_id(engine.store, "acme")).reading() as scoped:
        stored = messages.get(scoped, engine.vault, parse_id("msg", told["id"]))
    assert (stored.status, stored.to, stored.text) == (Status.QUEUED, ANA, "Your order is ready")


def test_a_template_s_variables_may_stand_in_the_shell(embedded: Shell) -> None:
    embedded.acme()
    told = embedded("send", "90 123 45 67", "--template", "shipped", "--set", "order.name=#1001", "--at", "2h", "--tenant", "acme")
    assert "is scheduled." in told.stdout


def test_what_policy_forbids_ends_with_one_and_its_reason(embedded: Shell) -> None:
    embedded.acme()
    told = embedded.json("send", ANA, "News", "--purpose", "marketing", "--tenant", "acme", code=1)
    assert (told["status"], told["reason"]) == ("refused", "no_consent")
    assert "is refused: no_consent." in embedded("send", ANA, "News", "--purpose", "marketing", "--tenant", "acme", code=1).stdout


def test_what_is_wrong_with_the_request_is_told(embedded: Shell) -> None:
    embedded.acme()
    for args, code, said in (
        ((ANA,), 1, "body: give either body or template"),
        (("12", "Hello"), 1, "to: is not a phone number"),
        ((ANA, "--template", "none"), 1, "template: there is no template none"),
        ((ANA, "--template", "shipped"), 1, "variables.order.name"),
        ((ANA, "Hello", "--set", "x"), 2, "is not NAME=VALUE"),
        ((ANA, "Hello", "--at", "yesterday"), 1, "send_at: "),
    ):
        assert said in embedded("send", *args, "--tenant", "acme", code=code).stderr, args
