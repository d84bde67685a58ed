"""Feeds are asked by themselves: folders often, addresses now and then, one that fails less and less often."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.core.store import Store
from holdfast.core.store.intel import FeedState
from holdfast.intel.importer import run_import

LOCAL = timedelta(seconds=10)
REMOTE = timedelta(seconds=60)
LONGEST = timedelta(minutes=30)


@dataclass
class Poller:
    """Reads what is due. Called again and again; between two readings of a feed lies at least its pause."""

    store: Store
    _failures: dict[str, int] = field(default_factory=dict)

    def __call__(self) -> int:
        """Read every feed that is due; returns how many things were said anew, changed or taken back."""
        now = self.store.clock()
        with self.store.reading() as tx:
            due = [state for state in tx.intel.feeds() if self._due(state, now)]
        return sum(self._read(state) for state in due)

    def _due(self, state: FeedState, now: datetime) -> bool:
        pause = REMOTE if state.feed.location.startswith(("http://", "https://")) else LOCAL
        wait = min(LONGEST, pause * 2 ** self._failures.get(state.feed.id, 0))
        return state.last_try is None or now >= state.last_try + wait

    def _read(self, state: FeedState) -> int:
        made = run_import(self.store, state.feed.id)
        failed = self._failures.get(state.feed.id, 0)
        self._failures[state.feed.id] = 0 if made.fault is None else min(failed + 1, 12)
        return made.new + made.changed + made.withdrawn
