"""What a connector and a carrier must bring: each fault of a value as a sentence. Pure; the loader and `certify` ask it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bellwire.model import Capability, Carrier, Connector, CredentialField

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
COMMAND = re.compile(r"[a-z][a-z0-9-]{0,39}")
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

_CONNECTOR_FUNCTIONS = ("verify", "read", "sign")
_CONNECTOR_EXTRAS = (
    "probe", "answer", "account_of", "parts", "consult", "respond", "refused", "enrich", "enrich_many", "write_back", "writes_on",
    "write_consent", "write_reply", "takes_replies", "subscribe", "reconcile", "check", "begin_install", "finish_install",
)  # fmt: skip
_CARRIER_EXTRAS = (
    "build", "interpret", "build_query", "interpret_query", "read_dlrs", "read_replies", "sign", "check", "checked", "send",
)  # fmt: skip

#: What a declared capability needs of a carrier that goes over HTTP.
_NEEDS = {
    Capability.STATUS_QUERY: ("build_query", "interpret_query"),
    Capability.DLR: ("read_dlrs",),
    Capability.MO: ("read_replies",),
    Capability.SIGNED: ("sign",),
    Capability.SESSION: ("send",),
}
_PAIRS = (("build", "interpret"), ("build_query", "interpret_query"), ("check", "checked"))


def connector_faults(found: object) -> list[str]:
    """What is wrong with what `register_connectors` brought; empty when it is a good Connector."""
    if not isinstance(found, Connector):
        return [f"register_connectors gave a {type(found).__name__}, not a Connector"]
    who = f"connector {found.name}"
    return [
        *_name_faults(who, found.name, found.title),
        *_function_faults(who, found, _CONNECTOR_FUNCTIONS, _CONNECTOR_EXTRAS),
        *_field_faults(who, found.fields, found.settings, found.secret_field),
        *([] if _are_words(found.events) else [f"{who}: events is no sequence of event types"]),
        *(
            [f"{who}: account_field names no credential: {found.account_field}"]
            if found.account_field and found.account_field not in _names(found.fields)
            else []
        ),
        *(
            [f"{who}: begin_install and finish_install come together"]
            if not _both(found, "begin_install", "finish_install")
            else []
        ),
    ]


def carrier_faults(found: object) -> list[str]:
    """What is wrong with what `register_carriers` brought; empty when it is a good Carrier."""
    if not isinstance(found, Carrier):
        return [f"register_carriers gave a {type(found).__name__}, not a Carrier"]
    who = f"carrier {found.name}"
    faults = [
        *_name_faults(who, found.name, found.title),
        *_function_faults(who, found, ("verify",), _CARRIER_EXTRAS),
        *_field_faults(who, found.fields, found.settings, found.secret_field),
    ]
    if not all(isinstance(one, Capability) for one in found.capabilities):
        return [*faults, f"{who}: capabilities are not all of Capability"]
    if found.build is None and found.send is None:
        faults.append(f"{who}: has neither build and interpret nor send")
    faults += [f"{who}: {one} and {other} come together" for one, other in _PAIRS if not _both(found, one, other)]
    for capability in sorted(found.capabilities & _NEEDS.keys()):
        missing = [name for name in _NEEDS[capability] if getattr(found, name) is None]
        if missing and (capability in (Capability.SIGNED, Capability.SESSION) or found.send is None):
            faults.append(f"{who}: declares {capability} without {' and '.join(missing)}")
    return faults


def filter_faults(found: object) -> list[str]:
    """What is wrong with what `register_template_filters` brought."""
    if not isinstance(found, Mapping):
        return [f"register_template_filters gave a {type(found).__name__}, not a mapping of names to functions"]
    return [
        f"filter {name}: must be a lower-case name and a function"
        for name, function in found.items()
        if not (isinstance(name, str) and NAME.fullmatch(name) and callable(function))
    ]


def command_faults(found: object) -> list[str]:
    """What is wrong with what `register_commands` brought."""
    if not isinstance(found, Mapping):
        return [f"register_commands gave a {type(found).__name__}, not a mapping of names to package.module:command"]
    return [
        f"command {name}: must be a lower-case name and package.module:command"
        for name, target in found.items()
        if not (isinstance(name, str) and COMMAND.fullmatch(name) and isinstance(target, str) and TARGET.fullmatch(target))
    ]


def _name_faults(who: str, name: object, title: object) -> list[str]:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return [f"{who}: its name must be lower-case letters, digits and _"]
    return [] if isinstance(title, str) and title else [f"{who}: has no title"]


def _function_faults(who: str, found: object, needed: Iterable[str], extra: Iterable[str]) -> list[str]:
    return [f"{who}: {name} is missing" for name in needed if getattr(found, name) is None] + [
        f"{who}: {name} is a {type(value).__name__}, not a function"
        for name in (*needed, *extra)
        if (value := getattr(found, name)) is not None and not callable(value)
    ]


def _field_faults(who: str, fields: object, settings: object, secret_field: str) -> list[str]:
    for kind, some in (("fields", fields), ("settings", settings)):
        if not isinstance(some, Sequence) or not all(isinstance(one, CredentialField) for one in some):
            return [f"{who}: {kind} is no sequence of CredentialField"]
        if len(_names(some)) != len(some):
            return [f"{who}: {kind} names one twice"]
    if secret_field and secret_field not in _names(fields):
        return [f"{who}: secret_field names no credential: {secret_field}"]
    return []


def _names(fields: object) -> set[str]:
    return {one.name for one in fields if isinstance(one, CredentialField)} if isinstance(fields, Sequence) else set()


def _both(found: object, one: str, other: str) -> bool:
    return (getattr(found, one) is None) == (getattr(found, other) is None)


def _are_words(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)
