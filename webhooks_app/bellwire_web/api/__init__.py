"""API v1, one module a resource: its request and answer models and its routes."""

from bellwire_web.api import (
    approval,
    callbacks,
    carriers,
    consents,
    events,
    figures,
    installations,
    jobs,
    keys,
    messages,
    people,
    records,
    routing,
    sending,
    staff,
    templates,
    tenant,
    trials,
    triggers,
)

#: Every resource, in the order in which the document shows them.
ROUTES = (
    sending.routes,
    consents.routes,
    templates.routes,
    triggers.routes,
    events.routes,
    installations.routes,
    carriers.routes,
    routing.routes,
    callbacks.routes,
    records.routes,
    people.routes,
    staff.routes,
    figures.routes,
    jobs.routes,
    keys.routes,
    tenant.routes,
)
__all__ = ["ROUTES", "approval", "messages", "trials"]  # these three add to routes of others
