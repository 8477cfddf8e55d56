"""`import workers`: mapping, dry run, what is kept, and the file of what could not be used."""

from __future__ import annotations

import csv

from bellwire.cli.opened import tenant_id
from bellwire.store import staff
from standins.shell import Shell

LIST = "Personalnummer;Name;Handy\nemp-1;Dana;901234567\nemp-2;=cmd();12\n"


def people(shell: Shell) -> list[str]:
    with shell.engine() as engine, engine.store.for_tenant(tenant_id(engine.store, "acme")).reading() as scoped:
        return [one.entry.ref for one in staff.listed(scoped, engine.vault, limit=10).items]


def test_a_list_is_tried_and_then_kept(embedded: Shell) -> None:
    shell = embedded
    shell.json("tenant", "create", "acme", "--country", "UZ")
    path = shell.folder / "staff.csv"
    path.write_text(LIST, encoding="cp1251")
    options = ("--tenant", "acme", "--column", "ref=Personalnummer", "--column", "phone=Handy", "--encoding", "cp1251")
    for more, kept in ((("--dry-run",), []), ((), ["emp-1"])):
        told = shell.json("import", "workers", str(path), *options, *more, code=1)
        assert (told["rows"], told["created"], told["invalid"]) == (2, 1, 1)
        assert people(shell) == kept
    with (shell.folder / "staff.csv.errors.csv").open(encoding="utf-8", newline="") as file:
        errors = list(csv.DictReader(file))
    assert [(row["line"], row["ref"], row["name"]) for row in errors] == [("3", "emp-2", "'=cmd()")]
    assert "phone" in errors[0]["error"]
