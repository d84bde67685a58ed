"""A training run that starts from sealed data only, and signs what it made from what.

    with training("train.parquet", label="default", drop=["ID"], seed=7, lock="requirements.lock") as run:
        model = run.fit(XGBClassifier(n_estimators=100))
        run.save(model, "model.json")                     # writes model.json.training.json too

A loop of one's own uses `run.X`, `run.y` and `run.seed`, says what it chose with `run.record`, and ends with `run.save`
or, for files it wrote itself, `run.attest`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain import Clock, new_id, system_clock
from holdfast.core.errors import DataError, UsageError
from holdfast.core.sign import PublicKey, SigningKey
from holdfast.seal.attest import Made, attestation, attestation_of
from holdfast.seal.code import Code, code_at
from holdfast.seal.material import Sealed, only_table, sealed
from holdfast.seal.parameters import parameters_of, plain, type_name
from holdfast.seal.place import Place, place
from holdfast.seal.saving import Write, writer
from holdfast.seal.whole import take_place, write_whole

if TYPE_CHECKING:
    from holdfast.core.data.table import Column, Table

Floats = NDArray[np.float64]


def training(
    *data: str | Path,
    label: str | None = None,
    drop: Iterable[str] = (),
    seed: int = 0,
    lock: str | Path | None = None,
    key: SigningKey | Path | None = None,
    trusted: Sequence[PublicKey | Path] | None = None,
    home: Path | None = None,
    clock: Clock = system_clock,
) -> Training:
    """A run over sealed files and folders; the seals lie beside them. A context manager.

    `lock` is the file that pins the environment. `key` signs and `trusted` keys are believed; by default those of the
    installation around (`keys/` in the state folder). Entering raises DataError HF-SEA-001 (no seal), SignatureError
    HF-SEA-002 (no seal in the file), -003 (changed since: file, column and row are named), -004 (unknown signer).
    """
    return Training(
        tuple(Path(one) for one in data),
        place(home, key, trusted),
        label=label,
        drop=tuple(drop),
        seed=seed,
        lock=None if lock is None else Path(lock),
        clock=clock,
    )


class Training:
    """One run. Made by `training`."""

    def __init__(
        self,
        data: tuple[Path, ...],
        at: Place,
        *,
        label: str | None,
        drop: tuple[str, ...],
        seed: int,
        lock: Path | None,
        clock: Clock,
    ) -> None:
        if not data:
            raise _misused("it names no data", "give at least one sealed file: training('train.parquet')")
        self.seed, self.label, self.drop, self.lock = seed, label, drop, lock
        self.id = new_id("trn", clock)
        self._data, self._place, self._clock = data, at, clock
        self._sets: tuple[Sealed, ...] = ()
        self._open = False
        self._said: dict[str, Any] = {}
        self._columns: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._sets = tuple(sealed(path, self._place.trusted) for path in self._data)
        self.started_at = self._clock()
        self.code = _code()
        self._open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False

    @cached_property
    def table(self) -> Table:
        """The sealed table, its values compared with the seal in memory, without the dropped columns."""
        return self.read_table()

    def read_table(self, name: str | None = None) -> Table:
        """The sealed table of that name. Raises UsageError HF-SEA-014, SignatureError HF-SEA-003."""
        self._must_be_open()
        home, file = only_table(self._sets, name)
        return home.table(file).drop(self.drop)

    def read_bytes(self, name: str) -> bytes:
        """A sealed file that is no table. Raises UsageError HF-SEA-014, SignatureError HF-SEA-003."""
        self._must_be_open()
        for home in self._sets:
            for file in home.files:
                if file.name == name:
                    return home.bytes(file)
        raise _misused(f"no sealed file is named '{name}'", "names are relative to the sealed folder")

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are not the label."""
        return tuple(name for name in self.table.names if name != self.label)

    @cached_property
    def X(self) -> Floats:  # noqa: N802
        """(n, d) all features as float64."""
        return self.matrix()

    @cached_property
    def y(self) -> Column:
        """(n,) the label: whole numbers as int64, others as they are. Raises DataError HF-DAT-006."""
        if self.label is None:
            raise _misused("it was not told which column is the label", "training(..., label='default')")
        values = self.table[self.label]
        whole = values.dtype == np.float64 and bool(np.isfinite(values).all() and (values == np.floor(values)).all())
        return values.astype(np.int64) if whole else values

    def matrix(self, columns: Sequence[str] | None = None) -> Floats:
        """(n, d) columns as float64, missing as NaN. Raises DataError HF-SEA-016 on text."""
        self._columns = tuple(columns) if columns is not None else self.features
        texts = [name for name in self._columns if self.table[name].dtype == object]
        if texts:
            raise DataError(
                f"the column '{texts[0]}' is text, and a matrix holds numbers",
                cause=f"{len(texts)} of {len(self._columns)} columns are text",
                fix="use run.frame() with an estimator that takes text, encode run.table yourself, or drop= them",
                code="HF-SEA-016",
            )
        return np.column_stack([self.table[name].astype(np.float64) for name in self._columns])

    def frame(self, columns: Sequence[str] | None = None) -> Any:
        """The columns as a pandas DataFrame, for estimators that go by names or take text."""
        import pandas as pd

        self._columns = tuple(columns) if columns is not None else self.features
        return pd.DataFrame({name: self.table[name].copy() for name in self._columns})

    def fit(self, estimator: Any, columns: Sequence[str] | None = None, *, frame: bool = False, **fit: Any) -> Any:
        """`estimator.fit(X, y)` on the sealed rows; what was chosen is recorded. Gives the fitted estimator.

        An estimator whose `random_state` is not set gets the run's seed, so that the recorded one is the one used.
        """
        if parameters_of(estimator).get("random_state", "") is None:
            estimator.set_params(random_state=self.seed)
        X = self.frame(columns) if frame else self.matrix(columns)
        fitted = estimator.fit(X, self.y, **fit)
        self.record(estimator=type_name(estimator), parameters=parameters_of(estimator), fit=fit)
        return estimator if fitted is None else fitted

    def record(self, parameters: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Say what was chosen: it goes into the attestation. A name said again takes the place of what it said."""
        self._must_be_open()
        self._said |= plain({**(parameters or {}), **more})

    def save(self, model: Any, path: str | Path, *, write: Write | None = None) -> Path:
        """Write the model and, before it takes its name, its attestation. Gives the attestation's path.

        Raises UsageError HF-SEA-015 where the model has no known way to be saved; SignatureError HF-SEA-003 where the
        data was changed meanwhile: then nothing is written.
        """
        self._must_be_open()
        path, how = Path(path), write or writer(model)
        # Libraries go by the ending, so the unfinished file has the same one.
        with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".training-") as name:
            unfinished = Path(name) / path.name
            how(unfinished)
            _to_disk(unfinished)
            made = self._attested(unfinished, path)
            take_place(unfinished, path, replace=True)
        self._tell(made)
        return made.path

    def attest(self, path: str | Path) -> Path:
        """Sign an attestation for a file that the run wrote itself. Gives the attestation's path."""
        self._must_be_open()
        made = self._attested(Path(path), Path(path))
        self._tell(made)
        return made.path

    def _attested(self, written: Path, path: Path) -> Made:
        for one in self._sets:
            one.check()
        made = attestation(self, self._sets, written, path)
        write_whole(made.path, made.provenance.sign(self._place.key).to_json(), replace=True)
        return made

    def _tell(self, made: Made) -> None:
        body = {
            "run": self.id,
            "artifact": made.artifact,
            "version": made.version,
            "attestation": made.digest,
            "seals": [one.signed.seal.digest for one in self._sets],
            "code": self.code.commit,
        }
        self._place.tell("model.trained", body, self.id, self._clock)

    @property
    def chosen(self) -> dict[str, Any]:
        """What the attestation says that the user chose."""
        return {
            "label": self.label,
            "drop": list(self.drop),
            "columns": list(self._columns),
            "seed": self.seed,
            "parameters": dict(self._said),
        }

    def now(self) -> datetime:
        """The time by the run's clock."""
        return self._clock()

    def _must_be_open(self) -> None:
        if not self._open:
            raise _misused("it has not begun, or has ended", "use it inside `with training(...) as run:`")


def _code() -> Code:
    import __main__

    script = getattr(__main__, "__file__", None)
    path = None if script is None else Path(script).resolve()
    return code_at(Path.cwd() if path is None else path.parent, path)


def _to_disk(path: Path) -> None:
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _misused(cause: str, fix: str) -> UsageError:
    return UsageError("the training run cannot do this", cause=cause, fix=fix, code="HF-SEA-017")


__all__ = ["Training", "attestation_of", "training"]
