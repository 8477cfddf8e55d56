"""HTTP in and out, and the commands that start it."""

from collections.abc import Mapping

from bellwire import hookimpl


@hookimpl
def register_commands() -> Mapping[str, str]:
    """The commands that serve."""
    return {
        "serve": "bellwire_web.cli:serve",
        "work": "bellwire_web.cli:work",
        "demo": "bellwire_web.demo:demo",
    }
