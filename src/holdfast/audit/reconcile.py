"""Work to do = observations that should exist minus those that do. Harmless to repeat, to interrupt, to run twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget
from holdfast.audit.plan import Work, applies
from holdfast.audit.pool import Done, Pool
from holdfast.audit.worker import Failure, Job
from holdfast.core import errors
from holdfast.core.domain.clock import Clock, to_iso
from holdfast.core.domain.observation import Attempt, Observation, Recorded, Status

if TYPE_CHECKING:
    from holdfast.core.store import Store

LEASE_S = 30
_STEP_S = 0.2
_FIRST_BACK_OFF_S = 60
_LONGEST_BACK_OFF_S = 3600


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


class Reconciler:
    """Runs what is missing through a pool, one lease per piece of work, and records each result as it comes."""

    def __init__(
        self, store: Store, pool: Pool, clock: Clock, *, retry: bool = False, watch: Watcher | None = None
    ) -> None:
        self._store, self._pool, self._clock, self._retry = store, pool, clock, retry
        self._watch = watch or (lambda _: None)
        self._owner = uuid.uuid4().hex
        self._renew_at = clock()

    def run(self, works: Sequence[tuple[Work, str]]) -> tuple[list[Result], list[errors.HoldfastError]]:
        """Bring every (work, model version) to a result. Gives the results, in order, and the user's own faults."""
        self._versions = {work.key: version for work, version in works}
        self._open = {work.key: work for work, _ in works}
        self._results: dict[str, Result] = {}
        self._faults: list[errors.HoldfastError] = []
        self._submitted: set[str] = set()
        self._total = len(self._open)
        self._take_found(self._open)
        try:
            while self._open:
                self._advance()
        finally:
            self._release(self._submitted & self._open.keys())
        return [self._results[work.key] for work, _ in works if work.key in self._results], self._faults

    def _advance(self) -> None:
        for work in list(self._open.values()):
            if work.key not in self._submitted:
                self._consider(work)
        for done in self._pool.step(_STEP_S):
            self._finish(self._open[done.ticket], done)
        if self._clock() >= self._renew_at:
            self._renew()

    def _consider(self, work: Work) -> None:
        """Submit, drop, or settle without running; or leave it until what it requires is there."""
        required = [self._result_of(work.model, check) for check in work.requires]
        if any(
            result is None and self._is_open(work.model, check)
            for result, check in zip(required, work.requires, strict=True)
        ):
            return
        barrier = _barrier(work, [result for result in required if result is not None])
        if barrier is not None:
            self._settle(work, Observation.unknown(barrier))
        elif not applies(work.check, self._kinds(work.model)):
            del self._open[work.key]
            self._total -= 1
        else:
            self._try(work)

    def _try(self, work: Work) -> None:
        with self._store.transaction() as tx:
            last = None if self._retry else tx.attempts.last(work.key)
            waits = last is not None and last.retry_at is not None and last.retry_at > self._clock()
            claimed = not waits and tx.leases.claim(work.key, self._owner, LEASE_S)
        if waits:
            assert last is not None
            assert last.retry_at is not None
            again = f"next try after {to_iso(last.retry_at.replace(microsecond=0))}, or now with --retry"
            self._settle(work, Observation.unknown(f"{last.reason}; {again}"))
        elif claimed:
            self._start(work)
        else:
            self._take_found([work.key])

    def _start(self, work: Work) -> None:
        # Someone else may have finished between our look and our lease.
        if self._take_found([work.key]):
            self._release([work.key])
            return
        self._submitted.add(work.key)
        self._pool.submit(work.key, Job(work.check, work.params, work.parts, Budget()))
        self._report(work, "started")

    def _take_found(self, keys: Iterable[str]) -> bool:
        with self._store.transaction() as tx:
            found = tx.observations.find(list(keys))
        for key, recorded in found.items():
            work = self._open.pop(key)
            self._results[key] = Result(work, self._versions[key], recorded.observation, True, 0.0, recorded)
            self._report(work, "cached")
        return bool(found)

    def _finish(self, work: Work, done: Done) -> None:
        failure = done.answer.failure
        if done.answer.observation is not None:
            self._record(work, done.answer.observation, done.elapsed_s)
        elif failure is not None and _is_users_fault(failure):
            self._faults.append(_as_error(failure))
            del self._open[work.key]
            self._release([work.key])
            self._report(work, "failed", done.elapsed_s)
        elif failure is not None:
            self._attempted(work, failure, done.elapsed_s)

    def _record(self, work: Work, observation: Observation, elapsed_s: float) -> None:
        version = self._versions[work.key]
        recorded = Recorded(
            work.key, work.check, work.version, work.model, version, observation, self._clock(), elapsed_s
        )
        with self._store.transaction() as tx:
            if tx.observations.add(recorded):
                body = {"key": work.key, "check": work.check, "model": work.model, "version": version}
                tx.intend("observation.recorded", body)
                tx.outbox.publish("observation", work.key, body)
            tx.leases.release(work.key, self._owner)
        del self._open[work.key]
        self._results[work.key] = Result(work, version, observation, False, elapsed_s, recorded)
        self._report(work, str(observation.status), elapsed_s)

    def _attempted(self, work: Work, failure: Failure, elapsed_s: float) -> None:
        now = self._clock()
        reason = f"{failure.message}: {failure.cause}"
        with self._store.transaction() as tx:
            last = tx.attempts.last(work.key)
            number = 1 if last is None else last.number + 1
            pause = min(_FIRST_BACK_OFF_S * 2 ** min(number - 1, 10), _LONGEST_BACK_OFF_S)
            tx.attempts.add(
                Attempt(work.key, work.check, work.model, reason, now, now + timedelta(seconds=pause), number)
            )
            tx.leases.release(work.key, self._owner)
        self._settle(work, Observation.unknown(reason), elapsed_s)

    def _settle(self, work: Work, observation: Observation, elapsed_s: float = 0.0) -> None:
        """A result that is not stored: it says why there is no observation."""
        del self._open[work.key]
        self._results[work.key] = Result(work, self._versions[work.key], observation, False, elapsed_s, None)
        self._report(work, "unknown", elapsed_s)

    def _result_of(self, model: str, check: str) -> Result | None:
        return next((r for r in self._results.values() if (r.work.model, r.work.check) == (model, check)), None)

    def _is_open(self, model: str, check: str) -> bool:
        return any((work.model, work.check) == (model, check) for work in self._open.values())

    def _kinds(self, model: str) -> set[str]:
        return {
            str(fact.value)
            for result in self._results.values()
            if result.work.model == model
            for fact in result.observation.facts
            if fact.kind == "model.kind"
        }

    def _renew(self) -> None:
        self._renew_at = self._clock() + timedelta(seconds=LEASE_S / 3)
        with self._store.transaction() as tx:
            for key in self._submitted & self._open.keys():
                tx.leases.renew(key, self._owner, LEASE_S)

    def _release(self, keys: Iterable[str]) -> None:
        with self._store.transaction() as tx:
            for key in keys:
                tx.leases.release(key, self._owner)

    def _report(self, work: Work, state: str, elapsed_s: float = 0.0) -> None:
        self._watch(Progress(work.model, work.check, state, self._total - len(self._open), self._total, elapsed_s))


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
