"""Twilio's request signature, both generations: pure, over the URL as Twilio called it.

twilio.com/docs/usage/webhooks/webhooks-security and …/webhook-shared-keys; the order of the steps is that of the vendor's
own validator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl

from bellwire import CarrierAccount, SignatureMismatch, WebhookRequest
from bellwire.signing import hmac_base64, require, same, sha256_hex

HEADER = "x-twilio-signature"
SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"  # only with a shared key: key=NAME,algorithm=HMAC_SHA256
SHARED_KEY_ALGORITHM = "HMAC_SHA256"

_MAX_FIELDS = 1_000
_AUTHORITY = re.compile(r"(?s)(?P<scheme>https?)://(?P<host>\[[^\]/?#]*\]|[^:/?#]*)(?::(?P<port>[0-9]*))?(?P<rest>[/?#].*)?\Z")
_DEFAULT_PORT = {"http": "80", "https": "443"}


def form(body: bytes) -> list[tuple[str, str]]:
    """The pairs of an urlencoded body, blanks kept, `+` a space. Bytes that are no UTF-8 survive as surrogates.

    Raises ValueError over 1,000 fields.
    """
    text = body.decode("utf-8", "surrogateescape")
    return parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_FIELDS)


def verify(request: WebhookRequest, account: CarrierAccount, _now: datetime) -> None:
    """Pass a request signed with one of the account's tokens, or with the shared key that it names.

    Twilio signs no time: a repeat is caught by the receipt's identity, not here. Raises SignatureMismatch.
    """
    algorithm, key = _settings(request.header(SETTINGS_HEADER))
    digest = "sha1"
    secrets = account.secrets
    problem = ""
    if algorithm == SHARED_KEY_ALGORITHM:
        digest, secrets = "sha256", _shared_key(account, key)
    elif algorithm not in {"", "HMAC_SHA1"}:
        problem = " (a signature algorithm we don't know)"
    usable = [secret for secret in secrets if secret]  # an empty key would sign for everybody
    if not request.url:
        problem = " (PUBLIC_URL is not set: signatures over URLs can't be checked)"
    elif not usable:
        problem = problem or " (the account holds no such secret)"
    signed, whole = _signed(request)
    expected = [] if problem else [hmac_base64(secret, one, digest) for secret in usable for one in signed]
    require(request.header(HEADER), expected, f"twilio{problem}")
    if not whole:
        raise SignatureMismatch("twilio: the body is not the one whose hash is in the signed URL")


def sign(request: WebhookRequest, account: CarrierAccount) -> WebhookRequest:
    """The request with Twilio's signature over it, by the newest token. For tests, certification and the simulator."""
    if not request.url or not account.secrets:
        raise SignatureMismatch("twilio: signing needs the URL and an auth_token")
    bare = replace(request, headers={k: v for k, v in request.headers.items() if k != SETTINGS_HEADER})
    signed, _ = _signed(bare)
    return bare.with_headers(x_twilio_signature=hmac_base64(account.secrets[0], signed[0], "sha1"))


def _shared_key(account: CarrierAccount, name: str) -> Sequence[str]:
    keys = account.credentials.get("shared_keys")
    return (str(keys[name] or ""),) if isinstance(keys, Mapping) and name in keys else ()


def _settings(header: str) -> tuple[str, str]:
    """Algorithm and key name of the settings header, "" where not said."""
    said = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in header.split(","))}
    return said.get("algorithm", "").upper(), said.get("key", "")


def _signed(request: WebhookRequest) -> tuple[Sequence[bytes], bool]:
    """What Twilio may have signed (the URL with and without its port), and whether the body is covered by it."""
    urls = _urls(request.url)
    query = request.url.partition("?")[2].partition("#")[0]
    try:
        hashes = [value for name, value in parse_qsl(query, max_num_fields=_MAX_FIELDS) if name == "bodySHA256"]
        pairs = [] if hashes or request.method != "POST" else form(request.body)
    except ValueError:
        return [_bytes(url) for url in urls], False
    if hashes:  # JSON: the signature is over the URL alone, which holds the body's hash
        whole = all(same(one.lower(), sha256_hex(request.body)) for one in hashes)
    else:
        whole = request.method == "POST" or not request.body
    # names sorted, and under a repeated name its distinct values sorted; no separators
    rest = "".join(name + value for name, value in sorted(set(pairs)))
    return [_bytes(url + rest) for url in urls], whole


def _urls(url: str) -> list[str]:
    """The URL as it is, and its other form: the default port spelled out, or the port left out.

    Twilio itself is inconsistent about ports, says its validator.
    """
    match = _AUTHORITY.match(url)
    if match is None:
        return [url]
    scheme, host, port, rest = match.group("scheme", "host", "port", "rest")
    other = f"{scheme}://{host}{'' if port else ':' + _DEFAULT_PORT[scheme]}{rest or ''}"
    return [url, other]


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: nobody signed that
        return text.encode("utf-8", "backslashreplace")
