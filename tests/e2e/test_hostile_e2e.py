"""Signed requests with hostile bodies, over the wire: refused with a reason, at once, and nothing is stored (promise A8)."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from standins.served import Server, Tenant, until
from standins.shopify import Shop
from standins.wire import Headers, chunks, exchange

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def url(tenant: Tenant, shop: Shop) -> str:
    tenant.template("told", en="Something happened.")
    for event in ("order.created", "person.erase_requested"):
        tenant.trigger(event, "told", state="shadow")
    return str(tenant.shop(shop)["webhook_url"])


def signed(shop: Shop, body: bytes, topic: str = "orders/create", **more: str) -> Headers:
    """The headers of a body that the shop's app signed, whatever it is."""
    signature = base64.b64encode(hmac.digest(shop.client_secret.encode(), body, hashlib.sha256)).decode()
    known = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signature,
        "X-Shopify-Shop-Domain": shop.domain,
    }
    return [(name, value) for name, value in {**known, **more}.items() if value]


ORDER = {"id": 820982911946154508, "name": "#9999", "created_at": "2026-11-20T10:00:00Z"}


def order(text: str) -> bytes:
    """An order with more in it, as raw JSON."""
    return json.dumps(ORDER).encode()[:-1] + b", " + text.encode("utf-8", "surrogatepass") + b"}"


REFUSED = {
    "nothing": b"",
    "blanks": b"   \n",
    "no JSON": b"<order/>",
    "a form": b"id=1&name=%231001",
    "half of it": order('"note": null')[:-20],
    "null": b"null",
    "a number": b"7",
    "a list": b"[" + order('"note": null') + b"]",
    "no name": b'{"id": 1}',
    "an id that is a text": b'{"id": "x", "name": "#1"}',
    "an id that is a list": b'{"id": [1], "name": "#1"}',
    "an id that is a fraction": b'{"id": 1.5, "name": "#1"}',
    "NaN": b'{"id": NaN, "name": "#1"}',
    "an infinite id": b'{"id": 1e999, "name": "#1"}',
    "a million digits": b'{"id": ' + b"9" * 1_000_000 + b', "name": "#1"}',
    "a million digits elsewhere": order('"total_price": "' + "9" * 1_000_000 + '"'),
    "nested deep": b'{"id":1,"name":"#1","x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "lists nested deep": b"[" * 100_000,
    "half a surrogate pair": order('"email": "\\ud800"'),
    "half a surrogate pair, raw": order('"email": "\ud800"'),
    "not UTF-8": b'{"id": 1, "name": "\xff\xfe"}',
    "UTF-16": json.dumps(ORDER).encode("utf-16"),
    "NUL behind": json.dumps(ORDER).encode() + b"\x00",
    "an id twice, the second a text": b'{"id": 1, "id": "x", "name": "#1"}',
    "a price that is no number": order('"total_price": "12,5 EUR"'),
    "a price in words": order('"total_price": {"amount": 5}'),
    "a customer who is a list": order('"customer": []'),
    "lines that are a text": order('"line_items": "none"'),
    "a date that is none": order('"cancelled_at": "0000-00-00T00:00:00Z"'),
    "gzip": gzip.compress(json.dumps(ORDER).encode()),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_body_that_can_t_be_read_is_refused_with_a_reason(
    server: Server, tenant: Tenant, shop: Shop, url: str, body: bytes
) -> None:
    before = server.rows(tenant)
    said = exchange(url, signed(shop, body), body)
    assert said.status == 400, said
    problem = json.loads(said.body)
    assert (problem["code"], bool(problem["detail"])) == ("payload_invalid", True)
    assert said.took_s < 1.0
    assert server.rows(tenant) == before


#: A topic, and a body that says nothing we serve.
IGNORED = {
    "a topic nobody serves": ("carts/update", b"\x00\xff nonsense"),
    "a topic as long as a book": ("orders/create" * 500, json.dumps(ORDER).encode()),
    "a topic in capitals": ("ORDERS/CREATE", json.dumps(ORDER).encode()),
}


@pytest.mark.parametrize(("topic", "body"), IGNORED.values(), ids=IGNORED)
def test_what_is_not_served_is_answered_and_forgotten(
    server: Server, tenant: Tenant, shop: Shop, url: str, topic: str, body: bytes
) -> None:
    before = server.rows(tenant)
    said = exchange(url, signed(shop, body, topic), body)
    assert (said.status, json.loads(said.body)["events"]) == (200, [])
    assert server.rows(tenant) == before


def test_content_types_do_not_matter_to_a_signed_body(tenant: Tenant, shop: Shop, url: str) -> None:
    for number, kind in enumerate(
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "a/b/c"]
    ):
        body = json.dumps({**ORDER, "id": 5_000 + number, "name": f"#{number}"}).encode()
        said = exchange(url, signed(shop, body, **{"Content-Type": kind}), body)
        assert (said.status, len(json.loads(said.body)["events"])) == (200, 1), kind


