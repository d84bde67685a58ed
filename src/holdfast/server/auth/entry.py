"""Coming in: sign in with a password, be recognised by a cookie or a token, sign out."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from holdfast.core.domain import new_id
from holdfast.core.domain.access import BrowserSession, Role, Scope, Token, User
from holdfast.core.errors import UsageError
from holdfast.core.store import Store, Transaction
from holdfast.server.auth.identity import Identity, scopes_of
from holdfast.server.auth.refusals import too_many_logins, wrong_login
from holdfast.server.auth.secrets import (
    SESSION_PREFIX,
    TOKEN_PREFIX,
    hash_password,
    hashed,
    hint_of,
    new_secret,
    password_fits,
)

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
LOGIN_WINDOW: Final = timedelta(minutes=15)
MAX_FAILURES: Final = 8
"""Wrong passwords in a window: per name, and six times as many per address, behind which many people may sit."""
ADDRESS_FACTOR: Final = 6
TOUCH_EVERY: Final = timedelta(minutes=1)
MAX_NAME: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)
MAX_TOKEN_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """The door of one store."""

    store: Store

    def sign_in(self, name: str, password: str, address: str) -> str:
        """A new session's id, for the browser alone. Raises AccessError (HF-ACC-004, -005)."""
        keys = {f"name:{hashed(name)}": MAX_FAILURES, f"address:{address}": MAX_FAILURES * ADDRESS_FACTOR}
        since = self.store.clock() - LOGIN_WINDOW
        with self.store.reading() as tx:
            if any(tx.access.failures(key, since) >= most for key, most in keys.items()):
                raise too_many_logins(int(LOGIN_WINDOW.total_seconds() // 60))
            user = tx.access.user(name)
            known = None if user is None or user.disabled_at else tx.access.password_of(user.id)
        if not password_fits(password, known) or user is None:
            self.store.run(lambda tx: tx.access.note_failures(keys, since))
            raise wrong_login()
        return self.store.run(lambda tx: _open(tx, user, next(iter(keys))))

    def by_session(self, secret: str) -> Identity | None:
        """Who holds this session; None where it is unknown or its time is over."""
        key, now = hashed(secret), self.store.clock()
        with self.store.reading() as tx:
            session = tx.access.session(key)
            user = None if session is None else tx.access.user_of(session.user)
        if session is None or user is None or user.disabled_at or not _alive(session, now):
            return None
        if now - session.seen_at >= TOUCH_EVERY:
            self.store.run(lambda tx: tx.access.touch_session(key))
        return Identity(user, secret=secret)

    def by_token(self, secret: str) -> Identity | None:
        """Who made this token; None where it is unknown, revoked or expired."""
        now = self.store.clock()
        with self.store.reading() as tx:
            token = tx.access.token(hashed(secret))
            user = None if token is None else tx.access.user_of(token.user)
        if token is None or user is None or user.disabled_at or not token.valid(now):
            return None
        if token.used_at is None or now - token.used_at >= TOUCH_EVERY:
            self.store.run(lambda tx: tx.access.touch_token(token.id))
        return Identity(user, scopes_of(token.scopes))

    def sign_out(self, secret: str) -> None:
        """End a session."""
        self.store.run(lambda tx: tx.access.end_session(hashed(secret)))


def add_user(tx: Transaction, name: str, role: Role, units: tuple[str, ...] = (), password: str | None = None) -> User:
    """Keep a new user. Raises UsageError (HF-SRV-010, -011), StoreError where the name is taken."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            "this name cannot be used",
            cause=f"{name[:MAX_NAME]!a} is empty, too long or holds other characters than names do",
            fix=f"take 1 to {MAX_NAME} letters, digits, and . _ @ + -, such as ana@bank.example",
            code="HF-SRV-011",
        )
    user = User(new_id("usr", lambda: tx.now), name, role, units, tx.now)
    tx.access.add_user(user, None if password is None else hash_password(password))
    return user


def add_token(
    tx: Transaction, user: User, label: str, scopes: tuple[Scope, ...], days: int | None = 90
) -> tuple[Token, str]:
    """Make a token; its secret is given here and never again."""
    secret = new_secret(TOKEN_PREFIX)
    until = None if days is None else tx.now + timedelta(days=min(days, MAX_TOKEN_DAYS))
    token = Token(new_id("tok", lambda: tx.now), user.id, label[:80], hint_of(secret), scopes, tx.now, until)
    tx.access.add_token(token, hashed(secret))
    return token, secret


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """What the first start says once."""

    name: str
    password: str
    token: str


def first_start(store: Store) -> FirstKeys | None:
    """Where nobody can come in yet: make the first administrator. None where there are users."""
    password = secrets.token_urlsafe(15)

    def begin(tx: Transaction) -> FirstKeys | None:
        if tx.access.count_users():
            return None
        user = add_user(tx, "admin", Role.ADMIN, password=password)
        _, secret = add_token(tx, user, "first start", (Scope.WRITE, Scope.INGEST))
        return FirstKeys(user.name, password, secret)

    return store.run(begin)


def _open(tx: Transaction, user: User, failures_key: str) -> str:
    secret = new_secret(SESSION_PREFIX)
    tx.access.clear_failures(failures_key)
    tx.access.open_session(hashed(secret), BrowserSession(user.id, tx.now, tx.now, tx.now + LONGEST))
    return secret


def _alive(session: BrowserSession, now: datetime) -> bool:
    return now < session.expires_at and now - session.seen_at < IDLE
