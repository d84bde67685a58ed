"""From kept events to alerts: reads new segments, runs the detectors, and keeps all that follows in one transaction.

The offset, campaigns, alerts, their messages and ledger intents are written together. The detectors' memory, some
megabytes, is written with them only now and then; after a crash what lies between is read again without a word, which
gives the same memory, since every step depends on events alone (docs/adr/0110).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.core.contract import Contract
from holdfast.core.domain.alert import Alert, Campaign
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.topics import ALERT
from holdfast.core.errors import HoldfastError, StoreError
from holdfast.core.store import Store, Transaction
from holdfast.core.store.traffic import TrafficHour
from holdfast.watch.batch import Batch
from holdfast.watch.campaigns import alert_of, gather, is_grave
from holdfast.watch.hours import hours_of
from holdfast.watch.interface import DETECTORS, Context, State, start_all, step_all

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 10_000
SEGMENTS_PER_STEP, ROWS_PER_STEP = 200, 100_000
SAVE_EVERY = 100_000
"""Events after which the detectors' memory is written: so much is read again after a crash."""

Contracts = Callable[[str], Contract | None]


@dataclass
class Lane:
    """Detection on one model, in memory: what detectors remember, campaigns in progress, how far it has read."""

    context: Context
    states: dict[str, State]
    live: tuple[Campaign, ...] = ()
    offset: int = 0
    unsaved: int = 0


@dataclass
class Found:
    """What some events amounted to. `version` is the one that the last event names."""

    events: int = 0
    campaigns: dict[str, tuple[Campaign, bool]] = field(default_factory=dict)
    """By id: how each stands now, and whether it goes on."""
    alerts: list[Campaign] = field(default_factory=list)
    hours: list[TrafficHour] = field(default_factory=list)
    version: str | None = None


class Pipeline:
    """Detection on every model of a store. Two at once do no harm: one moves the offset, the other reads again."""

    def __init__(
        self, store: Store, contracts: Contracts, *, learning: int | None = None, save_every: int = SAVE_EVERY
    ) -> None:
        self._store, self._contracts = store, contracts
        self._learning, self._save_every = learning, save_every
        self._lanes: dict[str, Lane] = {}

    def step(self) -> int:
        """Read what is new of each model whose contract is known. Returns how many events.

        Every model has its turn before a fault of one of them is raised: StoreError where events or memory cannot be
        read.
        """
        read, faults = 0, []
        for model in self._models():
            try:
                read += self._advance(model)
            except HoldfastError as fault:
                self._lanes.pop(model, None)
                faults.append(fault)
            except BaseException:
                # A step spends the memory it is given; what was not kept must not be gone on with.
                self._lanes.pop(model, None)
                raise
        if faults:
            raise faults[0]
        return read

    def drain(self) -> int:
        """Step until nothing is new."""
        total = 0
        while read := self.step():
            total += read
        return total

    def save(self) -> None:
        """Write the detectors' memory now, so that whoever comes next need not read again."""
        for model, lane in self._lanes.items():
            if lane.unsaved:
                self._save(model, lane.offset, pack(lane.states))
                lane.unsaved = 0

    def forget(self, model: str) -> None:
        """Let the detectors of a model learn anew from what comes next."""
        lane = self._lanes.pop(model, None)
        contract = self._contracts(model)
        if contract is None:
            return
        with self._store.reading() as tx:
            state, context = tx.detector_states.find(model), self._context(tx, model, contract)
        offset = state.offset if state is not None else (lane.offset if lane else 0)
        self._save(model, offset, pack(start_all(context)))

    def _save(self, model: str, offset: int, packed: bytes) -> None:
        self._store.run(lambda tx: tx.detector_states.save(model, offset, packed))

    def _models(self) -> list[str]:
        from holdfast.watch.segments import Segments

        return sorted(Segments(self._store).models())

    def _advance(self, model: str) -> int:
        from holdfast.watch.segments import Segments

        contract = self._contracts(model)
        if contract is None:
            return 0
        lane = self._lane(model, contract)
        new = Segments(self._store).after(model, lane.offset, SEGMENTS_PER_STEP, max_rows=ROWS_PER_STEP)
        if not new:
            return 0
        found = Found()
        for _, table in new:
            look(lane, table, found)
        offset, saves = new[-1][0].sequence, lane.unsaved + found.events >= self._save_every
        packed = pack(lane.states) if saves else None
        if not self._store.run(lambda tx: _keep(tx, lane, found, offset, packed)):
            self._lanes.pop(model)
            return 0
        lane.offset, lane.unsaved = offset, 0 if saves else lane.unsaved + found.events
        return found.events

    def _lane(self, model: str, contract: Contract) -> Lane:
        known = self._lanes.get(model)
        with self._store.reading() as tx:
            state = tx.detector_states.find(model)
            context = self._context(tx, model, contract)
            if known is not None and state is not None and state.offset == known.offset and known.context == context:
                return known
            if state is None:
                lane = Lane(context, start_all(context))
                self._lanes[model] = lane
                return lane
            memory, live = tx.detector_states.state(model), tuple(tx.campaigns.open(model))
        same = memory is not None and state.body.get("contract", contract.digest) == contract.digest
        states = unpack(memory) if same and memory is not None else start_all(context)
        lane = Lane(context, states, live, state.saved if same else state.offset)
        if memory is None:
            lane.offset = 0
        self._catch_up(model, lane, state.offset)
        self._lanes[model] = lane
        return lane

    def _catch_up(self, model: str, lane: Lane, offset: int) -> None:
        """Read again, in silence, what was read before the memory was last written."""
        from holdfast.watch.segments import Segments

        while lane.offset < offset:
            rows = Segments(self._store).after(model, lane.offset, SEGMENTS_PER_STEP, max_rows=ROWS_PER_STEP)
            again = [(row, table) for row, table in rows if row.sequence <= offset]
            if not again:
                break
            for row, table in again:
                remember(lane, table)
                lane.offset, lane.unsaved = row.sequence, lane.unsaved + row.rows
        lane.offset = offset

    def _context(self, tx: Transaction, model: str, contract: Contract) -> Context:
        known = tx.models.find(model)
        extra: dict[str, Any] = {} if self._learning is None else {"learning": self._learning}
        if known is None:
            return Context(model, contract, **extra)
        task = known.task
        return Context(model, contract, task.threshold, task.harm.from_class == task.positive, **extra)


