"""Who may do what: people, their roles and units, and the tokens their programs carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person is here for. Roles are no ladder: an administrator may not accept a risk."""

    ADMIN = "admin"
    LEAD = "lead"
    ANALYST = "analyst"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


class Scope(StrEnum):
    """What a token may be used for; never more than its owner may do."""

    READ = "read"
    WRITE = "write"
    INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class User:
    """A person. `units` names the business units whose models they see; empty: all of them."""

    id: str
    name: str
    role: Role
    units: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None = None

    def sees(self, unit: str) -> bool:
        """Whether models of this business unit are theirs to see."""
        return not self.units or unit in self.units


@dataclass(frozen=True, slots=True)
class Token:
    """A program's way in, for `user`. `hint` is the beginning of the secret, by which people recognise it."""

    id: str
    user: str
    label: str
    hint: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def valid(self, at: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A person's browser, signed in. Known by the digest of the id that only the browser holds."""

    user: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
