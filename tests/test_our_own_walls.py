"""The test run's own promises: databases of one's own, and no way out of this machine."""

from __future__ import annotations

import os
import socket
import sqlite3

import psycopg
import pytest


def test_no_name_of_another_machine_is_known() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.com", 443)


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1"])
def test_no_other_machine_is_reached(address: str) -> None:
    with socket.socket() as out, pytest.raises(OSError, match="no other machines"):
        out.connect((address, 443))


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(("localhost", server.getsockname()[1])) as out:
        assert out.getpeername() == server.getsockname()


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_has_a_database_of_its_own(empty_database_url: str, turn: int) -> None:
    """Both turns make the same table: the second would fail in the first one's database."""
    made = "CREATE TABLE things (name text)"
    if empty_database_url.startswith("sqlite:///"):
        sqlite3.connect(empty_database_url.removeprefix("sqlite:///")).execute(made)
    else:
        with psycopg.connect(empty_database_url) as connection:
            connection.execute(made)
            assert connection.execute("SHOW fsync").fetchone() == ("off",)


@pytest.mark.postgres
def test_the_server_does_not_run_as_root(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        with open(f"/proc/{row[0]}/status") as status:  # noqa: PTH123  # no file
            owner = next(line for line in status if line.startswith("Uid:")).split()[1]
    assert owner != "0"
    assert os.geteuid() == 0 or owner == str(os.geteuid())
