"""The offline verifier: a folder and a public key, nothing else, and no trust in what the folder says of itself.

Every hash is computed again from the entries and compared with every tile byte and with the signed root; then
every other name in the folder must be explained. `broken`: something contradicts. `unknown`: nothing does, but
something could not be shown (no key, no ledger, entries after the checkpoint that nobody signed). Memory stays
at a few tiles, whatever the ledger's size.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from pathlib import Path

from holdfast.core.data.merkle import HASH_BYTES, fold, leaf_hash, root_of
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN, SignatureError
from holdfast.core.ledger.checkpoint import MAX_CHECKPOINT_BYTES, Checkpoint
from holdfast.core.ledger.folder import CHECKPOINT
from holdfast.core.ledger.tiles import ENTRIES, WIDTH, Tile, count, decode_bundle
from holdfast.core.sign import PublicKey

KEY_FILE = "holdfast.pub"
MAX_KEY_BYTES = 4_096
MAX_PROBLEMS = 20
_FOLDER = re.compile(r"tile(/(entries|[0-7])((/x\d{3}){0,6}(/\d{3}\.p)?)?)?")


class LedgerStatus(StrEnum):
    """Worst wins: broken, then unknown, then ok."""

    OK = "ok"
    UNKNOWN = "unknown"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Verification:
    """What the verifier found. `root` (hex) and `size` are what the checkpoint says; `found_key` is no proof."""

    status: LedgerStatus
    problems: tuple[str, ...]
    origin: str | None
    size: int | None
    root: str | None
    found_key: str | None

    @property
    def exit_code(self) -> int:
        return {"ok": EXIT_PASSED, "broken": EXIT_FINDINGS, "unknown": EXIT_UNKNOWN}[self.status]


def verify_ledger(
    folder: Path, key: PublicKey | None, *, remembered: bytes | None = None, origin: str | None = None
) -> Verification:
    """Verify a ledger folder against a public key held elsewhere.

    `remembered`: an older checkpoint of the same ledger; if the ledger does not begin with its tree (rolled back,
    forked), it is broken. `origin`: the name the ledger must have. Hostile content costs at most the time to read it.
    """
    return _Verifier(folder, key, remembered, origin).run()


class _Broken(Exception):  # noqa: N818  (it ends the walk; nobody outside sees it)
    """Nothing after this can be checked."""


class _Verifier:
    """One walk over one folder."""

    def __init__(self, folder: Path, key: PublicKey | None, remembered: bytes | None, origin: str | None) -> None:
        self.folder, self.key, self.remembered, self.origin = folder, key, remembered, origin
        self.broken: list[str] = []
        self.unknown: list[str] = []
        self.head: Checkpoint | None = None
        self.found_key: str | None = None

    def run(self) -> Verification:
        try:
            self._key_file()
            self._checkpoint()
            if self.head is not None:
                self._tree(self.head, self._older(self.head))
                self._others(self.head.size)
        except _Broken:
            pass
        except OSError as fault:
            self._doubt(f"{fault.filename or self.folder}: cannot be read: {fault.strerror}")
        return self._verification()

    def _verification(self) -> Verification:
        status = LedgerStatus.BROKEN if self.broken else LedgerStatus.UNKNOWN if self.unknown else LedgerStatus.OK
        problems = tuple(self.broken + self.unknown)
        if self.head is None:
            return Verification(status, problems, None, None, None, self.found_key)
        return Verification(status, problems, self.head.origin, self.head.size, self.head.root.hex(), self.found_key)

    def _problem(self, text: str) -> None:
        self.broken.append(text)
        if len(self.broken) >= MAX_PROBLEMS:
            raise _Broken

    def _doubt(self, text: str) -> None:
        if len(self.unknown) < MAX_PROBLEMS:
            self.unknown.append(text)

    def _key_file(self) -> None:
        """A key in the folder is shown. Beside a trusted key it must be that one, byte for byte."""
        pem = self._read(KEY_FILE, MAX_KEY_BYTES)
        if pem is None:
            return
        try:
            self.found_key = PublicKey.from_pem(pem, KEY_FILE).key_id
        except SignatureError as fault:
            self._problem(f"{KEY_FILE}: {fault.cause}")
        if self.key is not None and pem != self.key.pem():
            self._problem(f"{KEY_FILE}: not the key that was given")

    def _checkpoint(self) -> None:
        note = self._read(CHECKPOINT, MAX_CHECKPOINT_BYTES)
        if note is None:
            self._no_checkpoint()
            return
        try:
            head = self.head = Checkpoint.parse(note)
        except ValueError as fault:
            self._problem(f"{CHECKPOINT}: {fault}")
            return
        if self.key is None:
            self._doubt(f"{CHECKPOINT}: no public key was given, so its signature shows nothing")
        elif not head.signed_by(self.key):
            self._problem(f"{CHECKPOINT}: not signed by the key {self.key.key_id}")
        if self.origin not in (None, head.origin):
            self._problem(f"{CHECKPOINT}: of the ledger '{head.origin}', not of '{self.origin}'")

    def _no_checkpoint(self) -> None:
        if self.folder.is_dir() and any(self.folder.iterdir()):
            self._problem(f"{CHECKPOINT}: missing, in a folder that is not empty")
        else:
            self._doubt(f"{self.folder}: there is no ledger")

    def _older(self, head: Checkpoint) -> Checkpoint | None:
        """The remembered checkpoint, if it can be compared."""
        if self.remembered is None:
            return None
        try:
            older = Checkpoint.parse(self.remembered)
        except ValueError as fault:
            self._doubt(f"the remembered checkpoint cannot be used: {fault}")
            return None
        if older.origin != head.origin or (self.key is not None and not older.signed_by(self.key)):
            self._doubt("the remembered checkpoint is of another ledger or by another key")
            return None
        if older.size > head.size:
            self._problem(f"{CHECKPOINT}: rolled back from {older.size:,} entries to {head.size:,}")
            return None
        return older

    def _tree(self, head: Checkpoint, older: Checkpoint | None) -> None:
        """Compute the tree again, a bundle at a time, and compare it with every tile and both roots."""
        edge: list[list[bytes]] = [[]]
        for start in range(0, head.size, WIDTH):
            bundle = Tile(ENTRIES, start // WIDTH).covering(head.size)
            leaves = [leaf_hash(entry) for entry in self._entries(bundle)]
            if older is not None and start < older.size <= bundle.stop:
                self._begins(older, [leaves[: older.size - start], *edge[1:]])
            self._grow(edge, leaves, bundle.position)
        for level, hashes in enumerate(edge):
            if hashes:
                self._compare(Tile(level, count(level, head.size) // WIDTH, len(hashes)), hashes)
        if _root(edge) != head.root:
            self._problem(f"{CHECKPOINT}: its root is not the root of the entries")

    def _begins(self, older: Checkpoint, edge: list[list[bytes]]) -> None:
        if _root(edge) != older.root:
            self._problem("the ledger does not begin with the tree of the remembered checkpoint")

    def _entries(self, bundle: Tile) -> list[bytes]:
        """Without its entries nothing above them can be checked."""
        data = self._read(bundle.path, bundle.max_bytes)
        if data is None:
            self._problem(f"{bundle.path}: missing")
            raise _Broken
        try:
            return decode_bundle(data, bundle.width)
        except ValueError as fault:
            self._problem(f"{bundle.path}: {fault}")
            raise _Broken from fault

    def _grow(self, edge: list[list[bytes]], leaves: list[bytes], position: int) -> None:
        """Put a bundle's leaves into the right edge of the tree; a full tile is compared and becomes one hash."""
        edge[0], level = leaves, 0
        while len(edge[level]) == WIDTH:
            self._compare(Tile(level, position), edge[level])
            if level + 1 == len(edge):
                edge.append([])
            edge[level + 1].append(root_of(edge[level]))
            edge[level], level, position = [], level + 1, position // WIDTH

    def _compare(self, tile: Tile, hashes: list[bytes]) -> None:
        data = self._read(tile.path, tile.max_bytes)
        if data is None:
            self._problem(f"{tile.path}: missing")
        elif data != b"".join(hashes):
            self._problem(f"{tile.path}: does not follow from the entries")

    def _others(self, size: int) -> None:
        """Explain every name in the folder."""
        for name, kind in _walk(self.folder):
            tile = Tile.parse(name)
            if kind is None:
                self._problem(f"{name}: neither a file nor a folder of a ledger")
            elif kind == "folder":
                if not _FOLDER.fullmatch(name):
                    self._problem(f"{name}: no folder of a ledger")
            elif tile is not None:
                self._earlier(tile, size)
            elif name not in (CHECKPOINT, KEY_FILE):
                self._problem(f"{name}: no file of a ledger")

    def _earlier(self, tile: Tile, size: int) -> None:
        """A tile of another width than the checkpoint's must agree with it as far as both go."""
        current = tile.covering(size)
        if tile == current:
            return
        if current.width > 0 and not self._agrees(tile, current):
            self._problem(f"{tile.path}: contradicts {current.path}")
        elif not tile.within(size):
            self._doubt(f"{tile.path}: after the checkpoint, signed by nobody; append again to finish what was begun")

    def _agrees(self, tile: Tile, current: Tile) -> bool:
        data, known = self._read(tile.path, tile.max_bytes), self._read(current.path, current.max_bytes)
        if data is None or known is None:
            return False
        common = min(tile.width, current.width)
        if tile.level != ENTRIES:
            return len(data) == tile.width * HASH_BYTES and data[: common * HASH_BYTES] == known[: common * HASH_BYTES]
        try:
            return decode_bundle(data, tile.width)[:common] == decode_bundle(known, current.width)[:common]
        except ValueError:
            return False

    def _read(self, name: str, max_bytes: int) -> bytes | None:
        """The bytes of a regular file; None where there is none. Links are not followed, pipes not waited for."""
        try:
            handle = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            if fault.errno == errno.ELOOP:
                return None
            raise
        with FileIO(handle) as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            data = bytearray()
            while len(data) <= max_bytes and (piece := file.read(max_bytes + 1 - len(data))):
                data += piece
        return bytes(data)


def _root(edge: list[list[bytes]]) -> bytes:
    """The root over the right edge of a tree: per tile level, lowest first, the hashes that fill no tile yet."""
    peaks = []
    for hashes in reversed(edge):
        place = 0
        while place < len(hashes):
            span = 1 << ((len(hashes) - place).bit_length() - 1)
            peaks.append(root_of(hashes[place : place + span]))
            place += span
    return fold(peaks)


def _walk(folder: Path) -> Iterator[tuple[str, str | None]]:
    """Every name below `folder` and whether it is a file or a folder; None for links and special files."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                    yield name, "folder"
                else:
                    yield name, "file" if entry.is_file(follow_symlinks=False) else None
