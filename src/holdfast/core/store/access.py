"""Users, tokens and sessions. Secrets come in hashed and never go out; changes are ledger intents without names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from holdfast.core.domain.access import BrowserSession, Role, Scope, Token, User
from holdfast.core.errors import StoreError
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intents import Intents
from holdfast.core.store.session import Session
from holdfast.core.store.tables.access import browser_sessions, login_failures, tokens, users


class Access:
    """Who may come in. A user is never deleted, so that what they did keeps its author."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection
        self._intents = Intents(session)

    def add_user(self, user: User, password: str | None) -> None:
        """Keep a new user; `password` is a hash. Raises StoreError (HF-STO-020) when the name is taken."""
        row = {
            "id": user.id,
            "name": user.name,
            "role": user.role.value,
            "units": encode(user.units),
            "password": password,
            "created_at": user.created_at,
            "disabled_at": user.disabled_at,
        }
        if not self._session.insert_new(users, row):
            raise StoreError(
                f"there is a user '{user.name}' already",
                cause="names are given once and never again, so that the record stays clear",
                fix="choose another name; `holdfast serve user list` shows those taken",
                code="HF-STO-020",
            )
        self._intents.add("user.added", {"user": user.id, "role": user.role.value}, about=user.id)

    def user(self, name: str) -> User | None:
        """The user with this name."""
        return self._one_user(users.c.name == name)

    def user_of(self, user_id: str) -> User | None:
        """The user with this id."""
        return self._one_user(users.c.id == user_id)

    def users(self) -> list[User]:
        """Everybody, by name; those disabled too."""
        return [_user(row) for row in self._sql.execute(select(users).order_by(users.c.name))]

    def count_users(self) -> int:
        """How many users there are."""
        return self._sql.scalar(select(func.count()).select_from(users)) or 0

    def password_of(self, user_id: str) -> str | None:
        """The hash of a user's password; None: they may only use tokens."""
        return self._sql.scalar(select(users.c.password).where(users.c.id == user_id))

    def set_password(self, user_id: str, password: str) -> None:
        """Keep another hash, and end the user's sessions."""
        self._sql.execute(update(users).where(users.c.id == user_id).values(password=password))
        self.end_sessions(user_id)
        self._intents.add("user.password-changed", {"user": user_id}, about=user_id)

    def disable(self, user_id: str) -> bool:
        """Let a user in no more, by any way. False where they were disabled or are unknown."""
        now = self._session.now
        statement = update(users).where(users.c.id == user_id, users.c.disabled_at.is_(None)).values(disabled_at=now)
        if self._session.changed(statement) == 0:
            return False
        self.end_sessions(user_id)
        self._sql.execute(
            update(tokens).where(tokens.c.user_id == user_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
        )
        self._intents.add("user.disabled", {"user": user_id}, about=user_id)
        return True

    def add_token(self, token: Token, hashed: str) -> None:
        """Keep a new token under the digest of its secret."""
        self._session.insert_new(
            tokens,
            {
                "id": token.id,
                "hash": hashed,
                "user_id": token.user,
                "label": token.label,
                "hint": token.hint,
                "scopes": encode(token.scopes),
                "created_at": token.created_at,
                "expires_at": token.expires_at,
            },
        )
        said = {"token": token.id, "user": token.user, "scopes": [scope.value for scope in token.scopes]}
        self._intents.add("token.made", said, about=token.id)

    def token(self, hashed: str) -> Token | None:
        """The token whose secret has this digest."""
        row = self._sql.execute(select(tokens).where(tokens.c.hash == hashed)).one_or_none()
        return None if row is None else _token(row)

    def tokens(self, user_id: str | None = None) -> list[Token]:
        """The tokens of a user, or all, oldest first."""
        query = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        wanted = query if user_id is None else query.where(tokens.c.user_id == user_id)
        return [_token(row) for row in self._sql.execute(wanted)]

    def revoke(self, token_id: str) -> bool:
        """End a token. False where it had ended or there is none."""
        statement = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
        if self._session.changed(statement.values(revoked_at=self._session.now)) == 0:
            return False
        self._intents.add("token.revoked", {"token": token_id}, about=token_id)
        return True

    def touch_token(self, token_id: str) -> None:
        """Note that a token was used now."""
        self._sql.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=self._session.now))

    def open_session(self, hashed: str, session: BrowserSession) -> None:
        """Keep a new session, and forget those whose time is over."""
        now = self._session.now
        self._sql.execute(delete(browser_sessions).where(browser_sessions.c.expires_at <= now))
        self._session.put(
            browser_sessions,
            {
                "hash": hashed,
                "user_id": session.user,
                "created_at": session.created_at,
                "seen_at": session.seen_at,
                "expires_at": session.expires_at,
            },
        )

    def session(self, hashed: str) -> BrowserSession | None:
        """The session whose id has this digest, whether its time is over or not."""
        row = self._sql.execute(select(browser_sessions).where(browser_sessions.c.hash == hashed)).one_or_none()
        return None if row is None else BrowserSession(row.user_id, row.created_at, row.seen_at, row.expires_at)

    def touch_session(self, hashed: str) -> None:
        """Note that a session was used now."""
        statement = update(browser_sessions).where(browser_sessions.c.hash == hashed)
        self._sql.execute(statement.values(seen_at=self._session.now))

    def end_session(self, hashed: str) -> None:
        """Forget one session."""
        self._sql.execute(delete(browser_sessions).where(browser_sessions.c.hash == hashed))

    def end_sessions(self, user_id: str) -> None:
        """Forget every session of a user."""
        self._sql.execute(delete(browser_sessions).where(browser_sessions.c.user_id == user_id))

    def failures(self, key: str, since: datetime) -> int:
        """How often signing in failed under a key (a name, an address) in the window that began after `since`."""
        query = select(login_failures.c.count).where(login_failures.c.key == key, login_failures.c.since > since)
        return self._sql.scalar(query) or 0

    def note_failures(self, keys: Iterable[str], since: datetime) -> None:
        """Count one more failure under each key; windows that began at or before `since` are over."""
        self._sql.execute(delete(login_failures).where(login_failures.c.since <= since))
        counted = {"count": login_failures.c.count + 1}
        for key in keys:
            row = {"key": key, "count": 1, "since": self._session.now}
            statement = self._session.insert(login_failures).values(**row)
            self._sql.execute(statement.on_conflict_do_update(index_elements=["key"], set_=counted))

    def clear_failures(self, key: str) -> None:
        """Forget the failures under a key."""
        self._sql.execute(delete(login_failures).where(login_failures.c.key == key))

    def _one_user(self, condition: Any) -> User | None:
        row = self._sql.execute(select(users).where(condition)).one_or_none()
        return None if row is None else _user(row)


def _user(row: Row[Any]) -> User:
    units = decode(row.units, tuple[str, ...])
    return User(row.id, row.name, Role(row.role), units, row.created_at, row.disabled_at)


def _token(row: Row[Any]) -> Token:
    return Token(
        row.id,
        row.user_id,
        row.label,
        row.hint,
        decode(row.scopes, tuple[Scope, ...]),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.used_at,
    )
