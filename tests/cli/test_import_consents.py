"""`import consents`: mapping, dry run, what is kept, and the file of what could not be used."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from bellwire.cli.opened import tenant_id
from bellwire.domain import msisdn as numbers
from bellwire.store import consents, jobs
from standins.shell import Shell

ANA, BEN = "+998901234567", "+998901234568"


def listed(shell: Shell, text: str, name: str = "list.csv") -> Path:
    path = shell.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def states(shell: Shell, number: str) -> Mapping[str, str | None]:
    msisdn = numbers.parse(number, [])
    assert msisdn is not None
    with shell.engine() as engine, engine.store.for_tenant(tenant_id(engine.store, "acme")).reading() as scoped:
        standing = consents.person(scoped, engine.vault, msisdn).standing
    return {str(purpose): str(state) if state else None for purpose, state in standing.states.items()}


@pytest.fixture
def acme(shell: Shell) -> Shell:
    shell("tenant", "create", "acme", "--country", "UZ")
    return shell


LIST = f"""msisdn,purpose,state,source,at,proof
{ANA},marketing,opted_in,till,2026-01-31T09:00:00Z,form 17
90 123 45 68,,yes,,,
{ANA},marketing,opted_in,till,2026-01-31T09:00:00Z,form 17
,marketing,opted_in,,,
12,marketing,opted_in,,,=cmd|'/C calc'!A1
{BEN},marketing,perhaps,,,
"""


def test_what_a_list_says_is_kept(acme: Shell) -> None:
    file = listed(acme, LIST)
    told = acme.json("import", "consents", file, "--tenant", "acme", code=1)
    assert [told[name] for name in ("rows", "imported", "duplicates", "refused", "invalid")] == [6, 2, 1, 0, 3]
    assert states(acme, ANA)["marketing"] == "opted_in"
    assert states(acme, BEN) == {"otp": "opted_in", "transactional": "opted_in", "marketing": "opted_in"}
    with acme.engine() as engine, engine.store.for_tenant(tenant_id(engine.store, "acme")).reading() as scoped:
        (job,) = jobs.listed(scoped, limit=5).items
    assert (job.status, job.done, job.result["imported"]) == ("done", 6, 2)


def test_what_can_t_be_used_is_told_and_can_be_corrected(acme: Shell) -> None:
    file = listed(acme, LIST)
    result = acme("import", "consents", file, "--tenant", "acme", code=1)
    target = acme.folder / "list.csv.errors.csv"
    assert f"3 row(s) can't be used: {target} says why." in result.stderr
    assert target.stat().st_mode & 0o077 == 0
    with target.open(encoding="utf-8", newline="") as opened:
        wrong = list(csv.DictReader(opened))
    assert [(one["line"], one["error"].split(":")[0]) for one in wrong] == [("5", "msisdn"), ("6", "msisdn"), ("7", "state")]
    assert wrong[1]["proof"] == "'=cmd|'/C calc'!A1", "nothing in it is run"
    corrected = target.read_text().replace("perhaps", "no").replace("12,", f"{ANA},")
    again = acme.json("import", "consents", listed(acme, corrected, "again.csv"), "--tenant", "acme", code=1)
    assert (again["imported"], again["invalid"]) == (2, 1)
    assert states(acme, BEN)["marketing"] == "opted_out"


def test_a_dry_run_keeps_nothing(acme: Shell) -> None:
    file = listed(acme, LIST)
    told = acme.json("import", "consents", file, "--tenant", "acme", "--dry-run", code=1)
    assert (told["dry_run"], told["imported"], told["duplicates"], told["invalid"]) == (True, 2, 1, 3)
    assert states(acme, ANA)["marketing"] is None
    assert "A dry run: nothing was kept." in acme("import", "consents", file, "--tenant", "acme", "--dry-run", code=1).stdout


def test_a_list_lifts_no_opt_out(acme: Shell) -> None:
    acme("import", "consents", listed(acme, f"msisdn,state,at\n{ANA},stop,2026-03-01"), "--tenant", "acme")
    without = listed(acme, f"msisdn,purpose,state,at\n{ANA},marketing,yes,2026-04-01")
    for more in (["--dry-run"], []):
        told = acme.json("import", "consents", without, "--tenant", "acme", *more)
        assert (told["imported"], told["refused"]) == (0, 1), more
    assert states(acme, ANA)["marketing"] == "opted_out"
    proven = listed(acme, f"msisdn,purpose,state,at,proof\n{ANA},marketing,yes,2026-05-01,form 18")
    assert acme.json("import", "consents", proven, "--tenant", "acme")["imported"] == 1
    assert states(acme, ANA)["marketing"] == "opted_in"


FILES: list[tuple[str, bytes, list[str]]] = [
    ("columns by their usual names", f"Phone;Opt-in\n{ANA};yes".encode(), []),
    ("columns of their own names", f"Mobilnummer\tDatum\n{ANA}\t2026-01-31".encode(), ["--column", "msisdn=mobilnummer"]),
    ("a mapped column beside a usual one", f"phone,Mobile\nfax,{ANA}".encode(), ["--column", "msisdn=Mobile"]),
    ("a byte order mark and CRLF", f"\ufeffmsisdn,state\r\n{ANA},opted_in\r\n".encode(), []),
    ("a byte order mark and UTF-8 by name", f"\ufeffmsisdn,state\n{ANA},opted_in".encode(), ["--encoding", "utf-8"]),
    ("line ends of an old Mac", f"msisdn,state\r{ANA},opted_in\r".encode(), []),
    ("a header in other case, with blanks", f" MSISDN , Opt In \n {ANA} , YES ".encode(), []),
    ("empty lines before the header", f"\n\nmsisdn,state\n\n{ANA},yes\n".encode(), []),
    ("another encoding", f"msisdn,proof\n{ANA},анкета".encode("cp1251"), ["--encoding", "cp1251"]),
    ("a national number in the tenant's country", b"msisdn\n901234567", []),
]


@pytest.mark.parametrize(("content", "options"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_files_as_people_have_them(embedded: Shell, content: bytes, options: list[str]) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    file = embedded.folder / "list.csv"
    file.write_bytes(content)
    told = embedded.json("import", "consents", file, "--tenant", "acme", "--state", "opted_in", "--purpose", "marketing", *options)
    assert (told["imported"], told["errors_file"]) == (1, None)
    assert states(embedded, ANA) == {"otp": None, "transactional": None, "marketing": "opted_in"}


REFUSED: list[tuple[str, bytes, list[str], int, str]] = [
    ("no such file's column", b"msisdn\n1", ["--column", "at=Datum"], 1, "the file has no column 'Datum'"),
    ("no such column of ours", b"msisdn\n1", ["--column", "when=Datum"], 2, "is not NAME=HEADER"),
    ("no number column", b"name,state\nAna,yes", [], 1, "one of them msisdn"),
    ("empty", b"", [], 1, "is empty"),
    (
        "not UTF-8",
        "msisdn,proof\n1,\n2,анкета".encode("cp1251"),
        [],
        1,
        "line 3, column proof: byte 0xe0 is not utf-8; name",
    ),
    ("not UTF-8 in its header", "msisdn;Объект\n1".encode("cp1251"), [], 1, "file: line 1, column 2: byte 0xce is not utf-8"),
    ("UTF-16", "msisdn,proof\n1,x".encode("utf-16"), [], 1, "file: line 1, column 1: byte 0xff is not utf-8"),
    (
        "a NUL",
        f"msisdn,Consent Source\n{ANA},web\n{BEN},w\0eb".encode(),
        [],
        1,
        "line 3, column Consent Source: must not",
    ),
    ("a NUL in a column that is not ours", f"msisdn,x\n{ANA},\0".encode(), [], 1, "line 2, column x: must not hold the NUL"),
    (
        "a field without end",
        f"msisdn,proof\r\n{ANA},a\r\n{BEN},{'x' * 200_000}".encode(),
        [],
        1,
        "line 3, column proof: must have",
    ),
    ("an encoding that is none", b"msisdn\n1", ["--encoding", "klingon"], 2, "there is no encoding"),
    ("a quote without end", b'msisdn,proof\n1,"x', [], 1, "file: line 2"),
]


@pytest.mark.parametrize(("content", "options", "code", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_files_that_can_t_be_read(embedded: Shell, content: bytes, options: list[str], code: int, said: str) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    file = embedded.folder / "list.csv"
    file.write_bytes(content)
    assert said in embedded("import", "consents", file, "--tenant", "acme", *options, code=code).stderr
    assert list(embedded.folder.glob("*.errors.csv")) == []
    with embedded.engine() as engine, engine.store.for_tenant(tenant_id(engine.store, "acme")).reading() as scoped:
        assert list(jobs.listed(scoped, limit=5).items) == [], "nothing was begun"


def test_more_wrong_rows_than_a_job_lists_are_all_in_the_file(embedded: Shell) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    file = listed(embedded, "msisdn\n" + "no number\n" * 1_500)
    told = embedded.json("import", "consents", file, "--tenant", "acme", "--state", "opted_in", code=1)
    assert (told["invalid"], len(told["errors"])) == (1_500, 1_000)
    assert len((embedded.folder / "list.csv.errors.csv").read_text().splitlines()) == 1_501
