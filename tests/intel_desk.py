"""A desk for tests of intelligence: a store, a clock, feeds as files, a small estate, and the engine that answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.core.domain import FrozenClock, Tier, Verdict, state_digest
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Tlp
from holdfast.core.policy import Snapshot
from holdfast.core.store import Message, Store, Transaction
from holdfast.intel.effective import snapshot
from holdfast.intel.importer import Imported, run_import
from holdfast.loop.engine import Engine
from holdfast.loop.reaction import reactions
from holdfast.loop.turn import Surroundings
from holdfast.testing.fleet import Fleet

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def record(name: str, package: str, **said: Any) -> dict[str, Any]:
    """An OSV record on one PyPI package: `fixed` or `versions` say which releases, `severity` is a word."""
    affected: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": package}}
    if "versions" in said:
        affected["versions"] = said.pop("versions")
    else:
        affected["ranges"] = [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": said.pop("fixed", "2.0")}]}
        ]
    rated = {"database_specific": {"severity": said.pop("severity", "HIGH")}}
    return {"id": name, "modified": "2026-01-01T00:00:00Z", "summary": name, "affected": [affected], **rated, **said}


class Desk:
    """One store with everything around it."""

    def __init__(self, database: str | None, home: Path) -> None:
        self.home = home
        self.clock = FrozenClock(START)
        self.store = Store.open(database, home / "state", self.clock)
        self.faults: list[tuple[Message, Exception]] = []
        self.engine = Engine(
            self.store,
            Surroundings(home, lambda tx: snapshot(tx) or Snapshot.builtin()),
            on_fault=lambda message, fault: self.faults.append((message, fault)),
        )

    def feed(self, name: str, *, kind: str = "osv", location: Path | None = None, **said: Any) -> Path:
        """Register a feed that is a file of this desk's."""
        path = location or self.home / f"{name}.jsonl"
        how = {"trust": 90, "ceiling": Ceiling.BLOCK_NEW, "tlp": Tlp.GREEN, "max_age": timedelta(days=1), **said}
        with self.store.transaction() as tx:
            tx.intel.put_feed(Feed(name, kind, str(path), **how))
        return path

    def says(self, name: str, *records: dict[str, Any], drain: bool = True, **how: Any) -> Imported:
        """Let a feed say exactly this, and import it."""
        (self.home / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
        done = run_import(self.store, name, **how)
        if drain:
            self.drain()
        return done

    def drain(self) -> None:
        """Let the loop answer; no reaction may fail."""
        self.engine.drain()
        assert self.faults == []
        assert self.read(lambda tx: tx.outbox.waiting(list(reactions()))) == 0, "a reaction failed"

    def estate(self, models: int = 3, *, rare: Iterable[tuple[str, int]] = (), tier: Tier = Tier.HIGH) -> None:
        """Models that stand at passed; `rare` packages are pinned at 1.0 in so many of them."""
        fleet = Fleet(models=models, locks=2, packages=5, tiers=(tier,), rare=tuple(rare))
        fleet.fill(self.store, self.read(snapshot) or Snapshot.builtin())
        self.drain()

    def read(self, question: Any) -> Any:
        with self.store.reading() as tx:
            return question(tx)

    def state(self) -> tuple[str, str | None]:
        """Digests of all effects and of the intelligence in force."""

        def both(tx: Transaction) -> tuple[str, str | None]:
            known = snapshot(tx)
            return state_digest(tx.claims.effects()), None if known is None else known.digest

        answer: tuple[str, str | None] = self.read(both)
        return answer

    def verdicts(self) -> dict[str, Verdict]:
        """Where the newest version of each model stands."""

        def stands(tx: Transaction) -> dict[str, Verdict]:
            found = {model.name: tx.judgements.latest(model.name) for model in tx.models.all()}
            return {name: judged.verdict for name, judged in found.items() if judged is not None}

        answer: dict[str, Verdict] = self.read(stands)
        return answer

    def effects(self, effect: str) -> dict[str, tuple[str, ...]]:
        """Targets and causes of the effects of one kind."""
        found: dict[str, tuple[str, ...]] = self.read(
            lambda tx: {one.target: one.causes for one in tx.claims.effects() if one.effect == effect}
        )
        return found
