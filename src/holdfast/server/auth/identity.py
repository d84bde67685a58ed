"""Who is asking: a person's browser, or a program with a token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from holdfast.core.domain.access import Role, Scope, User
from holdfast.server.auth.refusals import not_allowed, out_of_scope, out_of_unit
from holdfast.server.auth.rights import Right, holds

EVERY_SCOPE: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, and what the way they came in by allows. `secret` is the browser's session id; None for a token."""

    user: User
    scopes: frozenset[Scope] = frozenset({Scope.READ, Scope.WRITE})
    secret: str | None = None

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def role(self) -> Role:
        return self.user.role

    @property
    def sees_everything(self) -> bool:
        """Whether no business unit is hidden from them."""
        return not self.user.units

    def may(self, right: Right) -> bool:
        """Whether role and scope allow it."""
        return Scope.WRITE in self.scopes and holds(self.role, right)

    def demand(self, right: Right) -> None:
        """Raise AccessError unless role and scope allow it."""
        self.demand_scope(Scope.WRITE)
        if not holds(self.role, right):
            raise not_allowed(self.role, right)

    def demand_scope(self, *scopes: Scope) -> None:
        """Raise AccessError unless one of `scopes` is among those of the token."""
        if not self.scopes & set(scopes):
            raise out_of_scope(scopes[0])

    def demand_unit(self, unit: str, what: str) -> None:
        """Raise AccessError where a thing belongs to a unit that is not theirs."""
        if not self.user.sees(unit):
            raise out_of_unit(what)


def scopes_of(names: Iterable[Scope]) -> frozenset[Scope]:
    """A token's scopes; write includes read."""
    found = frozenset(names)
    return found | {Scope.READ} if Scope.WRITE in found else found
