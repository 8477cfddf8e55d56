"""The file beside a connector in which its author ticks the rules: `quality.toml` in the package that has the samples.

    level = "gold"                              what is claimed
    [rules]
    unsigned = "done"
    stale = {exempt = "the platform signs no time; repeats are found by the event's id"}
    [stand_in]                                  who plays the platform: see bellwire.testing.StandIn
    module = "example_stand_in"
    name = "Till"
    path = "../tests"                           where the module is found, from this file; left out for an installed one
    [other_account]                             settings of an installation at another account, where requests name it unsigned
    organization_id = "00D000000000002EAA"
    [[sequence]]                                one object created, edited, edited again: a sample each, bent where needed
    sample = "order_updated"
    set = {"body.updated_at" = "2026-01-05T09:00:00Z"}
    [[same_second]]                             two different facts with one time

An exemption holds only where the kit itself can't judge the rule; a tick that a check contradicts is refused.
"""

from __future__ import annotations

import importlib
import json
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bellwire.certification.rules import Level, NotHere
from bellwire.errors import ConfigInvalid
from bellwire.model import WebhookRequest
from bellwire.testing import bend, sample
from bellwire.testing.standins import StandIn

FILE = "quality.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exempt(_Strict):
    """Why a rule does not apply here."""

    exempt: str = Field(min_length=10)


class Named(_Strict):
    """Where a stand-in's class is."""

    module: str
    name: str
    path: str = ""


class Step(_Strict):
    """A sample, bent: paths that begin with `headers.` or `body.`, and their values."""

    sample: str
    set: dict[str, Any] = {}

    def request(self, package: str) -> WebhookRequest:
        """The delivery, unsigned. Raises FileNotFoundError, KeyError for a path that is not there."""
        request = sample(package, self.sample)
        for path, value in self.set.items():
            part, _, rest = path.partition(".")
            if part == "headers":
                request = replace(request, headers={**request.headers, rest.lower(): str(value)})
            else:
                request = bend(request, _setter(rest, value))
        return request


class Quality(_Strict):
    """The file's contents. `level` None: nothing is claimed."""

    level: Level | None = None
    rules: Mapping[str, Literal["done"] | Exempt] = {}
    stand_in: Named | None = None
    other_account: Mapping[str, Any] = {}
    sequence: Sequence[Step] = ()
    same_second: Sequence[Step] = ()

    def exemption(self, rule: str) -> str:
        """The reason given, "" for none."""
        found = self.rules.get(rule)
        return found.exempt if isinstance(found, Exempt) else ""


def quality_of(package: str) -> Quality:
    """The package's file, an empty one where there is none. Raises ConfigInvalid naming what is wrong with it."""
    path = resources.files(package).joinpath(FILE) if package else None
    if path is None or not path.is_file():
        return Quality()
    try:
        return Quality.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as e:
        wrong = (
            "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in e.errors())
            if isinstance(e, ValidationError)
            else e
        )
        raise ConfigInvalid(f"{package}/{FILE}: {wrong}") from e


def stand_in_of(named: Named, package: str) -> Callable[[], StandIn]:
    """The class that the file names. Raises NotHere when it can't be imported on this machine."""
    if named.path:
        folder = Path(str(resources.files(package).joinpath(FILE))).parent.joinpath(named.path).resolve()
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))
    try:
        made: Callable[[], StandIn] = getattr(importlib.import_module(named.module), named.name)
    except (ImportError, AttributeError) as e:
        raise NotHere(f"the stand-in {named.module}:{named.name} is not installed here") from e
    return made


def _setter(path: str, value: object) -> Callable[[Any], object]:
    steps = [int(one) if one.isdigit() else one for one in path.split(".")]

    def edit(body: Any) -> object:
        if isinstance(body, str):  # XML and the like: the path is a text that stands there
            if path not in body:
                raise KeyError(path)
            return body.replace(path, str(value))
        at = body
        for step in steps[:-1]:
            at = at[step]
        at[steps[-1]] = json.loads(json.dumps(value, default=str))
        return None

    return edit
