"""Simulated traffic of a model at work: what makes honest traffic look dishonest is in it.

People are active very unequally, are re-scored with small changes, send the same request again, and play up to forty
what-ifs in a row. A few clients ask for most, some only about a special kind of customer, some re-score a portfolio in
one night. Thin files make different people nearly the same. One producer rounds what should be exact, another slips now
and then. Everything follows from the seed; no row is a real person's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.testing.simulate import Simulation

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Predict = Callable[[Floats], Floats]
"""Scores (n,) of rows (n, d) in contract order."""

START_US = 1_767_603_600_000_000
"""2026-01-05T09:00:00Z."""
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Habits:
    """How honest traffic behaves. Shares are of people, of visits, or of clients as named."""

    clients: int = 80
    events_per_person: float = 4.0
    thin_people: float = 0.04
    thin_kinds: int = 12
    household_people: float = 0.02
    retried_visits: float = 0.015
    whatif_visits: float = 0.002
    whatif_longest: int = 40
    batch_events: float = 0.15
    batch_size: int = 3_000
    slip_share: float = 0.02
    events_per_second: float = 2.0


@dataclass(frozen=True, eq=False)
class Stream:
    """n events in order of time: rows in contract order, who, through whom, when (microseconds since 1970)."""

    contract: Contract
    X: Floats
    person: Integers
    client: NDArray[Any]
    time: Integers

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, start: int, stop: int) -> Stream:
        """Some of the events, one after the other."""
        part = slice(start, stop)
        return Stream(self.contract, self.X[part], self.person[part], self.client[part], self.time[part])

    def table(
        self,
        model: str,
        scores: Floats,
        *,
        subjects: bool = True,
        prefix: str = "ben",
        first: int = 0,
        threshold: float = 0.5,
    ) -> pa.Table:
        """The events as a table of `watch.schema`."""
        asked = Asked(
            ids=[f"{prefix}-{first + place}" for place in range(len(self))],
            time=self.time,
            client=self.client.tolist(),
            subject=[f"person-{number}" for number in self.person.tolist()] if subjects else None,
        )
        return events_table(self.contract, model, self.X, scores, asked, threshold=threshold)


@dataclass(frozen=True, eq=False)
class Asked:
    """Who asked about whom and when (microseconds since 1970), event by event; no subjects where none are sent."""

    ids: list[str]
    time: Integers
    client: list[str]
    subject: list[str] | None


def events_table(
    contract: Contract, model: str, X: Floats, scores: Floats, asked: Asked, *, threshold: float = 0.5
) -> pa.Table:
    """Rows (n, d) in contract order as events; what is flagged is declined."""
    import pyarrow as pa

    from holdfast.watch.schema import make_events

    n = len(X)
    columns: dict[str, Any] = {
        "event_id": asked.ids,
        "time": pa.array(asked.time, pa.timestamp("us", tz="UTC")),
        "model": [model] * n,
        "client": asked.client,
        "score": scores,
        "decision": np.where(scores >= threshold, "declined", "accepted"),
        "producer": ["simulator"] * n,
        "epoch": np.zeros(n, np.int64),
        "sequence": np.arange(n),
    }
    if asked.subject is not None:
        columns["subject"] = asked.subject
    return make_events(columns, _features(contract, X))


def _features(contract: Contract, X: Floats) -> dict[str, Any]:
    """Raw values, also where they are no possible ones: a tool's half category must arrive as it was sent."""
    decoded: dict[str, Any] = {}
    for position, feature in enumerate(contract.features):
        values = X[:, position]
        if not feature.text:
            decoded[feature.name] = values.astype(np.float64)
            continue
        names = dict(zip(feature.codes, feature.values, strict=True))
        decoded[feature.name] = [None if np.isnan(value) else names.get(value, f"?{value}") for value in values]
    return decoded


def benign(simulate: Callable[[int, int], Simulation], n: int, seed: int, habits: Habits | None = None) -> Stream:
    """n honest events on one of the simulated bank tables."""
    habits = habits or Habits()
    random = np.random.default_rng([seed, 7])
    contract, base = _people(simulate, max(50, round(n / habits.events_per_person)), seed, habits, random)
    home = _homes(base, contract, habits, random)
    visits = _visits(len(base), n, habits, random)
    person, time, played = _repeated(*visits, habits, random)
    client = home[person]
    person, time, played, client = _with_batches(person, time, played, client, len(base), n, habits, random)
    order = np.argsort(time, kind="stable")[:n]
    person, time, played, client = person[order], time[order], played[order], client[order]
    X = _changed(contract, base[person], played, random)
    names = np.array([f"client-{number:02}" for number in range(habits.clients)] + ["batch-0", "batch-1", "batch-2"])
    X = _sloppy(contract, X, client, habits, random)
    return Stream(contract, X, person, names[client], START_US + time)


