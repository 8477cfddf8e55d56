"""Where we may call: every spelling of a private address is refused, and ordinary URLs pass."""

from __future__ import annotations

import ipaddress

import pytest
from bellwire.domain.addresses import check_url, is_private
from bellwire.errors import FieldInvalid
from hypothesis import given
from hypothesis import strategies as st

PUBLIC = [
    "https://example.com",
    "https://example.com/hook?x=1",
    "https://sub.example.co.uk:8443/a",
    "https://93.184.216.34/",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    "https://xn--bcher-kva.example/",
    "https://1password.com/",
    "https://3.example.com/",
]

REFUSED = [
    ("loopback", "https://127.0.0.1/", "url_private"),
    ("loopback, not .1", "https://127.9.9.9/", "url_private"),
    ("loopback by name", "https://localhost/", "url_private"),
    ("loopback by name with a dot", "https://localhost./", "url_private"),
    ("below localhost", "https://a.localhost/", "url_private"),
    ("one label", "https://intranet-host/", "url_private"),
    ("mdns", "https://printer.local/", "url_private"),
    ("cloud metadata by name", "https://metadata.google.internal/", "url_private"),
    ("cloud metadata", "https://169.254.169.254/latest/", "url_private"),
    ("private 10", "https://10.0.0.1/", "url_private"),
    ("private 172", "https://172.16.3.4/", "url_private"),
    ("private 192", "https://192.168.1.1/", "url_private"),
    ("shared, carrier-grade NAT", "https://100.64.0.1/", "url_private"),
    ("this network", "https://0.0.0.0/", "url_private"),
    ("benchmark network", "https://198.18.0.1/", "url_private"),
    ("documentation network", "https://192.0.2.1/", "url_private"),
    ("broadcast", "https://255.255.255.255/", "url_private"),
    ("multicast", "https://224.0.0.1/", "url_private"),
    ("decimal", "https://2130706433/", "url_invalid"),
    ("hexadecimal", "https://0x7f000001/", "url_invalid"),
    ("hexadecimal parts", "https://0x7f.0.0.0x1/", "url_invalid"),
    ("octal parts", "https://0177.0.0.1/", "url_invalid"),
    ("short", "https://127.1/", "url_invalid"),
    ("short with zeros", "https://127.0.1/", "url_invalid"),
    ("leading zeros", "https://127.000.000.001/", "url_invalid"),
    ("number with a dot at the end", "https://127.0.0.1./", "url_invalid"),
    ("empty hexadecimal part", "https://127.0.0.0x/", "url_invalid"),
    ("too many parts", "https://127.0.0.0.1/", "url_invalid"),
    ("unspecified v6", "https://[::]/", "url_private"),
    ("loopback v6", "https://[::1]/", "url_private"),
    ("loopback v6 in full", "https://[0000:0000:0000:0000:0000:0000:0000:0001]/", "url_private"),
    ("mapped", "https://[::ffff:127.0.0.1]/", "url_private"),
    ("mapped in hexadecimal", "https://[::ffff:7f00:1]/", "url_private"),
    ("compatible", "https://[::127.0.0.1]/", "url_private"),
    ("NAT64 of loopback", "https://[64:ff9b::7f00:1]/", "url_private"),
    ("NAT64, local prefix", "https://[64:ff9b:1::7f00:1]/", "url_private"),
    ("6to4 of a private address", "https://[2002:c0a8:0101::1]/", "url_private"),
    ("Teredo of a private address", "https://[2001:0:1:1:1:1:3f57:fefe]/", "url_private"),
    ("unique local", "https://[fd00::1]/", "url_private"),
    ("link-local", "https://[fe80::1]/", "url_private"),
    ("link-local with a zone", "https://[fe80::1%25eth0]/", "url_private"),
    ("site-local", "https://[fec0::1]/", "url_private"),
    ("multicast v6", "https://[ff02::1]/", "url_private"),
    ("documentation v6", "https://[2001:db8::1]/", "url_private"),
    ("not an address", "https://[1::2::3]/", "url_invalid"),
    ("user name", "https://user@example.com/", "url_credentials"),
    ("user name that looks like a host", "https://example.com@127.0.0.1/", "url_credentials"),
    ("empty user name", "https://@example.com/", "url_credentials"),
    ("fullwidth digits", "https://１２７.0.0.1/", "url_invalid"),
    ("circled digits", "https://①②⑦.⓪.⓪.①/", "url_invalid"),
    ("ideographic full stop", "https://127。0。0。1/", "url_invalid"),
    ("another script", "https://bücher.example/", "url_invalid"),
    ("backslash", "https://example.com\\@127.0.0.1/", "url_invalid"),
    ("tab", "https://exa\tmple.com/", "url_invalid"),
    ("line break", "https://example.com/\r\nHost: x", "url_invalid"),
    ("space", "https://example.com/a b", "url_invalid"),
    ("NUL", "https://example.com\x00.evil.example/", "url_invalid"),
    ("no host", "https:///path", "url_invalid"),
    ("only a port", "https://:443/", "url_invalid"),
    ("empty label", "https://a..example.com/", "url_invalid"),
    ("percent in the host", "https://%31%32%37.0.0.1/", "url_invalid"),
    ("plain http", "http://example.com/", "url_not_https"),
    ("file", "file:///etc/passwd", "url_not_https"),
    ("gopher", "gopher://example.com/", "url_not_https"),
    ("no scheme", "example.com/hook", "url_not_https"),
    ("nothing", "", "url_not_https"),
    ("mail port", "https://example.com:25/", "url_port"),
    ("port that is no number", "https://example.com:abc/", "url_invalid"),
    ("port out of range", "https://example.com:70000/", "url_invalid"),
    ("fragment", "https://example.com/#x", "url_invalid"),
    ("longer than any URL", "https://example.com/" + "a" * 2_000, "too_long"),
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_https_url_passes(url: str) -> None:
    assert check_url(url, "url", allow_private=False) == url.rstrip("/")


@pytest.mark.parametrize(("label", "url", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(label: str, url: str, code: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        check_url(url, "settings.base_url", allow_private=False)
    assert (caught.value.field, caught.value.code) == ("settings.base_url", code)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://localhost", "http://[::1]:99", "http://host:25/x"])
def test_the_own_network_when_it_is_allowed(url: str) -> None:
    assert check_url(url, "url", allow_private=True) == url


@pytest.mark.parametrize("url", ["http://2130706433/", "http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://127.1/"])
def test_tricks_are_refused_also_where_private_is_allowed(url: str) -> None:
    with pytest.raises(FieldInvalid):
        check_url(url, "url", allow_private=True)


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_v6_does_not_change_the_verdict(address: ipaddress.IPv4Address) -> None:
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | int(address)),
        ipaddress.IPv6Address((0x0064_FF9B << 96) | int(address)),
        ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)),
    ]
    assert {is_private(one) for one in wrapped} == {is_private(address)}


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fc00::/7") | st.ip_addresses(network="127.0.0.0/8"))
def test_private_networks_are_private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert is_private(address)
