"""Expressions that stand around a comparison's operands, where the library's own comparison would mislead or cost too much."""

from __future__ import annotations

from liquid import RenderContext
from liquid.expression import Expression

from bellwire.domain.comparison import number_of
from bellwire.domain.template_bounds import Missing, search_cost
from bellwire.domain.template_sandbox import Context


class _Operand(Expression):
    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def children(self) -> list[Expression]:
        """The operand itself."""
        return [self.inner]


class OrEmpty(_Operand):
    """An operand of `== blank`, `!= ""`: what is missing is empty. (In the library nil is not blank.)"""

    def evaluate(self, context: RenderContext) -> object:
        """The value, "" when there is none."""
        value = self.inner.evaluate(context)
        return "" if value is None or type(value) is Missing else value


class Comparable(_Operand):
    """An operand of `<`: a text that is a number (money comes as one) counts as a number."""

    def evaluate(self, context: RenderContext) -> object:
        """The value, a Decimal where it can be."""
        value = self.inner.evaluate(context)
        number = number_of(value) if isinstance(value, str) else None
        return value if number is None else number


class Searched(_Operand):
    """The left operand of `contains`, charged for the search."""

    __slots__ = ("needle",)

    def __init__(self, inner: Expression, needle: Expression) -> None:
        super().__init__(inner)
        self.needle = needle

    def evaluate(self, context: Context) -> object:  # type: ignore[override]  # there is no other context here
        """The value."""
        value, needle = self.inner.evaluate(context), self.needle.evaluate(context)
        if isinstance(value, str | list):
            context.charge(search_cost(value, needle))
        return value
