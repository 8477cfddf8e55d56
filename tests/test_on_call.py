"""Modules that are imported when they are called: what comes when, and that all that our connectors name is there."""

from __future__ import annotations

import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from bellwire import Connector, loaded_on_call
from bellwire.plugins import load_plugins

CONNECTORS = sorted(load_plugins().connectors.values(), key=lambda one: one.name)


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that nobody has imported."""
    name = f"far_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text("def joined(*values, by):\n    return by.join(values)\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_it_is_imported_by_the_first_call_and_not_before(far: str) -> None:
    joined = loaded_on_call(far).joined
    assert far not in sys.modules
    assert joined("a", "b", by="-") == "a-b"
    assert far in sys.modules


def test_what_is_not_there_is_said_when_it_is_called(far: str) -> None:
    nothing, nowhere = loaded_on_call(far).nothing, loaded_on_call(f"{far}.nowhere").joined
    with pytest.raises(AttributeError, match="nothing"):
        nothing()
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        nowhere()


def test_it_has_no_private_names(far: str) -> None:
    assert not hasattr(loaded_on_call(far), "__wrapped__")
    assert far not in sys.modules


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: one.name)
def test_all_that_a_connector_names_is_there(connector: Connector) -> None:
    named = [one for field in fields(connector) if callable(one := getattr(connector, field.name))]
    missing = [f"{one.__module__}:{one.__name__}" for one in named if not hasattr(import_module(one.__module__), one.__name__)]
    assert missing == []
