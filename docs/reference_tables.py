"""Tables and pages that are read from the code: settings, hooks, events, metrics, connectors, scopes."""

from __future__ import annotations

import ast
import inspect
import os
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bellwire import hookspecs
from bellwire.certification import CARRIER_RULES, CONNECTOR_RULES, quality_of
from bellwire.config import settings
from bellwire.domain.scopes import Scope
from bellwire.environment import PREFIX
from bellwire.model import Capability, Carrier, Connector
from bellwire.plugins import Plugins, load_plugins
from bellwire.testing import StandIn

ROOT = Path(__file__).resolve().parents[1]
NOTICE = "<!-- made by docs/make_reference.py: change the code, then `make docs` -->"

ABOUT_SETTINGS = """\
In the environment, or in `bellwire.toml` (here, or where `--config` or `BELLWIRE_CONFIG` says). The environment wins. Lists are
written with commas in the environment. What is unknown or wrong stops the start with one line each; no line quotes a value."""

ABOUT_HOOKS = """\
A plugin is an entry point of the group `bellwire` whose module has functions marked with `@bellwire.hookimpl`. A function may take
fewer arguments than its hook has. [Writing a connector](../writing-a-connector.md) goes through one; what a failing one can do is
in [decisions/plugins.md](../decisions/plugins.md)."""

ABOUT_EVENTS = """\
What connectors report, in our words. A trigger listens to one of these. Which fields an event has is on its connector's page."""

ABOUT_METRICS = """\
`GET /metrics`, in Prometheus' text format: counts only, no names and no numbers, read from the database at scrape time, so that any
process of many gives the same figures. What to watch: [operations.md](../operations.md#watch-it)."""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


@cache
def plugins() -> Plugins:
    """What this distribution brings."""
    return load_plugins()


# -- pages --------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Every setting with its variable, its type, its default and what it is."""
    rows = [
        (f"`{PREFIX}{name.upper()}`", f"`{name}`", _type(info.annotation), _default(info.default), info.description or "")
        for name, info in settings().items()
    ]
    made = table(["variable", "in the file", "type", "default", "what it is"], rows)
    why = "Why they are as they are: [decisions/settings.md](../decisions/settings.md)."
    return "\n\n".join(["# Settings", NOTICE, ABOUT_SETTINGS, made, why])


