"""Whether the rows that came since the last seal look planted.

Three signs need no model and hold for a handful of rows: new rows that repeat each other, that copy a row sealed before
but give it another class, or whose classes are not mixed as before. From twenty new rows on, `learned.py` adds what
models that have not seen them make of their labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.merkle import HASH_BYTES
from holdfast.core.data.seal_changes import FileChanges
from holdfast.core.data.seal_rows import leaves_of
from holdfast.core.data.table import Table
from holdfast.core.errors import UsageError
from holdfast.seal.diff import Difference
from holdfast.seal.learned import learn

Rows = NDArray[np.int64]

ODD: Final = 4.0
"""Standard deviations from which on a difference in the mix of classes is said."""
MANY: Final = 10
"""New rows that are equal, from which on they are said."""
SHOWN: Final = 10
MIX_MAX_CLASSES: Final = 100


@dataclass(frozen=True, slots=True)
class Suspects:
    """`rows` of the new table are suspected, `fresh` is how many are new; `words` say why, or that nothing was seen."""

    file: str
    fresh: int
    rows: tuple[int, ...]
    words: tuple[str, ...]
    signs: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"file": self.file, "fresh": self.fresh, "rows": list(self.rows), "signs": self.signs}


def suspects(found: Difference, label: str, *, drop: Sequence[str] = (), seed: int = 0) -> Suspects | None:
    """Look at the rows that are new in `found`. None where no table changed.

    Raises UsageError HF-SEA-018 where the new data does not lie beside its seal, or its rows cannot be told apart.
    """
    changed = [file for file in found.changes.changed if file.content]
    if not changed:
        return None
    file = changed[0]
    table = _table(found, file, drop)
    assert file.rows is not None, "refused before"
    return look(table, label, file.rows.fresh, file=file.name, seed=seed)


def look(table: Table, label: str, fresh: Rows, *, file: str = "", seed: int = 0) -> Suspects:
    """The signs, for the rows `fresh` of `table` against all others."""
    labels = table[label].astype(str)
    mask = np.zeros(table.n_rows, bool)
    mask[fresh] = True
    codes = _codes(table.drop([label]))
    twins = _contradicting(codes, labels, mask)
    copies, groups = _repeated(codes, mask)
    mix = _mix(labels, mask)
    learned = learn(table, label, mask, seed)
    told = () if learned is None else learned.words
    words = (*_words(twins, groups, mix), *told) or (f"{len(fresh):,} new rows: no sign of poisoning seen",)
    rows = {*twins.tolist(), *copies.tolist(), *(() if learned is None else learned.rows)}
    signs: dict[str, Any] = {"contradict_sealed_rows": len(twins), "largest_copies": groups[:SHOWN], "class_mix": mix}
    signs["learned"] = None if learned is None else learned.signs
    return Suspects(file, len(fresh), tuple(sorted(rows)), tuple(words), signs)


def _table(found: Difference, file: FileChanges, drop: Sequence[str]) -> Table:
    home = found.new.found_at
    if home is None or file.rows is None:
        why = file.why or f"the data of {found.new.path} does not lie beside it"
        raise UsageError(
            "the new rows cannot be looked at",
            cause=why,
            fix="give the new data itself: holdfast seal diff OLD.seal.json NEW.parquet --label y",
            code="HF-SEA-018",
        )
    return Table.read(home / file.name if home.is_dir() else home, drop=drop)


def _codes(table: Table) -> NDArray[np.int64]:
    """(n,) equal numbers for rows of equal features."""
    hashes = np.frombuffer(leaves_of(table), np.dtype((np.void, HASH_BYTES)))
    found: NDArray[np.int64] = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    return found


def _contradicting(codes: NDArray[np.int64], labels: NDArray[Any], fresh: NDArray[np.bool_]) -> Rows:
    """New rows with a sealed twin of another class, and none of their own."""
    _, classes = np.unique(labels, return_inverse=True)
    both = codes * (int(classes.max(initial=0)) + 1) + classes
    known, same = np.isin(codes, codes[~fresh]), np.isin(both, both[~fresh])
    return np.flatnonzero(fresh & known & ~same)


def _repeated(codes: NDArray[np.int64], fresh: NDArray[np.bool_]) -> tuple[Rows, list[int]]:
    """New rows of which there are MANY or more, and far fewer among the old; and the sizes of such groups."""
    size = int(codes.max(initial=-1)) + 1
    new, old = np.bincount(codes[fresh], minlength=size), np.bincount(codes[~fresh], minlength=size)
    share = fresh.sum() / max((~fresh).sum(), 1)
    odd = (new >= MANY) & (new > MANY * share * old)
    return np.flatnonzero(fresh & odd[codes]), sorted(new[odd].tolist(), reverse=True)


def _mix(labels: NDArray[Any], fresh: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Classes whose share among the new rows is odd, given their share among the old."""
    names = np.unique(labels)
    n, m = int(fresh.sum()), int((~fresh).sum())
    if not n or not m or names.size > MIX_MAX_CLASSES:
        return []
    found = []
    for name in names.tolist():
        before, after = float((labels[~fresh] == name).mean()), float((labels[fresh] == name).mean())
        pooled = float((labels == name).mean())
        spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        if spread > 0 and abs(after - before) > ODD * spread:
            found.append({"class": name, "sealed": before, "new": after, "deviations": (after - before) / spread})
    return found


def _words(twins: Rows, groups: list[int], mix: list[dict[str, Any]]) -> list[str]:
    words = []
    if twins.size:
        listed = ", ".join(str(row) for row in twins[:SHOWN])
        words.append(f"suspect: {twins.size:,} new rows copy a sealed row and give it another class: {listed}")
    if groups:
        words.append(
            f"suspect: {len(groups)} new rows are there many times over, the most frequent {groups[0]:,} times"
        )
    words += [
        f"suspect: class {one['class']} is {one['new']:.1%} of the new rows, and was {one['sealed']:.1%}" for one in mix
    ]
    return words