class TestBodiesThatAreTooLong:
    def test_six_megabytes(self, server: Server, tenant: Tenant, shop: Shop, url: str) -> None:
        before = server.rows(tenant)
        body = order('"note": "' + "x" * 6 * MEGABYTE + '"')
        said = exchange(url, signed(shop, body), body)
        assert said.status == 413, said
        assert said.took_s < 1.0
        assert server.rows(tenant) == before

    def test_a_hundred_megabytes_that_are_only_announced(self, shop: Shop, url: str) -> None:
        body = b'{"id": 1'
        said = exchange(url, signed(shop, body), body, length=100 * MEGABYTE, wait_s=5.0)
        assert said.status in {0, 413}
        assert said.took_s < 1.0

    def test_a_hundred_megabytes_in_chunks(self, server: Server, shop: Shop, url: str) -> None:
        resident = memory(server)
        headers = [*signed(shop, b""), ("Transfer-Encoding", "chunked")]
        said = exchange(url, headers, chunks(b"x" * 65_536 for _ in range(1_600)), length=-2)
        assert said.status in {0, 413}  # 0: it hung up while we were still writing
        assert memory(server) - resident < 64 * MEGABYTE
        assert exchange(url, signed(shop, b"{}"), b"{}").status == 400, "it serves on"

    def test_chunks_of_a_body_that_is_not_too_long(self, shop: Shop, url: str) -> None:
        body = json.dumps({**ORDER, "id": 6_000, "name": "#6000"}).encode()
        pieces = chunks(body[place : place + 7] for place in range(0, len(body), 7))
        said = exchange(url, [*signed(shop, body), ("Transfer-Encoding", "chunked")], pieces, length=-2)
        assert (said.status, len(json.loads(said.body)["events"])) == (200, 1)

    def test_a_length_that_is_no_number(self, shop: Shop, url: str) -> None:
        for length in ("-1", "1e3", "0x10", "10, 20", "9" * 40):
            said = exchange(url, [*signed(shop, b"{}"), ("Content-Length", length)], b"{}", length=-2)
            assert said.status in {0, 400, 413}, length

    def test_headers_without_end(self, shop: Shop, url: str) -> None:
        many = [(f"X-Filler-{number}", "x" * 200) for number in range(5_000)]
        said = exchange(url, [*many, *signed(shop, b"{}")], b"{}")
        assert said.status in {0, 400, 431}


class TestBodiesThatNeverEnd:
    @pytest.mark.parametrize("more", [1, 1_000])
    def test_one_that_is_cut_is_not_taken(self, server: Server, tenant: Tenant, shop: Shop, url: str, more: int) -> None:
        """Also when all that was signed did come."""
        body = json.dumps({**ORDER, "id": 6_500, "name": "#6500"}).encode()
        before = server.rows(tenant)
        with pytest.raises(TimeoutError):  # the server waits for the rest, and we hang up
            exchange(url, signed(shop, body), body, length=len(body) + more, wait_s=0.3)
        assert exchange(url, signed(shop, b"{}"), b"{}").status == 400
        assert server.rows(tenant) == before

    def test_strangers_who_dawdle_hold_nobody_up(self, server: Server, tenant: Tenant, shop: Shop, url: str) -> None:
        """More of them than the server has threads: a body is read from those only who know a key."""
        stop = threading.Event()
        doors = [
            "/hooks/shopify/unknown",
            "/dlr/twilio/unknown",
            "/mo/twilio/unknown",
            "/v1/messages",
            "/install/shopify",
            "/livez",
        ]

        def slowly() -> Iterable[bytes]:
            while not stop.wait(0.02):
                yield b"1\r\nx\r\n"

        def dawdle(number: int) -> int:
            method = "POST" if number % 2 else "GET"
            headers = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
            return exchange(server.url + doors[number % 6], headers, slowly(), method=method, length=-2, wait_s=30).status

        with ThreadPoolExecutor(48) as pool:
            running = [pool.submit(dawdle, number) for number in range(48)]
            try:
                until(lambda: sum(one.running() or one.done() for one in running) == 48)
                body = json.dumps({**ORDER, "id": 7_000, "name": "#7000"}).encode()
                said = exchange(url, signed(shop, body), body)
                assert said.status == 200
                assert said.took_s < 1.0
            finally:
                stop.set()
        assert {one.result() for one in running} <= {
            0,
            200,
            302,
            400,
            401,
            404,
            405,
        }  # 302: an app that another test has made installable
        assert tenant.get("/v1/events?limit=1")["items"]


def test_a_body_that_is_not_read_ends_the_connection_and_the_answer_says_so(server: Server) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.putrequest("POST", "/hooks/shopify/unknown")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"not all of it")
        said = connection.getresponse()
        assert (said.status, said.getheader("Connection")) == (404, "close")
        assert json.loads(said.read())["code"] == "unknown_installation"
        for _ in range(3):  # a client that was told opens another one
            connection.request("POST", "/hooks/shopify/unknown", b"x" * 1000)
            assert connection.getresponse().read()


def memory(server: Server) -> int:
    """Bytes of memory that the serving process holds now."""
    [child] = server.children()
    status = Path(f"/proc/{child}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def test_the_server_is_well_after_all_that(server: Server) -> None:
    assert until(lambda: requests.get(f"{server.url}/readyz", timeout=5).ok)
    assert "Traceback" not in server.said
