"""One field's rule in a mapping: where its value comes from, which of our words it becomes, what stands for a missing one. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from bellwire import Json
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bellwire_connectors.translating.bodies import day_or_time, one_line
from bellwire_connectors.translating.happenings import hours

from .paths import look_up, parse_path

_TEXT_MAX, _LIST_MAX, _DIGITS_MAX = 1_000, 50, 30
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
_PLAIN = (str, int, bool)


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("must be a header's name, such as X-Event")
    return value


def _path(value: str) -> str:
    parse_path(value)
    return value


PathText = Annotated[str, AfterValidator(_path)]
HeaderName = Annotated[str, AfterValidator(_header)]
Plain = str | int | bool


class Strict(BaseModel):
    """A part of a mapping: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class Spec(Strict):
    """One field: a path (or several, the first that is there), a header, or a fixed value.

    `map`: the platform's words → ours; a word that is not in it is missing. `default`: what stands for a missing value.
    """

    path: PathText | list[PathText] | None = None
    header: HeaderName | None = None
    value: Plain | None = None
    map: Mapping[str, Plain] | None = None
    default: Plain | None = None
    kind: Literal["text", "number", "time", "true_or_false", "minutes_as_hours", "seconds_as_hours"] = Field(
        default="text", alias="as"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Spec:
        given = [name for name in ("path", "header", "value") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of path, header and value; it has {' and '.join(given) or 'none'}")
        if self.path == []:
            raise ValueError("path is an empty list; name at least one path")
        return self

    @property
    def place(self) -> str:
        """Where the value should stand, as a person would say it."""
        if self.header:
            return f"header {self.header}"
        return self.path if isinstance(self.path, str) else " or ".join(self.path or ["value"])

    def of(self, body: Any, headers: Mapping[str, str]) -> Json:
        """The field's value, None when it is missing."""
        found = self._found(body, headers)
        if self.map is not None:
            found = self.map.get(_word(found)) if isinstance(found, _PLAIN) else None
        made = _CONVERSIONS[self.kind](found)
        return self.default if made is None or made == "" else made

    def text(self, body: Any, headers: Mapping[str, str], limit: int = 255) -> str:
        """The value as one line of text, "" when it is missing or no plain value."""
        made = self.of(body, headers)
        return one_line(_word(made), limit) if isinstance(made, _PLAIN) else ""

    def _found(self, body: Any, headers: Mapping[str, str]) -> Any:
        if self.value is not None:
            return self.value
        if self.header:
            return headers.get(self.header.lower()) or None
        paths = [self.path] if isinstance(self.path, str) else self.path or []
        return next((found for one in paths if (found := look_up(parse_path(one), body)) not in (None, "", [])), None)


def short(value: Any) -> Any:
    """A spec written short: a path alone, or a list of paths."""
    return {"path": value} if isinstance(value, str | list) else value


AnySpec = Annotated[Spec, BeforeValidator(short)]


def _word(value: object) -> str:
    """A plain value as the text that a `map` is asked with: JSON's `true`, not Python's."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_text(value: Any) -> Json:
    """Texts in one line, whole numbers and truths as they are, broken numbers as decimal text, lists of such; None for objects."""
    if isinstance(value, list):
        return [made for one in value[:_LIST_MAX] if (made := _as_text(one)) is not None and not isinstance(made, list)]
    if isinstance(value, str):
        return one_line(value, _TEXT_MAX)
    if isinstance(value, float):
        return _as_number(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_DIGITS_MAX:
        return None
    return value if isinstance(value, _PLAIN) else None


def _as_number(value: Any) -> Json:
    """A decimal text: money and the like."""
    number = _decimal(value)
    return None if number is None else f"{number:f}"


def _as_time(value: Any) -> Json:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) in (10, 13):
        value = int(value)
    return day_or_time(value) or None


def _as_truth(value: Any) -> Json:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(word)


def _as_hours(divisor: int) -> Callable[[Any], Json]:
    def convert(value: Any) -> Json:
        number = _decimal(value)
        if number is None or abs(number) >= 10**9:
            return None
        return hours(int(number) // divisor) or None

    return convert


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int) and abs(value) >= 10**_DIGITS_MAX:
        return None
    try:
        number = Decimal(str(value)[: _DIGITS_MAX + 2].strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _DIGITS_MAX else None


_CONVERSIONS: Mapping[str, Callable[[Any], Json]] = {
    "text": _as_text,
    "number": _as_number,
    "time": _as_time,
    "true_or_false": _as_truth,
    "minutes_as_hours": _as_hours(1),
    "seconds_as_hours": _as_hours(60),
}
