"""What a person should know of an installation: its secrets, and whether the producer's callback address takes what we sign."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire import CheckResult, Installation, Link, PlatformError, PlatformUnauthorized

from .address import address
from .callback import ping
from .signature import clean_secrets


def check(link: Link) -> Sequence[CheckResult]:
    """Look at the secrets, and ping the callback address. Raises nothing for what the producer does."""
    secrets = _secrets(link.installation)
    return [secrets, _callback(link)] if secrets.ok else [secrets]


def _secrets(installation: Installation) -> CheckResult:
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        return CheckResult(name="secrets", ok=False, detail="there is none: every event is refused, and nothing can be signed")
    try:
        for one in secrets:  # what a change left behind stands beside them until its overlap ends
            clean_secrets([one])
    except ValueError as e:
        return CheckResult(name="secrets", ok=False, detail=str(e))
    if len(secrets) > 1:
        told = f"{len(secrets)} are believed, the first signs our callbacks: take the old one out once the producer has the new one"
        return CheckResult(name="secrets", ok=True, detail=told)
    return CheckResult(name="secrets", ok=True)


def _callback(link: Link) -> CheckResult:
    """A signed `bellwire.ping`, to be answered 2xx like everything else."""
    if not address(link.installation):
        return CheckResult(name="callback_url", ok=True, detail="none: the producer is told nothing")
    try:
        ping(link)
    except PlatformUnauthorized as e:
        told = f"{e}: it does not believe us; has it the first of the secrets, and the right time?"
        return CheckResult(name="callback_url", ok=False, detail=told)
    except PlatformError as e:
        return CheckResult(name="callback_url", ok=False, detail=f"{e}; a bellwire.ping must be answered 2xx")
    return CheckResult(name="callback_url", ok=True, detail="the producer believes us")
