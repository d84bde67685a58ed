"""Settings in force, the people who may come in, and the tokens of their programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.core.domain.access import Role, Scope, Token, User
from holdfast.server.auth.entry import MAX_TOKEN_DAYS, add_token, add_user
from holdfast.server.auth.rights import HOLDERS, Right
from holdfast.server.auth.secrets import hash_password
from holdfast.server.faults import not_found, wrong_parameter
from holdfast.server.inforce import Setting, settings_in_force
from holdfast.server.page import Done, action, page
from holdfast.server.visit import Deed, Visit


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as its owner and administrators see it; never its secret."""

    id: str
    user: str
    label: str
    hint: str
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks, and what they may do."""

    name: str
    role: str
    units: tuple[str, ...]
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """`users` only for those who manage them; `tokens` are one's own, or all for those."""

    me: Me
    settings: tuple[Setting, ...]
    users: tuple[User, ...]
    tokens: tuple[TokenRow, ...]
    roles: tuple[str, ...]
    scopes: tuple[str, ...]


@page("/settings", "settings.html", "settings")
def settings(visit: Visit) -> SettingsPage:
    """Settings with their origin, users and tokens."""
    who, managing = visit.who, visit.who.may(Right.MANAGE_USERS)
    users = {user.id: user for user in visit.tx.access.users()}
    tokens = visit.tx.access.tokens(None if managing else who.user.id)
    rights = tuple(right.value for right, holders in HOLDERS.items() if who.role in holders)
    return SettingsPage(
        me=Me(who.name, who.role.value, who.user.units, rights),
        settings=settings_in_force(visit.site.holdfast) if who.role in (Role.ADMIN, Role.LEAD, Role.AUDITOR) else (),
        users=tuple(users.values()) if managing else (),
        tokens=tuple(_token_row(token, users[token.user].name, visit.now) for token in reversed(tokens)),
        roles=tuple(role.value for role in Role),
        scopes=tuple(scope.value for scope in Scope),
    )


def _token_row(token: Token, user: str, now: datetime) -> TokenRow:
    state = "revoked" if token.revoked_at else "valid" if token.valid(now) else "expired"
    scopes = tuple(scope.value for scope in token.scopes)
    return TokenRow(
        token.id, user, token.label, token.hint, scopes, state, token.created_at, token.expires_at, token.used_at
    )


@action(
    "/settings/users",
    Right.MANAGE_USERS,
    said="The user may sign in now.",
    fields={"name": "Name to sign in with.", "role": "Role.", "units": "Business units, by comma.", "password": "…"},
)
def make_user(deed: Deed) -> Done:
    """Add a user."""
    role = deed.text("role")
    if role not in list(Role):
        raise wrong_parameter("role", f"{role[:40]!r} is no role", f"take one of {', '.join(Role)}")
    units = tuple(unit.strip() for unit in (deed.optional("units") or "").split(",") if unit.strip())
    add_user(deed.tx, deed.text("name"), Role(role), units, deed.form.get("password", ""))
    return Done("/settings#users")


@action("/settings/users/{id}/disable", Right.MANAGE_USERS, said="The user may no longer sign in.")
def disable_user(deed: Deed) -> Done:
    """Let a user in no more; their sessions and tokens end."""
    if deed.params["id"] == deed.who.user.id:
        raise wrong_parameter("id", "it is your own account", "let another administrator do it")
    if not deed.tx.access.disable(deed.params["id"]):
        raise not_found("such user, or none who is not disabled yet")
    return Done("/settings#users")


@action(
    "/settings/users/{id}/password",
    Right.MANAGE_USERS,
    said="The password is changed; the sessions of that user have ended.",
    fields={"password": "The new password."},
)
def change_password(deed: Deed) -> Done:
    """Give a user another password."""
    if deed.tx.access.user_of(deed.params["id"]) is None:
        raise not_found("such user")
    deed.tx.access.set_password(deed.params["id"], hash_password(deed.form.get("password", "")))
    return Done("/settings#users")


@action(
    "/settings/tokens",
    None,
    said="The token is made. It is shown here once and kept only as a digest.",
    fields={"label": "What it is for.", "scope": "read, write or ingest.", "days": "How long it is valid."},
)
def make_token(deed: Deed) -> Done:
    """Make a token for oneself; the answer shows it once."""
    scope, days = deed.text("scope"), deed.text("days", most=4)
    if scope not in list(Scope):
        raise wrong_parameter("scope", f"{scope[:40]!r} is no scope", f"take one of {', '.join(Scope)}")
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= MAX_TOKEN_DAYS):
        raise wrong_parameter("days", f"{days!r} is no number of days", f"write 1 to {MAX_TOKEN_DAYS}")
    if scope == Scope.INGEST:
        deed.who.demand(Right.SEND_EVENTS)
    _, secret = add_token(deed.tx, deed.who.user, deed.text("label", most=80), (Scope(scope),), int(days))
    return Done("/settings#tokens", {"token": secret})


@action("/settings/tokens/{id}/revoke", None, said="The token is revoked.")
def revoke_token(deed: Deed) -> Done:
    """End a token of one's own; administrators end any."""
    own = {token.id for token in deed.tx.access.tokens(deed.who.user.id)}
    if deed.params["id"] not in own and not deed.who.may(Right.MANAGE_USERS):
        raise not_found("such token")
    if not deed.tx.access.revoke(deed.params["id"]):
        raise not_found("such token, or none that is still valid")
    return Done("/settings#tokens")
