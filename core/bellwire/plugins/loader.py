"""Finds and loads plugins, each behind a guard: a broken one is listed with its error and brings nothing; the rest run."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

import pluggy

from bellwire import hookspecs
from bellwire.errors import PluginBroken
from bellwire.logs import logger
from bellwire.masking import mask, where
from bellwire.model import Carrier, Connector
from bellwire.plugins.contract import carrier_faults, command_faults, connector_faults, filter_faults
from bellwire.plugins.facade import CALLED, PluginInfo, Plugins, PluginState, type_of
from bellwire.plugins.guard import LIMIT_S, Guard, Wait, within

GROUP = "bellwire"
OURS = "bellwire"  # the distribution whose plugins need not be enabled
LOAD_LIMIT_S = 10.0
_LONGEST_ERROR = 300
_BRINGS = ("register_connectors", "register_carriers", "register_template_filters", "register_commands")

log = logger(__name__)


def load_plugins(
    enabled: Sequence[str] | None = None,
    *,
    only: Collection[str] | None = None,
    limit_s: float = LIMIT_S,
    load_limit_s: float = LOAD_LIMIT_S,
    wait: Wait = threading.Event.wait,
) -> Plugins:
    """Load our own plugins and those of other distributions that are in `enabled`, by name, or as distribution/name.

    `only`: of these, load only the ones with these names (a command that needs no connector need not import them all).
    Never raises for a plugin's sake.
    """
    loader = _Loader(limit_s=limit_s, load_limit_s=load_limit_s, wait=wait)
    for found in _found(enabled or (), only):
        loader.take(found)
    return loader.made()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    info: PluginInfo
    entry: EntryPoint | None
    is_ours: bool


def _found(enabled: Sequence[str], only: Collection[str] | None) -> list[_Found]:
    """Ours by name, then the others in the order in which they were enabled, then what is installed or asked for in vain."""
    ours: list[_Found] = []
    theirs: list[_Found] = []
    for entry in entry_points(group=GROUP):
        distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
        info = PluginInfo(name=entry.name, distribution=distribution, version=version, state=PluginState.ENABLED)
        (ours if _normal(distribution) == OURS else theirs).append(
            _Found(info=info, entry=entry, is_ours=_normal(distribution) == OURS)
        )
    chosen = sorted(ours, key=lambda one: one.info.name)
    for wanted in dict.fromkeys(enabled):
        matching = [one for one in theirs if wanted in (one.info.name, f"{_normal(one.info.distribution)}/{one.info.name}")]
        if len(matching) == 1:
            chosen += [one for one in matching if one not in chosen]
        elif matching:
            who = " and ".join(sorted(f"{_normal(one.info.distribution)}/{one.info.name}" for one in matching))
            chosen += [_not_loaded(one, PluginState.BROKEN, f"two have this name; enable one of {who}") for one in matching]
        elif not any(one.info.name == wanted for one in ours):
            info = PluginInfo(name=wanted, state=PluginState.NOT_INSTALLED, error="is enabled, but no distribution brings it")
            chosen.append(_Found(info=info, entry=None, is_ours=False))
    known = {(one.info.distribution, one.info.name) for one in chosen}
    chosen += [
        _not_loaded(one, PluginState.NOT_ENABLED)
        for one in sorted(theirs, key=lambda one: one.info.name)
        if (one.info.distribution, one.info.name) not in known
    ]
    if only is not None:
        chosen = [one for one in chosen if one.info.name in only]
    return chosen


def _not_loaded(found: _Found, state: PluginState, error: str = "") -> _Found:
    return _Found(info=replace(found.info, state=state, error=error), entry=None, is_ours=found.is_ours)


class _Loader:
    """Takes one plugin after the other; what a broken one brought is forgotten whole."""

    def __init__(self, *, limit_s: float, load_limit_s: float, wait: Wait) -> None:
        self._limit_s, self._load_limit_s, self._wait = limit_s, load_limit_s, wait
        self._manager = pluggy.PluginManager("bellwire")
        self._manager.add_hookspecs(hookspecs)
        self._infos: list[PluginInfo] = []
        self._connectors: dict[str, Connector] = {}
        self._carriers: dict[str, Carrier] = {}
        self._filters: dict[str, Callable[..., Any]] = {}
        self._commands: dict[str, str] = {}

    def take(self, found: _Found) -> None:
        """Load it, and list it as it turned out."""
        info = found.info
        if found.entry is not None:
            try:
                info = self._load(found, found.entry)
            except PluginBroken as e:
                info = replace(info, state=PluginState.BROKEN, error=str(e))
                if self._manager.has_plugin(info.name):
                    self._manager.unregister(name=info.name)
        if info.state is PluginState.NOT_ENABLED:
            log.info("plugin.not_enabled", plugin=info.name, distribution=info.distribution)
        elif info.state is not PluginState.ENABLED:
            log.warning("plugin.broken", plugin=info.name, distribution=info.distribution, why=info.error)
        self._infos.append(info)

    def _load(self, found: _Found, entry: EntryPoint) -> PluginInfo:
        plugin = self._guarded(found, entry.load, "import")
        try:
            self._manager.register(plugin, name=found.info.name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as e:
            raise PluginBroken(mask(" ".join(str(e).split())[:_LONGEST_ERROR])) from e
        hooks = {name: impl for name in (*_BRINGS, *CALLED) for impl in self._implementations(name) if impl.plugin is plugin}
        for name, impl in hooks.items():
            if impl.wrapper or impl.hookwrapper or inspect.iscoroutinefunction(impl.function):
                raise PluginBroken(f"{name} must be a plain function: no wrapper, not async")
        if not hooks:
            raise PluginBroken("implements no hook; mark its functions with @hookimpl")
        brought = {name: self._guarded(found, hooks[name].function, name) for name in _BRINGS if name in hooks}
        return self._keep(found.info, brought, tuple(name for name in CALLED if name in hooks))

    def _guarded(self, found: _Found, call: Callable[[], Any], doing: str) -> Any:
        """What a plugin's code returns. Ours is trusted with the time it takes; a stranger's may hang."""
        try:
            return call() if found.is_ours else within(self._load_limit_s, call, f"load-{found.info.name}", self._wait)
        except (Exception, SystemExit) as e:
            place = where(e)
            raise PluginBroken(
                f"{doing} raised {type(e).__name__}{f' at {place}' if place else ''}: {mask(str(e)[:_LONGEST_ERROR])}"
            ) from e

    def _keep(self, info: PluginInfo, brought: Mapping[str, Any], hooks: tuple[str, ...]) -> PluginInfo:
        connectors = _by_name("register_connectors", brought, connector_faults)
        carriers = _by_name("register_carriers", brought, carrier_faults)
        filters = _mapping("register_template_filters", brought, filter_faults)
        commands = _mapping("register_commands", brought, command_faults)
        for kind, new, old in (
            ("connector", connectors, self._connectors),
            ("carrier", carriers, self._carriers),
            ("filter", filters, self._filters),
            ("command", commands, self._commands),
        ):
            for name in new.keys() & old.keys():
                raise PluginBroken(f"{kind} {name} is brought by another plugin already")
        self._connectors |= connectors
        self._carriers |= carriers
        self._filters |= filters
        self._commands |= commands
        return replace(
            info,
            connectors=tuple(connectors),
            carriers=tuple(carriers),
            filters=tuple(filters),
            commands=tuple(commands),
            hooks=hooks,
        )

    def _implementations(self, hook: str) -> Iterable[pluggy.HookImpl]:
        """In the order in which pluggy would call them."""
        found: list[pluggy.HookImpl] = getattr(self._manager.hook, hook).get_hookimpls()
        return reversed(found)

    def made(self) -> Plugins:
        """All that was kept."""
        guards = {hook: tuple(self._guard(hook, impl) for impl in self._implementations(hook)) for hook in CALLED}
        return Plugins(
            connectors=MappingProxyType(self._connectors),
            carriers=MappingProxyType(self._carriers),
            filters=MappingProxyType(self._filters),
            commands=MappingProxyType(self._commands),
            _infos=tuple(self._infos),
            _guards=MappingProxyType(guards),
        )

    def _guard(self, hook: str, impl: pluggy.HookImpl) -> Guard:
        def call(values: Mapping[str, Any]) -> Any:
            return impl.function(*(values[name] for name in impl.argnames))

        return Guard(impl.plugin_name, hook, call, limit_s=self._limit_s, wait=self._wait)


def _by_name(hook: str, brought: Mapping[str, Any], faults: Callable[[object], list[str]]) -> dict[str, Any]:
    """What a plugin brought, by name, when all of it is good. Raises PluginBroken."""
    if hook not in brought:
        return {}
    some = brought[hook]
    if not isinstance(some, list | tuple):
        raise PluginBroken(f"{hook} gave {type_of(some)}, not a list")
    wrong = [fault for one in some for fault in faults(one)]
    names = [one.name for one in some] if not wrong else []
    wrong += [f"{hook} gave {name} twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if wrong:
        raise PluginBroken("; ".join(wrong))
    return {one.name: one for one in some}


def _mapping(hook: str, brought: Mapping[str, Any], faults: Callable[[object], list[str]]) -> dict[str, Any]:
    wrong = faults(brought.get(hook, {}))
    if wrong:
        raise PluginBroken("; ".join(wrong))
    return dict(brought.get(hook, {}))


def _normal(distribution: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