def look(lane: Lane, table: pa.Table, found: Found) -> None:
    """Run the detectors over some events of a model, and gather what they say."""
    for batch in _batches(lane, table):
        lane.states, signals = step_all(lane.states, batch, lane.context)
        gathered = gather(lane.live, signals, batch.at(len(batch) - 1))
        lane.live = tuple(_told(item, found) for item in gathered.live)
        for campaign in gathered.ended:
            found.campaigns[campaign.id] = (_told(campaign, found), False)
        changed = {campaign.id for campaign in gathered.changed}
        for campaign in lane.live:
            if campaign.id in changed:
                found.campaigns[campaign.id] = (campaign, True)
        found.events += len(batch)
        found.hours += hours_of(batch, lane.context)
        found.version = batch.version or found.version


def _told(campaign: Campaign, found: Found) -> Campaign:
    """The campaign, marked where it is now grave enough to be told."""
    if campaign.alerted or not is_grave(campaign):
        return campaign
    marked = replace(campaign, alerted=True)
    found.alerts.append(marked)
    return marked


def remember(lane: Lane, table: pa.Table) -> None:
    """Run the detectors for what they learn, and drop what they say."""
    for batch in _batches(lane, table):
        lane.states, _ = step_all(lane.states, batch, lane.context)


def _batches(lane: Lane, table: pa.Table) -> Iterator[Batch]:
    """A segment in pieces: the same pieces whenever it is read."""
    if table.num_rows:
        yield from Batch.of(table, lane.context.contract).pieces(PIECE)


def _keep(tx: Transaction, lane: Lane, found: Found, offset: int, packed: bytes | None) -> bool:
    """Keep what was found; False, and nothing is kept, where somebody else was quicker."""
    model = lane.context.model
    if not tx.detector_states.advance(model, lane.offset, offset, found.events, _said(lane)):
        return False
    if packed is not None:
        tx.detector_states.save(model, offset, packed)
    for campaign, live in found.campaigns.values():
        tx.campaigns.keep(campaign, live=live)
    version = tx.models.deployed(model) or found.version
    for campaign in found.alerts:
        raise_alert(tx, alert_of(campaign, version, tx.now))
    tx.traffic.add(_added(found.hours))
    return True


def raise_alert(tx: Transaction, alert: Alert) -> bool:
    """Record an alert and tell the loop and the ledger; its campaign is kept before. False where it is known."""
    if not tx.alerts.add(alert):
        return False
    tx.outbox.publish(ALERT, alert.id, {"alert": alert.id, "model": alert.model})
    body: dict[str, JSONValue] = {
        "alert": alert.id,
        "model": alert.model,
        "technique": alert.campaign.technique,
        "severity": alert.severity.value,
        "detectors": list(alert.campaign.detectors),
        "events": alert.campaign.signals,
    }
    tx.intend("alert.raised", body, about=alert.id)
    return True


def _said(lane: Lane) -> dict[str, JSONValue]:
    detectors: list[JSONValue] = [
        {
            "detector": name,
            "version": item.version,
            "ready": item.ready(lane.states[name], lane.context),
            "note": item.note(lane.states[name], lane.context),
        }
        for name, item in DETECTORS
    ]
    return {"contract": lane.context.contract.digest, "detectors": detectors}


def _added(hours: Iterable[TrafficHour]) -> list[TrafficHour]:
    """One entry per hour."""
    total: dict[Any, TrafficHour] = {}
    for hour in hours:
        total[hour.hour] = total[hour.hour].plus(hour) if hour.hour in total else hour
    return list(total.values())


def pack(states: dict[str, State]) -> bytes:
    """Every detector's memory as bytes, the same for the same memory."""
    return msgspec.msgpack.encode({name: state.encode() for name, state in sorted(states.items())})


def unpack(data: bytes) -> dict[str, State]:
    """What `pack` wrote. Raises StoreError (HF-WAT-060)."""
    try:
        parts = msgspec.msgpack.decode(data, type=dict[str, bytes])
    except msgspec.DecodeError as fault:
        raise StoreError(
            "the detectors' memory cannot be read",
            cause=str(fault),
            fix="let them learn again: holdfast watch detect --forget MODEL",
            code="HF-WAT-060",
        ) from fault
    return {name: State.decode(part) for name, part in parts.items()}


def of_model(table: pa.Table, model: str) -> pa.Table:
    """The events of one model among those of many."""
    import pyarrow.compute as pc

    return table.filter(pc.equal(table["model"], model))


def replay(tables: Iterable[pa.Table], context: Context) -> Found:
    """A back-test: what would have been raised over these events of one model. Nothing is kept."""
    lane, found = Lane(context, start_all(context)), Found()
    for table in tables:
        look(lane, table, found)
    return found
