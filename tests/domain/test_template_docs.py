"""The page for authors names every filter and tag there is, and no other."""

import re
from pathlib import Path

from bellwire.domain.template_sandbox import sandbox

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")


def test_filters() -> None:
    table = PAGE.split("## Filters")[1].split("\n\n")[1]
    rows = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    named = {
        name.split(":")[0] for first, second in rows for name in re.findall(r"`([^`]+)`", second if "`" not in first else first)
    }
    assert named == set(sandbox().filters)


def test_tags() -> None:
    section = PAGE.split("## Tags")[1].split("There is nothing")[0]
    assert set(re.findall(r"`([^`]+)`", section)) == set(sandbox().tags) - {"content", "output", "illegal"}
