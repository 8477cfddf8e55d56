"""The till: what is read, and what is written back."""

from typing import Any

import pytest
import requests
import responses
from bellwire import PayloadInvalid, PlatformError, Retry, Status, StatusChange
from bellwire.testing import NOW, Case, LooseLink, installation
from bellwire_example import connector

PAID = {"type": "order.paid", "customer.phones": ["+1 555 010 0001"], "data.order.total": "12.50"}


def no_phone(body: dict[str, Any]) -> None:
    del body["phone"]


def no_total(body: dict[str, Any]) -> None:
    del body["total"]


CASES = [
    Case("a paid receipt", sample="order_paid", events=[PAID]),
    Case("no phone on it", sample="order_paid", edit=no_phone, events=[{**PAID, "customer.phones": []}]),
    Case("an event we don't serve", sample="drawer_opened", events=[]),
    Case("a receipt without its total", sample="order_paid", edit=no_total, error=PayloadInvalid, names="total"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


DELIVERED = StatusChange(message_id="msg_1", status=Status.DELIVERED, at=NOW, subject="receipt/R-1001")
NOTE = "https://till.example.com/receipt/R-1001/notes/sms"

ANSWERS = [
    ("taken", {"status": 204}, None),
    ("too fast", {"status": 429, "headers": {"retry-after": "7"}}, Retry.LATER),
    ("the secret is refused", {"status": 401}, Retry.NEVER),
    ("no such receipt", {"status": 404}, Retry.NEVER),
    ("the till is down", {"status": 503}, Retry.LATER),
    ("no answer", {"body": requests.ConnectionError()}, Retry.LATER),
]


@pytest.mark.parametrize(("label", "answer", "retry"), ANSWERS, ids=[label for label, *_ in ANSWERS])
def test_write_back(label: str, answer: dict[str, Any], retry: Retry | None) -> None:
    from bellwire_example.till.client import write_back

    link = LooseLink(installation(connector))
    with responses.RequestsMock() as till:
        till.put(NOTE, **answer)
        if retry is None:
            write_back([DELIVERED], link)
            assert till.calls[0].request.body == b'{"text": "delivered 09:00", "message": "msg_1"}'
        else:
            with pytest.raises(PlatformError) as error:
                write_back([DELIVERED], link)
            assert error.value.retry is retry
