"""The stand-in organization's SOQL: one object, AND and OR, comparisons, IN, LIKE, ORDER BY, LIMIT; unknown names are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign><=|>=|!=|=|<|>|\(|\)|,))"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Wrong(Exception):
    """What the organization says to a query: its error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Query:
    """A parsed query."""

    fields: list[str]
    kind: str
    test: Test
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int = 50_000


def parse(soql: str) -> Query:
    """The query. Raises Wrong: MALFORMED_QUERY."""
    return _Parser(_tokens(soql)).query()


def names_in(soql: str) -> set[str]:
    """Every field that a query names, to be checked against the object."""
    query, found = parse(soql), set()

    class Spy(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            found.add(name)
            return default

    query.test(Spy())
    return {*query.fields, *found, *(name for name, _ in query.order)}


def moment(value: Any) -> Any:
    """A value for comparing: times as times, text without regard to case."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value).astimezone(UTC)
    return value.casefold() if isinstance(value, str) else value


def _tokens(soql: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(soql.rstrip()):
        match = _TOKEN.match(soql, at)
        if match is None:
            raise Wrong("MALFORMED_QUERY", f"unexpected token: '{soql[at : at + 10]}'")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at = tokens, 0

    def query(self) -> Query:
        self._expect("SELECT")
        fields = [self._name()]
        while self._take(","):
            fields.append(self._name())
        self._expect("FROM")
        kind = self._name()
        test: Test = _every
        if self._take("WHERE"):
            test = self._any()
        order: list[tuple[str, bool]] = []
        if self._take("ORDER"):
            self._expect("BY")
            order.append(self._sorting())
            while self._take(","):
                order.append(self._sorting())
        limit = int(self._next()[1]) if self._take("LIMIT") else 50_000
        if self._at != len(self._tokens):
            raise Wrong("MALFORMED_QUERY", f"unexpected token: '{self._tokens[self._at][1]}'")
        return Query(fields, kind, test, order, limit)

    def _sorting(self) -> tuple[str, bool]:
        name = self._name()
        if self._take("DESC"):
            return name, True
        self._take("ASC")
        return name, False

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return lambda row: True in [test(row) for test in tests]  # every name is looked at

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("AND"):
            tests.append(self._one())
        return lambda row: False not in [test(row) for test in tests]

    def _one(self) -> Test:
        if self._take("("):
            test = self._any()
            self._expect(")")
            return test
        name = self._name()
        if self._take("LIKE"):
            pattern = _like(self._value())
            return lambda row: bool(pattern.fullmatch(str(row.get(name) or "")))
        if self._take("IN"):
            wanted = [moment(one) for one in self._values()]
            return lambda row: moment(row.get(name)) in wanted
        return _comparing(name, self._next()[1], moment(self._value()))

    def _values(self) -> Iterator[Any]:
        self._expect("(")
        yield self._value()
        while self._take(","):
            yield self._value()
        self._expect(")")

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1])
        if kind == "number":
            return float(text)
        if kind == "time":
            return text
        words = {"true": True, "false": False, "null": None}
        if text.lower() not in words:
            raise Wrong("MALFORMED_QUERY", f"unexpected token: '{text}'")
        return words[text.lower()]

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "word":
            raise Wrong("MALFORMED_QUERY", f"unexpected token: '{text}'")
        return text

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Wrong("MALFORMED_QUERY", "unexpected end")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1].upper() == word:
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise Wrong("MALFORMED_QUERY", f"expecting '{word}'")


def _every(_row: Row) -> bool:
    return True


def _comparing(name: str, sign: str, wanted: Any) -> Test:
    def test(row: Row) -> bool:
        found = moment(row.get(name))
        if sign in ("=", "!="):
            return bool(found == wanted) == (sign == "=")
        if found is None or wanted is None:
            return False
        return bool({"<": found < wanted, ">": found > wanted, "<=": found <= wanted, ">=": found >= wanted}[sign])

    if sign not in ("=", "!=", "<", ">", "<=", ">="):
        raise Wrong("MALFORMED_QUERY", f"unexpected token: '{sign}'")
    return test


def _like(pattern: str) -> re.Pattern[str]:
    # the value's own escapes were taken off; `\_` and `\%` stay what they are in a text without backslashes
    return re.compile("".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in pattern), re.IGNORECASE | re.DOTALL)
