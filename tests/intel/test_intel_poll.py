"""Feeds are read when they are due, and no sooner; a broken one does not keep the others back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.core.domain import FrozenClock
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Tlp
from holdfast.core.store import Store
from holdfast.intel.poll import LOCAL, Poller


def advisory(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    record = {
        "id": name,
        "modified": "2026-01-01T00:00:00Z",
        "summary": "x",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "example"}, "versions": ["1.0"]}],
    }
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_a_feed_is_read_when_it_is_due(tmp_path: Path) -> None:
    clock = FrozenClock(datetime(2026, 1, 5, tzinfo=UTC))
    with Store.open(None, tmp_path / "home", clock) as store:
        for name, place in (("good", tmp_path / "feed"), ("gone", tmp_path / "nothing")):
            feed = Feed(name, "osv", str(place), 90, Ceiling.BLOCK_NEW, Tlp.GREEN, timedelta(days=1))
            store.run(lambda tx, feed=feed: tx.intel.put_feed(feed))
        advisory(tmp_path / "feed", "CVE-2026-1")
        poll = Poller(store)
        assert poll() == 1
        advisory(tmp_path / "feed", "CVE-2026-2")
        assert poll() == 0
        clock.advance(LOCAL)
        assert poll() == 1
        with store.reading() as tx:
            state = tx.intel.feed("gone")
            assert state is not None
            assert state.fault is not None


def test_a_feed_that_fails_is_asked_less_and_less_often(tmp_path: Path) -> None:
    clock = FrozenClock(datetime(2026, 1, 5, tzinfo=UTC))
    with Store.open(None, tmp_path / "home", clock) as store:
        feed = Feed("gone", "osv", str(tmp_path / "nothing"), 90, Ceiling.BLOCK_NEW, Tlp.GREEN, timedelta(days=1))
        store.run(lambda tx: tx.intel.put_feed(feed))
        poll, tries, last = Poller(store), 0, None
        for _ in range(600):
            poll()
            with store.reading() as tx:
                state = tx.intel.feed("gone")
                assert state is not None
                tries += state.last_try != last
                last = state.last_try
            clock.advance(LOCAL)
        assert 5 < tries < 20
