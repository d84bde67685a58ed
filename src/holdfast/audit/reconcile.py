"""Work to do = observations that should exist minus those that do. Harmless to repeat, to interrupt, to run twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.audit.interface import Budget
from holdfast.audit.plan import Work, applies
from holdfast.audit.pool import Done, Pool
from holdfast.audit.worker import Failure, Job
from holdfast.core import errors
from holdfast.core.domain.clock import Clock, to_iso
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.domain.observation import Attempt, Observation, Recorded, Status
from holdfast.core.store.owners import new_owner

if TYPE_CHECKING:
    from holdfast.core.store import Store
    from holdfast.core.store.transaction import Transaction

LEASE_S = 10
"""How long after a killed audit another one waits for its work; renewed three times within."""
_STEP_S = 0.2

Place = tuple[str, str]
"""A model's name and a check's id."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of an audit: an observation and where it came from. No key is stored for what could not run."""

    work: Work
    version: str
    observation: Observation
    cached: bool
    elapsed_s: float
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class Progress:
    """`state` is started, cached, measured, unknown or failed; `done` of `total` pieces of work have ended."""

    model: str
    check: str
    state: str
    done: int
    total: int
    elapsed_s: float = 0.0


Watcher = Callable[[Progress], None]
Again = Callable[[str, Observation], Observation]
"""What an observation says of a model by the list of names and the additions in force."""


class Reconciler:
    """Runs what is missing through a pool, one lease per key, and records each result as it comes.

    Two models with the same inputs share a key: it runs once and tells about both.
    """

    def __init__(
        self,
        store: Store,
        pool: Pool,
        clock: Clock,
        *,
        retry: bool = False,
        watch: Watcher | None = None,
        again: Again | None = None,
    ) -> None:
        self._store, self._pool, self._clock, self._retry = store, pool, clock, retry
        self._again = again or (lambda _, seen: seen)
        self._watch = watch or (lambda _: None)
        self._owner = new_owner()
        self._renew_at = clock()

    def run(self, works: Sequence[tuple[Work, str]]) -> tuple[list[Result], list[errors.HoldfastError]]:
        """Bring every (work, model version) to a result. Gives the results, in order, and the user's own faults."""
        self._versions = {_place(work): version for work, version in works}
        self._open = {_place(work): work for work, _ in works}
        self._results: dict[Place, Result] = {}
        self._faults: dict[str, errors.HoldfastError] = {}
        self._running: dict[str, datetime] = {}
        self._total = len(self._open)
        self._take_found({work.key for work in self._open.values()})
        try:
            while self._open:
                self._advance()
        finally:
            self._release(self._running)
        return [self._results[place] for place in self._versions if place in self._results], [*self._faults.values()]

    def _advance(self) -> None:
        for work in list(self._open.values()):
            if work.key not in self._running and _place(work) in self._open:
                self._consider(work)
        for done in self._pool.step(_STEP_S if self._open else 0.0):
            self._finish(done)
        if self._clock() >= self._renew_at:
            self._renew()

    def _consider(self, work: Work) -> None:
        """Submit, drop, or settle without running; or leave it until what it requires is there."""
        places = [(work.model, check) for check in work.requires]
        if any(place in self._open for place in places):
            return
        barrier = _barrier(work, [self._results[place] for place in places if place in self._results])
        if barrier is not None:
            self._settle(work, Observation.unknown(barrier))
        elif not applies(work.check, self._kinds(work.model)):
            del self._open[_place(work)]
            self._total -= 1
        else:
            self._try(work)

    def _try(self, work: Work) -> None:
        last = None if self._retry else self._store.run(lambda tx: tx.attempts.last(work.key))
        if last is not None and (last.retry_at is None or last.retry_at > self._clock()):
            self._settle(work, Observation.unknown(f"{last.reason}; {_when(last)}"))
        elif self._store.run(lambda tx: tx.leases.claim(work.key, self._owner, LEASE_S)):
            self._start(work)
        else:
            self._take_found({work.key})

    def _start(self, work: Work) -> None:
        # Someone else may have finished between our look and our lease.
        if self._take_found({work.key}):
            self._release([work.key])
            return
        self._running[work.key] = self._clock()
        self._pool.submit(work.key, Job(work.check, work.params, work.parts, Budget()))
        self._report(work, "started")

    def _take_found(self, keys: Set[str]) -> bool:
        """Settle all open work whose observation is kept already."""

        def look(tx: Transaction) -> dict[str, Recorded]:
            found = tx.observations.find(keys)
            for work in self._open.values():
                if work.key in found:
                    tx.observations.link(work.key, work.model, self._versions[_place(work)])
            return found

        found = self._store.run(look)
        for work in list(self._open.values()):
            if work.key in found:
                self._close(work, found[work.key], "cached", cached=True)
        return bool(found)

    def _finish(self, done: Done) -> None:
        key, failure = done.ticket, done.answer.failure
        work = next(work for work in self._open.values() if work.key == key)
        if done.answer.observation is not None:
            self._record(work, done.answer.observation, done.elapsed_s)
        elif failure is not None and _is_users_fault(failure):
            self._faults[key] = _as_error(failure)
            self._release([key])
            self._drop(key, done.elapsed_s)
        elif failure is not None:
            self._attempted(work, failure, done.elapsed_s)
        del self._running[key]

    def _record(self, work: Work, observation: Observation, elapsed_s: float) -> None:
        version = self._versions[_place(work)]
        recorded = Recorded(
            work.key, work.check, work.version, work.model, version, observation, self._clock(), elapsed_s
        )

        def keep(tx: Transaction) -> None:
            if tx.observations.add(recorded):
                tx.intend("observation.recorded", _leaf(recorded), about=recorded.key)
            tx.leases.release(work.key, self._owner)

        self._store.run(keep)
        self._close(work, recorded, str(observation.status), elapsed_s)
        self._take_found({work.key} if any(other.key == work.key for other in self._open.values()) else set())

    def _attempted(self, work: Work, failure: Failure, elapsed_s: float) -> None:
        reason = f"{failure.message}: {failure.cause}"
        started_at = self._running[work.key]

        def keep(tx: Transaction) -> None:
            tx.attempts.fail(work.key, work.check, work.model, reason=reason, started_at=started_at)
            tx.leases.release(work.key, self._owner)

        self._store.run(keep)
        for other in [other for other in self._open.values() if other.key == work.key]:
            self._settle(other, Observation.unknown(reason), elapsed_s)

    def _close(
        self, work: Work, recorded: Recorded, state: str, elapsed_s: float = 0.0, *, cached: bool = False
    ) -> None:
        place = _place(work)
        del self._open[place]
        # What is kept is what was seen; what is shown, and what may run, goes by the names in force.
        seen = self._again(work.model, recorded.observation)
        told = recorded if seen is recorded.observation else replace(recorded, observation=seen)
        self._results[place] = Result(work, self._versions[place], seen, cached, elapsed_s, told)
        self._report(work, state, elapsed_s)

    def _settle(self, work: Work, observation: Observation, elapsed_s: float = 0.0) -> None:
        """A result that is not stored: it says why there is no observation."""
        place = _place(work)
        del self._open[place]
        self._results[place] = Result(work, self._versions[place], observation, False, elapsed_s, None)
        self._report(work, "unknown", elapsed_s)

    def _drop(self, key: str, elapsed_s: float) -> None:
        for work in [work for work in self._open.values() if work.key == key]:
            del self._open[_place(work)]
            self._report(work, "failed", elapsed_s)

    def _kinds(self, model: str) -> set[str]:
        return {
            str(fact.value)
            for (name, _), result in self._results.items()
            if name == model
            for fact in result.observation.facts
            if fact.kind == "model.kind"
        }

    def _renew(self) -> None:
        self._renew_at = self._clock() + timedelta(seconds=LEASE_S / 3)
        held = list(self._running)
        self._store.run(lambda tx: [tx.leases.renew(key, self._owner, LEASE_S) for key in held])

    def _release(self, keys: Iterable[str]) -> None:
        held = list(keys)
        if held:
            self._store.run(lambda tx: [tx.leases.release(key, self._owner) for key in held])

    def _report(self, work: Work, state: str, elapsed_s: float = 0.0) -> None:
        self._watch(Progress(work.model, work.check, state, self._total - len(self._open), self._total, elapsed_s))


