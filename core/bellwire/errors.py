"""One tree of errors. Each class states what the rest needs to know to act; messages hold names and ids, never payloads."""

from __future__ import annotations

from enum import StrEnum


class Retry(StrEnum):
    """Whether and where a failed attempt may be tried again. Follows from the error class."""

    NEVER = "never"
    LATER = "later"
    NEXT_CARRIER = "next_carrier"
    ASK_FIRST = "ask_first"


class ErrorClass(StrEnum):
    """Why a carrier did not take (or deliver) a message, in our words."""

    INVALID_NUMBER = "invalid_number"
    OPTED_OUT = "opted_out"
    BLOCKED_CONTENT = "blocked_content"
    SENDER_REJECTED = "sender_rejected"
    NOT_ALLOWED_REGION = "not_allowed_region"
    UNREACHABLE = "unreachable"  # the handset, not the carrier
    INSUFFICIENT_FUNDS = "insufficient_funds"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    THROTTLED = "throttled"
    CARRIER_DOWN = "carrier_down"
    AMBIGUOUS = "ambiguous"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def retry(self) -> Retry:
        """What the engine may do after this class."""
        return _RETRY[self]


_RETRY = {
    ErrorClass.INVALID_NUMBER: Retry.NEVER,
    ErrorClass.OPTED_OUT: Retry.NEVER,
    ErrorClass.BLOCKED_CONTENT: Retry.NEVER,
    ErrorClass.SENDER_REJECTED: Retry.NEXT_CARRIER,
    ErrorClass.NOT_ALLOWED_REGION: Retry.NEXT_CARRIER,
    ErrorClass.UNREACHABLE: Retry.NEVER,
    ErrorClass.INSUFFICIENT_FUNDS: Retry.NEXT_CARRIER,
    ErrorClass.AUTH: Retry.NEXT_CARRIER,
    ErrorClass.BAD_REQUEST: Retry.NEVER,
    ErrorClass.THROTTLED: Retry.LATER,
    ErrorClass.CARRIER_DOWN: Retry.NEXT_CARRIER,
    ErrorClass.AMBIGUOUS: Retry.ASK_FIRST,
    ErrorClass.EXPIRED: Retry.NEVER,
    ErrorClass.UNKNOWN: Retry.LATER,  # once; domain.retries counts
}


class BellwireError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigInvalid(BellwireError):
    """A setting is missing, unknown or wrong: the start stops with one line each."""


class OtherRevision(ConfigInvalid):
    """The database's schema is not this version's. What to do is said."""


class DatabaseUnusable(ConfigInvalid):
    """What DATABASE_URL names can't be our embedded database. `do`: what a person does about it."""

    def __init__(self, path: object, what: str, do: str) -> None:
        super().__init__(f"DATABASE_URL: {path} {what}: {do}")
        self.detail, self.do = f"{path} {what}", do


class KeyMismatch(ConfigInvalid):
    """SECRET_KEY is not the one this database was written with."""


# -- what comes in ------------------------------------------------------------------------------------------------


class WebhookRefused(BellwireError):
    """A request from outside that we do not take. Nothing was stored."""


class SignatureMismatch(WebhookRefused):
    """Not signed with one of this account's secrets, or signed for another account. Answered 401 with `code`."""

    def __init__(self, *what: object, code: str = "signature_mismatch") -> None:
        super().__init__(*what)
        self.code = code


class StaleSignature(SignatureMismatch):
    """The signed time is outside the tolerance. Answered 401."""


class PayloadInvalid(WebhookRefused):
    """The body is not what the platform documents. Answered 400 (or `status`) with `code`; `field` names the place."""

    def __init__(self, what: str, field: str = "", *, code: str = "payload_invalid", status: int = 400) -> None:
        super().__init__(f"{what}: {field}" if field else what)
        self.what, self.field, self.code, self.status = what, field, code, status


# -- the store ----------------------------------------------------------------------------------------------------


class StoreError(BellwireError):
    """The store said no."""


class StoreUnavailable(StoreError):
    """The database can't be written now (down, full, locked, queue full). Answered 503; the sender retries."""


class TenantMissing(StoreError):
    """A tenant's statement without its tenant criterion: a bug, stopped before it ran."""


class NotFound(StoreError):
    """No such thing for this tenant. Answered 404."""

    def __init__(self, kind: str, ref: str) -> None:
        super().__init__(f"{kind} {ref} does not exist")
        self.kind, self.ref = kind, ref


class Conflict(StoreError):
    """The thing's state forbids this now. Answered 409; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotAllowed(StoreError):
    """This caller may not do this to this thing, whatever its rights. Answered 403; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class FieldInvalid(BellwireError):
    """A value in a request can't be used. Answered 422; `field` is a dotted path, `code` is stable."""

    def __init__(self, field: str, message: str, code: str = "invalid_field") -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message, self.code = field, message, code


class DecryptionFailed(StoreError):
    """A stored value was altered, moved to another row, or written under a key we don't hold."""


# -- templates ----------------------------------------------------------------------------------------------------


class TemplateInvalid(BellwireError):
    """The template's source can't be used. `line` counts from 1, 0 when unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class RenderFailed(BellwireError):
    """The template can't be rendered with this event's data. `field` names the missing or bad variable."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


# -- plugins ------------------------------------------------------------------------------------------------------


class PluginBroken(BellwireError):
    """A plugin can't be loaded or broke its hook's contract. It is listed with this; the rest run."""


class HookFailed(BellwireError):
    """A plugin's hook raised, was late, or answered nonsense. `why` names classes and places, never what was passed."""

    def __init__(self, plugin: str, hook: str, why: str) -> None:
        super().__init__(f"plugin {plugin}, hook {hook}: {why}")
        self.plugin, self.hook, self.why = plugin, hook, why


# -- platforms (called by connectors' clients) --------------------------------------------------------------------


class PlatformError(BellwireError):
    """A platform's API did not do what we asked. `retry` says what the engine does."""

    retry: Retry = Retry.LATER

    def __init__(self, message: str, *, http_status: int | None = None, code: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.http_status, self.code, self.retry_after_s = http_status, code, retry_after_s


class PlatformUnreachable(PlatformError):
    """Nothing left this machine, or an idempotent call went unanswered: try later."""


class PlatformThrottled(PlatformError):
    """429, or the vendor's own throttle. `retry_after_s` when it said so."""


class PlatformUnavailable(PlatformError):
    """5xx: try later."""


class PlatformUnauthorized(PlatformError):
    """The token is refused also after one refresh: the installation needs a person."""

    retry = Retry.NEVER


class PlatformRejected(PlatformError):
    """The platform understood and said no (4xx, userErrors): trying again changes nothing."""

    retry = Retry.NEVER


# -- carriers (raised by the engine's sender) ---------------------------------------------------------------------


class CarrierError(BellwireError):
    """An attempt at a carrier ended without its answer."""

    error_class: ErrorClass = ErrorClass.UNKNOWN


class Unreachable(CarrierError):
    """Nothing left this machine: the backup may try at once."""

    error_class = ErrorClass.CARRIER_DOWN


class Unanswered(CarrierError):
    """Sent, no answer: it may be delivered. Ask before sending again."""

    error_class = ErrorClass.AMBIGUOUS
