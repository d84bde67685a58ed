"""The sequencer: turns intents into leaves, in order, and publishes tiles and signed checkpoints.

Three steps, each safe to repeat after a crash. (1) In one SQL transaction, intents get their places and the tree
its hashes. (2) Tiles up to that size are written and fsynced; their bytes follow from step 1. (3) Holding the
ledger's row, so that no older checkpoint replaces a newer one, the checkpoint is replaced and its size recorded.
A lease keeps other sequencers from doing the same work; the row lock of steps 1 and 3 makes it harmless if they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.core.data.merkle import EMPTY_ROOT, leaf_hash, root_from_inclusion
from holdfast.core.errors import LedgerError
from holdfast.core.ledger.checkpoint import Checkpoint
from holdfast.core.ledger.folder import CHECKPOINT, LedgerFolder
from holdfast.core.ledger.tiles import ENTRIES, Tile, encode_bundle, tiles_between
from holdfast.core.ledger.tree import Tree, grown
from holdfast.core.sign import PublicKey, SigningKey
from holdfast.core.store import LedgerState, Store, Transaction, new_owner

LEASE = "ledger.sequencer"
LEASE_S = 30.0
BATCH = 1024


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That `entry` is leaf `index` of the ledger that `checkpoint` (a signed note) speaks of."""

    index: int
    entry: bytes
    path: tuple[bytes, ...]
    checkpoint: bytes

    def holds(self, key: PublicKey, origin: str) -> bool:
        """Whether it proves that to somebody who trusts `key`. Raises LedgerError when the checkpoint is not by it."""
        head = Checkpoint.trusted(self.checkpoint, key, origin)
        return root_from_inclusion(leaf_hash(self.entry), self.index, head.size, self.path) == head.root