def _place(work: Work) -> Place:
    return work.model, work.check


def _leaf(recorded: Recorded) -> dict[str, Any]:
    """What the ledger says of an observation: its key and the digest of what was seen."""
    seen = digest_bytes(msgspec.json.encode(recorded.observation, order="sorted"))
    return {
        "key": recorded.key,
        "check": recorded.check,
        "model": recorded.model,
        "version": recorded.version,
        "observation": seen,
    }


def _when(last: Attempt) -> str:
    if last.retry_at is None:
        return f"given up after {last.number} attempts; --retry tries again"
    return f"next try after {to_iso(last.retry_at.replace(microsecond=0))}, or now with --retry"


def _barrier(work: Work, required: Sequence[Result]) -> str | None:
    """Why a check may not run: never run what has not been found clean."""
    if len(required) < len(work.requires):
        return f"not run: it requires {', '.join(work.requires)}"
    for result in required:
        if result.observation.status is Status.UNKNOWN:
            return f"not run: {result.work.check} is unknown ({result.observation.reason})"
        for fact in result.observation.facts:
            if fact.kind == "scan.verdict" and fact.value != "clean":
                return f"not run: {result.work.check} says {fact.value}, and only a clean artifact is ever loaded"
    return None


def _is_users_fault(failure: Failure) -> bool:
    kind = getattr(errors, failure.error, None)
    return isinstance(kind, type) and issubclass(kind, errors.HoldfastError) and kind.exit_code == errors.EXIT_USAGE


def _as_error(failure: Failure) -> errors.HoldfastError:
    kind: type[errors.HoldfastError] = getattr(errors, failure.error)
    return kind(failure.message, cause=failure.cause, fix=failure.fix, code=failure.code)
