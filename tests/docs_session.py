"""Runs the pages' examples as a reader would type them: one shell a page, block after block, answers compared.

A fenced block's first words say what it is:

    ```sh             run; ends with 0
    ```sh server      run in the background until the page ends; the page goes on when it answers
    ```sh manual      not run here: it needs what a test machine does not have
    ```json answer    what the block before it prints: a part of it, `…` standing for the rest of a text

A page with `<!-- run first: PAGE#heading -->` has the blocks below that heading of PAGE run before its own; one with
`<!-- install first: FOLDER -->` has the distribution in that folder of the repository installed for its own commands.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_INSTALL = re.compile(r"<!-- install first: (?P<folder>\S+) -->")
_FIRST = re.compile(r"<!-- run first: (?P<page>\S+)#(?P<heading>\S+) -->")
_WAIT_S = 30.0  # for a server to answer, for an answer that comes a moment later
PORT = "8080"  # what the pages say; each session has its own


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `line`: where it begins in its page."""

    info: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """A page's fenced blocks, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["info"].strip(),
            re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            text[: found.start()].count("\n") + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def runnable(page: Path) -> bool:
    """Whether a page has something to run."""
    return any(block.info in ("sh", "sh server") for block in blocks(page))


def script(page: Path) -> list[tuple[Path, Block]]:
    """The blocks to run for a page, with those of the section it builds on first."""
    found = _FIRST.search(page.read_text(encoding="utf-8"))
    before: list[tuple[Path, Block]] = []
    if found:
        base = page.parent / found["page"]
        before = [(base, block) for block in _section(base, found["heading"])]
    return [*before, *((page, block) for block in blocks(page))]


def _section(page: Path, heading: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    headings = [(match.start(), match[1]) for match in re.finditer(r"^## (.+)$", text, re.MULTILINE)]
    for number, (start, name) in enumerate(headings):
        if re.sub(r"[^a-z0-9 -]", "", name.lower()).replace(" ", "-") == heading:
            end = headings[number + 1][0] if number + 1 < len(headings) else len(text)
            lines = text[:start].count("\n") + 1, text[:end].count("\n") + 1
            return [block for block in blocks(page) if lines[0] <= block.line <= lines[1]]
    raise AssertionError(f"{page.name} has no heading {heading}")


class Session:
    """A shell in an empty folder, with the commands of this environment and nothing of its settings."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        keep = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        self._environment = {**keep, "PATH": path, "HOME": str(folder), "BELLWIRE_PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        self._log: IO[bytes] = (folder / "stderr.txt").open("wb")
        self._servers: list[str] = []
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=folder,
            env=self._environment,
            start_new_session=True,
        )

    def run(self, page: Path) -> None:
        """Run a page. Raises AssertionError that names the place and what was printed instead."""
        found = _INSTALL.search(page.read_text(encoding="utf-8"))
        if found:
            self._install(ROOT / found["folder"])
        last, printed = None, ""
        for where, block in script(page):
            place = f"{where.name}:{block.line}"
            if block.info == "sh":
                last, printed = block, self._ask(block.text, place)
            elif block.info == "sh server":
                self._serve(block.text, place)
            elif block.info == "json answer":
                assert last is not None, f"{place}: an answer to nothing"
                self._compare(last, printed, block.text, place)

    def close(self) -> None:
        """End the shell and what it started."""
        if self._shell.poll() is None:
            self._write(f"trap '' TERM; kill {' '.join(self._servers)}; wait\nexit\n" if self._servers else "exit\n")
        try:
            self._shell.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            for stream in (self._shell.stdin, self._shell.stdout):
                if stream:
                    stream.close()
            self._log.close()

    def _ask(self, commands: str, place: str) -> str:
        """Run commands in the shell; what they print. Raises AssertionError when one fails: that ends the shell."""
        mark = f"--{secrets.token_hex(8)}--"
        self._write(f"set -eo pipefail\n{self._own(commands)}\nset +e\necho; echo {mark}\n")
        lines: list[str] = []
        for line in self._shell.stdout or ():
            if line.startswith(mark):
                return "".join(lines).strip()
            lines.append(line)
        raise AssertionError(f"{place}: failed: {''.join(lines)}{self._errors()}")

    def _install(self, source: Path) -> None:
        """Install a distribution beside the environment, not into it; without the network."""
        site, copied = self.folder / "site", self.folder / "source"
        shutil.copytree(source, copied)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--no-build-isolation", "--target", site, copied], check=True, stdout=self._log, stderr=self._log)
        self._ask(f"export PYTHONPATH={site}", source.name)

    def _serve(self, command: str, place: str) -> None:
        number = self._ask(f"{command.strip()} >>server.txt 2>&1 &\necho $!", place)
        self._servers.append(number)
        ends = time.monotonic() + _WAIT_S
        while not _answers(self.port):
            assert time.monotonic() < ends, f"{place}: nothing answers: {(self.folder / 'server.txt').read_text()}"
            time.sleep(0.05)

    def _compare(self, asked: Block, printed: str, wanted: str, place: str) -> None:
        """Compare; a plain look is repeated until it fits, since texts take a moment."""
        expected = json.loads(self._own(wanted))
        ends = time.monotonic() + (_WAIT_S if " -d " not in asked.text and " -X " not in asked.text else 0)
        while True:
            try:
                wrong = difference(json.loads(printed), expected)
            except ValueError:
                wrong = f"is not JSON: {printed}"
            if not wrong:
                return
            assert time.monotonic() < ends, f"{place}: {wrong}\n{printed}\n{self._errors()}"
            time.sleep(0.1)
            printed = self._ask(asked.text, place)

    def _own(self, text: str) -> str:
        return text.replace(f":{PORT}", f":{self.port}")

    def _write(self, text: str) -> None:
        if self._shell.stdin is None:
            raise AssertionError("the shell has no input")
        self._shell.stdin.write(text)
        self._shell.stdin.flush()

    def _errors(self) -> str:
        return (self.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")[-2_000:]


def difference(got: Any, wanted: Any, place: str = "") -> str:
    """Where an answer is not what a page says, "" where it is. The page may leave fields out."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"{place or 'it'} is {got!r}"
        found = (
            difference(got[name], value, f"{place}.{name}") if name in got else f"{place}.{name} is missing"
            for name, value in wanted.items()
        )
        return next((one for one in found if one), "")
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) < len(wanted):
            return f"{place or 'it'} is {got!r}"
        return next(
            (wrong for number, one in enumerate(wanted) if (wrong := difference(got[number], one, f"{place}.{number}"))), ""
        )
    if isinstance(wanted, str) and wanted.endswith("…"):
        return "" if isinstance(got, str) and got.startswith(wanted[:-1]) else f"{place} is {got!r}, the page says {wanted!r}"
    return "" if got == wanted and type(got) is type(wanted) else f"{place} is {got!r}, the page says {wanted!r}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)):
            return False
        probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        return b" 200 " in probe.recv(64)
