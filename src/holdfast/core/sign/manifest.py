"""The files of an artifact and their SHA-256, each file read once; several files at a time.

`hashlib` lets go of the interpreter's lock while it works, so threads are enough.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.domain import digest
from holdfast.core.errors import SignatureError
from holdfast.core.sign.keys import open_now

PIECE_BYTES = 1 << 20
MAX_FILES = 1_000_000


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file: its name within the manifest, `sha256:<hex>` of its bytes, and how many they are."""

    name: str
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Files by name. Equal content and names give an equal `digest`, whatever their order or time."""

    files: tuple[FileDigest, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def digest(self) -> str:
        return digest([[file.name, file.digest, file.bytes] for file in self.files])


def manifest(paths: Iterable[Path], *, root: Path | None = None, workers: int | None = None) -> Manifest:
    """Hash files, and every regular file below folders. Names are relative to `root`, or as given.

    Raises SignatureError when one cannot be read, is no regular file, or changes its size while it is read.
    """
    found = sorted({file for path in paths for file in _files(path)})
    if len(found) > MAX_FILES:
        raise _unreadable(found[MAX_FILES], f"there are more than {MAX_FILES:,} files")
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        hashed = list(pool.map(file_digest, found))
    names = [str(path.relative_to(root) if root else path) for path in found]
    return Manifest(tuple(FileDigest(name, *seen) for name, seen in zip(names, hashed, strict=True)))


def file_digest(path: Path, told: Callable[[int], None] | None = None) -> tuple[str, int]:
    """The digest of a file and the number of bytes that went into it, in one pass.

    `told` hears of each piece, by its bytes. Raises SignatureError HF-SIG-010, also when the file changed meanwhile.
    """
    seen, size = hashlib.sha256(), 0
    try:
        with open_now(path) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise _unreadable(path, "it is not a regular file")
            piece = memoryview(bytearray(PIECE_BYTES))
            while count := file.readinto(piece):
                seen.update(piece[:count])
                size += count
                if told is not None:
                    told(count)
            after = os.fstat(file.fileno())
    except OSError as fault:
        raise _unreadable(path, fault.strerror or str(fault)) from fault
    if size != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise _unreadable(path, "it changed while it was read")
    return f"sha256:{seen.hexdigest()}", size


def _files(path: Path) -> list[Path]:
    """The files below a folder. A link to a folder is refused: what is behind it would go unsigned."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=_raise):
        linked = next((name for name in folders if (Path(folder) / name).is_symlink()), None)
        if linked is not None:
            raise _unreadable(Path(folder) / linked, "it is a link to a folder")
        found.extend(Path(folder) / name for name in names)
    return found


def _raise(fault: OSError) -> None:
    raise _unreadable(Path(str(fault.filename)), fault.strerror or str(fault))


def _unreadable(path: Path, cause: str) -> SignatureError:
    return SignatureError(
        f"cannot hash {path}", cause=cause, fix="check the path and its permissions", code="HF-SIG-010"
    )
