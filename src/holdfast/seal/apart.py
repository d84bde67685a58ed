"""Reading a file that is not as it was sealed, in a process of its own.

Native readers of columnar files have been seen to abort on files with a few altered bits. A process that dies while it
looks at an altered file takes nothing along: the answer is that the file cannot be read.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from holdfast.core.data.seal import Leaves, SealedFile, SealedTable
from holdfast.core.sign import FileDigest
from holdfast.seal.observe import read_file

TIMEOUT_S: Final = 600
MEMORY_BYTES: Final = 16 << 30


class Told(msgspec.Struct):
    """What the process found, beside the leaves it wrote."""

    table: SealedTable | None
    note: str


def read_apart(path: Path, seen: FileDigest, name: str) -> tuple[SealedFile, Leaves | None]:
    """Like `read_file`, but whatever goes wrong with an altered file becomes a note."""
    with tempfile.TemporaryDirectory(prefix="holdfast-seal-") as folder:
        rows = Path(folder) / "rows"
        told = _ask(path, seen, rows)
        leaves = Leaves(rows.read_bytes()) if told.table is not None else None
    return SealedFile(name, seen.digest, seen.bytes, told.table, told.note), leaves


def _ask(path: Path, seen: FileDigest, rows: Path) -> Told:
    words = [sys.executable, "-m", __name__, str(path.resolve()), seen.digest, str(rows)]
    try:
        done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603  (our own)
    except subprocess.TimeoutExpired:
        return Told(None, "it cannot be read: the reader did not come to an end")
    if done.returncode != 0:
        return Told(None, f"it cannot be read: the reader ended with {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Told)


def main() -> None:
    """Read one file; write its leaves, and say the rest on stdout."""
    path, digest, rows = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    file, leaves = read_file(path, FileDigest(path.name, digest, path.stat().st_size), path.name)
    if leaves is not None:
        rows.write_bytes(leaves.data)
    sys.stdout.buffer.write(msgspec.json.encode(Told(file.table, file.note)))


if __name__ == "__main__":
    main()
