"""An audit: hash the parts, plan the work, reconcile it. Hashing and checking are timed apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.audit.interface import CHECKS
from holdfast.audit.licences import licences
from holdfast.audit.origin import origin, signature
from holdfast.audit.plan import Work, plan
from holdfast.audit.pool import Pool
from holdfast.audit.reconcile import Again, Reconciler, Result, Watcher
from holdfast.audit.target import EndpointParts, Parts
from holdfast.core.contract import Contract
from holdfast.core.domain.clock import Clock
from holdfast.core.domain.model import ModelVersion
from holdfast.core.errors import HoldfastError
from holdfast.core.formats.sniff import sniff
from holdfast.core.sandbox.libraries import own_libraries
from holdfast.core.settings import Settings
from holdfast.core.sign import manifest
from holdfast.estate.manifest import Subject

if TYPE_CHECKING:
    from holdfast.core.store import Store


LIVE_RESULTS_AGE = timedelta(days=7)
"""How long what was seen of a live endpoint is taken for true, where the policy does not say less."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One model version and what its checks gave."""

    subject: Subject
    version: ModelVersion
    results: tuple[Result, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """What the target is, in the policy's words: `tree`, `endpoint`."""
        seen = {
            str(fact.value) for result in self.results for fact in result.observation.facts if fact.kind == "model.kind"
        }
        return frozenset(seen | ({"endpoint"} if self.subject.entry.endpoint is not None else set()))


@dataclass(frozen=True, slots=True)
class Audit:
    """A finished audit. `faults` are the user's own mistakes (a wrong label, a contract its data breaks)."""

    models: tuple[Audited, ...]
    faults: tuple[HoldfastError, ...]
    hash_s: float
    hashed_bytes: int


@dataclass(frozen=True)
class Auditor:
    """Audits subjects against a store.

    `isolation` is the least sandbox level for a subject, `period` the span of time its results hold for (`period_at`).
    `again` says what an observation amounts to by the names in force, for a model by its name.
    """

    store: Store
    settings: Settings
    home: Path
    clock: Clock
    isolation: Callable[[Subject], str]
    period: Callable[[Subject], int | None]
    again: Again | None = None

    def audit(
        self, subjects: Sequence[Subject], *, seed: int = 0, retry: bool = False, watch: Watcher | None = None
    ) -> Audit:
        """Bring every planned check of every subject to a result; only what is missing runs."""
        CHECKS.load_named(self.settings.plugins)
        started = time.perf_counter()
        hashes, hashed_bytes = _hash(subjects)
        hash_s = time.perf_counter() - started
        versions = [self._register(subject, hashes) for subject in subjects]
        works = [
            (work, version.digest)
            for subject, version in zip(subjects, versions, strict=True)
            for work in self._plan(subject, version, hashes, seed)
        ]
        results, faults = self._reconcile(works, retry=retry, watch=watch)
        models = tuple(
            Audited(subject, version, tuple(r for r in results if r.work.model == subject.model.name))
            for subject, version in zip(subjects, versions, strict=True)
        )
        return Audit(models, tuple(faults), hash_s, hashed_bytes)

    def register(self, subjects: Sequence[Subject]) -> tuple[ModelVersion, ...]:
        """Record models and their versions without auditing them."""
        hashes, _ = _hash(subjects)
        return tuple(self._register(subject, hashes) for subject in subjects)

    def _register(self, subject: Subject, hashes: Mapping[Path, str]) -> ModelVersion:
        artifact = subject.part("artifact")
        assert artifact is not None
        version = ModelVersion(subject.model.name, hashes[artifact], sniff(artifact))
        with self.store.transaction() as tx:
            if tx.models.register(subject.model, version, subject.entry.model_dump(mode="json", by_alias=True)):
                tx.intend("version.registered", {"model": version.model, "version": version.digest})
        return version

    def _plan(self, subject: Subject, version: ModelVersion, hashes: Mapping[Path, str], seed: int) -> tuple[Work, ...]:
        of_role = {part.role: hashes[part.path] for part in subject.parts}
        contract = subject.part("contract")
        if contract is not None:
            # The meaning, not the bytes: a comment in the contract re-runs nothing.
            of_role["contract"] = Contract.load(contract).digest
        depth = self.settings.depth or subject.entry.depth
        return plan(self._parts(subject, version, of_role), of_role, _libraries, seed=seed, depth=depth)

    def _parts(self, subject: Subject, version: ModelVersion, hashes: Mapping[str, str]) -> Parts:
        artifact = subject.part("artifact")
        assert artifact is not None
        data = subject.entry.data
        return Parts(
            model=subject.model,
            artifact=artifact,
            artifact_format=version.format,
            train=subject.part("train"),
            test=subject.part("test"),
            label=None if data is None else data.label,
            drop=() if data is None else data.drop,
            contract=subject.part("contract"),
            lock=subject.part("lock"),
            runtime=subject.runtime,
            isolation=self.isolation(subject),
            period=self.period(subject),
            endpoint=_endpoint(subject),
            live_period=period_at(self.clock(), LIVE_RESULTS_AGE),
            origin=origin(artifact, self.home, hashes),
            reports=subject.reports,
            signature=signature(subject, self.home, hashes),
            licences=licences(subject),
        )

    def _reconcile(
        self, works: Sequence[tuple[Work, str]], *, retry: bool, watch: Watcher | None
    ) -> tuple[list[Result], list[HoldfastError]]:
        with Pool(
            self.settings.workers,
            timeout_s=self.settings.check_timeout_s,
            memory_bytes=self.settings.worker_memory_mb * 2**20,
            log_folder=self.home,
            plugins=self.settings.plugins,
        ) as pool:
            reconciler = Reconciler(self.store, pool, self.clock, retry=retry, watch=watch, again=self.again)
            return reconciler.run(works)


def _endpoint(subject: Subject) -> EndpointParts | None:
    entry = subject.entry.endpoint
    if entry is None:
        return None
    return EndpointParts(entry.url, entry.protocol, None if entry.auth is None else entry.auth.bearer_env)


def period_at(moment: datetime, age: timedelta | None) -> int | None:
    """Spans of the allowed age since 1970: a new one has new keys, so that no result is served too old."""
    return None if age is None else int(moment.timestamp() // age.total_seconds())


def _libraries(interpreter: Path | None) -> Mapping[str, str]:
    if interpreter is None:
        return own_libraries()
    # Only now: an unchanged gate must not pay for numpy.
    from holdfast.core.sandbox.sandbox import Sandbox

    return Sandbox(interpreter).libraries()


def _hash(subjects: Sequence[Subject]) -> tuple[dict[Path, str], int]:
    """Digest of every distinct part, hashed in parallel, and the bytes read."""
    hashed = manifest({part.path for subject in subjects for part in subject.parts})
    return {Path(file.name): file.digest for file in hashed.files}, hashed.bytes
