"""Errors as problem documents (RFC 9457): the one place that turns what was raised into what is answered."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, get_args

from bellwire import errors
from bellwire.logs import logger
from flask import Flask, Response, g
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException

from bellwire_web.fields import PATTERN_WORDS, Answer

_log = logger(__name__)

MEDIA_TYPE = "application/problem+json"
_TOLD = 3  # fields that the detail tells of; `errors` has them all
RETRY_AFTER_S = 1  # the database answers within 2 s or not at all; a second later is worth a try


class FieldProblem(Answer):
    """What is wrong with one field."""

    field: Annotated[str, Field(description="Dotted path of the field.", examples=["credentials.shop"])]
    code: Annotated[str, Field(description="Stable; programs may branch on it.", examples=["required"])]
    message: Annotated[str, Field(description="What is wrong and what would be right.", examples=["is required"])]


class Problem(Answer):
    """Why a request was not served (RFC 9457)."""

    type: str = "about:blank"
    title: Annotated[str, Field(examples=["Unprocessable Entity"])]
    status: Annotated[int, Field(examples=[422])]
    code: Annotated[str, Field(description="Stable; programs may branch on it.", examples=["invalid_fields"])]
    detail: str = ""
    errors: Annotated[list[FieldProblem], Field(default_factory=list)]
    request_id: Annotated[str, Field(description="Names this request in the log.")] = ""


class Refused(Exception):
    """A request that is answered with a problem: raised by the layers that read it, never by views' own work."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        *,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.problem = problem(status, code, detail, fields)
        self.headers = dict(headers or {})


def problem(status: int, code: str, detail: str = "", fields: Sequence[FieldProblem] = ()) -> Problem:
    """A problem with the status's own title. Without a detail the fields are told in it: some callers show nothing else."""
    return Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail or _told(fields), errors=list(fields))


def _told(fields: Sequence[FieldProblem]) -> str:
    lines = [f"{one.field or 'the body'} {one.message}" for one in fields[:_TOLD]]
    more = [f"and {len(fields) - _TOLD} more"] if len(fields) > _TOLD else []
    return "; ".join(lines + more)


def of(error: Exception) -> tuple[Problem, dict[str, str]]:
    """The problem and headers for anything that may be raised while a request is served."""
    if isinstance(error, Refused):
        return error.problem, error.headers
    if isinstance(error, errors.FieldInvalid):
        return one_field(error), {}
    if isinstance(error, errors.PayloadInvalid):
        return problem(error.status, error.code, str(error)), {}
    if isinstance(error, errors.NotFound):
        return problem(404, "not_found", str(error)), {}
    if isinstance(error, errors.Conflict):
        return problem(409, error.code, str(error)), {}
    if isinstance(error, errors.NotAllowed):
        return problem(403, error.code, str(error)), {}
    if isinstance(error, errors.StoreUnavailable):
        return problem(503, "store_unavailable", "nothing was stored; try again"), {"Retry-After": str(RETRY_AFTER_S)}
    if isinstance(error, IntegrityError):
        # two processes made the same thing at the same moment; within one the check before the insert has seen it
        return problem(409, "already_exists", "somebody else made this at the same moment"), {}
    if isinstance(error, HTTPException):
        return _of_http(error)
    _log.error("request.failed", error=error, request_id=request_id())
    return problem(500, "internal", "an error of ours; the log has it under the request id"), {}


def one_field(error: errors.FieldInvalid) -> Problem:
    """The 422 for one bad field."""
    return problem(422, "invalid_fields", "", [FieldProblem(field=error.field, code=error.code, message=error.message)])


def shown(made: Problem) -> Problem:
    """The problem as it is answered: with this request's id."""
    return made.model_copy(update={"request_id": request_id()})


def answer(made: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response."""
    response = Response(shown(made).model_dump_json(), made.status, mimetype=MEDIA_TYPE)
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def request_id() -> str:
    """This request's id, "" outside of one."""
    return g.get("request_id", "") if g else ""


def register(app: Flask) -> None:
    """Answer every error with a problem."""

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        return answer(*of(error))


_HTTP_CODES = {
    400: ("bad_request", "the request can't be read"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take that method; see Allow"),
    408: ("timeout", "the request did not arrive in time"),
    413: ("too_large", "the body is larger than this address takes"),
    415: ("content_type", "the body must be application/json"),
}


def _of_http(error: HTTPException) -> tuple[Problem, dict[str, str]]:
    status = error.code or 500
    code, detail = _HTTP_CODES.get(status, ("http_error", ""))
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")}
    if status < 400:  # Flask redirects by raising
        return problem(404, "not_found", "there is nothing at this address"), {}
    return problem(status, code, detail), kept


# -- what pydantic says, in our words -----------------------------------------------------------------------------

_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "enum": "not_one_of",
    "literal_error": "not_one_of",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "string_pattern_mismatch": "pattern",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "out_of_range": "out_of_range",
    "time": "wrong_type",
    "duration": "wrong_type",
    "locale": "pattern",
}


_ID = re.compile(r"\^(\w+)_\[0-9a-f\]\{32\}\$")
_SUBJECT = re.compile(r"^[A-Z][A-Za-z]*( input)? should")  # Input, String, List, Dictionary, …
_COUNTED = re.compile(r"(?<=items|.item) after validation, not (more than )?\d+$")


def of_validation(error: ValidationError, model: type[BaseModel]) -> Refused:
    """The 400 for what is not JSON, the 422 for fields that are wrong."""
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Refused(400, "not_json", str(found[0]["msg"]))
    fields = [_field(one, model) for one in found[:100]]
    return Refused(422, "invalid_fields", fields=fields)


def _field(found: Any, model: type[BaseModel]) -> FieldProblem:
    kind = found["type"]
    return FieldProblem(
        field=".".join(str(part) for part in found["loc"] if part != "[key]"),  # which pydantic adds to say that a name is wrong
        code=_CODES.get(kind, "wrong_type" if kind.endswith(("_type", "_parsing")) else "invalid_field"),
        message=_message(found, model),
    )


def _message(found: Any, model: type[BaseModel]) -> str:
    kind, place = found["type"], found["loc"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        inner = _model_at(model, place[:-1])
        if inner is None:
            return "is not a field here"
        known = [field.alias or name for name, field in inner.model_fields.items()]
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        return f"is not a field here; did you mean {near[0]}?" if near else f"is not a field here; there are {', '.join(known)}"
    if kind == "string_pattern_mismatch":
        pattern = str(found["ctx"]["pattern"])
        return PATTERN_WORDS.get(pattern) or _of_pattern(pattern)
    return _COUNTED.sub("", _SUBJECT.sub("must", str(found["msg"]).removeprefix("Value error, ")))


def _of_pattern(pattern: str) -> str:
    id_ = _ID.fullmatch(pattern)
    return f"must look like {id_[1]}_ and 32 hexadecimal digits" if id_ else f"must match {pattern}"


def _model_at(model: type[BaseModel], place: Sequence[Any]) -> type[BaseModel] | None:
    """The model that is read at a place of another one's input; None where it is none, or one of several."""
    found: type[BaseModel] | None = model
    for part in place:
        if found is None or isinstance(part, int):  # an item is what its list is of
            continue
        field = next((one for name, one in found.model_fields.items() if part in (name, one.alias)), None)
        found = _model_in(field.annotation) if field is not None else None
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The one model in `Model`, `Model | None`, `list[Model]` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [one for one in map(_model_in, get_args(annotation)) if one is not None]
    return inner[0] if len(inner) == 1 else None
