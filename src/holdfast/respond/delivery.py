"""Takes notices out of the outbox and to their sinks: at least once, never lost, no sink in another one's way.

A notice leaves the outbox only in the transaction that notes its delivery. What fails waits, longer each time, and so
does everything behind it for the same sink: a receiver that is down is asked about once per wait, not once per notice.
Labels are looked at here, at the last moment: what a sink may not hear is withheld, and the ledger says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from holdfast.core.domain.clock import Clock, from_iso, to_iso
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Notice
from holdfast.core.domain.topics import SINK
from holdfast.core.store import Message, Store, Transaction, new_owner
from holdfast.respond.interface import MAX_WAIT_S, Outlet, SinkError

BATCH: Final = 50
LEASE_S: Final = 2 * MAX_WAIT_S
"""Longer than one delivery can take, so that nobody else makes it meanwhile; a killed process costs this delay."""
FIRST_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 300.0
THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did, over all sinks. `failed`: sinks that are down. `refused`: notices a sink did not want."""

    delivered: int = 0
    withheld: int = 0
    refused: int = 0
    failed: int = 0

    def plus(self, other: Delivered) -> Delivered:
        """Both together."""
        return Delivered(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


def deliver(
    store: Store,
    sinks: Sequence[Outlet],
    clock: Clock | None = None,
    *,
    patient: bool = True,
    batch: int = BATCH,
    lease_s: float = LEASE_S,
) -> Delivered:
    """One round: what waits for each sink and may go now, oldest first, the sinks side by side.

    Call it again and again; it returns at once where nothing waits. `clock` defaults to the store's. Not `patient`: try
    also sinks whose pause after a failure is not over.
    """
    now = (clock or store.clock)()
    waiting = _waiting(store, sinks, now if patient else None)
    if not waiting:
        return Delivered()
    if len(waiting) == 1:
        return _round(store, waiting[0], batch, lease_s)
    with ThreadPoolExecutor(min(THREADS, len(waiting)), thread_name_prefix="sink") as pool:
        return _sum(pool.map(lambda outlet: _round(store, outlet, batch, lease_s), waiting))


def _sum(rounds: Iterable[Delivered]) -> Delivered:
    total = Delivered()
    for one in rounds:
        total = total.plus(one)
    return total


def _waiting(store: Store, sinks: Sequence[Outlet], now: datetime | None) -> list[Outlet]:
    with store.reading() as tx:
        queued = [outlet for outlet in sinks if tx.outbox.waiting([SINK + outlet.name])]
        return queued if now is None else [outlet for outlet in queued if _rested(tx, outlet, now)]


def _rested(tx: Transaction, outlet: Outlet, now: datetime) -> bool:
    """Whether a sink that failed has had its pause: also new notices wait behind those that failed."""
    health = tx.notices.health(outlet.name)
    if not health.failures or health.failed_at is None:
        return True
    return now >= health.failed_at + timedelta(seconds=wait_s(health.failures))


def wait_s(failures: int) -> float:
    """The pause after so many failures in a row, in seconds: 2, 4, 8, up to 300."""
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 20)))


def _round(store: Store, outlet: Outlet, batch: int, lease_s: float) -> Delivered:
    """One sink's batch, notice by notice. A receiver that is down ends it; what follows keeps its place."""
    owner, topics = new_owner(), [SINK + outlet.name]
    done = Delivered()
    for _ in range(batch):
        held = store.run(lambda tx: tx.outbox.claim_batch(owner, topics=topics, limit=1, ttl_s=lease_s))
        if not held:
            break
        fault = _one(store, outlet, owner, held[0])
        done = done.plus(fault)
        if fault.failed:
            break
    return done


def _one(store: Store, outlet: Outlet, owner: str, message: Message) -> Delivered:
    notice = notice_of(message.body)
    if notice is None:
        # Not written by us: it stays for people to look at, and nothing waits for it.
        store.run(lambda tx: tx.outbox.postpone(message.sequence, owner, LONGEST_WAIT_S))
        return Delivered(refused=1)
    if not outlet.may_hear(notice.tlp):
        store.run(lambda tx: _withhold(tx, outlet, notice, message))
        return Delivered(withheld=1)
    error = _send(outlet, notice)
    if error is None:
        store.run(lambda tx: _acknowledge(tx, outlet, notice, message))
        return Delivered(delivered=1)
    store.run(lambda tx: _postpone(tx, outlet, owner, message, error))
    return Delivered(refused=1) if error.refused else Delivered(failed=1)


def _send(outlet: Outlet, notice: Notice) -> SinkError | None:
    """What went wrong; None where the receiver has it. A sink's own fault must not stop the others."""
    try:
        outlet.sink.send(notice)
    except SinkError as fault:
        return fault
    except Exception as fault:
        return SinkError(f"{type(fault).__name__}: {fault}")
    return None


def _acknowledge(tx: Transaction, outlet: Outlet, notice: Notice, message: Message) -> None:
    if tx.outbox.ack([message.sequence]):
        tx.notices.delivered(outlet.name, 1)
        said = {"notice": notice.id, "sink": outlet.name, "deliveries": message.deliveries}
        tx.intend("notice.delivered", said, about=notice.id)


def _withhold(tx: Transaction, outlet: Outlet, notice: Notice, message: Message) -> None:
    if tx.outbox.ack([message.sequence]):
        tx.notices.delivered(outlet.name, 0, withheld=1)
        said = {"notice": notice.id, "sink": outlet.name, "label": notice.tlp[:40], "clearance": outlet.tlp.value}
        tx.intend("notice.withheld", said, about=notice.id)


def _postpone(tx: Transaction, outlet: Outlet, owner: str, message: Message, error: SinkError) -> None:
    """The sink's own pause (`wait_s`) holds back all of its notices; one that it refuses has a pause of its own."""
    tx.notices.failed(outlet.name, str(error), refused=error.refused)
    tx.outbox.postpone(message.sequence, owner, wait_s(message.deliveries) if error.refused else 0.0)


def notice_of(body: dict[str, Any]) -> Notice | None:
    """The notice that `Notice.to_json` wrote; None where something else did."""
    try:
        words = {name: str(body[name]) for name in ("kind", "subject", "state", "tlp")}
        return Notice(**words, at=from_iso(body["at"]), body=dict(body["body"]))
    except (KeyError, TypeError, ValueError):
        return None


def send_test(outlet: Outlet, at: datetime) -> str | None:
    """Send a harmless notice past the queue; what went wrong, in words, or None."""
    said = {"title": "a test by holdfast", "message": "a test by holdfast: nothing happened", "severity": "info"}
    error = _send(outlet, Notice("test", f"test of {outlet.name} at {to_iso(at)}", "test", at, Tlp.CLEAR.value, said))
    return None if error is None else str(error) or "it did not say why"
