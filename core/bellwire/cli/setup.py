"""What a command needs of its surroundings, loaded when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bellwire.environment import gather
from bellwire.errors import ConfigInvalid

if TYPE_CHECKING:  # at run time these cost what `bellwire --help` must not cost
    from bellwire.config import Config
    from bellwire.plugins import Plugins


@dataclass(kw_only=True)
class Setup:
    """One run of the command line. A command gets it by `@click.pass_obj`."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    cwd: Path = field(default_factory=Path.cwd)
    config_file: Path | None = None
    debug: bool = False

    @cached_property
    def config(self) -> Config:
        """The settings. Raises ConfigInvalid."""
        from bellwire.config import load

        return load(self.environ, self.cwd, self.config_file)

    @cached_property
    def plugins(self) -> Plugins:
        """All enabled plugins, loaded. Raises ConfigInvalid."""
        from bellwire.plugins import load_plugins

        return load_plugins(self.config.plugins)

    def enabled_plugins(self) -> tuple[str, ...]:
        """The names under `plugins`, without judging the settings: `--help` works also when one of them is wrong."""
        try:
            return gather(self.environ, self.cwd, self.config_file).names("plugins")
        except ConfigInvalid:
            return ()
