"""Return webhooks: asked for, approved, declined. The body has ids; order and reasons are fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bellwire import Event

from .delivery import Body, Delivery, gid, text
from .shop import shop_data


class ReturnOrder(Body):
    """The order inside a return."""

    id: int
    admin_graphql_api_id: str | None = None


class ReturnLine(Body):
    """One returned line."""

    return_reason: str | None = None


class Decline(Body):
    """Why a return was declined."""

    reason: str | None = None


class Return(Body):
    """The Return body of `returns/*`."""

    gid_kind = "Return"

    id: int
    admin_graphql_api_id: str | None = None
    status: str | None = None
    name: str | None = None
    order: ReturnOrder
    return_line_items: list[ReturnLine] | None = None
    decline: Decline | None = None


#: ReturnStatus values that a return of that stage can't have.
_NOT_YET = {
    "return.requested": frozenset({"declined"}),
    "return.approved": frozenset({"requested", "declined"}),
    "return.declined": frozenset({"requested", "open"}),
}


def reader(event_type: str) -> Callable[[Delivery], Sequence[Event]]:
    """The reader of one return topic, once a return and stage."""

    def read(delivery: Delivery) -> Sequence[Event]:
        returned = delivery.parse(Return)
        if text(returned.status).lower() in _NOT_YET[event_type]:
            raise delivery.contradicted("status")
        order = gid("Order", returned.order.id, returned.order.admin_graphql_api_id)
        number = gid("Return", returned.id, returned.admin_graphql_api_id)
        return [
            delivery.event(
                event_type,
                number,
                f"order/{order}",
                at=None,
                data={
                    "order.id": order,
                    "return.id": number,
                    "return.name": text(returned.name),
                    "return.reason": _reason(returned),
                    **shop_data(delivery.installation),
                },
                fetch={"order": order, "return": number},
            )
        ]

    return read


def _reason(returned: Return) -> str:
    if returned.decline and returned.decline.reason:
        return text(returned.decline.reason).lower()
    return next((text(line.return_reason).lower() for line in returned.return_line_items or [] if line.return_reason), "")
