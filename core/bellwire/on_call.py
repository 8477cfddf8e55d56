"""A module that is imported when one of its functions is first called: who only reads webhooks waits for no SDK."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class loaded_on_call:  # noqa: N801  # used as a function: what it gives stands for the module
    """Stands for the module `name` ("package.client"); its attributes are functions, which import it when they are called.

    A type checker is shown the module itself, so that it judges what the functions take and give:

        if TYPE_CHECKING:
            from . import client
        else:
            client = loaded_on_call(f"{__name__}.client")
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Any]:
        if function.startswith("_"):  # nobody calls these from outside; inspect and copy ask for them
            raise AttributeError(function)

        def call(*values: Any, **named: Any) -> Any:
            return getattr(import_module(self._name), function)(*values, **named)

        call.__name__, call.__qualname__, call.__module__ = function, function, self._name
        return call
