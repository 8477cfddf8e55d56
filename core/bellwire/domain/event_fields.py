"""The names that templates and conditions may count on, by kind of event. Connectors bring more; these every one has."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_SHOP = (
    "order.name order.number order.total order.currency order.status_url order.item_count customer.first_name customer.last_name"
)
_TRACKING = "tracking.number tracking.url tracking.company"
_CONTACT = "contact.first_name contact.last_name contact.email"
_DEAL = "deal.name deal.stage deal.amount"
_CASE = "case.number case.subject case.status"
_TICKET = "ticket.id ticket.subject ticket.status ticket.url ticket.latest_comment requester.first_name agent.first_name"
_TIMECARD = "worker.name timecard.period_start timecard.period_end timecard.hours timecard.reason"
_SHIFT = "worker.name shift.starts_at shift.ends_at shift.location"
_TASK = "worker.name task.title task.status task.due_at task.url"

_BY_FAMILY = {
    "order": _SHOP,
    "fulfillment": f"{_SHOP} {_TRACKING}",
    "return": _SHOP,
    "checkout": _SHOP,
    "customer": "customer.first_name customer.last_name",
    "contact": _CONTACT,
    "deal": f"{_CONTACT} {_DEAL}",
    "lead": "lead.first_name lead.last_name lead.status",
    "case": f"{_CONTACT} {_CASE}",
    "ticket": _TICKET,
    "timecard": _TIMECARD,
    "shift": _SHIFT,
    "task": f"{_TASK} payment.amount payment.currency",
    "payment": "payment.amount payment.currency",
}

#: Known in every text.
EVERYWHERE = frozenset({"tenant.name", "shop.name"})
_FIELDS = {family: frozenset(names.split()) for family, names in _BY_FAMILY.items()}
#: The first parts of names that only an event brings; a caller's own variables have others.
_ROOTS = frozenset(name.partition(".")[0] for names in (*_FIELDS.values(), EVERYWHERE) for name in names)


def documented(event_type: str) -> frozenset[str]:
    """The fields that every event of this type may have: `order.paid` → `order.total` …"""
    return _FIELDS.get(event_type.partition(".")[0], frozenset()) | EVERYWHERE


def known(events: Collection[str], brought: Iterable[str], used: Iterable[str]) -> frozenset[str]:
    """The names that are no mistake in a template.

    `events`: the types that use it. `brought`: names seen in such events. `used`: the template's own. While no event uses the
    template it may be for callers of the API, who bring names of their own: then only a name under an event's object
    (`order.nmae`) can be a mistake.
    """
    names = {*EVERYWHERE, *brought}
    for event_type in events:
        names |= documented(event_type)
    if not events:
        for fields in _FIELDS.values():
            names |= fields
        names |= {name for name in used if name.partition(".")[0] not in _ROOTS}
    return frozenset(names)
