"""What went wrong, as HTTP: the status for each error, and its words as JSON."""

from __future__ import annotations

from typing import Final

from holdfast.core.errors import AccessError, HoldfastError, LedgerError, SandboxError, StoreError, UsageError
from holdfast.server.auth.refusals import STATUS as REFUSALS

STATUS: Final = {
    **REFUSALS,
    "HF-SRV-003": 404,
    "HF-SRV-004": 413,
    "HF-SRV-005": 421,
    "HF-SRV-006": 400,
    "HF-SRV-007": 500,
    "HF-SRV-009": 503,
    "HF-SRV-012": 405,
}


class ServerError(HoldfastError):
    """Holdfast itself is at fault, or at its limit."""


def status_of(fault: HoldfastError) -> int:
    """The HTTP status: by code, else by kind. What a caller asked wrongly is 400, what contradicts the state 409."""
    if fault.code in STATUS:
        return STATUS[fault.code]
    if isinstance(fault, AccessError):
        return 403
    if isinstance(fault, StoreError | LedgerError | SandboxError):
        return 503
    return 400 if isinstance(fault, UsageError) else 409


def as_json(fault: HoldfastError) -> dict[str, dict[str, str]]:
    """The error shape of every answer that is none."""
    return {"error": {"code": fault.code, "message": fault.message, "cause": fault.cause, "fix": fault.fix}}


def not_found(what: str) -> UsageError:
    """There is no such thing, or none that this user may see: the answer is the same."""
    return UsageError(
        f"there is no {what}",
        cause="the address is wrong, or what it named is gone or not yours to see",
        fix="start from the overview: /posture",
        code="HF-SRV-003",
    )


def too_large(limit: int) -> UsageError:
    """The body of a request is longer than any form."""
    return UsageError(
        "the request is too large",
        cause=f"a request to this address may hold {limit:,} bytes",
        fix="send less; events go to /watch/events, which takes more",
        code="HF-SRV-004",
    )


def wrong_host(host: str) -> UsageError:
    """The request names another server: a sign of DNS rebinding, or of a proxy that was not announced."""
    return UsageError(
        "this server does not answer under that name",
        cause=f"the request was for {host[:80]!r}",
        fix="start it with --public-url and the address that people type",
        code="HF-SRV-005",
    )


def wrong_parameter(name: str, cause: str, fix: str) -> UsageError:
    """A query parameter or a field of a form cannot be read."""
    return UsageError(f"the value of '{name}' cannot be used", cause=cause, fix=fix, code="HF-SRV-006")


def internal(reference: str) -> ServerError:
    """Nothing of what happened inside goes out, except where to find it."""
    return ServerError(
        "this is a fault of Holdfast",
        cause=f"its log says more under the reference {reference}",
        fix="try again; where it stays, report it with the log's lines of that reference",
        code="HF-SRV-007",
    )


def too_many_streams() -> ServerError:
    """Every place for live updates is taken."""
    return ServerError(
        "too many browsers follow the alerts",
        cause="the number of live connections is bounded",
        fix="the page asks again by itself; close pages that nobody reads",
        code="HF-SRV-009",
    )


def wrong_method() -> UsageError:
    """The address exists, but not for this."""
    return UsageError(
        "this address does not take that method",
        cause="what reads is GET, what changes something is POST",
        fix="see /api/openapi.json",
        code="HF-SRV-012",
    )
