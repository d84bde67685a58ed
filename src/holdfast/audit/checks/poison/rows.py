"""Groups of training rows that stand out: near copies with one label; slices by source, time or place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.audit.checks.poison.labels import sample
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.core.data.poison.copies import Copies
    from holdfast.core.data.poison.slices import Slice

    Bools = NDArray[np.bool_]
    Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RowParams:
    """A group is reported where chance would show one as odd in `chance` of clean tables, and its labels are off by
    `shift` (a slice) or pure from `pure` on (copies). `slices` names provenance columns; none: all dropped columns."""

    rows: int = 20_000
    chance: float = 1e-6
    shift: float = 0.05
    pure: float = 0.95
    named: int = 10
    slices: tuple[str, ...] = ()
    seed: int = 0


@check(id="poison.rows", version=1, needs=("train_data",), covers=("AML.T0020", "AML.T0019"), depth=Depth.FULL)
def observe(target: Target, params: RowParams, budget: Budget) -> Observation:
    """Near copies whose common label is no accident, and slices whose labels their values do not explain."""
    import numpy as np

    from holdfast.core.data.poison.cells import Cells
    from holdfast.core.data.poison.copies import near_copies

    classes, y = np.unique(target.labels(target.train), return_inverse=True)
    rows = sample(len(y), min(params.rows, budget.rows), params.seed)
    cells = Cells.of(target.features(target.train)).take(rows)
    copies = near_copies(cells, y[rows], seed=params.seed)
    odd = [one for one in copies if one.log_p <= np.log(params.chance) and one.pure >= params.pure]
    worth = int(np.searchsorted(classes, target.model.task.harm.to_class))
    slices = _slices(target, params, cells, y[rows], rows, min(worth, classes.size - 1))
    strange = [one for one in slices if one.unexplained_p <= params.chance and abs(one.unexplained) >= params.shift]
    n = len(rows)
    return Observation.of(
        Measurement("poison.copies.groups", len(odd), "groups", {}, n, params.seed),
        Measurement("poison.copies.rows_share", sum(one.rows.size for one in odd) / n, "share", {}, n, params.seed),
        Measurement("poison.slice.odd", len(strange), "slices", {"seen": float(len(slices))}, n, params.seed),
        [_copies_fact(one, int(classes[one.label]), rows) for one in odd[: params.named]],
        [_slice_fact(one) for one in strange[: params.named]],
    )


def _slices(target: Target, params: RowParams, cells: Any, y: Any, rows: Rows, worth: int) -> list[Slice]:
    from holdfast.core.data.poison.forests import out_of_fold
    from holdfast.core.data.poison.labels import CALM, judge
    from holdfast.core.data.poison.slices import compare

    n_classes = int(y.max()) + 1
    p = out_of_fold(cells.X, y, n_classes, CALM, folds=3, seed=params.seed)
    parts = dict(_parts(target, params, rows))
    return compare(cells, y, judge(p, y, n_classes), parts, target=worth)


def _parts(target: Target, params: RowParams, rows: Rows) -> Iterator[tuple[str, Bools]]:
    """Slices by place in the file, and by each provenance column that can be read."""
    import numpy as np

    from holdfast.core.data.poison.slices import slices_of

    yield from slices_of("place in the file", np.asarray(rows, np.float64)).items()
    for name in params.slices or target.parts.drop:
        values = _column(target, name)
        if values is not None:
            yield from slices_of(name, values[rows]).items()


def _column(target: Target, name: str) -> NDArray[Any] | None:
    """A dropped column of the training file; None where it is not there or holds what no table can hold."""
    from holdfast.core.data.table import Table

    try:
        if name in target.train.names:
            return target.train[name]
        return Table.read(target.parts.train, columns=[name])[name] if target.parts.train else None
    except DataError:
        return None


def _copies_fact(one: Copies, label: int, rows: Rows) -> Fact:
    some = ", ".join(str(int(rows[row])) for row in one.rows[:5])
    kind = "equal rows" if one.identical else "rows that are nearly the same"
    detail = f"{one.pure:.0%} of them of class {label} ({one.expected:.0%} of other rows are), such as rows {some}"
    return Fact("poison.copies", f"{one.rows.size} {kind}", member="train", detail=detail)


def _slice_fact(one: Slice) -> Fact:
    more = "more" if one.unexplained > 0 else "fewer"
    drift = f"; '{one.drifted}' differs most (index {one.drift:.2f})" if one.drift > 0.25 else ""
    detail = (
        f"{one.rows} rows have {abs(one.unexplained):.1%} {more} of the class an attacker wants than their values "
        f"explain ({one.label_rate:.1%}, elsewhere {one.rest_rate:.1%}){drift}"
    )
    return Fact("poison.slice", one.name, member="train", detail=detail)
