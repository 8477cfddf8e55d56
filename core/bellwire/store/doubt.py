"""Which waiting messages may have left already, at an earlier attempt: the carrier was not heard, or its worker died."""

from __future__ import annotations

import sqlalchemy as sa

from bellwire.errors import ErrorClass
from bellwire.store import schema

_m, _a = schema.messages.c, schema.attempts.c

#: Whether the person may have the text of a message that waits: it waits to be asked for by its reference, or for a second send
#: that somebody wanted knowingly. An attempt that certainly failed leaves no doubt.
MAY_HAVE_LEFT: sa.ColumnElement[bool] = sa.and_(
    _m.attempts > 0,
    sa.exists()
    .where(_a.message_id == _m.id, _a.tenant_id == _m.tenant_id, _a.error_class == str(ErrorClass.AMBIGUOUS))
    .correlate(schema.messages),
)
#: Why such a message is not called `canceled`.
WHY = "an earlier try may have reached the person"
