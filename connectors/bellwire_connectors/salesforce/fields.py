"""The credentials and settings an installation takes, and how they are stored: one spelling of ids and names.

What cleans a value raises ValueError saying how it should look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from bellwire import CredentialField

from .configured import API_NAME, CONSENT_FIELD, DEFAULT_VERSION, MESSAGE_OBJECT, VERSION
from .hosts import clean_domain, clean_instance
from .ids import long_id

_EVENT = re.compile(r"[a-z]{2,30}\.[a-z_]{2,40}", re.ASCII)


def clean_id(given: str) -> str:
    """An id with 18 characters."""
    made = long_id(given)
    if not made:
        raise ValueError("is an id of 15 or 18 letters and digits")
    return made


def clean_name(given: str) -> str:
    """The API name of a field or object."""
    if not API_NAME.fullmatch(given.strip()):
        raise ValueError("is an API name such as SMS_Opt_Out__c")
    return given.strip()


def clean_names(allowed: Collection[str] | None) -> Callable[[list[str]], list[str]]:
    """A list of API names, or of the allowed words."""

    def clean(given: list[str]) -> list[str]:
        names = [clean_name(one) for one in given]
        wrong = [one for one in names if allowed is not None and one not in allowed]
        if wrong:
            raise ValueError(f"may hold {', '.join(sorted(allowed or ()))}; not {wrong[0]}")
        return names

    return clean


def clean_actions(given: Mapping[str, Any]) -> dict[str, str]:
    """ActionId → event type."""
    for event in given.values():
        if not (isinstance(event, str) and _EVENT.fullmatch(event)):
            raise ValueError('maps ids to event types: {"04k…": "lead.created"}')
    return {clean_id(action): str(event) for action, event in given.items()}


def clean_version(given: str) -> str:
    """`66.0`, also from `v66.0` and `66`."""
    text = given.strip().lower().removeprefix("v")
    text = text if "." in text else f"{text}.0"
    if not VERSION.fullmatch(text):
        raise ValueError("looks like 66.0")
    return text


def _credential(name: str, help_: str, *, secret: bool = False) -> CredentialField:
    clean = clean_domain if name == "domain" else None
    return CredentialField(name=name, help=help_, required=False, secret=secret, clean=clean)


FIELDS = (
    _credential("domain", "The organization's My Domain: acme.my.salesforce.com"),
    _credential("consumer_key", "The external client app's consumer key"),
    _credential("consumer_secret", "Its consumer secret; for the client credentials and web server flows", secret=True),
    _credential("username", "The user to call as; for the JWT bearer flow"),
    _credential("private_key", "The RSA key in PEM whose certificate the app has; for the JWT bearer flow", secret=True),
    _credential("refresh_token", "Stored by an OAuth install", secret=True),
    _credential("access_token", "Had and renewed by itself", secret=True),
    _credential("instance_url", "Where the token is good; told with it"),
    _credential("user_id", "Whose the token is; told with it"),
    _credential("scope", "What the token may do; told with it"),
)

SETTINGS = (
    CredentialField(
        name="organization_id",
        help="The organization's id, 00D…; other organizations' messages are refused",
        required=False,
        secret=False,
        clean=clean_id,
    ),
    CredentialField(
        name="instance_url",
        help="Where the API is called: https://acme.my.salesforce.com",
        required=False,
        secret=False,
        clean=clean_instance,
    ),
    CredentialField(
        name="actions",
        help="Outbound message id (04k…) → event type",
        required=False,
        secret=False,
        kind=dict,
        clean=clean_actions,
    ),
    CredentialField(
        name="mapped_actions_only",
        help="Ignore messages that are not in actions",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(
        name="api_version", help="REST API version", required=False, secret=False, default=DEFAULT_VERSION, clean=clean_version
    ),
    CredentialField(
        name="message_object",
        help="The object statuses are upserted on; Task for Tasks",
        required=False,
        secret=False,
        default=MESSAGE_OBJECT,
        clean=clean_name,
    ),
    CredentialField(
        name="consent_field",
        help="The checkbox that says opted out of texts",
        required=False,
        secret=False,
        default=CONSENT_FIELD,
        clean=clean_name,
    ),
    CredentialField(
        name="opt_in_field",
        help="A checkbox that says opted in, where there is one",
        required=False,
        secret=False,
        clean=clean_name,
    ),
    CredentialField(
        name="consent_purposes",
        help="What these speak of: marketing, transactional, or both",
        required=False,
        secret=False,
        kind=list,
        clean=clean_names({"marketing", "transactional"}),
    ),
    CredentialField(
        name="phone_fields", help="Fields with phones, in order", required=False, secret=False, kind=list, clean=clean_names(None)
    ),
    CredentialField(
        name="contact_lookups",
        help="Look-up fields of own objects that lead to a person",
        required=False,
        secret=False,
        kind=list,
        clean=clean_names(None),
    ),
    CredentialField(name="locale_field", help="The field with a person's language", required=False, secret=False, clean=clean_name),
    CredentialField(
        name="timezone_field", help="The field with a person's time zone", required=False, secret=False, clean=clean_name
    ),
    CredentialField(
        name="integration_user",
        help="Our user's id, 005…: what it changes is no news. The token tells it otherwise",
        required=False,
        secret=False,
        clean=clean_id,
    ),
    CredentialField(
        name="fetch_owner", help="Ask who owns a record, to text owners", required=False, secret=False, kind=bool, default=False
    ),
    CredentialField(
        name="reply_creates_case",
        help="A reply without an open case opens one",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(
        name="reply_is_public", help="Show replies on a case to its contact", required=False, secret=False, kind=bool, default=False
    ),
    CredentialField(
        name="poll",
        help="Objects that are polled: Lead, Contact, Case, Opportunity, Order",
        required=False,
        secret=False,
        kind=list,
        clean=clean_names({"Lead", "Contact", "Case", "Opportunity", "Order"}),
    ),
    CredentialField(name="shop_name", help="`shop.name` in templates", required=False, secret=False),
    CredentialField(
        name="reconcile_every_s", help="Seconds between two looks", required=False, secret=False, kind=int, default=900
    ),
)
