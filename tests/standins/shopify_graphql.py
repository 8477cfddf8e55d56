"""The stand-in shop's GraphQL: parse, validate against the schema, charge its cost, execute."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    execute,
    parse,
    validate,
)

if TYPE_CHECKING:
    from standins.shopify import Shop

SCHEMA = build_schema((Path(__file__).parent / "shopify_schema.graphql").read_text(encoding="utf-8"))

#: The dearest single query Shopify takes.
MOST = 1000

#: Which scope a root field needs (writing implies reading).
NEEDS = {
    "order": "read_orders",
    "orders": "read_orders",
    "abandonedCheckouts": "read_orders",
    "refund": "read_orders",
    "return": "read_returns",
    "fulfillmentOrder": "read_merchant_managed_fulfillment_orders",
    "customer": "read_customers",
    "customers": "read_customers",
    "customerByIdentifier": "read_customers",
    "orderUpdate": "write_orders",
    "customerSmsMarketingConsentUpdate": "write_customers",
}

#: What an app without approval for protected customer data sees as null.
PROTECTED = frozenset(
    [
        "email",
        "phone",
        "firstName",
        "lastName",
        "defaultEmailAddress",
        "defaultPhoneNumber",
        "shippingAddress",
        "billingAddress",
        "defaultAddress",
    ]
)


class Throttle:
    """The leaky bucket of cost points (shopify.dev, "API rate limits")."""

    def __init__(self, size: float, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.size, self.rate, self._clock = size, rate, clock
        self._level, self._at = size, clock()
        self.refused = 0
        self.taken = 0.0  # points, of all calls that were done

    def take(self, cost: float) -> tuple[bool, float]:
        """Whether the call may go on, and what is left."""
        now = self._clock()
        self._level, self._at = min(self.size, self._level + (now - self._at) * self.rate), now
        if cost > self._level:
            self.refused += 1
            return False, self._level
        self._level -= cost
        self.taken += cost
        return True, self._level


class Answering:
    """Answers GraphQL requests out of a shop's state."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def answer(self, asked: Mapping[str, Any], scopes: Sequence[str]) -> dict[str, Any]:
        """The JSON answer; Shopify says 200 for nearly everything."""
        try:
            document = parse(asked["query"])
        except GraphQLError as error:
            return {"errors": [{"message": error.message}]}
        wrong = validate(SCHEMA, document)
        if wrong:
            return {"errors": [_error(one.message, "undefinedField") for one in wrong]}
        operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
        cost = _cost(operation)
        if cost > MOST:
            return {"errors": [_error(f"Query cost is {cost}", "MAX_COST_EXCEEDED")]}
        good, left = self._shop.throttle.take(cost)
        extensions = {
            "cost": {
                "requestedQueryCost": cost,
                "actualQueryCost": cost if good else None,
                "throttleStatus": {
                    "maximumAvailable": self._shop.throttle.size,
                    "currentlyAvailable": left,
                    "restoreRate": self._shop.throttle.rate,
                },
            }
        }
        if not good:
            return {"errors": [_error("Throttled", "THROTTLED")], "extensions": extensions}
        denied = [name for name in _roots(operation) if not _covered(NEEDS.get(name, ""), scopes)]
        if denied:
            told = [_error(f"Access denied for {name} field.", "ACCESS_DENIED") for name in denied]
            return {"data": dict.fromkeys(denied), "errors": told, "extensions": extensions}
        name = operation.name.value if operation.name else ""
        variables = dict(asked.get("variables") or {})
        result = execute(SCHEMA, document, root_value=self._root(), variable_values=variables, operation_name=name or None)
        answer: dict[str, Any] = {"data": result.data, "extensions": extensions}
        if result.errors:
            answer["errors"] = [_error(error.message, "BAD_REQUEST") for error in result.errors]
        else:
            self._shop.calls.append((name, variables))
        return answer

    def _root(self) -> dict[str, Callable[..., Any]]:
        shop = self._shop
        return {
            "shop": lambda _: {
                "id": "gid://shopify/Shop/1",
                "name": shop.name,
                "myshopifyDomain": shop.domain,
                "ianaTimezone": shop.timezone,
                "shopAddress": {"countryCodeV2": shop.country},
            },
            "currentAppInstallation": lambda _: {
                "id": "gid://shopify/AppInstallation/1",
                "accessScopes": [{"handle": scope} for scope in shop.scopes],
            },
            "publicApiVersions": lambda _: [
                {"displayName": handle, "handle": handle, "supported": handle != "unstable"}
                for handle in ("2026-01", "2026-04", "2026-07", "2026-10", "unstable")
            ],
            "order": lambda _, **args: self._hidden(shop.orders.get(args["id"])),
            "customer": lambda _, **args: self._hidden(shop.customers.get(args["id"])),
            "customerByIdentifier": lambda _, identifier: self._by_phone(identifier),
            "fulfillmentOrder": lambda _, **args: shop.fulfillment_orders.get(args["id"]),
            "return": lambda _, **args: shop.returns.get(args["id"]),
            "refund": lambda _, **args: self._refund(args["id"]),
            "orders": lambda _, **args: self._page(shop.orders, args),
            "customers": lambda _, **args: self._page(shop.customers, args),
            "abandonedCheckouts": lambda _, **args: self._page(shop.checkouts, args),
            "webhookSubscriptions": lambda _, **args: self._page(shop.subscriptions, args),
            "metafieldsSet": lambda _, metafields: self._set_metafields(metafields),
            "tagsAdd": lambda _, **args: self._tag(args["id"], add=args["tags"]),
            "tagsRemove": lambda _, **args: self._tag(args["id"], remove=args["tags"]),
            "orderUpdate": lambda _, **args: self._update(args["input"]),
            "customerSmsMarketingConsentUpdate": lambda _, **args: self._consent(args["input"]),
            "webhookSubscriptionCreate": lambda _, **args: self._subscribe(args["topic"], args["webhookSubscription"]),
            "webhookSubscriptionDelete": lambda _, **args: self._unsubscribe(args["id"]),
        }

    # -- reading ------------------------------------------------------------------------------------------------------

    def _hidden(self, found: dict[str, Any] | None) -> dict[str, Any] | None:
        """The object, without its protected fields for an app that has no approval for them."""
        if found is None or self._shop.protected_data:
            return found
        bare = {name: None if name in PROTECTED else value for name, value in found.items()}
        if bare.get("customer"):
            bare["customer"] = self._hidden(bare["customer"])
        return bare

    def _by_phone(self, identifier: Mapping[str, str]) -> dict[str, Any] | None:
        phone = identifier.get("phoneNumber")
        owners = (one for one in self._shop.customers.values() if (one.get("defaultPhoneNumber") or {}).get("phoneNumber") == phone)
        return next(owners, None) if phone else None

    def _refund(self, number: str) -> dict[str, Any] | None:
        refunds = (one for order in self._shop.orders.values() for one in order["_refunds"])
        return next((one for one in refunds if one["id"] == number), None)

    def _page(self, objects: Mapping[str, dict[str, Any]], args: Mapping[str, Any]) -> dict[str, Any]:
        found = [self._hidden(one) or {} for one in objects.values()]
        query = args.get("query") or ""
        if query:
            field, _, bound = query.partition(":>=")
            if field != "updated_at" or not bound.startswith("'"):
                raise GraphQLError(f"the stand-in does not know the search {query!r}")
            found = [one for one in found if _time(one["updatedAt"]) >= _time(bound.strip("'"))]
        if args.get("sortKey") == "UPDATED_AT":
            found.sort(key=lambda one: _time(one["updatedAt"]))
        if args.get("reverse"):
            found.reverse()
        start, first = int(args.get("after") or 0), args.get("first") or 50
        end = start + first
        more = len(found) > end
        return {"nodes": found[start:end], "pageInfo": {"hasNextPage": more, "endCursor": str(end) if more else None}}

    # -- writing ------------------------------------------------------------------------------------------------------

    def _owner(self, gid: str) -> dict[str, Any] | None:
        return self._shop.orders.get(gid) or self._shop.customers.get(gid)

    def _set_metafields(self, metafields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        errors = []
        if len(metafields) > 25:
            errors.append(_user_error("metafields", "Exceeded the maximum metafields input limit of 25.", "INVALID"))
        for place, one in enumerate(metafields):
            if self._owner(one["ownerId"]) is None:
                errors.append(_user_error(f"metafields.{place}.ownerId", "Owner does not exist.", "INVALID"))
            if not one.get("type"):
                errors.append(_user_error(f"metafields.{place}.type", "Type can't be blank", "INVALID_TYPE"))
        if errors:
            return {"metafields": None, "userErrors": errors}
        made = []
        for one in metafields:
            where = one["ownerId"], one.get("namespace") or "$app", one["key"]
            number = f"gid://shopify/Metafield/{len(self._shop.metafields) + 1}"
            self._shop.metafields[where] = {"id": number, "namespace": where[1], "key": where[2], "value": one["value"]}
            made.append(self._shop.metafields[where])
        return {"metafields": made, "userErrors": []}

    def _tag(self, gid: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> dict[str, Any]:
        owner = self._owner(gid)
        if owner is None:
            return {"node": None, "userErrors": [_user_error("id", "does not exist")]}
        before = list(owner["tags"])
        owner["tags"] = [tag for tag in dict.fromkeys([*before, *add]) if tag not in remove]
        if owner["tags"] != before:
            owner["updatedAt"] = self._shop.now().isoformat()
        return {"node": {"__typename": "Order", **owner}, "userErrors": []}

    def _update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        owner = self._shop.orders.get(given["id"])
        if owner is None:
            return {"order": None, "userErrors": [_user_error("id", "Order does not exist")]}
        if "note" in given:
            owner["note"], owner["updatedAt"] = given["note"], self._shop.now().isoformat()
        return {"order": owner, "userErrors": []}

    def _consent(self, given: Mapping[str, Any]) -> dict[str, Any]:
        owner, said = self._shop.customers.get(given["customerId"]), given["smsMarketingConsent"]
        phone = (owner or {}).get("defaultPhoneNumber")
        if not owner or not phone:
            told = _user_error("input.customerId", "A phone number is required to set the SMS consent state.", "INVALID")
            return {"customer": owner, "userErrors": [told]}
        if said["marketingState"] in {"NOT_SUBSCRIBED", "REDACTED"}:
            told = _user_error("input.smsMarketingConsent.marketingState", "Cannot specify this state", "INVALID")
            return {"customer": owner, "userErrors": [told]}
        at = said.get("consentUpdatedAt") or self._shop.now().isoformat()
        if _time(at) > self._shop.now():
            told = _user_error("input.smsMarketingConsent.consentUpdatedAt", "must be in the past", "INVALID")
            return {"customer": owner, "userErrors": [told]}
        if not phone.get("marketingUpdatedAt") or _time(phone["marketingUpdatedAt"]) <= _time(at):  # the newest statement wins
            phone |= {"marketingState": said["marketingState"], "marketingUpdatedAt": at, "marketingCollectedFrom": "OTHER"}
            phone["marketingOptInLevel"] = said.get("marketingOptInLevel") or "UNKNOWN"
            owner["updatedAt"] = self._shop.now().isoformat()
        return {"customer": owner, "userErrors": []}

    def _subscribe(self, topic: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        uri = wanted.get("uri") or ""
        if not uri.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            told = _user_error("webhookSubscription.uri", "Address protocol http:// is not supported")
            return {"webhookSubscription": None, "userErrors": [told]}
        if any((one["topic"], one["uri"]) == (topic, uri) for one in self._shop.subscriptions.values()):
            told = _user_error("webhookSubscription.uri", "Address for this topic has already been taken")
            return {"webhookSubscription": None, "userErrors": [told]}
        number = f"gid://shopify/WebhookSubscription/{uuid.uuid4().int % 10**12}"
        made = {"id": number, "topic": topic, "uri": uri, "format": wanted.get("format") or "JSON"}
        made["apiVersion"] = {"displayName": "", "handle": self._shop.webhook_version, "supported": True}
        self._shop.subscriptions[number] = made
        return {"webhookSubscription": made, "userErrors": []}

    def _unsubscribe(self, gid: str) -> dict[str, Any]:
        if self._shop.subscriptions.pop(gid, None) is None:
            return {
                "deletedWebhookSubscriptionId": None,
                "userErrors": [_user_error("id", "Webhook subscription does not exist")],
            }
        return {"deletedWebhookSubscriptionId": gid, "userErrors": []}


def _error(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


def _user_error(field: str, message: str, code: str = "") -> dict[str, Any]:
    return {"field": field.split("."), "message": message, **({"code": code} if code else {})}


def _time(given: str) -> datetime:
    made = datetime.fromisoformat(given)
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _roots(operation: OperationDefinitionNode) -> list[str]:
    return [one.name.value for one in operation.selection_set.selections if isinstance(one, FieldNode)]


def _covered(needed: str, scopes: Sequence[str]) -> bool:
    return not needed or needed in scopes or needed.replace("read_", "write_", 1) in scopes


def _cost(operation: OperationDefinitionNode) -> int:
    """An object one point, a connection two and its objects, a mutation ten."""
    if operation.operation is OperationType.MUTATION:
        return 10 * len(_roots(operation))
    return max(1, _selection_cost(operation.selection_set))


def _selection_cost(selection: SelectionSetNode | None) -> int:
    total = 0
    for one in selection.selections if selection else ():
        if isinstance(one, InlineFragmentNode):
            total += _selection_cost(one.selection_set)
        elif isinstance(one, FragmentSpreadNode):
            raise GraphQLError("the stand-in knows no named fragments")
        elif isinstance(one, FieldNode) and one.selection_set:
            if one.name.value == "pageInfo":
                continue
            first = next((arg.value for arg in one.arguments or () if arg.name.value == "first"), None)
            count = int(first.value) if isinstance(first, IntValueNode) else 1
            inside = _selection_cost(one.selection_set)
            is_connection = any(
                isinstance(child, FieldNode) and child.name.value == "nodes" for child in one.selection_set.selections
            )
            if is_connection:
                total += 2 + count * inside
            else:
                total += count * (1 + inside)
    return total
