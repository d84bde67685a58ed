"""What a check sees of a model: its parts, read lazily, and its behaviour, always from inside the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.documents import suggest
from holdfast.core.domain.model import Model
from holdfast.core.domain.observation import Fact
from holdfast.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack import NetTarget, TreeTarget
    from holdfast.core.contract import Contract, FeatureMap
    from holdfast.core.data.table import Table
    from holdfast.core.formats.read import NetModel, TreeModel
    from holdfast.core.sandbox.answer import Prediction
    from holdfast.core.sandbox.sandbox import Session

    Matrix = NDArray[np.float64]
    Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class EndpointParts:
    """Where a model answers; `bearer_env` names the environment variable that holds the token."""

    url: str
    protocol: str
    bearer_env: str | None = None


@dataclass(frozen=True, slots=True)
class OriginParts:
    """What is said of how a model was made: statements beside its file with their digests, and whose word counts.

    `trusted` holds public keys in hex; `artifact`, `train` and `lock` the digests of the files as declared.
    """

    statements: tuple[tuple[Path, str], ...]
    trusted: tuple[str, ...]
    artifact: str
    train: str | None
    lock: str | None


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """The signature that the manifest names, with its digest, and the public keys that count, as PEM text.

    `artifact` is the digest of the model file.
    """

    path: Path
    digest: str
    keys: tuple[str, ...]
    artifact: str


@dataclass(frozen=True, slots=True)
class LicenceParts:
    """Where licences are stated, and the digest of what is stated there; empty where it cannot be read."""

    place: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a model's parts lie; plain values, so that they can cross to a worker."""

    model: Model
    artifact: Path
    artifact_format: str
    train: Path | None = None
    test: Path | None = None
    label: str | None = None
    drop: tuple[str, ...] = ()
    contract: Path | None = None
    lock: Path | None = None
    runtime: Path | None = None
    isolation: str = "reduced"
    period: int | None = None
    """Number of the span of time in which results are measured anew; None where the policy lets them grow old."""
    endpoint: EndpointParts | None = None
    live_period: int | None = None
    """The same for what no digest can know: the endpoint behind an address changes while the address stays."""
    origin: OriginParts | None = None
    reports: tuple[Path, ...] = ()
    """What other tools wrote about the model, as SARIF."""
    signature: SignatureParts | None = None
    licences: LicenceParts | None = None