class Ledger:
    """The ledger `origin` of one store, published in `folder` (default: `ledger` in the state folder)."""

    def __init__(
        self, store: Store, key: SigningKey, origin: str, folder: Path | None = None, *, lease_s: float = LEASE_S
    ) -> None:
        self.origin = Checkpoint(origin, 0, EMPTY_ROOT).origin
        self._store = store
        self._key = key
        self._lease_s = lease_s
        self._owner = new_owner()
        self._files = LedgerFolder(folder or store.home / "ledger")

    @property
    def folder(self) -> Path:
        return self._files.folder

    def append_pending(self) -> int:
        """Append every waiting intent, publish, and say how many there were; 0 where another sequencer is at it.

        Raises LedgerError (HF-LED-001 to -007), and signs nothing, when folder and database contradict each other
        or the database contradicts itself.
        """
        appended = 0
        while self._store.run(lambda tx: tx.leases.claim(LEASE, self._owner, self._lease_s)):
            try:
                self._begin()
                appended += self._place()
                self._publish()
            finally:
                self._store.run(lambda tx: tx.leases.release(LEASE, self._owner))
            # Whoever was turned away while we held the lease had committed by then: leave nobody's intents behind.
            if not self._waiting():
                break
        return appended

    def checkpoint(self) -> Checkpoint | None:
        """The newest published checkpoint; None before the first. Raises LedgerError when it is not ours."""
        note = self._files.read_checkpoint()
        return None if note is None else Checkpoint.trusted(note, self._key.public, self.origin)

    def prove(self, leaf_id: str) -> InclusionProof | None:
        """That the intent is in the published ledger; None while it is not."""
        head = self.checkpoint()
        with self._store.reading() as tx:
            index = tx.intents.leaf_of(leaf_id)
            if head is None or index is None or index >= head.size:
                return None
            (entry,) = tx.intents.entries(index, index + 1)
            path = _tree(tx).inclusion(index, head.size)
        return InclusionProof(index, entry, tuple(path), head.note)

    def prove_growth(self, old: int) -> list[bytes]:
        """That the tree of `old` leaves is the beginning of the published one: see `merkle.consistent`."""
        head = self.checkpoint()
        with self._store.reading() as tx:
            return _tree(tx).consistency(old, 0 if head is None else head.size)

    def export(self, folder: Path) -> Checkpoint:
        """Write the published ledger, whole and from the database, into a new or empty folder.

        Raises LedgerError when the database contradicts itself or a checkpoint that is there: its history is not
        signed then. Where the own folder is lost, nobody but the holder of an older checkpoint can tell.
        """
        if folder.exists() and any(folder.iterdir()):
            raise LedgerError(
                f"the folder {folder} is not empty",
                cause="files of two ledgers could not be told apart",
                fix="name a new folder",
                code="HF-LED-006",
            )
        files = LedgerFolder(folder)
        with self._store.reading() as tx:
            state = tx.intents.state()
            size, root = state.published_size, _tree(tx, state).root(state.published_size)
            if self.checkpoint() is not None:
                self._agree(tx, state)
            if root.hex() != (state.published_root or EMPTY_ROOT.hex()):
                raise _contradiction(
                    "the database contradicts itself", "HF-LED-007", "its root is not the published one"
                )
            files.write_tiles(tiles_between(0, size), lambda tile: _content(tx, tile))
            head = Checkpoint.sign(self.origin, size, root, self._key)
        files.write_checkpoint(head.note)
        return head

    def _waiting(self) -> bool:
        with self._store.reading() as tx:
            return bool(tx.intents.pending(1))

    def _begin(self) -> None:
        """Bring disk and record together after a crash.

        The empty ledger is published first: from then on, tiles without a checkpoint are a loss and no beginning.
        """
        with self._store.transaction() as tx:
            state = tx.intents.state(hold=True)
            head = self._agree(tx, state)
            if head is None:
                self._sign(tx, 0, EMPTY_ROOT)
            elif head.size > state.published_size or state.published_root is None:
                tx.intents.publish(head.size, head.root.hex())
        self._files.sweep()

    def _place(self) -> int:
        """Step 1, in batches."""
        appended = 0
        while placed := self._store.run(self._place_batch):
            appended += placed
            self._store.run(lambda tx: tx.leases.renew(LEASE, self._owner, self._lease_s))
        return appended

    def _place_batch(self, tx: Transaction) -> int:
        size = tx.intents.state(hold=True).size
        waiting = tx.intents.pending(BATCH)
        if waiting:
            leaves = [leaf_hash(entry) for _, entry in waiting]
            tx.intents.add_hashes(grown(size, leaves, tx.intents.hashes))
            tx.intents.place(size, [sequence for sequence, _ in waiting])
        return len(waiting)

    def _publish(self) -> None:
        """Steps 2 and 3."""
        with self._store.reading() as tx:
            state = tx.intents.state()
            old = self._published(tx, state)
            if old == state.size:
                return
            root = _tree(tx).root()
            self._files.write_tiles(tiles_between(old, state.size), lambda tile: _content(tx, tile))
        with self._store.transaction() as tx:
            if self._published(tx, tx.intents.state(hold=True)) < state.size:
                self._sign(tx, state.size, root)
        self._files.drop_partials(old, state.size)

    def _sign(self, tx: Transaction, size: int, root: bytes) -> None:
        self._files.write_checkpoint(Checkpoint.sign(self.origin, size, root, self._key).note)
        tx.intents.publish(size, root.hex())

    def _published(self, tx: Transaction, state: LedgerState) -> int:
        head = self._agree(tx, state)
        return 0 if head is None else head.size

    def _agree(self, tx: Transaction, state: LedgerState) -> Checkpoint | None:
        """The checkpoint on disk, once disk and database tell one history.

        The disk may be ahead of `published_size` by one checkpoint whose record a crash has prevented.
        """
        head = self.checkpoint()
        if head is None:
            if state.published_root is not None:
                raise _contradiction("the ledger's checkpoint is gone", "HF-LED-002", f"{self.folder / CHECKPOINT}")
            return None
        sizes = f"on disk {head.size:,} entries, in the database {state.size:,}, published {state.published_size:,}"
        if head.size > state.size:
            raise _contradiction("the database is behind the ledger", "HF-LED-003", sizes)
        if head.size < state.published_size:
            raise _contradiction("the ledger folder was rolled back", "HF-LED-004", sizes)
        if head.root != _tree(tx, state).root(head.size):
            raise _contradiction("ledger and database tell different histories", "HF-LED-005", sizes)
        return head


def _tree(tx: Transaction, state: LedgerState | None = None) -> Tree:
    return Tree((state or tx.intents.state()).size, tx.intents.hashes)


def _content(tx: Transaction, tile: Tile) -> bytes:
    """The bytes of a tile. Raises LedgerError where entries were changed in the database; nothing is signed then."""
    if tile.level != ENTRIES:
        return b"".join(tx.intents.hashes(tile.level, tile.start, tile.stop))
    entries = tx.intents.entries(tile.start, tile.stop)
    if [leaf_hash(entry) for entry in entries] != tx.intents.hashes(0, tile.start, tile.stop):
        cause = f"its entries {tile.start:,} to {tile.stop - 1:,} are not those that were hashed"
        raise _contradiction("the database contradicts itself", "HF-LED-007", cause)
    return encode_bundle(entries)


def _contradiction(message: str, code: str, cause: str) -> LedgerError:
    return LedgerError(
        message, cause=cause, fix=f"keep both as they are and see holdfast explain {code} before you go on", code=code
    )
