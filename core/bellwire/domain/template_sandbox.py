"""The template engine, python-liquid, without what reaches outside, grows, or reads a clock.

A template sees plain values only (`template_values`), no attribute or method of anything. Work is counted, not timed: a filter is
charged for the characters it reads and writes, a loop for its rounds; what is over a limit raises RenderFailed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, TextIO

from liquid import Environment, RenderContext
from liquid.builtin import content, illegal
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags import (
    assign_tag,
    capture_tag,
    case_tag,
    comment_tag,
    echo_tag,
    for_tag,
    if_tag,
    inline_comment_tag,
    unless_tag,
)
from liquid.exceptions import LiquidError, OutputStreamLimitError
from liquid.template import BoundTemplate
from liquid.utils import ReadOnlyChainMap

from bellwire.domain.template_bounds import Filter, Missing, foreign, localized, standard
from bellwire.domain.template_filters import LOCALIZED, Place
from bellwire.domain.template_standard import STANDARD
from bellwire.domain.template_values import ABSENT, Unusable, dotted, is_single, nest, plain, step, text_of
from bellwire.errors import RenderFailed

MAX_ROUNDS = 1_000  # of all loops of a render together
MAX_WORK = 1_000_000  # characters that filters and comparisons may go through
MAX_OUTPUT = 40_000  # octets: 255 segments hold 39,015 characters
MAX_VARIABLES = 2_000
_MAX_NAMES = 8  # of a flat name


class Parsed(BoundTemplate):
    """A parsed template. `rounds`: how many its loops may take; the more it holds, the fewer."""

    rounds: int = 0


class Context(RenderContext):
    """One render: the variables, whose habits decide, and how much may still be done."""

    __slots__ = ("data", "kept", "nested", "place", "rounds_left", "work_left")

    def __init__(self, template: Parsed, data: Mapping[str, object], place: Place) -> None:
        super().__init__(template)
        self.scope = ReadOnlyChainMap(self.locals)  # the library's own also holds `now` and `today`
        self.data = data
        self.place = place
        self.kept: dict[str, Any] = {}
        self.nested: dict[str, Any] | None = None
        self.rounds_left = template.rounds
        self.work_left = MAX_WORK

    def charge(self, work: int) -> None:
        """Count work that was done, or is about to be. Raises RenderFailed beyond the limit."""
        self.work_left -= work
        if self.work_left < 0:
            raise RenderFailed("the template handles too much text: shorten long values first, or use fewer filters")

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Called by the library as a loop begins. Raises RenderFailed beyond the limit."""
        self.rounds_left -= length
        if self.rounds_left < 0:
            raise RenderFailed("the template's loops take too many rounds: give them a limit, or put less into them")

    def filter(self, name: str, token: object) -> Filter:  # noqa: ARG002  # the library's signature
        """The filter, bound to this render."""
        return partial(self.env.filters[name], self)

    def get(self, path: list[Any], *, token: object = None, default: object = None) -> Any:  # noqa: ARG002  # as above
        """The plain value at a path, Missing when there is none."""
        value = self._find(path)
        if value is None or value is ABSENT:
            return Missing(dotted(path))
        if value.__class__ is str and len(value) > 256:
            self.charge(len(value))
        return value

    def _find(self, path: list[Any]) -> Any:
        root = path[0]
        if self.loops or self.locals:
            try:
                value: Any = self.scope[root]
            except (KeyError, TypeError):
                pass
            else:
                return _below(value, path)
        try:
            name = root if len(path) == 1 else ".".join(path)
            value = self.data[name]
        except (KeyError, TypeError):  # TypeError: an index in the path
            return self._look_below(path)
        if is_single(value):
            return value
        return self._root(root) if name == root else self._keep(name, value)

    def _look_below(self, path: list[Any]) -> Any:
        """What stands below a flat name: `order.line_items` and then `[0].title`; else below the nested names."""
        for length in range(min(len(path) - 1, _MAX_NAMES), 1, -1):
            try:
                name = ".".join(path[:length])
                value = self._keep(name, self.data[name])
            except (KeyError, TypeError):
                continue
            found = _below(value, path[length - 1 :])
            if found is not ABSENT:
                return found
        return _below(self._root(path[0]), path)

    def _root(self, root: object) -> Any:
        if not isinstance(root, str):
            return ABSENT
        if self.nested is None:
            self.nested = nest(self.data)
        return self._keep(root, self.nested.get(root, ABSENT))

    def _keep(self, name: str, value: object) -> Any:
        if name not in self.kept:
            self.kept[name], count = (ABSENT, 0) if value is ABSENT else plain(value, name)
            self.charge(10 * count)
        return self.kept[name]


_LOOP_KEYS = frozenset({"index", "index0", "rindex", "rindex0", "first", "last", "length"})


def _below(value: Any, path: list[Any]) -> Any:
    for key in path[1:]:
        if type(value) is Missing:
            return value
        value = _of_loop(value, key) if isinstance(value, for_tag.ForLoop) else step(value, key)
        if value is ABSENT:
            return ABSENT
    return value


