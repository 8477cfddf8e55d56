"""Plugins: what is loaded, what is only listed, and that one's failure stays its own (promises A12, I2)."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import textwrap
import threading
import timeit
import zipfile
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import bellwire_example
import pytest
from bellwire import Event, Person, Status, StatusChange
from bellwire.errors import HookFailed
from bellwire.plugins import PluginInfo, Plugins, load_plugins
from bellwire.testing import NOW

EXAMPLE = Path(__file__).parent / "plugin_example"
TENANT = UUID("01900000-0000-7000-8000-000000000001")
EVENT = Event(id="1", type="order.created", occurred_at=NOW)
CHANGE = StatusChange(message_id="msg_1", status=Status.SENT, at=NOW, subject="order/1")

Install = Callable[..., str]
numbers = itertools.count()

GOOD = """
from bellwire import Connector, hookimpl
def nothing(*given): return []
@hookimpl
def register_connectors():
    return [Connector(name=NAME, title="Good", verify=nothing, read=nothing, sign=nothing)]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution whose plugin is the given source; returns the plugin's name."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def installed(source: str, *, name: str = "", distribution: str = "") -> str:
        number = next(numbers)
        name, distribution = name or f"tried{number}", distribution or f"tried-dist{number}"
        module = f"tried_module{number}"
        code = textwrap.dedent(source).replace("NAME", repr(f"connector{number}"))
        (site / f"{module}.py").write_text(code)
        info = site / f"{distribution.replace('-', '_')}-0.{number}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.{number}\n")
        (info / "entry_points.txt").write_text(f"[bellwire]\n{name} = {module}\n")
        return name

    return installed


def listed(plugins: Plugins, name: str) -> PluginInfo:
    (info,) = [one for one in plugins.listing() if one.name == name]
    return info


def module_of(plugins: Plugins, name: str) -> ModuleType:
    return sys.modules[listed(plugins, name).distribution.replace("tried-dist", "tried_module")]


# -- what is loaded ---------------------------------------------------------------------------------------------


def test_an_enabled_plugin_brings_what_it_has(install: Install) -> None:
    name = install(GOOD)
    plugins = load_plugins([name])
    info = listed(plugins, name)
    (brought,) = info.connectors
    assert (info.state, info.error, info.version.startswith("0.")) == ("enabled", "", True)
    assert plugins.connectors[brought].title == "Good"


