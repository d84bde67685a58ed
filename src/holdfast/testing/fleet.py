"""A simulated estate in a store: many models that share lock files, each with results and a standing verdict.

Nothing is trained: what the audit would have seen is written as observations, and the one judge judges it. For
benchmarks and tests of what follows from intelligence, deployments and time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.core.domain.ids import digest
from holdfast.core.domain.model import Harm, Model, ModelVersion, People, Task
from holdfast.core.domain.observation import Fact, Measurement, Observation, Recorded
from holdfast.core.domain.severity import Tier
from holdfast.core.policy import Policy, Snapshot, Subject, judge
from holdfast.core.store import Store, Transaction
from holdfast.loop.docket import inputs_of
from holdfast.loop.on_observation import Kept, keep_all

KINDS: Final = frozenset({"tree"})
TIERS: Final = (Tier.HIGH, Tier.CRITICAL, Tier.HIGH, Tier.MEDIUM)
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Fleet:
    """What to simulate: `locks` lock files of `packages` pins are shared among `models`, at random but seeded.

    `rare` is a package that is pinned (at 1.0) in that many of the models.
    """

    models: int = 1_000
    locks: int = 100
    packages: int = 150
    seed: int = 7
    tiers: Sequence[Tier] = TIERS
    rare: tuple[tuple[str, int], ...] = ()

    def name(self, number: int) -> str:
        """The n-th model."""
        return f"model-{number:04}"

    def fill(self, store: Store, intel: Snapshot, policy: Policy | None = None) -> None:
        """Register, deploy, observe and judge every model, as of the store's present."""
        chosen = policy or Policy.builtin("baseline")
        locks = self._locks()
        for start in range(0, self.models, BATCH):
            part = range(start, min(start + BATCH, self.models))
            store.run(lambda tx, part=part: self._fill(tx, part, locks, intel, chosen))  # type: ignore[misc]

    def _locks(self) -> list[list[str]]:
        """Lock files: common packages in most of them, others in few; versions differ."""
        chance = random.Random(self.seed)  # noqa: S311  (a simulation; guards no secret)
        names = [f"lib-{number:03}" for number in range(4 * self.packages)]
        weights = [1 / (1 + number / 20) for number in range(len(names))]
        locks = []
        for _ in range(self.locks):
            chosen = sorted(set(chance.choices(names, weights, k=2 * self.packages)))[: self.packages]
            locks.append([f"pkg:pypi/{name}@{chance.randint(1, 9)}.{chance.randint(0, 9)}" for name in chosen])
        return locks

    def _fill(self, tx: Transaction, part: range, locks: list[list[str]], intel: Snapshot, policy: Policy) -> None:
        made = []
        for number in part:
            subject = self._subject(tx, number, locks)
            judgement = judge(subject, policy, as_of=tx.now, intel=intel)
            made.append(Kept(judgement, policy, inputs_of(subject)))
        keep_all(tx, made)
        for number in part[::2]:
            tx.models.deploy(self.name(number), _version(self.name(number)))

    def _subject(self, tx: Transaction, number: int, locks: list[list[str]]) -> Subject:
        name = self.name(number)
        tier = self.tiers[number % len(self.tiers)]
        people = People(decides_on=True, personal_data=True, automated=False)
        task = Task("binary", 1, Harm(1, 0), 0.5)
        model = Model(name, f"unit-{number % 20}", ("eu", "us")[number % 2], "owner", tier, "simulated", task, people)
        version = ModelVersion(name, _version(name), "xgboost-ubj")
        tx.models.register(model, version, {})
        seen = [self._lock_seen(tx, number, locks), *_results(tx, name)]
        for item in seen:
            tx.observations.add(item)
        return Subject(model, version, KINDS, tuple(seen))

    def _lock_seen(self, tx: Transaction, number: int, locks: list[list[str]]) -> Recorded:
        pins = [*locks[number % len(locks)], *(f"pkg:pypi/{name}@1.0" for name, count in self.rare if number < count)]
        seen = Observation.of([Fact("package", pin) for pin in sorted(pins)])
        return _recorded(tx, "deps.advisories", self.name(number), digest(["lock", *sorted(pins)]), seen)


def _version(name: str) -> str:
    return digest(["artifact", name])


def _recorded(tx: Transaction, check: str, model: str, key: str, seen: Observation) -> Recorded:
    return Recorded(key, check, 1, model, _version(model), seen, tx.now, 0.5)


def _results(tx: Transaction, name: str) -> list[Recorded]:
    """What the other checks of a healthy tree model see."""
    seen = {
        "scan.artifact": Observation.of(Fact("scan.verdict", "clean"), Fact("import", "numpy.ndarray")),
        "evasion.search": Observation.of(
            Measurement("evasion.robust_recall", 0.6, "share", {"linf": 0.005}, 200, 0),
            Fact("sandbox.isolation", "full"),
        ),
        "data.contract": Observation.of(Measurement("data.contract.broken_share", 0.0, "share", {}, 1000)),
        "quality.performance": Observation.of(Measurement("quality.auc", 0.9, "share", {}, 1000)),
    }
    return [_recorded(tx, check, name, digest([check, name]), one) for check, one in seen.items()]
