"""Bundles: whole, in time, in order and signed, or refused; and they say what the feeds said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.domain.intelligence import Tlp
from holdfast.core.errors import UsageError
from holdfast.core.sign import SigningKey
from holdfast.intel.bundle import ITEMS, MANIFEST, SIGNED, Manifest, Wish, export
from holdfast.intel.importer import run_import
from intel_desk import Desk, record

KEY = SigningKey(bytes(range(32)))
RECORDS = [record(f"CVE-2026-000{n}", f"pkg-{n}") for n in range(4)]


@pytest.fixture
def connected(tmp_path: Path) -> Desk:
    """The side with a network."""
    desk = Desk(None, tmp_path / "connected")
    desk.feed("a")
    desk.says("a", *RECORDS)
    return desk


def carry(connected: Desk, name: str, after: Manifest | None = None, **wish: object) -> tuple[Path, Manifest]:
    folder = connected.home / name
    how = {"key": KEY, "after": after, **wish}
    return folder, connected.read(lambda tx: export(tx, ["a"], folder, Wish("chain", **how)))


@pytest.fixture
def gapped(desk: Desk) -> Desk:
    """The side without one; its feed trusts one key."""
    desk.feed("carried", kind="bundle", location=desk.home / "inbox", key=KEY.public.pem().decode())
    return desk


def take(gapped: Desk, folder: Path) -> str | None:
    inbox = gapped.home / "inbox"
    if inbox.is_symlink():
        inbox.unlink()
    inbox.symlink_to(folder)
    done = run_import(gapped.store, "carried")
    gapped.drain()
    return done.fault


def test_a_bundle_says_what_the_feeds_said(connected: Desk, gapped: Desk) -> None:
    folder, manifest = carry(connected, "one")
    assert manifest.count == 4
    assert take(gapped, folder) is None
    assert gapped.read(lambda tx: tx.intel.digests_in_force()) == connected.read(lambda tx: tx.intel.digests_in_force())
    assert take(gapped, folder) is None, "the same again changes nothing"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (ITEMS, lambda data: data.replace(b"CVE-2026-0001", b"CVE-2026-0009")),
        (ITEMS, lambda data: data + data.splitlines(keepends=True)[0]),
        (ITEMS, lambda data: b""),
        (SIGNED, lambda data: data.replace(b'"payload":"e', b'"payload":"f')),
        (SIGNED, lambda data: b"{}"),
        (MANIFEST, lambda data: b"[]"),
    ],
)
def test_changed_bytes_are_refused(connected: Desk, gapped: Desk, name: str, change: Callable[[bytes], bytes]) -> None:
    folder, _ = carry(connected, "one")
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    fault = take(gapped, folder)
    if name == MANIFEST:
        assert fault is None, "the signed one counts; the plain one is for readers without a key"
    else:
        assert fault is not None
        assert gapped.read(lambda tx: tx.intel.in_force()) == []


def test_a_bundle_by_another_key_or_by_none_is_refused(connected: Desk, gapped: Desk) -> None:
    folder, _ = carry(connected, "other", key=SigningKey(bytes(32)))
    assert "HF-SIG-007" in (take(gapped, folder) or "")
    folder, _ = carry(connected, "none", key=None)
    assert "HF-INT-007" in (take(gapped, folder) or "")


def test_an_expired_one_and_one_older_than_the_last_are_refused(connected: Desk, gapped: Desk) -> None:
    folder, first = carry(connected, "one")
    later, _ = carry(connected, "two", after=first)
    assert take(gapped, later) is None
    assert "number 1" in (take(gapped, folder) or "")
    gapped.clock.advance(timedelta(days=8))
    assert "expired" in (take(gapped, later) or "")


def test_a_partial_bundle_must_follow_the_last_one(connected: Desk, gapped: Desk) -> None:
    from holdfast.intel.bundle import _write

    folder, first = carry(connected, "one")
    assert take(gapped, folder) is None
    items = (folder / ITEMS).read_bytes()
    for name, previous, refused in (("gap", "sha256:" + "0" * 64, True), ("next", first.digest, False)):
        plain = {**first.plain(), "sequence": 2, "previous": previous, "complete": False}
        part = connected.home / name
        _write(part, Manifest.parse(json.dumps(plain).encode(), "x"), items, KEY)
        assert ("HF-INT-007" in (take(gapped, part) or "")) is refused


def test_what_may_not_be_passed_on_stays(connected: Desk) -> None:
    connected.feed("a", tlp=Tlp.RED)
    connected.says("a", *[record(f"CVE-2026-100{n}", "secret") for n in range(3)], accept_removals=True)
    _, manifest = carry(connected, "one")
    items = (connected.home / "one" / ITEMS).read_bytes()
    assert b"secret" not in items
    assert manifest.count == items.count(b"\n")


def test_a_bundle_is_never_written_over_something(connected: Desk) -> None:
    carry(connected, "one")
    with pytest.raises(UsageError) as fault:
        carry(connected, "one")
    assert fault.value.code == "HF-INT-011"


def test_an_old_bundle_is_as_old_as_it_was_made(connected: Desk, gapped: Desk) -> None:
    from holdfast.intel.effective import snapshot

    folder, manifest = carry(connected, "one")
    gapped.clock.advance(timedelta(days=3))
    assert take(gapped, folder) is None
    assert gapped.read(snapshot).dated == manifest.made_at
    assert gapped.read(lambda tx: tx.intel.feed("carried")).stale(gapped.clock())
