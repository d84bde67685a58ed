"""`holdfast.watch.wrap(model)`: the model as before, and every answer of it an event.

What is recorded is what the model said, also where an order in force makes the caller see less of it. A fault in the
recording is counted and never reaches the caller; only an enforced order may keep an answer back.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from holdfast.core.domain.clock import Clock, system_clock
from holdfast.core.domain.directive import Directive
from holdfast.watch.directives import (
    FREE,
    BlockedError,
    HttpSource,
    Orders,
    Plan,
    Source,
    Throttle,
    ThrottledError,
    plan,
)
from holdfast.watch.rows import answers_of, coarse, rows_of
from holdfast.watch.sender import Sender, SenderOptions

MAX_ROWS: Final = 10_000
"""Rows of one call that are recorded; the others are counted, and their numbers stay unused."""
ANSWERING: Final = ("predict_proba", "predict", "score_samples", "decision_function")

Who = str | Callable[[Any], str | Sequence[str | None] | None] | None
"""A name, or a function of what the model was asked that gives one name, or one per row."""

_caller: ContextVar[tuple[str | None, str | None]] = ContextVar("holdfast_caller", default=(None, None))


def wrap(  # noqa: PLR0913  (each is a thing users set, all but two have defaults)
    model: Any,
    *,
    name: str,
    server: str | None = None,
    contract: Any = None,
    version: str | None = None,
    client: Who = None,
    subject: Who = None,
    token_env: str = "HOLDFAST_TOKEN",  # noqa: S107  (the name of a variable, not a token)
    producer: str | None = None,
    spill: Path | str | None = None,
    orders: Source | None = None,
    shadow: Callable[..., Any] | None = None,
    step_up: Callable[[str, Plan], None] | None = None,
    options: SenderOptions | None = None,
    clock: Clock = system_clock,
) -> Watched:
    """Watch a model: an object with `predict` or `predict_proba`, or any callable that takes rows.

    `server` is the address of `holdfast serve` (default: HOLDFAST_SERVER); its token is read from the variable
    `token_env`. `contract` (a Contract, its path, or names) names the columns of matrices. `client` and `subject` say
    who asks and whom a row is about; `Watched.caller` says it for a block of code. `spill` is a folder for events
    while the server is away. `orders` replaces the server as the source of directives. `shadow` answers in the
    model's place under an order to shadow; `step_up` is told of callers to be checked by a person.

    Raises ConfigError (HF-WAT-030) without a usable address.
    """
    address = server or os.environ.get("HOLDFAST_SERVER", "")
    token = os.environ.get(token_env)
    sender = Sender(
        address,
        token=token,
        producer=producer,
        spill=None if spill is None else Path(spill),
        options=options,
        clock=clock,
    )
    source = orders or HttpSource(address, name, token)
    guard = Guard(name, version, sender, Orders(source, clock), clock)
    return Watched(model, guard, column_names(contract, model), client, subject, shadow=shadow, step_up=step_up)


def column_names(contract: Any, model: Any = None) -> tuple[str, ...]:
    """The columns' names: from a contract, a list, or the model itself."""
    if contract is None:
        return tuple(map(str, getattr(model, "feature_names_in_", ())))
    if isinstance(contract, str | Path):
        from holdfast.core.contract import Contract

        contract = Contract.load(Path(contract))
    return tuple(getattr(contract, "names", contract))


class Guard:
    """What capture knows of one model: its orders, its counts, and where its events go."""

    def __init__(self, model: str, version: str | None, sender: Sender, orders: Orders, clock: Clock) -> None:
        self.model, self.version = model, version
        self.sender, self.orders, self.clock = sender, orders, clock
        self.throttle = Throttle()
        self.faults = 0
        self.applied: Counter[str] = Counter()
        self.would: Counter[str] = Counter()

    def plan(self, clients: Iterable[str], calls: int) -> Plan:
        """What the orders in force mean for a call on behalf of these clients; the gravest of them counts."""
        found = FREE
        try:
            for client in dict.fromkeys(clients):
                orders: tuple[Directive, ...] = self.orders.of(client)
                if orders:
                    found = _graver(found, plan(orders, client, self.throttle, time.monotonic(), calls))
        except Exception:  # an order that cannot be read must not stop the model
            self.faults += 1
        self.applied.update(found.applied)
        self.would.update(found.would)
        return found

    def record(
        self,
        rows: Sequence[dict[str, Any]],
        answers: Sequence[tuple[float | None, str | None]],
        clients: Sequence[str],
        subjects: Sequence[str | None],
        request_id: str | None = None,
    ) -> None:
        """Queue one event per row."""
        moment = self.clock()
        for row, (score, decision), client, subject in zip(rows, answers, clients, subjects, strict=True):
            event = {
                "time": moment,
                "model": self.model,
                "version": self.version,
                "client": client,
                "subject": subject,
                "features": row,
                "score": score,
                "decision": decision,
                "request_id": request_id,
            }
            self.sender.record(event)

    def stats(self) -> dict[str, Any]:
        """Every counter, as plain values."""
        return {
            **asdict(self.sender.stats),
            "faults": self.faults,
            "order_failures": self.orders.failures,
            "applied": dict(self.applied),
            "would": dict(self.would),
        }


