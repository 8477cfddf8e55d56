"""Calls out: only to public addresses over https, bounded in time and size, whatever the other side does (F5, F6)."""

from __future__ import annotations

import itertools
import logging
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from bellwire.engine.http import CALLBACK, PLATFORM, AddressRefused, AnswerTooLarge, Bounds, Http
from standins import receiver as standin
from standins.receiver import Receiver, certificate, status

QUICK = Bounds(connect_s=1.0, read_s=0.4, total_s=0.8, body_max=64 * 1024, cut=True)
FULL = Bounds(connect_s=1.0, read_s=0.4, total_s=0.8, body_max=100_000)


class Names:
    """A resolver. Each name has one or more answers, given in turn; other names are read as numbers or don't exist."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self._answers = {name.replace("_", "."): itertools.cycle(found) for name, found in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **more: Any) -> list[Any]:
        self.asked.append(host)
        if host in self._answers:
            found = []
            for address in next(self._answers[host]).split():
                found += socket.getaddrinfo(address, port, **more)
            return found
        return socket.getaddrinfo(host, port, flags=0, **more)


@pytest.fixture
def trap() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
def trap6() -> Iterator[Receiver]:
    try:
        server = Receiver(host="::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with server:
        yield server


# -- F5 -----------------------------------------------------------------------------------------------------------

#: PORT is the trap's. What reaches a socket at all is checked there once more.
URLS = [
    ("loopback", "https://127.0.0.1:PORT/"),
    ("loopback, not .1", "https://127.0.0.2:PORT/"),
    ("loopback by name", "https://localhost:PORT/"),
    ("loopback by name in capitals", "https://LOCALHOST:PORT/"),
    ("loopback by name with a dot", "https://localhost.:PORT/"),
    ("below localhost", "https://a.localhost:PORT/"),
    ("unspecified", "https://0.0.0.0:PORT/"),
    ("unspecified, short", "https://0:PORT/"),
    ("decimal", "https://2130706433:PORT/"),
    ("hexadecimal", "https://0x7f000001:PORT/"),
    ("hexadecimal in capitals", "https://0X7F000001:PORT/"),
    ("hexadecimal parts", "https://0x7f.0.0.0x1:PORT/"),
    ("octal", "https://017700000001:PORT/"),
    ("octal parts", "https://0177.0.0.1:PORT/"),
    ("octal with many zeros", "https://0000000177.0.0.1:PORT/"),
    ("short", "https://127.1:PORT/"),
    ("short with zeros", "https://127.0.1:PORT/"),
    ("leading zeros", "https://127.000.000.001:PORT/"),
    ("number with a dot at the end", "https://127.0.0.1.:PORT/"),
    ("percent", "https://%31%32%37.0.0.1:PORT/"),
    ("percent of a dot", "https://127%2e0%2e0%2e1:PORT/"),
    ("loopback v6", "https://[::1]:PORT/"),
    ("loopback v6 in full", "https://[0:0:0:0:0:0:0:1]:PORT/"),
    ("unspecified v6", "https://[::]:PORT/"),
    ("mapped", "https://[::ffff:127.0.0.1]:PORT/"),
    ("mapped in hexadecimal", "https://[::ffff:7f00:1]:PORT/"),
    ("compatible", "https://[::127.0.0.1]:PORT/"),
    ("NAT64", "https://[64:ff9b::7f00:1]:PORT/"),
    ("NAT64, local prefix", "https://[64:ff9b:1::7f00:1]:PORT/"),
    ("6to4", "https://[2002:7f00:1::]:PORT/"),
    ("Teredo", "https://[2001:0:1:1:1:1:80ff:fffe]:PORT/"),
    ("link-local with a zone", "https://[fe80::1%25lo]:PORT/"),
    ("site-local", "https://[fec0::1]:PORT/"),
    ("unique local", "https://[fd00::1]:PORT/"),
    ("cloud metadata", "https://169.254.169.254:PORT/"),
    ("private 10", "https://10.0.0.1:PORT/"),
    ("private 172", "https://172.16.0.1:PORT/"),
    ("private 192", "https://192.168.0.1:PORT/"),
    ("shared", "https://100.64.0.1:PORT/"),
    ("user name", "https://user@127.0.0.1:PORT/"),
    ("user name that looks like a host", "https://example.com@127.0.0.1:PORT/"),
    ("user name and port that look like a host", "https://example.com:443@127.0.0.1:PORT/"),
    ("encoded at sign", "https://example.com%40127.0.0.1:PORT/"),
    ("backslash", "https://127.0.0.1:PORT\\@example.com/"),
    ("two backslashes", "https:\\\\127.0.0.1:PORT/"),
    ("one slash", "https:/127.0.0.1:PORT/"),
    ("three slashes", "https:///127.0.0.1:PORT/"),
    ("tab in the host", "https://127.0\t.0.1:PORT/"),
    ("space before", " https://127.0.0.1:PORT/"),
    ("line break", "https://127.0.0.1:PORT/\r\nX: y"),
    ("question mark before at", "https://127.0.0.1:PORT?@example.com/"),
    ("hash before at", "https://127.0.0.1:PORT#@example.com/"),
    ("fullwidth digits", "https://１２７.0.0.1:PORT/"),
    ("circled digits", "https://①②⑦.⓪.⓪.①:PORT/"),
    ("ideographic full stop", "https://127。0。0。1:PORT/"),
    ("soft hyphen", "https://local\u00adhost:PORT/"),
    ("plain http", "http://127.0.0.1:PORT/"),
    ("plain http by name", "http://outside.example:PORT/"),
    ("http in capitals", "HTTP://127.0.0.1:PORT/"),
    ("file", "file://127.0.0.1:PORT/etc/passwd"),
    ("ftp", "ftp://127.0.0.1:PORT/"),
    ("gopher", "gopher://127.0.0.1:PORT/_x"),
    ("unix socket", "http+unix://%2Frun%2Fdocker.sock/x"),
    ("no scheme", "//127.0.0.1:PORT/"),
    ("a name that leads home", "https://inside.example:PORT/"),
    ("a name with several private addresses", "https://many.example:PORT/"),
    ("a name that leads home by IPv6", "https://inside6.example:PORT/"),
    ("a name that leads home by a mapped address", "https://mapped.example:PORT/"),
    ("a name that changes its mind", "https://rebind.example:PORT/"),
    ("a name that has both", "https://both.example:PORT/"),
    ("an inner name", "https://metadata.google.internal:PORT/"),
    ("one label", "https://postgres:PORT/"),
    ("mail port", "https://outside.example:25/"),
]

PUBLIC = "93.184.216.34"  # tests reach no other machine: connecting there fails at once


@pytest.mark.parametrize("bounds", [CALLBACK, PLATFORM], ids=["callback", "base_url"])
@pytest.mark.parametrize(("label", "url"), URLS, ids=[row[0] for row in URLS])
def test_no_url_leads_to_our_own_network(label: str, url: str, bounds: Bounds, trap: Receiver) -> None:
    names = Names(
        inside_example=["127.0.0.1"],
        many_example=["127.0.0.1 10.0.0.1"],
        inside6_example=["::1"],
        mapped_example=["::ffff:127.0.0.1"],
        rebind_example=[PUBLIC, "127.0.0.1"],
        both_example=[f"{PUBLIC} 127.0.0.1"],
        outside_example=[PUBLIC],
    )
    http = Http(bounds=bounds, resolve=names)
    for _ in range(3):
        with pytest.raises((requests.RequestException, ValueError)):
            http.session().post(url.replace("PORT", str(trap.port)), data=b"{}", timeout=1)
    assert trap.connections == 0


def test_the_table_is_long_enough() -> None:
    assert len({url for _, url in URLS}) >= 60


def test_nothing_leads_to_the_trap_on_ipv6_either(trap6: Receiver) -> None:
    for name in ("[::1]", "[0:0:0:0:0:0:0:1]", "ip6.example"):
        with pytest.raises(AddressRefused):
            Http(resolve=Names(ip6_example=["::1"])).session().get(f"https://{name}:{trap6.port}/")
    assert trap6.connections == 0


PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "::7f00:1", "::ffff:10.0.0.1",
    "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1", "fe80::1", "fec0::1", "feff::1", "fc00::1", "fd12::1", "ff02::1",
    "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_resolves_to_it_is_refused_before_anything_is_connected(address: str) -> None:
    with pytest.raises(AddressRefused, match="private"):
        Http(resolve=Names(some_example=[address])).session().get("https://some.example/")


def test_a_name_that_changes_between_check_and_call_is_asked_once_a_connection(trap: Receiver) -> None:
    names = Names(rebind_example=[PUBLIC, "127.0.0.1"])
    with pytest.raises(requests.ConnectionError) as caught:
        Http(resolve=names).session().get(f"https://rebind.example:{trap.port}/")
    assert not isinstance(caught.value, AddressRefused)  # it went to the public address, which was the one checked
    assert names.asked == ["rebind.example"]
    with pytest.raises(AddressRefused):
        Http(resolve=names).session().get(f"https://rebind.example:{trap.port}/")
    assert trap.connections == 0


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(code: int, trap: Receiver) -> None:
    with Receiver(answer=status(code, {"Location": f"{trap.url}/secret"}, b"moved")) as moved:
        for bounds in (CALLBACK, PLATFORM):
            session = Http(allow_private=True, bounds=bounds).session()
            answer = session.post(moved.url, data=b"{}", allow_redirects=True)
            assert (answer.status_code, answer.history) == (code, [])
    assert trap.connections == 0


def test_with_private_addresses_allowed_plain_http_on_this_machine_works(trap: Receiver) -> None:
    answer = Http(allow_private=True).session().post(f"http://localhost:{trap.port}/x", json={"a": 1})
    assert answer.status_code == 200
    assert trap.received[0].headers["user-agent"] == "Bellwire"
    assert trap.received[0].body == b'{"a": 1}'


# -- what the environment and the caller may not change ---------------------------------------------------------------


def test_proxies_and_netrc_of_the_environment_are_left_alone(
    trap: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        Http(allow_private=True).session().get(trap.url, proxies={"http": proxy.url})
        assert proxy.connections == 0
    assert "authorization" not in trap.received[0].headers


def test_cookies_are_not_kept() -> None:
    with Receiver(answer=status(200, {"Set-Cookie": "tenant=a; Path=/"})) as server:
        session = Http(allow_private=True).session()
        session.get(server.url)
        session.get(server.url)
        assert ["cookie" in one.headers for one in server.received] == [False, False]


def test_a_connection_serves_several_jobs() -> None:
    with Receiver() as server:
        http = Http(allow_private=True)
        for _ in range(5):
            with http.session() as session:
                session.post(server.url, data=b"{}")
        assert (len(server.received), server.connections) == (5, 1)
        http.close()


def test_a_caller_cannot_ask_for_more_time_than_there_is() -> None:
    with Receiver(answer=standin.mute) as server:
        session = Http(allow_private=True, bounds=QUICK).session()
        for asked in (None, 100, (100, 100), (None, None)):
            began = time.monotonic()
            with pytest.raises(requests.Timeout):
                session.get(server.url, timeout=asked)
            assert time.monotonic() - began < 5


def test_every_bound_keeps_the_promised_ten_seconds() -> None:
    assert CALLBACK.total_s < 10
    assert CALLBACK.connect_s + CALLBACK.read_s < 10
    assert (PLATFORM.connect_s, PLATFORM.read_s) == (3.05, 15.0)
    assert CALLBACK.body_max == 64 * 1024


# -- F6 -----------------------------------------------------------------------------------------------------------

ENDLESS = [
    ("says nothing", standin.mute),
    ("a status line byte by byte", standin.drip_status),
    ("headers byte by byte", standin.drip_headers),
    ("headers without end", standin.endless_headers),
    ("100 Continue without end", standin.endless_continues),
    ("no HTTP", standin.nonsense),
    ("hangs up", standin.hang_up),
]


@pytest.mark.parametrize(("label", "answer"), ENDLESS, ids=[row[0] for row in ENDLESS])
@pytest.mark.parametrize("bounds", [QUICK, FULL], ids=["callback", "platform"])
def test_a_receiver_that_never_answers_ends_in_time(label: str, answer: standin.Answer, bounds: Bounds) -> None:
    with Receiver(answer=answer) as server:
        began = time.monotonic()
        with pytest.raises(requests.RequestException):
            Http(allow_private=True, bounds=bounds).session().post(server.url, data=b"{}")
        assert time.monotonic() - began < bounds.total_s + 3  # a loaded machine may be late, never by the server's minute


@pytest.mark.parametrize(
    ("label", "answer"),
    [("a body byte by byte", standin.drip_body), ("a gigabyte", standin.huge_body), ("bad gzip", standin.bad_gzip)],
)
def test_a_callbacks_status_counts_whatever_its_body_is(label: str, answer: standin.Answer) -> None:
    with Receiver(answer=answer) as server:
        began = time.monotonic()
        response = Http(allow_private=True, bounds=QUICK).session().post(server.url, data=b"{}")
        assert time.monotonic() - began < QUICK.total_s + 3
        assert response.status_code == 200
        assert len(response.content) <= QUICK.body_max


@pytest.mark.parametrize(
    ("label", "answer", "error"),
    [
        ("a body byte by byte", standin.drip_body, requests.RequestException),
        ("a gigabyte", standin.huge_body, AnswerTooLarge),
        ("bad gzip", standin.bad_gzip, requests.RequestException),
        ("a redirect with a gigabyte", None, AnswerTooLarge),
    ],
)
def test_a_platforms_body_must_come_whole_and_in_bounds(label: str, answer: standin.Answer | None, error: type[Exception]) -> None:
    def redirect(handler: standin.Handler, _: standin.Received) -> None:
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1073741824\r\n\r\n")
        for _piece in range(16_384):
            handler.wfile.write(b"a" * 65_536)

    with Receiver(answer=answer or redirect) as server, pytest.raises(error):
        Http(allow_private=True, bounds=FULL).session().get(server.url)


def test_compressed_answers_of_platforms_are_read() -> None:
    import gzip

    body = gzip.compress(b'{"data": 1}')
    with Receiver(answer=status(200, {"Content-Encoding": "gzip", "Content-Type": "application/json"}, body)) as server:
        assert Http(allow_private=True, bounds=FULL).session().get(server.url).json() == {"data": 1}


def test_a_gzip_bomb_is_stopped_at_the_bound() -> None:
    import gzip

    bomb = gzip.compress(b"a" * 50_000_000)
    with Receiver(answer=status(200, {"Content-Encoding": "gzip"}, bomb)) as server, pytest.raises(AnswerTooLarge):
        Http(allow_private=True, bounds=FULL).session().get(server.url)


# -- TLS ----------------------------------------------------------------------------------------------------------


def test_the_certificate_is_checked_against_the_name_not_the_address(tmp_path: Path) -> None:
    good = certificate(tmp_path, "good.example")
    with Receiver(tls=good) as server:
        http = Http(allow_private=True, resolve=Names(good_example=["127.0.0.1"], evil_example=["127.0.0.1"]), verify=good.trusted)
        assert http.session().post(f"https://good.example:{server.port}/", data=b"x").status_code == 200
        assert server.received[0].headers["host"] == f"good.example:{server.port}"
        with pytest.raises(requests.exceptions.SSLError):
            http.session().post(f"https://evil.example:{server.port}/", data=b"x")
        assert len(server.received) == 1


def test_a_caller_cannot_switch_the_check_off(tmp_path: Path) -> None:
    with Receiver(tls=certificate(tmp_path, "good.example")) as server:
        http = Http(allow_private=True, resolve=Names(good_example=["127.0.0.1"]))
        with pytest.raises(requests.exceptions.SSLError):
            http.session().get(f"https://good.example:{server.port}/", verify=False)
        assert server.received == []


def test_a_receiver_that_never_ends_its_tls_handshake_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(requests.RequestException):
            Http(allow_private=True, bounds=QUICK).session().get(f"https://localhost:{silent.getsockname()[1]}/")
        assert time.monotonic() - began < QUICK.total_s + 3


# -- H5 -----------------------------------------------------------------------------------------------------------


def test_nothing_of_a_call_is_logged_but_host_and_outcome(caplog: pytest.LogCaptureFixture) -> None:
    said = status(200, {"X-Answer": "canary-answer"}, b"canary-body")
    with Receiver(answer=said) as server, caplog.at_level(logging.DEBUG, "bellwire"):
        url = f"{server.url}/canary-path?token=canary-query"
        Http(allow_private=True).session().post(url, data=b"canary-sent", headers={"Authorization": "canary-header"})
    ours = [record for record in caplog.records if record.name.startswith("bellwire")]
    assert [record.message for record in ours] == ["http.called"]
    assert "canary" not in str([vars(record) for record in ours])
