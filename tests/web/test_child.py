"""The serving process between the moment when it begins to work and the one when the server takes the signals."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bellwire_web.child import begin


class Working:
    """What is begun; `meanwhile` happens while it is."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile, self.has_begun = meanwhile, False

    def begin(self) -> None:
        self.meanwhile()
        self.has_begun = True


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The test process keeps its own."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_begins_waits_until_it_has_and_then_ends_it(number: int) -> None:
    process: Any = Working(lambda: signal.raise_signal(number))
    with pytest.raises(SystemExit) as ended:
        begin(process)
    assert (ended.value.code, process.has_begun) == (0, True)


def test_a_signal_after_it_has_begun_ends_it_and_a_second_one_lets_it_drain() -> None:
    process: Any = Working(lambda: None)
    begin(process)
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
