"""From a template's source to what can be rendered: parsed, refused where it could do harm, and read for what it uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import BooleanExpression, FilteredExpression, LoopExpression, Nil, Path, StringLiteral
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty, IntegerLiteral, RangeLiteral
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from bellwire.domain.template_operands import Comparable, OrEmpty, Searched
from bellwire.domain.template_sandbox import MAX_ROUNDS, Parsed, Sandbox, line_of
from bellwire.domain.template_values import dotted
from bellwire.domain.templates import Passage, Use, line_at
from bellwire.errors import TemplateInvalid

MAX_STEPS = 20_000  # rounds of loops × what the template holds
MAX_RANGE = 100
_MAX_DEPTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a source holds."""

    parsed: Parsed
    uses: tuple[Use, ...]
    passages: tuple[Passage, ...]


def read(source: str, environment: Sandbox) -> Read:
    """Parse and look through. Raises TemplateInvalid with the line."""
    try:
        parsed = cast("Parsed", environment.from_string(source))
    except LiquidError as e:
        message = str(e.message).replace("end of expression", "the end")
        raise TemplateInvalid(message, line_of(e.token) or line_at(source, len(source))) from e
    look = _Look(environment=environment)
    for node in parsed.nodes:
        look.node(node, _Here())
    parsed.rounds = min(MAX_ROUNDS, MAX_STEPS // max(look.steps, 1))
    found = {
        (variable.span.index, _name(variable.segments))
        for variables in parsed.analyze(include_partials=False).globals.values()
        for variable in variables
    }
    uses = tuple(Use(name=name, line=line_at(source, index), required=index not in look.optional) for index, name in sorted(found))
    return Read(parsed=parsed, uses=uses, passages=tuple(look.passages))


def _name(segments: list[Any]) -> str:
    """The flat name a path begins with: `order.line_items[0].title` → `order.line_items`."""
    names: list[str] = []
    for segment in segments:
        if not isinstance(segment, str):
            break
        names.append(segment)
    return ".".join(names)


@dataclass(frozen=True, slots=True)
class _Here:
    """Where in the tree we are. `present`: variables that a condition around this place has found to be there."""

    depth: int = 0
    looped: bool = False
    always: bool = True
    present: frozenset[str] = frozenset()

    def inside(self, present: frozenset[str] = frozenset(), *, looped: bool = False) -> _Here:
        return _Here(self.depth + 1, self.looped or looped, False, self.present | present)


@dataclass(slots=True)
class _Look:
    """One pass over the tree: counts, refuses, notes what may be missing, and puts our operands into comparisons."""

    environment: Sandbox
    steps: int = 0
    optional: set[int] = field(default_factory=set)  # where paths begin that may be missing
    passages: list[Passage] = field(default_factory=list)

    def node(self, node: Node, here: _Here) -> None:
        self.steps += 1
        if isinstance(node, ContentNode):
            self.passages.append(Passage(text=node.text, line=line_of(node.token), always=here.always))
        elif isinstance(node, IfNode | UnlessNode):
            self.choice(node, here)
        elif isinstance(node, CaseNode):
            self.case(node, here)
        elif isinstance(node, ForNode):
            self.expression(node.expression, here)
            self.node(node.block, here.inside(looped=True))
            if node.default:
                self.node(node.default, here.inside())
        elif isinstance(node, BlockNode):
            for each in node.nodes:
                self.node(each, here)
        elif isinstance(node, BreakNode | ContinueNode):
            if not here.looped:
                raise TemplateInvalid(f"{node.token.value} stands outside of a loop", line_of(node.token))
        else:  # output, assign, capture, comment
            for expression in node.expressions():
                self.expression(expression, here)
            for each in node.children(None):  # type: ignore[arg-type]  # only partials look at the context, and there are none
                self.node(each, here.inside())

    def choice(self, node: IfNode | UnlessNode, here: _Here) -> None:
        self.expression(node.condition, here)
        met, unmet = _present(node.condition, True), _present(node.condition, False)
        if isinstance(node, UnlessNode):
            met, unmet = unmet, met
        self.node(node.consequence, here.inside(met))
        for alternative in node.alternatives:
            self.steps += 1
            self.expression(alternative.expression, here)
            self.node(alternative.block, here.inside(unmet | _present(alternative.expression, True)))
            unmet |= _present(alternative.expression, False)
        if node.default:
            self.node(node.default, here.inside(unmet))

    def case(self, node: CaseNode, here: _Here) -> None:
        self.expression(node.expression, here, tested=True)
        for block in node.blocks:
            if isinstance(block, MultiExpressionBlockNode):
                # the subject is evaluated again for each `when`
                self.expression(node.expression, here, tested=True)
                for wanted in block.expression.expressions:
                    self.expression(wanted, here, tested=True)
                self.node(block.block, here.inside())
            else:
                self.node(block, here.inside())

    def expression(self, expression: Expression, here: _Here, *, tested: bool = False, depth: int = 0) -> None:
        """`tested`: a missing variable is an answer here, no failure."""
        self.steps += 1
        if depth > _MAX_DEPTH:
            raise TemplateInvalid("conditions or brackets are nested too deep", line_of(expression.token))
        if isinstance(expression, FilteredExpression):
            self.filtered(expression, here, depth)
            return
        if isinstance(expression, RangeLiteral):
            _check_range(expression)
        elif isinstance(expression, Path):
            self.steps += len(expression.path)
            if any(isinstance(part, Path) for part in expression.path):
                # else nobody could tell which variables a template uses
                raise TemplateInvalid("a name in brackets must be written in quotes, or be a number", line_of(expression.token))
            if tested or dotted([str(part) for part in expression.path]) in here.present:
                self.optional.add(expression.token.start_index)
            tested = False
        elif isinstance(expression, LoopExpression):
            # the library writes the iterable's name out several times each time the loop begins
            self.steps += 4 * (len(expression.iterable.path) if isinstance(expression.iterable, Path) else 1)
        elif isinstance(expression, _COMPARISONS):
            self.steps += 3
            _put_operands(expression)
            tested = True
        elif isinstance(expression, BooleanExpression):
            tested = True
        for each in expression.children():
            self.expression(each, here, tested=tested, depth=depth + 1)

    def filtered(self, expression: FilteredExpression, here: _Here, depth: int) -> None:
        filters = expression.filters or []
        self.expression(expression.left, here, tested=bool(filters) and filters[0].name == "default", depth=depth + 1)
        for one in filters:
            self.steps += 5
            if one.name not in self.environment.filters:
                raise TemplateInvalid(f"there is no filter {one.name}", line_of(one.token))
            self.check_arguments(one)
            for argument in one.children():
                self.expression(argument, here, depth=depth + 1)

    def check_arguments(self, one: Any) -> None:
        signature = self.environment.arguments(one.name)
        if signature is None:
            return
        names = [getattr(argument, "name", None) for argument in one.args]
        try:
            signature.bind(*(None for name in names if not name), **{name: None for name in names if name})
        except TypeError as e:
            raise TemplateInvalid(f"the filter {one.name}: {e}", line_of(one.token)) from None


_COMPARISONS = (EqExpression, NeExpression, LtExpression, LeExpression, GtExpression, GeExpression, ContainsExpression)


def _put_operands(expression: Any) -> None:
    if isinstance(expression, EqExpression | NeExpression):
        if _is_nothing(expression.right):
            expression.left = OrEmpty(expression.left)
        elif _is_nothing(expression.left):
            expression.right = OrEmpty(expression.right)
    elif isinstance(expression, ContainsExpression):
        expression.left = Searched(expression.left, expression.right)
    else:
        expression.left, expression.right = Comparable(expression.left), Comparable(expression.right)


def _is_nothing(expression: Expression) -> bool:
    return isinstance(expression, Blank | Empty) or (isinstance(expression, StringLiteral) and expression.value == "")


def _check_range(expression: RangeLiteral) -> None:
    start, stop = expression.start, expression.stop
    if not (isinstance(start, IntegerLiteral) and isinstance(stop, IntegerLiteral)) or stop.value - start.value >= MAX_RANGE:
        raise TemplateInvalid(
            f"a range must be two whole numbers, at most {MAX_RANGE} long, as in (1..5)", line_of(expression.token)
        )


def _present(expression: Expression, outcome: bool) -> frozenset[str]:
    """The variables that must be there when a condition has this outcome."""
    return frozenset(_presences(expression, outcome))


def _presences(expression: Expression, outcome: bool) -> Iterator[str]:
    if isinstance(expression, BooleanExpression):
        yield from _presences(expression.expression, outcome)
    elif isinstance(expression, LogicalAndExpression if outcome else LogicalOrExpression):
        yield from _presences(expression.left, outcome)
        yield from _presences(expression.right, outcome)
    elif isinstance(expression, Path):
        if outcome:
            yield dotted([str(part) for part in expression.path])
    elif isinstance(expression, EqExpression | NeExpression):
        # `x != blank` that holds and `x == "a"` that holds both say that x is there
        for one, other in ((expression.left, expression.right), (expression.right, expression.left)):
            if isinstance(other, Path | OrEmpty):
                continue
            nothing = isinstance(other, Nil) or _is_nothing(other)
            if isinstance(one, Path | OrEmpty) and outcome == (isinstance(expression, NeExpression) == nothing):
                yield from _presences(one.inner if isinstance(one, OrEmpty) else one, True)
    elif isinstance(expression, _COMPARISONS) and outcome:
        for operand in expression.children():
            yield from _presences(getattr(operand, "inner", operand), True)