def _of_loop(loop: for_tag.ForLoop, key: object) -> Any:
    return loop[key] if isinstance(key, str) and key in _LOOP_KEYS else ABSENT


# -- tags ---------------------------------------------------------------------------------------------------------


class Print(OutputNode):
    """An output: a single value or a refusal, never "" for nothing or a list's Python form."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value."""
        try:
            value = self.expression.evaluate(context)
            if type(value) is Missing:
                value.refuse()
            return buffer.write(text_of(value))
        except Unusable as e:
            raise self._named(e) from None

    def _named(self, error: Unusable) -> RenderFailed:
        source = self.expression.left if isinstance(self.expression, FilteredExpression) else self.expression
        if isinstance(source, Path):
            name = dotted(source.path)
            return RenderFailed(f"{name} {error}", name)
        return RenderFailed(f"{_at(self)}the value {error}")


class _PrintTag(Output):
    node_class = Print


class _EchoTag(echo_tag.EchoTag):
    node_class = Print  # type: ignore[assignment]  # the library's own is also an output


class Choice(case_tag.CaseNode):
    """`case`: each block once. The library repeats it for every value that fits, which doubles with each level of nesting."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the blocks that fit, or the `else` ones."""
        found, count = False, 0
        for block in self.blocks:
            if isinstance(block, case_tag.MultiExpressionBlockNode):
                if any(block.expression.evaluate(context)):
                    found = True
                    count += block.block.render(context, buffer)
            elif not found:
                count += block.render(context, buffer)
        return count


class _CaseTag(case_tag.CaseTag):
    node_class = Choice


# -- the environment ----------------------------------------------------------------------------------------------

_TAGS: Iterable[Any] = (
    *(content.Literal, _PrintTag, illegal.Illegal, _EchoTag, comment_tag.CommentTag, inline_comment_tag.InlineCommentTag),
    *(if_tag.IfTag, unless_tag.UnlessTag, _CaseTag, for_tag.ForTag, for_tag.BreakTag, for_tag.ContinueTag),
    *(assign_tag.AssignTag, capture_tag.CaptureTag),
)


class Sandbox(Environment):
    """The tags and filters there are: a list of what is allowed, so that a newer library adds nothing by itself."""

    block_nesting_limit = 10
    output_stream_limit = MAX_OUTPUT
    template_class = Parsed

    def __init__(self, plugins: Mapping[str, Filter]) -> None:
        self.plugins = plugins
        super().__init__(undefined=Missing)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:  # noqa: ARG002  # the library's signature
        """Called by the library. A plugin can't replace one of ours."""
        for tag in _TAGS:
            self.add_tag(tag)
        self.filters = {
            **{name: foreign(name, function) for name, function in self.plugins.items()},
            **{name: standard(name, one) for name, one in STANDARD.items()},
            **{name: localized(name, function) for name, function in LOCALIZED.items()},
        }

    def error(self, exc: Any, msg: str | None = None, token: Any = None) -> None:
        """Called by the library with an error, and again on the way up with a token that may know the line."""
        if isinstance(exc, LiquidError) and token is not None and not line_of(exc.token):
            exc.token = token
        super().error(exc, msg, token)

    def arguments(self, name: str) -> inspect.Signature | None:
        """What a filter takes after the value; None when it can't be told."""
        function = STANDARD[name].function if name in STANDARD else LOCALIZED.get(name) or self.plugins[name]
        try:
            given = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # written in C, without a signature
            return None
        return inspect.Signature(given[2 if name in LOCALIZED else 1 :])


@lru_cache(maxsize=16)
def sandbox(plugins: frozenset[tuple[str, Filter]] = frozenset()) -> Sandbox:
    """The environment with these plugins' filters."""
    return Sandbox(dict(plugins))


def line_of(token: Any) -> int:
    """The line a token stands in, from 1; 0 when unknown."""
    return token.source.count("\n", 0, token.start_index) + 1 if token is not None and token.start_index >= 0 else 0


def render(template: Parsed, variables: Mapping[str, object], place: Place) -> str:
    """The text. Raises RenderFailed; nothing else, and never with a value in it."""
    if len(variables) > MAX_VARIABLES:
        raise RenderFailed(f"there are more than {MAX_VARIABLES} variables")
    context = Context(template, variables, place)
    buffer = context.get_buffer()
    node = None
    try:
        for node in template.nodes:
            node.render(context, buffer)
    except Unusable as e:
        raise RenderFailed(f"{_at(node)}a value {e}") from None
    except OutputStreamLimitError:
        raise RenderFailed("the text is longer than a message can be") from None
    except LiquidError as e:
        raise RenderFailed(f"{_at(e if e.token else node)}{e.message}") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as e:
        raise RenderFailed(f"{_at(node)}can't be rendered ({type(e).__name__})") from None
    return buffer.getvalue()


def _at(place: Any) -> str:
    line = line_of(place.token) if place is not None else 0
    return f"line {line}: " if line else ""