def test_one_that_is_not_enabled_is_listed_and_not_imported(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    name = install("raise AssertionError('imported')")
    with caplog.at_level("INFO", logger="bellwire"):
        plugins = load_plugins()
    assert (listed(plugins, name).state, listed(plugins, name).error) == ("not enabled", "")
    assert [record.fields["plugin"] for record in caplog.records if record.msg == "plugin.not_enabled"].count(name) == 1  # type: ignore[attr-defined]  # ours


def test_one_that_is_not_installed_is_listed() -> None:
    info = listed(load_plugins(["nowhere"]), "nowhere")
    assert (info.state, info.error) == ("not installed", "is enabled, but no distribution brings it")


def test_our_own_need_no_enabling_and_may_be_named_all_the_same() -> None:
    ours = {info.name for info in load_plugins().listing() if info.distribution == "bellwire"}
    assert {"sandbox", "shopify", "twilio", "web"} <= ours
    again = [info.name for info in load_plugins(["shopify"]).listing()]
    assert again.count("shopify") == 1
    assert listed(load_plugins(["shopify"]), "shopify").state != "not installed"


def test_only_those_that_are_needed(install: Install) -> None:
    name = install("raise AssertionError('imported')")
    plugins = load_plugins([name], only=["nothing"])
    assert (plugins.listing(), dict(plugins.connectors)) == ((), {})


def test_two_distributions_with_one_plugin_name_must_be_told_apart(install: Install) -> None:
    one = install(GOOD, name="acme", distribution="acme-one")
    install(GOOD, name="acme", distribution="acme-two")
    both = [info for info in load_plugins([one]).listing() if info.name == "acme"]
    assert {(info.state, info.error) for info in both} == {
        ("broken", "two have this name; enable one of acme-one/acme and acme-two/acme")
    }
    states = {info.distribution: info.state for info in load_plugins(["acme-two/acme"]).listing() if info.name == "acme"}
    assert states == {"acme-one": "not enabled", "acme-two": "enabled"}


def test_what_was_loaded_cannot_be_changed(install: Install) -> None:
    plugins = load_plugins()
    with pytest.raises(FrozenInstanceError):
        plugins.connectors = {}  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        plugins.connectors["x"] = None  # type: ignore[index]  # as above


def test_some_values_are_plugins_enough() -> None:
    plugins = Plugins.of(bellwire_example.connector, bellwire_example.carrier)
    assert (list(plugins.connectors), list(plugins.carriers)) == (["example_till"], ["example_sms"])
    assert (plugins.refuse(TENANT, EVENT), plugins.status_changed(TENANT, CHANGE), plugins.listing()) == (None, (), ())


def test_filters_and_commands_come_too(install: Install) -> None:
    name = install(
        """
        from bellwire import hookimpl
        @hookimpl
        def register_template_filters(): return {"shout": str.upper}
        @hookimpl
        def register_commands(): return {"acme-ring": "acme.cli:ring"}
        """
    )
    plugins = load_plugins([name])
    assert (plugins.filters["shout"]("a"), plugins.commands["acme-ring"]) == ("A", "acme.cli:ring")
    assert (listed(plugins, name).filters, listed(plugins, name).commands) == (("shout",), ("acme-ring",))


# -- what is broken ---------------------------------------------------------------------------------------------

HOOKIMPL = "from bellwire import *\nfrom bellwire import hookimpl\ndef f(*a): return []\n"
CONNECTORS = HOOKIMPL + "@hookimpl\ndef register_connectors(): "
CARRIERS = HOOKIMPL + "@hookimpl\ndef register_carriers(): "
FILTERS = HOOKIMPL + "@hookimpl\ndef register_template_filters(): "
COMMANDS = HOOKIMPL + "@hookimpl\ndef register_commands(): "


def made(kind: str, **changes: str) -> str:
    """Source that makes a Connector or a Carrier; `changes` are source, too."""
    usual = {"name": "'x'", "title": "'X'", "verify": "f"}
    usual |= {"read": "f", "sign": "f"} if kind == "Connector" else {"build": "f", "interpret": "f"}
    return f"{kind}({', '.join(f'{name}={value}' for name, value in {**usual, **changes}.items())})"


def connector(**changes: str) -> str:
    return f"{CONNECTORS}return [{made('Connector', **changes)}]"


def carrier(**changes: str) -> str:
    return f"{CARRIERS}return [{made('Carrier', **changes)}]"


TWICE = f"{CONNECTORS}return [{made('Connector')}] * 2"
TWO_FIELDS = "[CredentialField(name='a', help='')] * 2"

BROKEN = [
    ("the import raises", "1 / 0", "import raised ZeroDivisionError at tried_module"),
    ("the import needs something that isn't there", "import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
    ("the import has a syntax error", "def", "import raised SyntaxError"),
    ("the import ends the process", "raise SystemExit(3)", "import raised SystemExit"),
    ("the import quotes a phone number", "raise ValueError('+998901234567')", "ValueError at "),
    ("registering raises", CONNECTORS + "raise KeyError('x')", "register_connectors raised KeyError"),
    ("registering ends the process", CONNECTORS + "raise SystemExit", "register_connectors raised SystemExit"),
    ("registering gives a mapping", CONNECTORS + "return {}", "register_connectors gave a dict, not a list"),
    ("registering gives nothing", CONNECTORS + "pass", "register_connectors gave a NoneType, not a list"),
    ("registering gives text", CONNECTORS + "return ['shopify']", "register_connectors gave a str, not a Connector"),
    ("a connector without verify", connector(verify="None"), "connector x: verify is missing"),
    ("a connector whose read is text", connector(read="'f'"), "connector x: read is a str, not a function"),
    ("a connector whose extra is no function", connector(enrich="5"), "connector x: enrich is a int, not a function"),
    ("a connector whose name is no name", connector(name="'X Y'"), "its name must be lower-case"),
    ("a connector without a title", connector(title="''"), "has no title"),
    ("fields that are no fields", connector(fields="['token']"), "fields is no sequence of CredentialField"),
    ("a field twice", connector(fields=TWO_FIELDS), "fields names one twice"),
    ("a secret that is no field", connector(secret_field="'s'"), "secret_field names no credential: s"),
    ("an account that is no field", connector(account_field="'shop'"), "account_field names no credential: shop"),
    ("events as one text", connector(events="'order.created'"), "events is no sequence"),
    ("half an install", connector(begin_install="f"), "begin_install and finish_install come together"),
    ("the same connector twice", TWICE, "register_connectors gave x twice"),
    ("a connector that another brought", connector(name="'shopify'"), "connector shopify is brought by another plugin already"),
    ("a connector as a carrier", CARRIERS + f"return [{made('Connector')}]", "register_carriers gave a Connector, not a Carrier"),
    ("a carrier that can't send", carrier(build="None", interpret="None"), "has neither build and interpret nor send"),
    ("a carrier that can't read the answer", carrier(interpret="None"), "build and interpret come together"),
    ("a capability without its function", carrier(capabilities="frozenset({Capability.DLR})"), "declares dlr without read_dlrs"),
    ("a made-up capability", carrier(capabilities="frozenset({'fax'})"), "capabilities are not all of Capability"),
    ("filters that are a list", FILTERS + "return [f]", "register_template_filters gave a list"),
    ("a filter that is no function", FILTERS + "return {'a': 1}", "filter a: must be"),
    ("commands that are a list", COMMANDS + "return ['a']", "register_commands gave a list"),
    ("a command that leads nowhere", COMMANDS + "return {'a': 'nowhere'}", "command a: must be"),
    ("a hook we don't have", HOOKIMPL + "@hookimpl\ndef refuze(event): ...", "unknown hook 'refuze'"),
    ("an argument we don't give", HOOKIMPL + "@hookimpl\ndef refuse(evnt): ...", "can not be found in the hookspec"),
    ("an async hook", HOOKIMPL + "@hookimpl\nasync def refuse(event): ...", "refuse must be a plain function"),
    ("a wrapper", HOOKIMPL + "@hookimpl(wrapper=True)\ndef refuse(event): return (yield)", "refuse must be a plain function"),
    ("no hook at all", "x = 1", "implements no hook"),
]


@pytest.mark.parametrize(("source", "error"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_plugin_is_listed_and_the_rest_run(source: str, error: str, install: Install) -> None:
    before, broken, after = install(GOOD), install(source), install(GOOD)
    plugins = load_plugins([before, broken, after])
    info = listed(plugins, broken)
    assert info.state == "broken"
    assert error in info.error
    assert "+998901234567" not in info.error
    assert "\n" not in info.error
    assert (info.connectors, info.carriers, info.hooks) == ((), (), ())
    assert (listed(plugins, before).state, listed(plugins, after).state) == ("enabled", "enabled")
    assert set(listed(plugins, before).connectors + listed(plugins, after).connectors) <= plugins.connectors.keys()
    assert "x" not in plugins.connectors
    assert plugins.refuse(TENANT, EVENT) is None


HANGING = [
    ("the import hangs", "import threading; threading.Event().wait()", "import raised TimeoutError"),
    (
        "registering hangs",
        CONNECTORS + "\n    import threading; threading.Event().wait()",
        "register_connectors raised TimeoutError",
    ),
]


@pytest.mark.parametrize(("source", "error"), [row[1:] for row in HANGING], ids=[row[0] for row in HANGING])
def test_a_plugin_that_hangs_while_it_loads_is_left_behind(source: str, error: str, install: Install) -> None:
    hanging = install(source)
    info = listed(load_plugins([hanging], load_limit_s=0.2), hanging)
    assert (info.state, error in info.error) == ("broken", True)


def test_half_of_a_broken_plugin_is_not_kept(install: Install) -> None:
    name = install(GOOD + "@hookimpl\ndef register_carriers(): return 5\n@hookimpl\ndef refuse(event): return 'no'\n")
    plugins = load_plugins([name])
    assert listed(plugins, name).state == "broken"
    assert not [connector for connector in plugins.connectors if connector.startswith("connector")]
    assert plugins.refuse(TENANT, EVENT) is None


# -- hooks that are called --------------------------------------------------------------------------------------

HOOKED = """
import threading
from bellwire import Person, hookimpl
entered, gate, seen = threading.Semaphore(0), threading.Event(), []
behave = lambda: None
def act(*given):
    seen.append(given)
    entered.release()
    return behave()
@hookimpl
def refuse(tenant_id, event): return act(tenant_id, event.id)
@hookimpl
def resolve_recipient(ref): return act(ref)
@hookimpl
def status_changed(tenant_id, change): return act(tenant_id, change.message_id)
@hookimpl
def reply_received(msisdn_tail, reply_id): return act(reply_id, msisdn_tail)
"""


class Patience:
    """Waits until the hook has begun, then gives up; or waits for the end. No clock decides."""

    def __init__(self) -> None:
        self.module: Any = None
        self.late = False

    def __call__(self, done: threading.Event, _limit_s: float) -> bool:
        if not self.late:
            return done.wait(20)
        assert self.module.entered.acquire(timeout=20)
        return False


@pytest.fixture
def hooked(install: Install) -> tuple[Plugins, Any, Patience]:
    patience = Patience()
    name = install(HOOKED)
    plugins = load_plugins([name], wait=patience)
    patience.module = module_of(plugins, name)
    return plugins, patience.module, patience


Hooked = tuple[Plugins, Any, Patience]


def test_hooks_get_what_they_ask_for(hooked: Hooked) -> None:
    plugins, module, _ = hooked
    assert plugins.refuse(TENANT, EVENT) is None
    assert plugins.resolve_recipient(TENANT, "till", "customer/7") is None
    assert plugins.status_changed(TENANT, CHANGE) == ()
    assert plugins.reply_received(TENANT, "rep_1", "67") == ()
    assert module.seen == [(TENANT, "1"), ("customer/7",), (TENANT, "msg_1"), ("rep_1", "67")]


def test_the_first_reason_counts_in_few_words(hooked: Hooked) -> None:
    plugins, module, _ = hooked
    module.behave = lambda: "  no\n texts   on Sundays " + "x" * 500
    reason = plugins.refuse(TENANT, EVENT)
    assert reason is not None
    assert (reason[:22], len(reason)) == ("no texts on Sundays xx", 200)


def test_a_person_is_found(hooked: Hooked) -> None:
    plugins, module, _ = hooked
    module.behave = lambda: Person(name="Ana")
    assert plugins.resolve_recipient(TENANT, "till", "7") == Person(name="Ana")


def raises(error: BaseException) -> Callable[[], object]:
    def behave() -> object:
        raise error

    return behave


NONSENSE = [
    ("raises", raises(ValueError("+998901234567")), "raised ValueError at test_plugins.py:"),
    ("ends the process", raises(SystemExit(1)), "raised SystemExit at"),
    ("returns a number", lambda: 5, "returned a int instead of"),
    ("returns a yes", lambda: True, "returned a bool instead of"),
    ("returns an empty text", lambda: "", "returned a str instead of"),
]


@pytest.mark.parametrize(("behave", "why"), [row[1:] for row in NONSENSE], ids=[row[0] for row in NONSENSE])
def test_a_hook_that_fails_is_reported_without_what_it_was_given(behave: Callable[[], object], why: str, hooked: Hooked) -> None:
    plugins, module, _ = hooked
    module.behave = behave
    for call in (lambda: plugins.refuse(TENANT, EVENT), lambda: plugins.resolve_recipient(TENANT, "till", "7")):
        with pytest.raises(HookFailed) as raised:
            call()
        assert why in raised.value.why
        assert "998901234567" not in f"{raised.value} {raised.value.why}"
        assert raised.value.plugin.startswith("tried")
    module.behave = lambda: None
    assert plugins.refuse(TENANT, EVENT) is None, "one failure does not switch it off"


def test_who_watches_stops_nobody(hooked: Hooked, install: Install) -> None:
    plugins, module, _ = hooked
    module.behave = raises(ValueError())
    (failed,) = plugins.status_changed(TENANT, CHANGE)
    assert (failed.hook, "raised ValueError" in failed.why) == ("status_changed", True)


def test_all_who_watch_are_told_although_the_first_fails(install: Install) -> None:
    one, other = install(HOOKED), install(HOOKED)
    plugins = load_plugins([one, other])
    for name in (one, other):
        module_of(plugins, name).behave = raises(KeyError())
    assert {failed.plugin for failed in plugins.reply_received(TENANT, "rep_1", "67")} == {one, other}


def test_after_three_hangs_in_a_row_the_hook_is_switched_off(hooked: Hooked) -> None:
    plugins, module, patience = hooked
    module.behave, patience.late = module.gate.wait, True
    for _ in range(3):
        assert plugins.listing()[-1].switched_off == ()
        with pytest.raises(HookFailed, match="no answer within 2 s"):
            plugins.refuse(TENANT, EVENT)
    (info,) = [one for one in plugins.listing() if one.switched_off]
    assert info.switched_off == ("refuse",)
    assert plugins.refuse(TENANT, EVENT) is None, "events go on without it"
    assert len(module.seen) == 3
    patience.late, module.behave = False, lambda: Person(name="Ana")
    assert plugins.resolve_recipient(TENANT, "till", "7") == Person(name="Ana"), "its other hooks are called"
    module.gate.set()


def test_a_hook_that_answers_in_between_stays_on(hooked: Hooked) -> None:
    plugins, module, patience = hooked
    for _ in range(3):
        module.behave, patience.late = module.gate.wait, True
        for _ in range(2):
            with pytest.raises(HookFailed):
                plugins.refuse(TENANT, EVENT)
        module.behave, patience.late = (lambda: "no"), False
        assert plugins.refuse(TENANT, EVENT) == "no"
        while module.entered.acquire(blocking=False):
            pass
    module.gate.set()
    assert not [one for one in plugins.listing() if one.switched_off]


def test_a_watcher_that_was_switched_off_is_passed_over(hooked: Hooked) -> None:
    plugins, module, patience = hooked
    module.behave, patience.late = module.gate.wait, True
    assert [len(plugins.status_changed(TENANT, CHANGE)) for _ in range(5)] == [1, 1, 1, 0, 0]
    module.gate.set()


def test_the_limit_is_kept_by_the_clock(install: Install) -> None:
    name = install(HOOKED)
    plugins = load_plugins([name], limit_s=0.05)
    module = module_of(plugins, name)
    module.behave = module.gate.wait
    with pytest.raises(HookFailed, match=r"no answer within 0\.05 s"):
        plugins.refuse(TENANT, EVENT)
    module.gate.set()


def test_many_callers_at_once_use_few_threads(hooked: Hooked) -> None:
    plugins, module, _ = hooked
    answers: list[object] = []
    callers = [threading.Thread(target=lambda: answers.append(plugins.refuse(TENANT, EVENT))) for _ in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == [None] * 40
    assert len(module.seen) == 40
    name = next(one.name for one in plugins.listing() if one.hooks)
    assert 1 <= len([one for one in threading.enumerate() if one.name == f"hook-{name}-refuse"]) <= 4


def test_a_hook_nobody_implements_costs_nothing() -> None:
    plugins = load_plugins(only=[])
    threads = threading.active_count()
    calls = 20_000
    fastest = min(timeit.repeat(lambda: plugins.refuse(TENANT, EVENT), number=calls, repeat=5)) / calls
    assert fastest < 1e-6
    assert threading.active_count() == threads


# -- a real distribution ------------------------------------------------------------------------------------------

ASK = """
import json, sys
from bellwire.plugins import load_plugins
plugins = load_plugins(json.loads(sys.argv[1]))
(info,) = [one for one in plugins.listing() if one.name == "example"]
print(json.dumps({
    "state": info.state, "from": [info.distribution, info.version], "brings": [*info.connectors, *info.carriers, *info.commands],
    "imported": "bellwire_example" in sys.modules,
    "usable": ["example_till" in plugins.connectors, "example_sms" in plugins.carriers],
}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example plugin, built as a wheel and unpacked where Python finds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=EXAMPLE, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize(
    ("enabled", "state"), [([], "not enabled"), (["example"], "enabled"), (["bellwire-example/example"], "enabled")]
)
def test_a_connector_and_a_carrier_from_outside_our_tree(enabled: list[str], state: str, site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(enabled)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    is_on = state == "enabled"
    assert json.loads(done.stdout) == {
        "state": state,
        "from": ["bellwire-example", "1.2.3"],
        "brings": ["example_till", "example_sms", "example-till"] if is_on else [],
        "imported": is_on,
        "usable": [is_on, is_on],
    }
