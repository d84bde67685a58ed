"""A set of files under one root, as it is signed: names relative to it with slashes, and rules for what belongs to it.

Links are refused, or followed to regular files inside of the root. A link to a folder is always refused: what is behind
it could be another folder tomorrow. What is left out is written down and is signed with the rest.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Final

from holdfast.core.errors import SignatureError
from holdfast.core.sign.manifest import FileDigest, file_digest

GIT_PATHS: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What git and its hosts keep beside the files; left out unless somebody says otherwise."""

MAX_SET: Final = 50_000
"""Files in one set: their names and digests have to fit into one statement."""

MAX_IGNORED: Final = 1_000
MAX_NAME: Final = 4_096
_LINK: Final = "it is a link, and links are not followed here"

Told = Callable[[int, int, int, int], None]
"""Progress: files hashed, files in all, bytes hashed, bytes in all. Called from several threads, one at a time."""


def refuse_outside(name: str) -> None:
    """A name has one spelling and stays under the root it is joined to. Raises ValueError."""
    parts = name.split("/")
    if not name or len(name) > MAX_NAME or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"the path {name[:100]!r} is not a plain path inside of the set")


@dataclass(frozen=True)
class Rules:
    """What belongs to a set. A path in `ignored` is left out, and everything below it."""

    ignored: tuple[str, ...] = GIT_PATHS
    links: bool = False

    def __post_init__(self) -> None:
        if len(self.ignored) > MAX_IGNORED:
            raise ValueError(f"more than {MAX_IGNORED} paths are left out")
        for name in self.ignored:
            refuse_outside(name)

    def leaves_out(self, name: str) -> bool:
        """Whether a file of this name is no part of the set."""
        return f"{name}/".startswith(self._beginnings)

    @cached_property
    def _beginnings(self) -> tuple[str, ...]:
        # In one tuple: a stranger's signature may hold 50,000 names against 1,000 of these.
        return tuple(f"{one}/" for one in self.ignored)


DEFAULT: Final = Rules()


@dataclass(frozen=True, slots=True)
class FileSet:
    """Files of a root by name, in the order of their names' parts. `name` is the root's own; nobody relies on it.

    `single` where the root is a file itself.
    """

    name: str
    files: tuple[FileDigest, ...]
    rules: Rules
    single: bool = False

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies under a root: files to be hashed, what cannot be one and why, and what was left out by the rules."""

    files: Mapping[str, Path]
    faults: Mapping[str, str]
    left_out: tuple[str, ...]
    single: bool = False


def hash_set(root: Path, rules: Rules = DEFAULT, *, told: Told | None = None, workers: int | None = None) -> FileSet:
    """Hash a file, or every file below a folder, several at a time.

    Raises SignatureError HF-SIG-010 on what cannot be signed (a link, a device, a name that is no text) and where a
    file is changed, comes or goes meanwhile; ValueError where there is no file at all, or more than MAX_SET.
    """
    before = list_files(root, rules)
    for name, why in before.faults.items():
        raise _refused(root, name, why)
    if not 1 <= len(before.files) <= MAX_SET:
        raise ValueError(f"it has {len(before.files):,} files; there have to be 1 to {MAX_SET:,}")
    stamps = _stamps(before.files)
    found = hash_files(before.files, told=told, workers=workers)
    after = list_files(root, rules)
    now = _stamps(after.files)
    changed = next((name for name in sorted(stamps.keys() | now.keys()) if stamps.get(name) != now.get(name)), None)
    if changed is not None:
        raise _refused(root, changed, "it changed while the set was hashed")
    files = tuple(found[name] for name in sorted(found, key=in_order))
    return FileSet(root.resolve().name, files, rules, before.single)


def hash_files(
    files: Mapping[str, Path], *, told: Told | None = None, workers: int | None = None
) -> dict[str, FileDigest]:
    """Digests by name; the largest files first, so that no thread is left with one at the end. Raises HF-SIG-010."""
    sizes = {name: _stat(path).st_size for name, path in files.items()}
    count = None if told is None else _Count(told, len(sizes), sum(sizes.values()))

    def one(name: str) -> FileDigest:
        found = FileDigest(name, *file_digest(files[name], None if count is None else count.piece))
        if count is not None:
            count.file()
        return found

    largest = sorted(sizes, key=lambda name: (-sizes[name], name))
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        return {found.name: found for found in pool.map(one, largest)}


def list_files(root: Path, rules: Rules) -> Listing:
    """Every file that belongs to the set. A single file is named by its own name. Raises SignatureError HF-SIG-010."""
    if not stat.S_ISDIR(_stat(root).st_mode):
        return Listing({root.name: root}, {}, (), single=True)
    files: dict[str, Path] = {}
    faults: dict[str, str] = {}
    left_out: list[str] = []
    real = root.resolve()
    for name, entry in _entries(root, rules, left_out):
        found = _judged(name, entry, rules, real)
        if isinstance(found, str):
            faults[name] = found
        else:
            files[name] = found
    return Listing(files, faults, tuple(sorted(left_out)))


def in_order(name: str) -> tuple[str, ...]:
    """What names are sorted by: their parts, so that a folder's files stay together."""
    return PurePosixPath(name).parts


