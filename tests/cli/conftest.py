"""Shells for the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from bellwire.plugins import Plugins, load_plugins
from standins.shell import KEY, Shell


@pytest.fixture(scope="session")
def shipped() -> Plugins:
    """The plugins that most of these tests need."""
    return load_plugins(only=("sandbox", "shopify", "twilio"))


@pytest.fixture
def shell(database_url: str, tmp_path: Path, shipped: Plugins) -> Shell:
    """On SQLite and on PostgreSQL, with the schema."""
    return Shell(tmp_path, shipped, {"BELLWIRE_DATABASE_URL": database_url, "BELLWIRE_SECRET_KEY": KEY})


@pytest.fixture
def embedded(sqlite_url: str, tmp_path: Path, shipped: Plugins) -> Shell:
    """On SQLite alone: for what has nothing to do with the database."""
    return Shell(tmp_path, shipped, {"BELLWIRE_DATABASE_URL": sqlite_url, "BELLWIRE_SECRET_KEY": KEY})


@pytest.fixture
def bare(tmp_path: Path, shipped: Plugins) -> Shell:
    """A folder in which nothing was ever started."""
    return Shell(tmp_path, shipped)
