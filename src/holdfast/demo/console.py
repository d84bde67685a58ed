"""A way into the demo's console: one administrator whose password is new each time and shown once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.core.store import Store, Transaction

NAME = "demo"


def let_in(store: Store) -> str:
    """Give the user `demo` a new password, and the password."""
    from holdfast.core.domain.access import Role
    from holdfast.server.auth.entry import add_user
    from holdfast.server.auth.secrets import hash_password

    password = secrets.token_urlsafe(12)

    def make(tx: Transaction) -> None:
        user = tx.access.user(NAME)
        if user is None:
            add_user(tx, NAME, Role.ADMIN, password=password)
        else:
            tx.access.set_password(user.id, hash_password(password))

    store.run(make)
    return password
