"""The certification kit as a test: two lines in a test file judge a connector, one case a rule.

from bellwire.testing import certified
test_certified = certified("corner_shop")
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bellwire.model import Carrier, Connector
from bellwire.testing.standins import StandIn

if TYPE_CHECKING:
    from bellwire.certification import Scale


def certified(
    subject: str | Connector | Carrier,
    *,
    level: str = "",
    stand_in: Callable[[], StandIn] | None = None,
    scale: Scale | None = None,
) -> Callable[..., None]:
    """A pytest test with one case for each rule; name it `test_…`. Needs pytest.

    `subject`: a connector or carrier, or the package whose `connector` it is. `level`: what must be met, instead of what its
    `quality.toml` claims; without either only bronze may not fail. `stand_in`: makes the platform, instead of the one that
    `quality.toml` names. `scale`: how much is asked; everything by default.
    """
    import pytest

    from bellwire.certification import FULL, Kit, Level, Outcome

    found: Any = importlib.import_module(subject).connector if isinstance(subject, str) else subject
    kit = Kit(found, stand_in=stand_in, scale=scale or FULL)
    claimed = Level(level) if level else kit.quality.level
    cases = [pytest.param(rule, id=f"{found.name}: {rule.name}") for rule in kit.rules]

    @pytest.mark.parametrize("rule", cases)
    def test(rule: Any) -> None:
        answer = kit.ask(rule)
        required = rule.level.rank <= (claimed or Level.BRONZE).rank
        if answer.outcome is Outcome.FAILED and (required or rule.name in kit.quality.rules):
            pytest.fail(f"{rule.means} {answer.detail}", pytrace=False)
        if answer.outcome is Outcome.NOT_JUDGED and required and claimed is not None and not answer.elsewhere:
            pytest.fail(f"not judged: {answer.detail}", pytrace=False)
        if answer.outcome is not Outcome.PASSED:
            pytest.skip(f"{answer.outcome}: {answer.detail}")

    made: Callable[..., None] = test
    return made
