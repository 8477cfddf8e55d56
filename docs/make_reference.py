"""Writes what comes from the code: the pages under `reference/`, and the marked tables and files in pages written by hand.

In a page written by hand `<!-- table: NAME -->` … `<!-- /table -->` is filled with a table of `reference_tables`, and
`<!-- file: PATH -->` … `<!-- /file -->` with a file of the repository. `make docs` runs this; `tests/test_docs.py` fails while
a page differs from what it would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import reference_api
import reference_commands
import reference_tables

ROOT = Path(__file__).resolve().parents[1]
_TABLE = re.compile(r"<!-- table: (?P<name>[a-z_]+) -->\n.*?<!-- /table -->", re.DOTALL)
_FILE = re.compile(r"<!-- file: (?P<path>\S+) -->\n.*?<!-- /file -->", re.DOTALL)
_LANGUAGES = {".py": "python", ".json": "json", ".toml": "toml", ".service": "ini", ".conf": "nginx"}

REFERENCE: Mapping[str, Callable[[], str]] = {
    "api.md": reference_api.page,
    "commands.md": reference_commands.page,
    "events.md": reference_tables.events_page,
    "hooks.md": reference_tables.hooks_page,
    "metrics.md": reference_tables.metrics_page,
    "problems.md": reference_api.problems_page,
    "settings.md": reference_tables.settings_page,
}


def paths() -> list[Path]:
    """Where the pages are."""
    made = [ROOT / "docs" / "reference" / name for name in REFERENCE]
    return [*made, *(path for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]) if path not in made)]


def text_of(path: Path) -> str:
    """A page as it should be."""
    made = REFERENCE.get(path.name) if path.parent == ROOT / "docs" / "reference" else None
    return made().rstrip() + "\n" if made else filled(path)


def filled(page: Path) -> str:
    """A page written by hand with its tables and files as they are now."""

    def table(found: re.Match[str]) -> str:
        made = reference_tables.TABLES[found["name"]](page)
        return f"<!-- table: {found['name']} -->\n\n{made}\n\n<!-- /table -->"

    def file(found: re.Match[str]) -> str:
        path = ROOT / found["path"]
        language = _LANGUAGES.get(path.suffix, "text")
        return (
            f"<!-- file: {found['path']} -->\n\n```{language}\n{path.read_text(encoding='utf-8').rstrip()}\n```\n\n<!-- /file -->"
        )

    return _FILE.sub(file, _TABLE.sub(table, page.read_text(encoding="utf-8")))


def main() -> int:
    """Write what differs."""
    for path in paths():
        text = text_of(path)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