def _entries(root: Path, rules: Rules, left_out: list[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below the root that is no folder of its own, unless left out."""
    waiting = [(root, "")]
    while waiting:
        folder, above = waiting.pop()
        for entry in _scanned(folder):
            name = f"{above}{entry.name}"
            if rules.leaves_out(name):
                left_out.append(name)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append((folder / entry.name, f"{name}/"))
            else:
                yield name, entry


def _scanned(folder: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as fault:
        raise _unreadable(folder, fault) from fault


def _judged(name: str, entry: os.DirEntry[str], rules: Rules, real: Path) -> Path | str:
    """The file to hash, or why there is none."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is no UTF-8 text"
    if entry.is_symlink():
        return _followed(Path(entry.path), real) if rules.links else _LINK
    return Path(entry.path) if entry.is_file(follow_symlinks=False) else "it is no regular file"


def _followed(link: Path, real: Path) -> Path | str:
    try:
        target = link.resolve(strict=True)
        mode = target.lstat().st_mode
    except (OSError, RuntimeError):
        return "it is a link that leads nowhere"
    if not target.is_relative_to(real):
        return "it is a link that leads out of the folder"
    return target if stat.S_ISREG(mode) else "it is a link to what is no regular file"


def _stamps(files: Mapping[str, Path]) -> dict[str, tuple[int, int, int]]:
    """What tells one state of each file from another without reading it."""
    seen = {name: _stat(path) for name, path in files.items()}
    return {name: (one.st_ino, one.st_size, one.st_mtime_ns) for name, one in seen.items()}


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as fault:
        raise _unreadable(path, fault) from fault


class _Count:
    """Adds up what the threads did."""

    def __init__(self, told: Told, files: int, size: int) -> None:
        self._told, self._files, self._size = told, files, size
        self._done, self._seen = 0, 0
        self._lock = Lock()

    def piece(self, size: int) -> None:
        self._add(0, size)

    def file(self) -> None:
        self._add(1, 0)

    def _add(self, files: int, size: int) -> None:
        with self._lock:
            self._done += files
            self._seen += size
            self._told(self._done, self._files, self._seen, self._size)


def _unreadable(path: Path, fault: OSError) -> SignatureError:
    return SignatureError(
        f"cannot hash {path}",
        cause=fault.strerror or str(fault),
        fix="check the path and its permissions",
        code="HF-SIG-010",
    )


def _refused(root: Path, name: str, why: str) -> SignatureError:
    spelled = name.encode("utf-8", "backslashreplace").decode()
    return SignatureError(
        f"cannot hash {root}/{spelled}",
        cause=why,
        fix="copy what is linked into place, leave it out by its name, or wait until nobody writes to the folder",
        code="HF-SIG-010",
    )
