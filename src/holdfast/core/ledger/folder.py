"""The ledger's folder: `checkpoint`, `tile/<level>/<n>`, `tile/entries/<n>`; the only thing a verifier needs.

Files are made in a folder beside it, so that nothing half-written is ever inside, and they reach the disk before
the checkpoint that speaks of them. Partial tiles stay until their tile is full: a reader may hold an older checkpoint.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.core.ledger.tiles import ENTRIES, MAX_LEVEL, WIDTH, Tile, count
from holdfast.core.store.files import sync_folders, using, write_whole

CHECKPOINT = "checkpoint"
LEFTOVER_S = 3600.0


class LedgerFolder:
    """Writes tiles and checkpoints so that a crash at any moment leaves the newest checkpoint true."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staging = folder.with_name(f"{folder.name}.staging")

    def read_checkpoint(self) -> bytes | None:
        """The signed note; None where there is none."""
        with using(self.folder):
            try:
                return (self.folder / CHECKPOINT).read_bytes()
            except FileNotFoundError:
                return None

    def write_checkpoint(self, note: bytes) -> None:
        """Replace the checkpoint, durably."""
        self._write([(CHECKPOINT, note)])

    def write_tiles(self, tiles: Iterable[Tile], content: Callable[[Tile], bytes]) -> None:
        """Write tiles, durably. Bytes that are there already are the same ones: a tile never changes."""
        self._write((tile.path, content(tile)) for tile in tiles)

    def drop_partials(self, old: int, new: int) -> None:
        """Remove the partial forms of tiles that got full, which no reader needs any more; also those of the tile
        before, which a crash may have spared last time.
        """
        for level in (ENTRIES, *range(MAX_LEVEL + 1)):
            for position in range(max(0, count(level, old) // WIDTH - 1), count(level, new) // WIDTH):
                partials = (self.folder / Tile(level, position, 1).path).parent
                if partials.is_dir():
                    shutil.rmtree(partials, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed writers left beside the folder."""
        for path in self._staging.glob("*"):
            with contextlib.suppress(FileNotFoundError):  # its writer has just put it in place
                if path.stat().st_mtime < time.time() - LEFTOVER_S:
                    path.unlink()

    def _write(self, files: Iterable[tuple[str, bytes]]) -> None:
        with using(self.folder):
            written = set()
            for name, data in files:
                write_whole(self.folder / name, data, self._staging)
                written.add(self.folder / name)
            sync_folders(written, self.folder.parent)
