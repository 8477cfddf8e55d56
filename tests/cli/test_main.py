"""The command `bellwire`: quick help, exit codes, one line for an error, commands from plugins."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import bellwire
import click
import pytest
from bellwire import ErrorClass, PlatformRejected, PlatformThrottled
from bellwire.cli import COMMANDS, main
from bellwire.cli.setup import Setup
from bellwire.errors import (
    BellwireError,
    CarrierError,
    ConfigInvalid,
    KeyMismatch,
    NotFound,
    StoreUnavailable,
    Unanswered,
    Unreachable,
)
from click.testing import CliRunner, Result

EXAMPLE = Path(__file__).parents[1] / "plugin_example"
HELP_LIMIT_S = 0.4


def run(*args: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Result:
    return CliRunner().invoke(main, args, obj=Setup(environ=environ or {}, cwd=cwd or Path("/nowhere")))


def process(*args: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BELLWIRE_")}
    command = [sys.executable, "-c", "from bellwire.cli import main; main()", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**kept, **environ}, check=False)


# -- help -------------------------------------------------------------------------------------------------------


def test_help_answers_at_once(tmp_path: Path) -> None:
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = process("--help", cwd=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # it waits for nothing: its CPU is its time on a machine of its own
        took.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(name in done.stdout for name in COMMANDS)
    assert min(took) < HELP_LIMIT_S


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom bellwire.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    heavy = ["pydantic", "sqlalchemy", "flask", "structlog", "rich", "pycurl", "requests", "alembic", "bellwire_connectors"]
    done = subprocess.run([sys.executable, "-c", script, *heavy], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_serving_from_a_file_loads_what_opens_it_in_the_child_only(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom bellwire.cli import main\ntry: main(['serve', '--workers', '2'])\nexcept SystemExit as e: print(e.code)\n"
        "print([name for name in ('sqlalchemy', 'flask', 'granian') if name in sys.modules])"
    )
    environ = {**os.environ, "BELLWIRE_DATABASE_URL": f"sqlite:///{tmp_path}/b.db"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environ, check=True)
    assert "more than one needs PostgreSQL" in done.stderr
    assert done.stdout.splitlines() == ["2", "[]"]


def test_help_works_while_a_setting_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bellwire.toml").write_text("not toml at all")
    assert run("--help", cwd=tmp_path).exit_code == 0
    assert run("--help", environ={"BELLWIRE_PORT": "x"}).exit_code == 0


def test_the_version() -> None:
    assert run("--version").output == f"bellwire {bellwire.__version__}\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert COMMANDS[name][1].endswith(".")


# -- errors -----------------------------------------------------------------------------------------------------


class Throttled(CarrierError):
    error_class = ErrorClass.THROTTLED


ERRORS = [
    (
        "a setting that is wrong",
        ConfigInvalid("BELLWIRE_PORT: no\nBELLWIRE_HOST: no"),
        2,
        ["BELLWIRE_PORT: no", "BELLWIRE_HOST: no"],
    ),
    ("a key that isn't this database's", KeyMismatch("SECRET_KEY: not this database's"), 2, ["SECRET_KEY: not this database's"]),
    ("a thing that does not exist", NotFound("message", "msg_1"), 1, ["message msg_1 does not exist"]),
    ("an error without words", BellwireError(), 1, ["BellwireError"]),
    ("an error that would end the line", BellwireError("a\r\nb\x1b[31m"), 1, ["a\\x0d\\x0ab\\x1b[31m"]),
    ("a database that can't be written", StoreUnavailable("locked"), 75, ["locked"]),
    ("a platform that says wait", PlatformThrottled("429"), 75, ["429"]),
    ("a platform that says no", PlatformRejected("no such order"), 1, ["no such order"]),
    ("a carrier that can't be reached", Unreachable("connect"), 75, ["connect"]),
    ("a carrier that throttles", Throttled("slow"), 75, ["slow"]),
    ("a carrier that did not answer", Unanswered("no answer"), 1, ["no answer"]),
]


@click.group()
def broken() -> None:
    """Raise what the test put there."""


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> click.Group:
    """A command of ours that the test gives its behaviour."""
    monkeypatch.setitem(sys.modules, "failing_command", sys.modules[__name__])
    monkeypatch.setitem(COMMANDS, "fail", ("failing_command:broken", "Fails."))  # type: ignore[misc]  # a dict behind a Mapping
    return broken


def behave(error: BaseException) -> click.Command:
    def callback() -> None:
        raise error

    return click.Command("now", callback=callback)


@pytest.mark.parametrize(("error", "code", "lines"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_an_error_is_a_line_and_an_exit_code(error: Exception, code: int, lines: list[str], failing: click.Group) -> None:
    failing.add_command(behave(error))
    result = run("fail", "now")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.splitlines() == [f"bellwire: {line}" for line in lines]


def test_a_fault_of_ours_names_its_place_and_no_value(failing: click.Group) -> None:
    failing.add_command(behave(ValueError("+998901234567")))
    result = run("fail", "now")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("bellwire: internal error: ValueError at test_main.py:")
    assert line.endswith("run it again with --debug to see the way there")


def test_debug_shows_the_way_there(failing: click.Group) -> None:
    failing.add_command(behave(ValueError("because")))
    for result in (run("--debug", "fail", "now"), CliRunner(env={"BELLWIRE_DEBUG": "1"}).invoke(main, ["fail", "now"])):
        assert "Traceback" in result.stderr
        assert "ValueError: because" in result.stderr


def test_who_stops_it_is_not_shown_a_traceback(failing: click.Group) -> None:
    failing.add_command(behave(KeyboardInterrupt()))
    result = run("--debug", "fail", "now")
    assert (result.exit_code, result.stderr.strip()) == (1, "Stopped.")


def test_usage() -> None:
    for args in (["nonsense"], ["--nonsense"], ["plugins", "--nonsense"], ["try"]):
        result = run(*args)
        assert result.exit_code == 2, args
        assert "Usage: bellwire" in result.stderr


def test_every_line_of_bad_settings_is_told() -> None:
    result = run("plugins", environ={"BELLWIRE_PORT": "x", "BELLWIRE_PROT": "1"})
    assert result.exit_code == 2
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == [" BELLWIRE_PORT", " BELLWIRE_PROT"]


def test_the_settings_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('plugins = ["nowhere"]')
    result = run("--config", str(tmp_path / "my.toml"), "plugins", "--json")
    assert "nowhere" in [one["name"] for one in json.loads(result.stdout)["plugins"]]
    assert run("--config", str(tmp_path / "none.toml"), "plugins").exit_code == 2


def test_a_reader_that_goes_away_is_shown_nothing(tmp_path: Path) -> None:
    script = "import sys\nfrom bellwire.cli import main\nmain(['plugins', '--json'])"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


# -- commands from plugins ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example plugin as an installed distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=EXAMPLE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def test_a_plugin_s_command_runs_once_it_is_enabled(site: Path, tmp_path: Path) -> None:
    off = process("example-till", cwd=tmp_path, PYTHONPATH=str(site))
    assert (off.returncode, "No such command" in off.stderr) == (2, True)
    on = process("example-till", cwd=tmp_path, PYTHONPATH=str(site), BELLWIRE_PLUGINS="example")
    assert (on.returncode, on.stdout, on.stderr) == (0, "ring\n", "")
    assert "example-till" in process("--help", cwd=tmp_path, PYTHONPATH=str(site), BELLWIRE_PLUGINS="example").stdout


def test_what_is_installed_and_what_is_enabled(site: Path, tmp_path: Path) -> None:
    for enabled, state in (("", "not enabled"), ("example", "enabled")):
        done = process("plugins", "--json", cwd=tmp_path, PYTHONPATH=str(site), BELLWIRE_PLUGINS=enabled)
        (found,) = [one for one in json.loads(done.stdout)["plugins"] if one["name"] == "example"]
        assert (found["state"], found["distribution"], found["version"]) == (state, "bellwire-example", "1.2.3")
        assert found["connectors"] == (["example_till"] if enabled else [])


def test_a_stranger_s_connector_is_tried_and_certified_like_ours(site: Path, tmp_path: Path) -> None:
    environ = {"PYTHONPATH": str(site), "BELLWIRE_PLUGINS": "example"}
    tried = process("try", "example_till", "order_paid", "--json", cwd=tmp_path, **environ)
    assert [event["type"] for event in json.loads(tried.stdout)["events"]] == ["order.paid"]
    for name in ("example_till", "example_sms"):
        certified = process("certify", name, "--json", cwd=tmp_path, **environ)
        assert (certified.returncode, json.loads(certified.stdout)["passed"]) == (0, True), certified.stdout


def test_a_command_that_leads_nowhere_is_the_plugin_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for target in ("bellwire.cli.nowhere:x", "bellwire.cli.plugins:nowhere", "bellwire.cli.plugins:print_json", "@nowhere"):
        monkeypatch.setitem(COMMANDS, "lost", (target, "Lost."))  # type: ignore[misc]  # a dict behind a Mapping
        result = run("lost")
        assert (result.exit_code, result.stderr.startswith("bellwire: command lost: ")) == (1, True), result.stderr
