"""A text as it can be sent: composed, without what no alphabet can carry."""

from __future__ import annotations

import re
import unicodedata

# TAB can be sent in UCS-2, FORM FEED is in the GSM extension table; LF and CR are letters of the alphabet.
_UNSENDABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\U0010ffff]")


def clean(text: str) -> str:
    """The text in NFC without the control characters that no alphabet has; a lone surrogate becomes U+FFFD.

    Two halves of a surrogate pair are joined. A vertical tab, the line break that word processors paste, becomes LF.
    """
    if _SUSPECT.search(text) is None:
        return text
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _UNSENDABLE.sub("", text.replace("\v", "\n"))
    # NFC: iOS and macOS paste e + U+0301, which is not in the GSM alphabet, for é, which is
    return unicodedata.normalize("NFC", text)