def _type(annotation: Any) -> str:
    """`text`, `list of networks`: as somebody who writes a file thinks of it."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(args[0])
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_type(one) for one in args if one is not type(None)))
    if origin is tuple:
        return " or ".join(f"list of {one}s" for one in _type(args[0]).split(" or "))
    if origin is typing.Literal:
        return ", ".join(f"`{one}`" for one in args)
    names = {
        "str": "text",
        "SecretStr": "secret",
        "int": "number",
        "bool": "yes or no",
        "IPv4Network": "network",
        "IPv6Network": "network",
    }
    return str(names.get(annotation.__name__, annotation.__name__.lower()))


def _default(value: object) -> str:
    value = getattr(value, "default", value)  # a dataclass field that hides its value
    if value in (None, "", ()):
        return "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"`{value}`"


def hooks_page() -> str:
    """Every hook as its specification has it."""
    parts = ["# Hooks", NOTICE, ABOUT_HOOKS]
    for name, function in vars(hookspecs).items():
        if getattr(function, "bellwire_spec", None) is None:
            continue
        signature = inspect.signature(function)
        parts += [f"## `{name}`", f"```text\ndef {name}{signature}\n```".replace("'", ""), inspect.getdoc(function) or ""]
    return "\n\n".join(parts)


def events_page() -> str:
    """Every event type, with who reports it."""
    by_type: dict[str, list[str]] = {}
    for name, connector in sorted(plugins().connectors.items()):
        for event in connector.events:
            by_type.setdefault(event, []).append(f"[{connector.title}](../connectors/{name}.md)")
    made = table(["event", "reported by"], [(f"`{event}`", ", ".join(by)) for event, by in sorted(by_type.items())])
    return "\n\n".join(["# Events", NOTICE, ABOUT_EVENTS, made])


def metrics_page() -> str:
    """Every figure of /metrics, as an empty installation gives it."""
    from bellwire.store import Store
    from bellwire.store.migrate import upgrade
    from bellwire.store.vault import Vault
    from bellwire_web.metrics import exposition

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bellwire.db"
        upgrade(url)
        store = Store.open(url, Vault(os.urandom(32)))
        try:
            runtime = types.SimpleNamespace(store=store, now=lambda: datetime.now(UTC))
            told = exposition(typing.cast("Any", runtime))[0].decode()
        finally:
            store.close()
    about: dict[str, str] = {}
    labels: dict[str, set[str]] = {}
    for line in told.splitlines():
        if line.startswith("# HELP "):
            name, _, text = line.removeprefix("# HELP ").partition(" ")
            about[name] = text
        elif not line.startswith("#"):
            name, _, rest = line.partition("{")
            if rest:
                labels.setdefault(name, set()).update(pair.partition("=")[0] for pair in rest.partition("}")[0].split(","))
    rows = [
        (f"`{name}`", ", ".join(f"`{one}`" for one in sorted(labels.get(name, ()))) or "–", text) for name, text in about.items()
    ]
    return "\n\n".join(["# Metrics", NOTICE, ABOUT_METRICS, table(["metric", "labels", "what it is"], rows)])


# -- tables in pages written by hand --------------------------------------------------------------------------------


def connectors(page: Path) -> str:
    """What this distribution ships."""
    ours = {name for info in plugins().listing() if info.distribution == "bellwire" for name in (*info.connectors, *info.carriers)}
    both: Mapping[str, Connector | Carrier] = {**plugins().connectors, **plugins().carriers}
    rows = [
        _row(name, both[name], page)
        for name in sorted(ours & both.keys(), key=lambda name: (isinstance(both[name], Carrier), name))
    ]
    return table(["", "", "comes in", "goes out", "certified"], rows)


def _row(name: str, subject: Connector | Carrier, page: Path) -> tuple[str, ...]:
    folder = "connectors" if isinstance(subject, Connector) else "carriers"
    link = f"[{subject.title}]({os.path.relpath(ROOT / 'docs' / folder / f'{name}.md', page.parent)})"
    if isinstance(subject, Connector):
        back = {"statuses": subject.write_back, "consent": subject.write_consent, "replies": subject.write_reply}
        return (
            link,
            "platform",
            f"{len(subject.events)} {'kind' if len(subject.events) == 1 else 'kinds'} of events",
            ", ".join(word for word, how in back.items() if how) or "–",
            quality_of(subject.samples).level or "–",
        )
    comes = {"receipts": Capability.DLR, "replies": Capability.MO, "prices": Capability.PRICE}
    received = ", ".join(word for word, one in comes.items() if one in subject.capabilities) or "–"
    return link, "carrier", received, "texts", quality_of(subject.samples).level or "–"


def rules(_page: Path) -> str:
    """The rules of the certification kit."""
    rows = [(f"`{one.name}`", one.level, one.means) for one in CONNECTOR_RULES]
    return table(["rule", "level", "what it says"], rows)


def carrier_rules(_page: Path) -> str:
    """Those that carriers have besides."""
    known = {one.name for one in CONNECTOR_RULES}
    rows = [(f"`{one.name}`", str(one.level), one.means) for one in CARRIER_RULES if one.name not in known]
    return table(["rule", "level", "what it says"], rows)


def stand_in(_page: Path) -> str:
    """What a stand-in of a platform plays."""
    parts = [(name, inspect.getdoc(one.fget if isinstance(one, property) else one) or "") for name, one in vars(StandIn).items()]
    return table(["", "what it does"], [(f"`{name}`", about) for name, about in parts if about and not name.startswith("_")])


def scopes(_page: Path) -> str:
    """Every right of a key, with the calls that need it."""
    from bellwire_web.api import ROUTES

    calls: dict[Scope, list[str]] = {scope: [] for scope in Scope}
    for operation in (one for routes in ROUTES for one in routes.operations):
        calls[Scope(str(operation.scope))].append(f"`{operation.method} {operation.path}`")
    rows = [(f"`{scope}`", ", ".join(some) or "–") for scope, some in calls.items()]
    return table(
        ["scope", "calls"], [(name, "every call; and " + some) if name == "`admin`" else (name, some) for name, some in rows]
    )


def sealed(_page: Path) -> str:
    """Which columns are encrypted, and which hold a reference that goes when its person is erased."""
    from bellwire.store import schema

    rows = []
    for name, one in sorted(schema.META.tables.items()):
        secret = [f"`{column.name}`" for column in one.columns if column.info.get("sealed")]
        refs = [f"`{column.name}`" for column in one.columns if column.info.get("personal") == "reference"]
        if secret or refs:
            rows.append((f"`{name}`", ", ".join(secret) or "–", ", ".join(refs) or "–"))
    return table(["table", "encrypted", "plain references, gone with their person"], rows)


def decisions(page: Path) -> str:
    """The pages of decisions by their titles."""
    others = [one for one in sorted(page.parent.glob("*.md")) if one.name != page.name]
    titles = [(one, one.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")) for one in others]
    return "\n".join(f"- [{title}]({one.name})" for one, title in titles)


def benchmarks(_page: Path) -> str:
    """The benchmarks, each by the first line it says of itself."""
    rows = []
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if "__main__" in path.read_text(encoding="utf-8"):
            rows.append((f"`benchmarks/{path.name}`", about.partition("\n\n")[0].replace("\n", " ")))
    return table(["", "measures"], rows)


TABLES: Mapping[str, Callable[[Path], str]] = {
    "benchmarks": benchmarks,
    "carrier_rules": carrier_rules,
    "connectors": connectors,
    "decisions": decisions,
    "rules": rules,
    "scopes": scopes,
    "sealed": sealed,
    "stand_in": stand_in,
}