def _graver(one: Plan, other: Plan) -> Plan:
    waits = [wait for wait in (one.retry_s, other.retry_s) if wait is not None]
    digits = [value for value in (one.digits, other.digits) if value is not None]
    return Plan(
        one.block or other.block,
        max(waits, default=None),
        min(digits, default=None),
        one.step_up or other.step_up,
        one.shadow or other.shadow,
        one.freeze or other.freeze,
        tuple(sorted({*one.applied, *other.applied})),
        tuple(sorted({*one.would, *other.would})),
    )


class Watched:
    """Stands for the model: what is not an answer is passed on to it."""

    def __init__(
        self,
        model: Any,
        guard: Guard,
        names: Sequence[str],
        client: Who,
        subject: Who,
        *,
        shadow: Callable[..., Any] | None,
        step_up: Callable[[str, Plan], None] | None,
    ) -> None:
        self._model, self._guard, self._names = model, guard, names
        self._client, self._subject = client, subject
        self._shadow, self._step_up = shadow, step_up
        self.last_plan = FREE
        """What orders did to the last call, for callers that show it."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        if name not in ANSWERING or not callable(found):
            return found
        return lambda X, *args, **named: self._ask(found, X, args, named)

    def __call__(self, X: Any, *args: Any, **named: Any) -> Any:
        """Ask the model, if it is a callable."""
        return self._ask(self._model, X, args, named)

    @contextmanager
    def caller(self, client: str, subject: str | None = None) -> Iterator[None]:
        """Within this block, calls of this thread or task are on behalf of `client`."""
        token = _caller.set((client, subject))
        try:
            yield
        finally:
            _caller.reset(token)

    def stats(self) -> dict[str, Any]:
        """Counters: recorded, sent, dropped, spilled, what orders did and would have done."""
        return self._guard.stats()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until every event is with the server; False if that took too long."""
        return self._guard.sender.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits; spill, or count, what the server does not take."""
        self._guard.sender.close(timeout_s)
        self._guard.orders.close()

    def _ask(self, function: Callable[..., Any], X: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        rows = self._rows(X)
        clients, subjects = self._who(X, len(rows))
        found = self.last_plan = self._guard.plan(clients, max(1, len(rows)))
        if found.block or found.retry_s is not None:
            self._record(X, rows, [(None, "blocked" if found.block else "throttled")] * len(rows), clients, subjects)
            raise _refusal(found)
        if found.step_up:
            self._tell(clients, found)
        if found.shadow and self._shadow is not None:
            function = self._shadow
        result = function(X, *args, **named)
        self._record(X, rows, self._answers(result, len(rows)), clients, subjects)
        return result if found.digits is None else coarse(result, found.digits)

    # From here on nothing raises: it is about recording, and the model comes first.

    def _rows(self, X: Any) -> list[dict[str, Any]]:
        try:
            return rows_of(X, self._names, MAX_ROWS)
        except Exception:
            self._guard.faults += 1
            return []

    def _who(self, X: Any, count: int) -> tuple[list[str], list[str | None]]:
        client, subject = _caller.get()
        clients = self._names_of(self._client if client is None else client, X, count)
        subjects = self._names_of(self._subject if subject is None else subject, X, count)
        return [name or "unknown" for name in clients] or ["unknown"], subjects

    def _names_of(self, who: Who, X: Any, count: int) -> list[str | None]:
        try:
            said = who(X) if callable(who) else who
            if said is None or isinstance(said, str):
                return [said] * count
            names = [None if name is None else str(name)[:256] for name in said]
            return (names + [None] * count)[:count]
        except Exception:
            self._guard.faults += 1
            return [None] * count

    def _answers(self, result: Any, count: int) -> list[tuple[float | None, str | None]]:
        try:
            return answers_of(result, count)
        except Exception:
            self._guard.faults += 1
            return [(None, None)] * count

    def _record(
        self,
        X: Any,
        rows: list[dict[str, Any]],
        answers: list[tuple[float | None, str | None]],
        clients: list[str],
        subjects: list[str | None],
    ) -> None:
        try:
            if rows:
                self._guard.record(rows, answers, clients, subjects)
            if (more := _length(X) - len(rows)) > 0:
                self._guard.sender.skip(more)
        except Exception:
            self._guard.faults += 1

    def _tell(self, clients: Iterable[str], found: Plan) -> None:
        try:
            for client in dict.fromkeys(clients):
                if self._step_up is not None:
                    self._step_up(client, found)
        except Exception:
            self._guard.faults += 1


def _length(X: Any) -> int:
    if hasattr(X, "shape"):
        return int(X.shape[0]) if len(X.shape) > 1 else 0
    return len(X) if isinstance(X, list) and X and isinstance(X[0], list | tuple | dict) else 0


def _refusal(found: Plan) -> Exception:
    if found.block:
        return BlockedError(
            "this caller may not ask this model now",
            cause="an order in force blocks it",
            fix="ask the security team; `holdfast respond` shows orders and how they are withdrawn",
            code="HF-WAT-031",
        )
    wait = found.retry_s or 1.0
    return ThrottledError(
        "this caller asks this model too often",
        cause="an order in force limits its calls",
        fix=f"ask again in {wait:.0f} s",
        code="HF-WAT-032",
        retry_s=wait,
    )
