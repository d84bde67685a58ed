"""The ways in which somebody is turned away: each with its code, and the HTTP status it leads to."""

from __future__ import annotations

from typing import Final

from holdfast.core.domain.access import Role, Scope
from holdfast.core.errors import AccessError
from holdfast.server.auth.rights import Right, roles_with

STATUS: Final = {
    "HF-ACC-001": 401,
    "HF-ACC-002": 403,
    "HF-ACC-003": 403,
    "HF-ACC-004": 401,
    "HF-ACC-005": 429,
    "HF-ACC-006": 403,
    "HF-ACC-008": 403,
}


def not_signed_in() -> AccessError:
    """Nobody, or somebody whose session or token has ended."""
    return AccessError(
        "nobody is signed in",
        cause="there is no session and no valid token with this request",
        fix="sign in at /login, or send a token: Authorization: Bearer hft_...",
        code="HF-ACC-001",
    )


def not_allowed(role: Role, right: Right) -> AccessError:
    """The role does not include the right."""
    return AccessError(
        f"the role {role.value} may not {right.value}",
        cause=f"that is for: {roles_with(right)}",
        fix="ask somebody with one of these roles",
        code="HF-ACC-002",
    )


def forged() -> AccessError:
    """A form that this console did not hand to this browser."""
    return AccessError(
        "the form was not sent from this console",
        cause="its token or its origin is not the one that was given to this browser",
        fix="load the page again and repeat what you did",
        code="HF-ACC-003",
    )


def wrong_login() -> AccessError:
    """Never says whether the name exists."""
    return AccessError(
        "name and password do not belong together",
        cause="one of the two is wrong, or the user was disabled",
        fix="try again, or ask an administrator: holdfast serve user list",
        code="HF-ACC-004",
    )


def too_many_logins(minutes: int) -> AccessError:
    """Guessing passwords must take for ever."""
    return AccessError(
        "signing in failed too often",
        cause="too many wrong passwords for this name or from this address",
        fix=f"wait {minutes} minutes; a token still works meanwhile",
        code="HF-ACC-005",
    )


def out_of_scope(scope: Scope) -> AccessError:
    """The token is for something else."""
    return AccessError(
        f"the token has no scope '{scope.value}'",
        cause="a token may do what its scopes name and nothing more",
        fix=f"make one that may: holdfast serve token create USER --scope {scope.value}",
        code="HF-ACC-006",
    )


def out_of_unit(what: str) -> AccessError:
    """The thing belongs to a business unit that is not the user's."""
    return AccessError(
        f"{what} is not in your business units",
        cause="your account is limited to the models of some units",
        fix="ask an administrator to widen your account: holdfast serve user list shows its units",
        code="HF-ACC-008",
    )
