"""Users, tokens and sessions on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.core.domain.access import BrowserSession, Role, Scope, Token, User
from holdfast.core.domain.clock import FrozenClock
from holdfast.core.errors import StoreError
from holdfast.core.store import Store

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def store(database: str | None, tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
    with Store.open(database, tmp_path, clock) as found:
        yield found


def user(name: str, *units: str) -> User:
    return User(f"usr_{name}", name, Role.ANALYST, units, NOW)


def token(number: int, owner: User, **more: datetime) -> Token:
    return Token(f"tok_{number}", owner.id, "label", "hft_abc", (Scope.READ, Scope.INGEST), NOW, **more)


def test_users_are_kept_by_name_and_never_twice(store: Store) -> None:
    ana = user("ana", "cards", "lending")
    store.run(lambda tx: tx.access.add_user(ana, "hash"))
    with pytest.raises(StoreError) as fault:
        store.run(lambda tx: tx.access.add_user(User("usr_2", "ana", Role.ADMIN, (), NOW), None))
    assert fault.value.code == "HF-STO-020"
    with store.reading() as tx:
        assert tx.access.user("ana") == tx.access.user_of(ana.id) == ana
        assert tx.access.user("bob") is None
        assert tx.access.password_of(ana.id) == "hash"
        assert tx.access.count_users() == 1


def test_disabling_ends_sessions_and_tokens(store: Store) -> None:
    ana, bob = user("ana"), user("bob")

    def work(tx: object) -> None:
        for person in (ana, bob):
            tx.access.add_user(person, "hash")  # type: ignore[attr-defined]
            tx.access.open_session(f"s-{person.name}", BrowserSession(person.id, NOW, NOW, NOW + HOUR))  # type: ignore[attr-defined]
        tx.access.add_token(token(1, ana), "t-ana")  # type: ignore[attr-defined]
        tx.access.add_token(token(2, bob), "t-bob")  # type: ignore[attr-defined]

    store.run(work)
    assert store.run(lambda tx: tx.access.disable(ana.id))
    assert not store.run(lambda tx: tx.access.disable(ana.id))
    with store.reading() as tx:
        assert tx.access.session("s-ana") is None
        assert tx.access.session("s-bob") is not None
        revoked, standing = tx.access.token("t-ana"), tx.access.token("t-bob")
        assert revoked is not None
        assert standing is not None
        assert not revoked.valid(NOW)
        assert standing.valid(NOW)
        assert [kind for kind, _ in tx.intents.about(ana.id)] == ["user.added", "user.disabled"]


def test_a_token_knows_its_owner_scopes_and_end(store: Store, clock: FrozenClock) -> None:
    ana = user("ana")
    made = token(1, ana, expires_at=NOW + HOUR)
    store.run(lambda tx: (tx.access.add_user(ana, None), tx.access.add_token(made, "digest")))
    store.run(lambda tx: tx.access.touch_token(made.id))
    with store.reading() as tx:
        found = tx.access.token("digest")
        assert found is not None
        assert found.scopes == (Scope.READ, Scope.INGEST)
        assert found.used_at == NOW
        assert tx.access.tokens(ana.id) == tx.access.tokens() == [found]
        assert tx.access.tokens("usr_other") == []
    clock.advance(HOUR)
    assert not found.valid(clock())


def test_a_changed_password_ends_sessions(store: Store) -> None:
    ana = user("ana")
    session = BrowserSession(ana.id, NOW, NOW, NOW + HOUR)
    store.run(lambda tx: (tx.access.add_user(ana, "one"), tx.access.open_session("s", session)))
    store.run(lambda tx: tx.access.set_password(ana.id, "two"))
    with store.reading() as tx:
        assert tx.access.session("s") is None
        assert tx.access.password_of(ana.id) == "two"


def test_old_sessions_are_forgotten_when_new_ones_open(store: Store, clock: FrozenClock) -> None:
    ana = user("ana")
    old = BrowserSession(ana.id, NOW, NOW, NOW + HOUR)
    store.run(lambda tx: (tx.access.add_user(ana, None), tx.access.open_session("old", old)))
    clock.advance(2 * HOUR)
    new = BrowserSession(ana.id, clock(), clock(), clock() + HOUR)
    store.run(lambda tx: tx.access.open_session("new", new))
    with store.reading() as tx:
        assert tx.access.session("old") is None
        assert tx.access.session("new") == new
    clock.advance(HOUR / 2)
    store.run(lambda tx: tx.access.touch_session("new"))
    with store.reading() as tx:
        found = tx.access.session("new")
        assert found is not None
        assert found.seen_at == clock()
    store.run(lambda tx: tx.access.end_session("new"))
    with store.reading() as tx:
        assert tx.access.session("new") is None


def test_failures_are_counted_in_windows(store: Store, clock: FrozenClock) -> None:
    window = timedelta(minutes=15)
    for _ in range(3):
        store.run(lambda tx: tx.access.note_failures(["a", "b"], clock() - window))
    store.run(lambda tx: tx.access.clear_failures("b"))
    with store.reading() as tx:
        assert [tx.access.failures(key, clock() - window) for key in "abc"] == [3, 0, 0]
    clock.advance(window)
    with store.reading() as tx:
        assert tx.access.failures("a", clock() - window) == 0
    store.run(lambda tx: tx.access.note_failures(["a"], clock() - window))
    with store.reading() as tx:
        assert tx.access.failures("a", clock() - window) == 1
