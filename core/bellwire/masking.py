"""What may stand in a log line: masks numbers and secrets in text, and tells of an error without what it was given."""

from __future__ import annotations

import errno
import re
import traceback
from pathlib import PurePath

from bellwire.errors import BellwireError

HIDDEN = "…"

_TOKENS = re.compile(
    r"""
    (?P<safe>                                       # looks like a number, is none
        \b[a-z]{3,4}_[0-9a-f]{32}\b                 #   our ids
      | \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
      | \b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?(?![\d-])
      | (?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?(?![\d.])
    )
  | (?P<hidden>
        \b(?i:bearer|basic|digest)\s+[\w.~+/=:-]{6,}
      | \b(?:whsec_|shp[a-z]{2}_|[spr]k_|gh[pousr]_|xox[a-z]-|eyJ|AKIA|bw_)[\w.+/=-]{6,}
      | (?<=://)[^\s/@]+@                           # user and password in a URL
      | \?(?=\S*=)[^\s'"]+                          # a query
      | (?i:pass(?:word|wd)?|secret|token|api[_-]?key|authorization|signature|credentials?)["']?\s*[=:]\s*["']?[^\s"',;]+
      | [\w.+-]+@[\w-]+\.[\w.-]+                    # e-mail
      | (?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{28,}
      | \+?\d(?:[ ().\u00a0-]{0,2}\d){6,}           # as people write phone and card numbers
    )
    """,
    re.VERBOSE,
)
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {0x2028: "\\u2028", 0x2029: "\\u2029"}
_FRAMES = 25
_CAUSES = 4


def mask(text: str) -> str:
    """The text without phone numbers, e-mail addresses, tokens, queries and passwords, and without control characters."""
    return one_line(_TOKENS.sub(lambda found: found["safe"] or HIDDEN, text))


def one_line(text: str) -> str:
    """The text with its control characters spelled out: it can neither end a line nor steer a terminal."""
    return text.translate(_CONTROL)


def told(error: BaseException) -> str:
    """An error as a log line may have it: places and classes of the whole chain.

    The message stands only where it is ours: our errors hold names and ids. Anybody else's may quote what they were given
    (pydantic and SQLAlchemy do), as do local values and source lines, so none of these is here.
    """
    lines = []
    one: BaseException | None = error
    for number in range(_CAUSES):
        if one is None:
            break
        lines.append(("caused by " if number else "") + name(one))
        lines += [f"  {_place(frame)}" for frame in traceback.extract_tb(one.__traceback__)[-_FRAMES:]]
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\n".join(lines)


def name(error: BaseException) -> str:
    """The error's class; with its message when that is ours, with its number when the system gave one."""
    kind = type(error).__name__
    if isinstance(error, BellwireError):
        return f"{kind}: {mask(str(error))}"
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return f"{kind}: {errno.errorcode[error.errno]}"
    return kind


def where(error: BaseException) -> str:
    """`file.py:12`, the innermost place it was raised at; "" when it never was."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _place(frame: traceback.FrameSummary) -> str:
    """The last three parts of the path: where an installation lies is nobody's business."""
    return f"{'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