def _people(
    simulate: Callable[[int, int], Simulation], count: int, seed: int, habits: Habits, random: np.random.Generator
) -> tuple[Contract, Floats]:
    """Everybody's row. Thin files are copies of a few kinds; members of a household share most of a row."""
    simulation = simulate(count, seed)
    contract = Contract.parse(simulation.contract)
    base = contract.encode(simulation.features)
    own = [position for position, feature in enumerate(contract.features) if feature.derived is None]
    thin = np.flatnonzero(random.random(count) < habits.thin_people)
    kinds = random.integers(0, count, habits.thin_kinds)
    base[thin] = base[kinds[random.integers(0, habits.thin_kinds, len(thin))]]
    others = np.flatnonzero(random.random(count) < habits.household_people)
    shared = random.random((len(others), len(own))) < 0.75
    relatives = base[random.integers(0, count, len(others))]
    mixed = base[others].copy()
    mixed[:, own] = np.where(shared, relatives[:, own], mixed[:, own])
    mixed = contract.round(mixed)
    possible = contract.validate(mixed).valid
    base[others[possible]] = mixed[possible]
    return contract, base


def _homes(base: Floats, contract: Contract, habits: Habits, random: np.random.Generator) -> Integers:
    """Which client asks about each person: a few ask about most, every eighth only about one end of a column."""
    weights = 1.0 / np.arange(1, habits.clients + 1) ** 1.1
    home = random.choice(habits.clients, len(base), p=weights / weights.sum())
    own = [position for position, feature in enumerate(contract.features) if feature.derived is None]
    for client in range(3, habits.clients, 8):
        column = base[:, own[int(random.integers(0, len(own)))]]
        edge = np.flatnonzero(column >= np.nanquantile(column, 0.9))
        home[edge[random.random(len(edge)) < 0.15]] = client
    return home


def _visits(people: int, n: int, habits: Habits, random: np.random.Generator) -> tuple[Integers, Integers]:
    """Who is asked about, and when, in microseconds: activity is log-normal."""
    activity = np.exp(1.2 * random.standard_normal(people))
    person = random.choice(people, n, p=activity / activity.sum())
    span = n / habits.events_per_second * SECOND_US
    return person, np.sort(random.integers(0, round(span), n))


def _repeated(
    person: Integers, time: Integers, habits: Habits, random: np.random.Generator
) -> tuple[Integers, Integers, Integers]:
    """Visits with their retries and what-ifs. `played`: 0 a visit, 1 the same again, 2 a what-if."""
    count = len(person)
    again = np.flatnonzero(random.random(count) < habits.retried_visits)
    retries = np.repeat(again, random.integers(1, 4, len(again)))
    playing = np.flatnonzero(random.random(count) < habits.whatif_visits)
    lengths = np.minimum(random.geometric(0.08, len(playing)), habits.whatif_longest)
    whatifs = np.repeat(playing, lengths)
    which = np.concatenate([np.arange(count), retries, whatifs])
    later = np.concatenate(
        [
            np.zeros(count, np.int64),
            random.integers(1, 5 * SECOND_US, len(retries)),
            random.integers(SECOND_US, 600 * SECOND_US, len(whatifs)),
        ]
    )
    played = np.repeat([0, 1, 2], [count, len(retries), len(whatifs)])
    return person[which], time[which] + later, played


def _with_batches(
    person: Integers,
    time: Integers,
    played: Integers,
    client: Integers,
    people: int,
    n: int,
    habits: Habits,
    random: np.random.Generator,
) -> tuple[Integers, Integers, Integers, Integers]:
    """The same with nights in which one client asks about a whole portfolio."""
    size = min(habits.batch_size, max(10, n // 20))
    nights = max(1, round(n * habits.batch_events / size)) if habits.batch_events else 0
    parts = [(person, time, played, client)]
    for number in range(nights):
        chosen = random.choice(people, min(size, people), replace=False)
        # Three hundred times as fast as by day.
        begin = int(random.integers(0, max(int(time.max()), 1)))
        when = begin + np.sort(random.integers(0, round(size / 300 * SECOND_US) + 1, len(chosen)))
        zeros = np.zeros(len(chosen), np.int64)
        parts.append((chosen, when, zeros, zeros + habits.clients + number % 3))
    first, second, third, fourth = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, second, third, fourth


def _changed(contract: Contract, X: Floats, played: Integers, random: np.random.Generator) -> Floats:
    """Rows as they are at each visit: a little other than last time; in what-ifs what can be moved moves more."""
    changed = X.copy()
    for position, feature in enumerate(contract.features):
        if feature.derived is not None or feature.type == "category":
            continue
        drifts = (played == 0) & (random.random(len(X)) < 0.4)
        plays = (played == 2) & (random.random(len(X)) < 0.5) & (feature.move != "never")
        factor = np.exp(np.where(plays, 0.3, 0.05) * random.standard_normal(len(X)))
        changed[:, position] = np.where(drifts | plays, X[:, position] * factor, X[:, position])
    changed = contract.round(changed)
    bad = ~contract.validate(changed).valid
    changed[bad] = X[bad]
    again = np.flatnonzero(played == 1)
    changed[again] = X[again]
    return changed


def _sloppy(contract: Contract, X: Floats, client: Integers, habits: Habits, random: np.random.Generator) -> Floats:
    """One client rounds derived numbers, another sends an impossible value now and then; always, from the start."""
    rounding = client == min(7, habits.clients - 1)
    for derived in contract.derived:
        X[rounding, derived.column] = np.round(X[rounding, derived.column], 2)
    slips = np.flatnonzero((client == min(11, habits.clients - 1)) & (random.random(len(X)) < habits.slip_share))
    bounded = [place for place, feature in enumerate(contract.features) if feature.type == "integer"]
    if bounded and len(slips):
        X[slips, bounded[0]] = -1.0
    return X