class Target:
    """One model version under audit. A context manager: leaving it ends the model's process, if one was started."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.model = parts.model
        self._open = ExitStack()

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def train(self) -> Table:
        """The training table, label included, without the dropped columns. Raises DataError."""
        return self._table("train", self.parts.train)

    @cached_property
    def test(self) -> Table:
        """The held-out table; the training table where none is declared (see `test_is_train`)."""
        return self.train if self.test_is_train else self._table("test", self.parts.test)

    @property
    def test_is_train(self) -> bool:
        return self.parts.test is None or self.parts.test == self.parts.train

    def features(self, table: Table) -> Columns:
        """The model's input columns of a table: all but the label. Raises DataError where there is no label."""
        self._refuse_absent(self._label, table)
        columns: Columns = table.drop([self._label]).columns
        return columns

    def labels(self, table: Table) -> NDArray[np.int64]:
        """(n,) class numbers. Raises DataError where the label column is absent, missing in rows or not classes."""
        import numpy as np

        self._refuse_absent(self._label, table)
        values = table.columns[self._label]
        classes = np.asarray([_as_class(value) for value in np.unique(values[~_missing(values)])])
        if _missing(values).any() or (classes < 0).any() or classes.size < 2:
            raise DataError(
                f"the label column '{self._label}' of '{self.model.name}' does not hold classes",
                cause=_label_fault(values, classes),
                fix="give every row a whole-number class, at least two of them (0 and 1 for a binary task)",
                code="HF-DAT-021",
            )
        return values.astype(np.float64).astype(np.int64)

    @property
    def endpoint(self) -> EndpointParts:
        """Where the model answers; a check that needs it is planned only where there is one."""
        assert self.parts.endpoint is not None, "planned without an endpoint"
        return self.parts.endpoint

    @cached_property
    def contract(self) -> Contract:
        """The feature contract. Raises ContractError; ConfigError where the manifest declares none."""
        from holdfast.core.contract import Contract

        if self.parts.contract is None:
            raise ConfigError(
                f"'{self.model.name}' has no contract",
                cause="the manifest names none, and this check needs to know what an attacker may move",
                fix="run `holdfast estate init`, or add 'contract: contract.yaml' to the manifest",
                code="HF-CFG-007",
            )
        return Contract.load(self.parts.contract)

    def matrix(self, table: Table) -> Matrix:
        """(n, d) raw contract values of a table's rows."""
        return self.contract.encode(self.features(table))

    @cached_property
    def described(self) -> TreeModel | NetModel:
        """The artifact read as data. Raises FormatError where it is neither trees nor a net."""
        from holdfast.core.formats.read import read_model

        return read_model(self.parts.artifact)

    @property
    def tree_model(self) -> TreeModel:
        """The artifact's trees. Raises FormatError where it is no tree model."""
        from holdfast.core.formats.faults import not_trees
        from holdfast.core.formats.read import TreeModel

        if not isinstance(self.described, TreeModel):
            raise not_trees("a model file", "a net")
        return self.described

    @property
    def net_model(self) -> NetModel:
        """The artifact's layers. Raises FormatError where it is no net."""
        from holdfast.core.formats.faults import no_net
        from holdfast.core.formats.read import NetModel

        if not isinstance(self.described, NetModel):
            raise no_net("tree", "it has no layers")
        return self.described

    @cached_property
    def feature_map(self) -> FeatureMap:
        """From contract columns to what the trees test, or to the features of the net."""
        from holdfast.core.contract import FeatureMap

        return FeatureMap.of(self.contract, self.described.transforms, self._input_names)

    @cached_property
    def trees(self) -> TreeTarget:
        """The trees, lifted to raw contract columns."""
        from holdfast.attack import TreeTarget

        return TreeTarget.of(self.tree_model, self.contract, self.feature_map)

    @cached_property
    def net(self) -> NetTarget:
        """The net, with its slopes over raw contract columns."""
        from holdfast.attack import NetTarget

        return NetTarget.of(self.net_model, self.contract, self.feature_map)

    @property
    def _input_names(self) -> tuple[str, ...]:
        """The columns the model is given, in its order: its own names where it knows them, else the data's."""
        own, given = self.described.columns_given, tuple(self.features(self.train))
        return own if own and set(own) <= set(given) else given

    def predict(self, columns: Columns) -> Prediction:
        """Scores from the model's own library, under its own interpreter, in the sandbox."""
        return self._session.predict(columns)

    def decide(self, prediction: Prediction) -> NDArray[np.int64]:
        """(n,) class decided: by the task's threshold between two classes, the most probable of more."""
        import numpy as np

        task, scores = self.model.task, prediction.scores
        classes = _class_numbers(prediction)
        if scores.shape[1] == 2:
            positive = scores[:, classes.tolist().index(task.positive)]
            return np.where(positive >= task.threshold, task.positive, 1 - task.positive).astype(np.int64)
        if scores.shape[1] == 1 and task.kind == "binary":
            # One score is that of class 1, as nets export it.
            own = scores[:, 0] if task.positive == 1 else 1.0 - scores[:, 0]
            return np.where(own >= task.threshold, task.positive, 1 - task.positive).astype(np.int64)
        chosen: NDArray[np.int64] = classes[scores.argmax(axis=1)]
        return chosen

    def decided(self, rows: Matrix) -> NDArray[np.int64]:
        """(n,) classes that the model's own library gives to raw contract rows."""
        return self.decide(self.predict(self.contract.decode(rows)))

    @property
    def walls(self) -> tuple[Fact, ...]:
        """The isolation the model ran under, and each step of it that this machine did not allow."""
        facts = self._session.facts
        return tuple(fact for fact in facts if fact.kind == "sandbox.isolation" or fact.value is False)

    @cached_property
    def _session(self) -> Session:
        """One process that loads the model once, however often it is asked."""
        from holdfast.core.sandbox.limits import Isolation
        from holdfast.core.sandbox.sandbox import Sandbox

        sandbox = Sandbox(self.parts.runtime, minimum=Isolation[self.parts.isolation.upper()])
        order = tuple(self.features(self.train))
        return self._open.enter_context(sandbox.open(self.parts.artifact, self.parts.artifact_format, order))

    def _refuse_absent(self, name: str, table: Table) -> None:
        if name not in table.names:
            raise DataError(
                f"there is no column '{name}' in the data of '{self.model.name}'",
                cause=f"the columns are {', '.join(table.names[:30])}",
                fix=f"{suggest(name, table.names)} It is named under data: in the manifest",
                code="HF-DAT-020",
            )

    @property
    def _label(self) -> str:
        return self.parts.label or ""

    def _table(self, role: str, path: Path | None) -> Table:
        from holdfast.core.data.table import Table

        if path is None:
            raise ConfigError(
                f"'{self.model.name}' declares no {role} data",
                cause="this check measures on data",
                fix="add 'data: {train: …, test: …, label: …}' to the manifest",
                code="HF-CFG-008",
            )
        return Table.read(path, drop=self.parts.drop)


def _class_numbers(prediction: Prediction) -> NDArray[np.int64]:
    """(k,) class of each score column: the model's own labels where they are numbers, else their positions."""
    import numpy as np

    own = np.array([_as_class(label) for label in prediction.classes], dtype=np.int64)
    k = prediction.scores.shape[1]
    return own if own.size == k and (own >= 0).all() else np.arange(k, dtype=np.int64)


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    import numpy as np

    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.size, dtype=bool)


def _as_class(value: object) -> int:
    """The class number a label value names, -1 where it names none."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return -1
    return int(number) if number.is_integer() and 0 <= number < 10_000 else -1


def _label_fault(values: NDArray[Any], classes: NDArray[Any]) -> str:
    missing = int(_missing(values).sum())
    if missing:
        return f"{missing} of {values.size} rows have no label"
    if (classes < 0).any():
        return f"it holds values such as {values[:3].tolist()}, which are not class numbers"
    return f"all {values.size} rows have the same class"
