"""The GraphQL operations we send, for Admin API 2026-01 and later. shopify.dev, "GraphQL Admin API reference"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"(?:query|mutation) (\w+)")


@dataclass(frozen=True, slots=True)
class Operation:
    """One named operation; `root` is the field of the answer it is about."""

    root: str
    document: str

    @property
    def name(self) -> str:
        """The operation's name, as it stands in the document and in our errors."""
        found = _HEAD.search(self.document)
        return found.group(1) if found else self.root


_MONEY = "{ presentmentMoney { amount currencyCode } shopMoney { amount currencyCode } }"
_ADDRESS = "{ firstName lastName name phone city countryCodeV2 }"
_CUSTOMER = f"""{{
  id firstName lastName state tags createdAt updatedAt
  defaultEmailAddress {{ emailAddress }}
  defaultPhoneNumber {{ phoneNumber marketingState marketingOptInLevel marketingUpdatedAt marketingCollectedFrom }}
  defaultAddress {_ADDRESS}
}}"""
_PARCEL = "{ id status displayStatus createdAt updatedAt deliveredAt trackingInfo(first: 1) { number url company } }"


def _order(lines: int, parcels: int) -> str:
    return f"""{{
  id name createdAt updatedAt cancelledAt cancelReason displayFinancialStatus displayFulfillmentStatus
  email phone customerLocale statusPageUrl sourceName tags test paymentGatewayNames
  totalPriceSet {_MONEY}
  customer {_CUSTOMER}
  shippingAddress {_ADDRESS}
  billingAddress {_ADDRESS}
  shippingLine {{ title }}
  lineItems(first: {lines}) {{ nodes {{ title quantity }} }}
  fulfillments(first: {parcels}) {_PARCEL}
}}"""


ORDER = Operation("order", f"query Order($id: ID!) {{ order(id: $id) {_order(50, 25)} }}")

FULFILLMENT_ORDER = Operation(
    "fulfillmentOrder", f"query FulfillmentOrder($id: ID!) {{ fulfillmentOrder(id: $id) {{ id order {_order(50, 25)} }} }}"
)

REFUND = Operation("refund", f"query Refund($id: ID!) {{ refund(id: $id) {{ id note totalRefundedSet {_MONEY} }} }}")

RETURN = Operation(
    "return",
    """query Return($id: ID!) {
  return(id: $id) {
    id name decline { reason }
    returnLineItems(first: 10) { nodes { ... on ReturnLineItem { returnReasonDefinition { handle } } } }
  }
}""",
)

CUSTOMER = Operation("customer", f"query Customer($id: ID!) {{ customer(id: $id) {_CUSTOMER} }}")

CUSTOMER_BY_PHONE = Operation(
    "customerByIdentifier",
    f"query CustomerByPhone($phone: String!) {{ customerByIdentifier(identifier: {{ phoneNumber: $phone }}) {_CUSTOMER} }}",
)

ORDERS = Operation(
    "orders",
    f"""query Orders($filter: String!, $after: String) {{
  orders(first: 10, after: $after, query: $filter, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      ... on Order {_order(10, 5)}
      transactions(first: 5) {{ kind status processedAt }}
      refunds(first: 5) {{ id createdAt note totalRefundedSet {_MONEY} }}
    }}
  }}
}}""",
)

CHECKOUTS = Operation(
    "abandonedCheckouts",
    f"""query Checkouts($filter: String!, $after: String) {{
  abandonedCheckouts(first: 25, after: $after, query: $filter) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      id abandonedCheckoutUrl createdAt updatedAt completedAt
      totalPriceSet {_MONEY}
      customer {_CUSTOMER}
      shippingAddress {_ADDRESS}
      billingAddress {_ADDRESS}
      lineItems(first: 10) {{ nodes {{ title quantity }} }}
    }}
  }}
}}""",
)

CUSTOMERS = Operation(
    "customers",
    f"""query Customers($filter: String!, $after: String) {{
  customers(first: 25, after: $after, query: $filter, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {_CUSTOMER}
  }}
}}""",
)

SUBSCRIPTIONS = Operation(
    "webhookSubscriptions",
    """query Subscriptions($after: String) {
  webhookSubscriptions(first: 50, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { id topic uri format apiVersion { handle } }
  }
}""",
)

SUBSCRIBE = Operation(
    "webhookSubscriptionCreate",
    """mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: { uri: $uri, format: JSON }) {
    webhookSubscription { id }
    userErrors { field message }
  }
}""",
)

UNSUBSCRIBE = Operation(
    "webhookSubscriptionDelete",
    """mutation Unsubscribe($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } }
}""",
)

SET_METAFIELDS = Operation(
    "metafieldsSet",
    """mutation SetMetafields($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { metafields { id } userErrors { field message code } }
}""",
)

ADD_TAGS = Operation(
    "tagsAdd", "mutation AddTags($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { userErrors { field message } } }"
)

REMOVE_TAGS = Operation(
    "tagsRemove",
    "mutation RemoveTags($id: ID!, $tags: [String!]!) { tagsRemove(id: $id, tags: $tags) { userErrors { field message } } }",
)

NOTE = Operation("order", "query Note($id: ID!) { order(id: $id) { id note } }")

SET_NOTE = Operation(
    "orderUpdate",
    "mutation SetNote($input: OrderInput!) { orderUpdate(input: $input) { userErrors { field message } } }",
)

SET_CONSENT = Operation(
    "customerSmsMarketingConsentUpdate",
    """mutation SetConsent($input: CustomerSmsMarketingConsentUpdateInput!) {
  customerSmsMarketingConsentUpdate(input: $input) { userErrors { field message code } }
}""",
)

SHOP = Operation(
    "shop",
    """query Shop {
  shop { name myshopifyDomain ianaTimezone shopAddress { countryCodeV2 } }
  currentAppInstallation { accessScopes { handle } }
  publicApiVersions { handle supported }
}""",
)

PROTECTED_DATA = Operation(
    "orders",
    """query ProtectedData {
  orders(first: 10, reverse: true) { nodes { email phone customer { id firstName } shippingAddress { phone name } } }
}""",
)
