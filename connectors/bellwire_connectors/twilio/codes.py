"""Twilio's vocabulary in our words. Comments give the vendor's own meaning (twilio.com/docs/api/errors)."""

from __future__ import annotations

from collections.abc import Mapping

from bellwire import ErrorClass, Status

#: MessageStatus → our status, and whether Twilio has handed the text over to an operator (Message resource, "status").
STATUSES: Mapping[str, tuple[Status, bool]] = {
    "accepted": (Status.SENT, False),  # a Messaging Service has it, no sender chosen yet
    "scheduled": (Status.SENT, False),  # waits for its SendAt
    "queued": (Status.SENT, False),  # waits for the sender's turn
    "sending": (Status.SENT, False),  # on its way to the nearest upstream carrier
    "sent": (Status.SENT, True),  # the upstream carrier accepted it
    "partially_delivered": (Status.SENT, True),  # some of several parts are confirmed
    "delivered": (Status.DELIVERED, True),  # the carrier, where possible the handset, confirmed it
    "read": (Status.DELIVERED, True),  # opened; channels other than SMS
    "undelivered": (Status.UNDELIVERED, True),  # a receipt says it did not arrive
    "failed": (Status.FAILED, False),  # Twilio could not send it
    "canceled": (Status.CANCELED, False),  # a scheduled message was taken back
}

#: Final statuses that an error code makes more exact.
STATUS_BY_CODE: Mapping[str, Status] = {
    "30036": Status.EXPIRED,  # the validity period ran out in Twilio's queue
}

#: Statuses that need a reason: without a code theirs is `unknown`.
UNHAPPY = frozenset({Status.UNDELIVERED, Status.FAILED})

#: Error code → class. The code's own comment is Twilio's title for it.
ERRORS: Mapping[str, ErrorClass] = {
    "21211": ErrorClass.INVALID_NUMBER,  # invalid 'To' phone number
    "21217": ErrorClass.INVALID_NUMBER,  # phone number does not appear to be valid
    "21401": ErrorClass.INVALID_NUMBER,  # invalid phone number
    "21604": ErrorClass.INVALID_NUMBER,  # 'To' phone number is required to send a message
    "21614": ErrorClass.INVALID_NUMBER,  # 'To' number is not a valid mobile number
    "30005": ErrorClass.INVALID_NUMBER,  # unknown destination handset
    "30006": ErrorClass.INVALID_NUMBER,  # landline or unreachable carrier
    "21610": ErrorClass.OPTED_OUT,  # attempt to send to unsubscribed recipient
    "21408": ErrorClass.NOT_ALLOWED_REGION,  # permission to send an SMS has not been enabled for the region
    "21612": ErrorClass.NOT_ALLOWED_REGION,  # message cannot be sent with the current combination of 'To' and/or 'From'
    "21212": ErrorClass.SENDER_REJECTED,  # invalid 'From' number
    "21603": ErrorClass.SENDER_REJECTED,  # 'From' phone number is required to send a message
    "21606": ErrorClass.SENDER_REJECTED,  # 'From' is not a valid message-capable Twilio number for this destination
    "21657": ErrorClass.SENDER_REJECTED,  # 'From' is not a Twilio phone number or short code of this account
    "21659": ErrorClass.SENDER_REJECTED,  # 'From' is not a Twilio phone number or short code, country mismatch
    "21709": ErrorClass.SENDER_REJECTED,  # invalid alphanumeric sender ID
    "30018": ErrorClass.SENDER_REJECTED,  # destination carrier requires sender ID pre-registration
    "30024": ErrorClass.SENDER_REJECTED,  # numeric sender ID not provisioned on carrier
    "30032": ErrorClass.SENDER_REJECTED,  # toll-free number has not been verified
    "21602": ErrorClass.BAD_REQUEST,  # message body is required
    "21605": ErrorClass.BAD_REQUEST,  # maximum body length exceeded
    "21617": ErrorClass.BAD_REQUEST,  # the concatenated message body exceeds 1600 characters
    "21624": ErrorClass.BAD_REQUEST,  # invalid validity period value
    "30009": ErrorClass.BAD_REQUEST,  # missing inbound segment
    "30010": ErrorClass.BAD_REQUEST,  # message price exceeds max price
    "30012": ErrorClass.BAD_REQUEST,  # TTL is too small
    "30013": ErrorClass.BAD_REQUEST,  # TTL is too big
    "90007": ErrorClass.BAD_REQUEST,  # invalid validity period value, the newer code
    "10001": ErrorClass.AUTH,  # account is not active
    "20003": ErrorClass.AUTH,  # authentication error, no credentials provided
    "20005": ErrorClass.AUTH,  # account not active
    "20006": ErrorClass.AUTH,  # access denied
    "20008": ErrorClass.AUTH,  # cannot access this resource with test credentials
    "20404": ErrorClass.AUTH,  # the resource was not found: for a send, the account of the path
    "30002": ErrorClass.AUTH,  # account suspended between the request and the delivery
    "20429": ErrorClass.THROTTLED,  # too many requests
    "21611": ErrorClass.THROTTLED,  # this 'From' number has exceeded the maximum number of queued messages
    "30001": ErrorClass.THROTTLED,  # queue overflow
    "30017": ErrorClass.THROTTLED,  # carrier network congestion
    "30022": ErrorClass.THROTTLED,  # US A2P 10DLC: rate limits exceeded
    "30023": ErrorClass.THROTTLED,  # US A2P 10DLC: daily message cap reached
    "30027": ErrorClass.THROTTLED,  # US A2P 10DLC: T-Mobile daily message limit reached
    "63017": ErrorClass.THROTTLED,  # rate limit exceeded
    "63018": ErrorClass.THROTTLED,  # rate limit exceeded for the channel
    "30004": ErrorClass.BLOCKED_CONTENT,  # message blocked, by the carrier or by the recipient's own block
    "30007": ErrorClass.BLOCKED_CONTENT,  # message filtered
    "30111": ErrorClass.BLOCKED_CONTENT,  # URL is blacklisted
    "30003": ErrorClass.UNREACHABLE,  # unreachable destination handset
    "30036": ErrorClass.EXPIRED,  # validity period expired
    "30008": ErrorClass.UNKNOWN,  # unknown error
}

#: OptOutType of an inbound message: Twilio (Advanced Opt-Out) has answered the word itself.
ANSWERED_BY_TWILIO = frozenset({"STOP", "START", "HELP"})

#: MessageStatus of texts that come in: not receipts.
INBOUND = frozenset({"receiving", "received"})
