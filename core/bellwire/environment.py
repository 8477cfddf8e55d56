"""Where settings come from: BELLWIRE_* in the environment and one TOML file. Gathered here, judged in `config`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bellwire.errors import ConfigInvalid

PREFIX = "BELLWIRE_"
FILE = "bellwire.toml"

#: Variables that say where to look rather than what to set.
RESERVED = frozenset({"BELLWIRE_CONFIG", "BELLWIRE_DEBUG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Raw values by the setting's name, and what to call each when it is wrong.

    `file`: the TOML file that was read; `in_file`: the settings that count as it says.
    """

    values: Mapping[str, Any] = field(repr=False)
    places: Mapping[str, str]
    file: Path | None
    in_file: frozenset[str]

    def names(self, setting: str) -> tuple[str, ...]:
        """A setting that lists names, before anyone has judged the rest: a list, or words between commas."""
        value = self.values.get(setting, ())
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
        return tuple(part.strip() for part in parts if isinstance(part, str) and part.strip())


def gather(environ: Mapping[str, str], cwd: Path, file: Path | None = None) -> Gathered:
    """Read the environment and the file: `file`, else BELLWIRE_CONFIG, else bellwire.toml in `cwd` when it is there.

    The environment wins. An empty variable counts as unset, except where a secret is meant: there it is kept, to be refused.
    Raises ConfigInvalid when the file can't be read.
    """
    named = file or (Path(environ["BELLWIRE_CONFIG"]) if environ.get("BELLWIRE_CONFIG") else None)
    path = cwd / (named or FILE)
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    found = named is not None or path.is_file()
    if found:
        for name, value in _read(path).items():
            values[name] = value
            places[name] = f"{name} in {path.name}"
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if text.strip() or "secret" in name:
            values[name] = text.strip()
            places[name] = variable
    in_file = frozenset(name for name, place in places.items() if not place.startswith(PREFIX))
    return Gathered(values=values, places=places, file=path if found else None, in_file=in_file)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigInvalid(f"{path}: can't be read ({e.strerror}); name an existing file with --config or BELLWIRE_CONFIG") from e
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as e:
        # the reason ends in the place, "(at line 3, column 7)"; the text before it never quotes a value
        raise ConfigInvalid(f"{path}: is not TOML: {e}") from None
