"""Where a request comes from: nobody is believed but the proxies that were named."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from bellwire_web.proxies import Networks, caller, trust
from flask import Flask, request

OURS: Networks = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))

FORMS = [
    ("no header", "10.0.0.1", "", "10.0.0.1"),
    ("one proxy", "10.0.0.1", "203.0.113.5", "203.0.113.5"),
    ("two of ours", "10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
    ("the caller wrote a hop himself", "10.0.0.1", "127.0.0.1, 203.0.113.5", "203.0.113.5"),
    ("the caller claims to be one of ours", "10.0.0.1", "10.9.9.9, 203.0.113.5", "203.0.113.5"),
    ("who connects is not ours", "203.0.113.9", "127.0.0.1", "203.0.113.9"),
    ("who connects is not ours and names ours", "203.0.113.9", "198.51.100.1, 10.0.0.1", "203.0.113.9"),
    ("with a port", "10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
    ("v6", "10.0.0.1", "2001:db8::5", "2001:db8::5"),
    ("v6 in brackets with a port", "10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
    ("v6 quoted", "10.0.0.1", '"[2001:db8::5]"', "2001:db8::5"),
    ("mapped", "::ffff:10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
    ("our v6 proxy", "fd00::1", "203.0.113.5", "203.0.113.5"),
    ("garbage nearest to us", "10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"),
    ("garbage further away", "10.0.0.1", "unknown, 203.0.113.5", "203.0.113.5"),
    ("empty entries", "10.0.0.1", "203.0.113.5,,", "10.0.0.1"),
    ("only spaces", "10.0.0.1", "   ", "10.0.0.1"),
    ("octal", "10.0.0.1", "0177.0.0.1", "10.0.0.1"),
    ("decimal", "10.0.0.1", "2130706433", "10.0.0.1"),
    ("a name", "10.0.0.1", "localhost", "10.0.0.1"),
    ("a longer chain than anybody has", "10.0.0.1", "198.51.100.1, " + "10.0.0.2, " * 100 + "10.0.0.3", "10.0.0.2"),
]


@pytest.mark.parametrize(("label", "peer", "header", "expected"), FORMS, ids=[row[0] for row in FORMS])
def test_networks(label: str, peer: str, header: str, expected: str) -> None:
    assert caller(peer, header, OURS) == expected


COUNTED = [
    ("one in front", 1, "127.0.0.1, 203.0.113.5", "203.0.113.5"),
    ("two in front", 2, "203.0.113.5, 10.0.0.2", "203.0.113.5"),
    ("two in front, the caller added one", 2, "127.0.0.1, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
    ("fewer entries than proxies", 3, "203.0.113.5", "203.0.113.5"),
    ("garbage", 1, "x", "10.0.0.1"),
]


@pytest.mark.parametrize(("label", "count", "header", "expected"), COUNTED, ids=[row[0] for row in COUNTED])
def test_a_number_of_proxies(label: str, count: int, header: str, expected: str) -> None:
    assert caller("10.0.0.1", header, count) == expected


@pytest.mark.parametrize(
    ("proxies", "expected"), [((), "192.0.2.1 http localhost"), (0, "192.0.2.1 http localhost"), (1, "203.0.113.5 http localhost")]
)
def test_the_application_believes_only_the_address(proxies: Any, expected: str) -> None:
    app = Flask("proxied")
    app.add_url_rule("/", "where", lambda: f"{request.remote_addr} {request.scheme} {request.host}")
    trust(app, proxies)
    headers = {
        "X-Forwarded-For": "203.0.113.5",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil",
        "Forwarded": "for=1.2.3.4",
    }
    answer = app.test_client().get("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert answer.text == expected
