"""What changed between two sealed states of a data set: files, columns, rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.merkle import HASH_BYTES
from holdfast.core.data.seal import Leaves, SealedData, SealedFile, SealedTable

Rows = NDArray[np.int64]

_NONE: Final = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class RowChanges:
    """Row numbers, sorted. `changed` holds places whose row is another now; `added` are rows of the new table beyond
    those, `removed` of the old one. `moved` rows (numbers in the new table) are as they were, in another place.
    """

    changed: Rows = field(default_factory=lambda: _NONE)
    added: Rows = field(default_factory=lambda: _NONE)
    removed: Rows = field(default_factory=lambda: _NONE)
    moved: Rows = field(default_factory=lambda: _NONE)

    def __bool__(self) -> bool:
        return any(part.size for part in (self.changed, self.added, self.removed, self.moved))

    @property
    def fresh(self) -> Rows:
        """Rows of the new table whose content the old one did not have."""
        return np.sort(np.concatenate([self.changed, self.added]))


@dataclass(frozen=True, slots=True)
class ColumnChanges:
    """Column names. `renamed` holds (old, new) of columns with the same values; `reordered`: in another order."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed or self.renamed or self.reordered)


@dataclass(frozen=True, slots=True)
class FileChanges:
    """One file that differs. `rows` is None where they cannot be compared one by one, and `why` says the reason."""

    name: str
    columns: ColumnChanges = ColumnChanges()
    rows: RowChanges | None = None
    why: str = ""

    @property
    def content(self) -> bool:
        """Whether the file says something else now, or nothing that can be compared."""
        return bool(self.why) or bool(self.columns) or bool(self.rows)


@dataclass(frozen=True, slots=True)
class Changes:
    """Files by name. A file in `changed` whose content is the same was only written anew."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[FileChanges, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def content(self) -> bool:
        """Whether anything but the way of writing changed."""
        return bool(self.added or self.removed or any(file.content for file in self.changed))


def changes(old: SealedData, new: SealedData, old_leaves: dict[str, Leaves], new_leaves: dict[str, Leaves]) -> Changes:
    """Compare two states. Leaves are by file name; where a file's are not given, its rows are not told apart."""
    before, after = ({file.name: file for file in data.files} for data in (old, new))
    if len(before) == len(after) == 1:
        # One file is the data set: it may have been renamed, or be in another format now.
        after = {next(iter(before)): next(iter(after.values()))}
        new_leaves = dict(zip(before, new_leaves.values(), strict=False))
    return Changes(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        tuple(
            _file(name, before[name], after[name], old_leaves.get(name), new_leaves.get(name))
            for name in sorted(before.keys() & after.keys())
            if before[name].digest != after[name].digest
        ),
    )


def _file(
    name: str, old: SealedFile, new: SealedFile, old_leaves: Leaves | None, new_leaves: Leaves | None
) -> FileChanges:
    if old.table is None or new.table is None:
        return FileChanges(name, why=new.note or old.note or "it is no table")
    columns = column_changes(old.table, new.table)
    if old.table.root == new.table.root and old.table.rows == new.table.rows:
        return FileChanges(name, columns, RowChanges())
    if tuple(kind for _, kind in old.table.schema) != tuple(kind for _, kind in new.table.schema):
        return FileChanges(name, columns, why="the columns are others, so rows cannot be compared one by one")
    if columns.reordered:
        return FileChanges(name, columns, why="the columns are in another order, so rows cannot be compared")
    if old_leaves is None or new_leaves is None:
        return FileChanges(name, columns, why="the rows of one of the two seals are not at hand")
    return FileChanges(name, columns, row_changes(old_leaves, new_leaves))


def column_changes(old: SealedTable, new: SealedTable) -> ColumnChanges:
    """Compare columns by name, then look for the values of lost ones under new names."""
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    lost = [name for name in before if name not in after]
    fresh = [name for name in after if name not in before]
    renamed: list[tuple[str, str]] = []
    for name in list(lost):
        twin = next((other for other in fresh if after[other].digest == before[name].digest), None)
        if twin is not None:
            renamed.append((name, twin))
            lost.remove(name)
            fresh.remove(twin)
    both = [name for name in before if name in after]
    names = dict(renamed)
    order = [names.get(name, name) for name in before if name not in lost]
    return ColumnChanges(
        tuple(name for name in both if before[name].digest != after[name].digest),
        tuple(fresh),
        tuple(lost),
        tuple(renamed),
        order != [name for name in after if name not in fresh],
    )


def row_changes(old: Leaves, new: Leaves) -> RowChanges:
    """Tell rows apart: those in their place first, then equal ones elsewhere, each used once."""
    before, after = _hashes(old), _hashes(new)
    shared = min(len(before), len(after))
    same = before[:shared] == after[:shared]
    loose_old = np.concatenate([np.flatnonzero(~same), np.arange(shared, len(before))])
    loose_new = np.concatenate([np.flatnonzero(~same), np.arange(shared, len(after))])
    known_old, known_new = _pair(before[loose_old], after[loose_new])
    gone, fresh = loose_old[~known_old], loose_new[~known_new]
    changed = np.intersect1d(gone, fresh, assume_unique=True)
    return RowChanges(
        changed,
        np.setdiff1d(fresh, changed, assume_unique=True),
        np.setdiff1d(gone, changed, assume_unique=True),
        np.sort(loose_new[known_new]),
    )


def _hashes(leaves: Leaves) -> NDArray[np.void]:
    found: NDArray[np.void] = np.frombuffer(leaves.data, np.dtype((np.void, HASH_BYTES)))
    return found


def _pair(old: NDArray[np.void], new: NDArray[np.void]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the old have an equal among the new, and the other way round; equal ones pair off one to one."""
    _, codes = np.unique(np.concatenate([old, new]), return_inverse=True)
    mine, theirs = codes[: len(old)], codes[len(old) :]
    size = int(codes.max()) + 1 if codes.size else 0
    paired = np.minimum(np.bincount(mine, minlength=size), np.bincount(theirs, minlength=size))
    return _occurrence(mine) < paired[mine], _occurrence(theirs) < paired[theirs]


def _occurrence(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) how many equal codes came before each."""
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if codes.size else _NONE
    counted = np.arange(codes.size) - np.repeat(starts, np.diff(np.r_[starts, codes.size]))
    found = np.empty_like(counted)
    found[order] = counted
    return found
