"""What a run works with, read from a model's parts as the manifest names them. Nothing is loaded, all is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.data.table import Table
from holdfast.core.domain.model import Task
from holdfast.core.errors import ConfigError, DataError, UsageError
from holdfast.core.formats.read import TreeModel, read_trees
from holdfast.core.formats.trees import Link
from holdfast.core.learn.interface import Growth
from holdfast.core.learn.reading import depth
from holdfast.core.sign import manifest
from holdfast.estate.manifest import Subject

Floats = NDArray[np.float64]
SOURCES = ("xgboost-json", "xgboost-ubj", "lightgbm-text")
LARGEST = Growth(trees=300, depth=6)
"""However large the original is, candidates like it are not larger."""


@dataclass(frozen=True, eq=False)
class Material:
    """Rows are (n, d), raw contract units; labels 0 or 1."""

    subject: Subject
    task: Task
    model: TreeModel
    contract: Contract
    order: tuple[int, ...]
    names: tuple[str, ...]
    train: Floats
    train_labels: Floats
    held_out: Floats
    held_out_labels: Floats
    digests: dict[str, str]

    @classmethod
    def read(cls, subject: Subject) -> Material:
        """Read all parts. Raises UsageError HF-HRD-001, -002; ConfigError HF-HRD-003; DataError HF-HRD-004."""
        model = read_trees(_part(subject, "artifact"))
        _refuse_unfit(subject, model)
        contract = Contract.load(_part(subject, "contract"))
        (given, train, train_labels), (_, held_out, held_labels) = (
            _rows(subject, contract, role) for role in ("train", "test")
        )
        own = model.columns_given
        names = own if own and set(own) <= set(given) else given
        FeatureMap.of(contract, (), names)
        return cls(
            subject,
            subject.model.task,
            model,
            contract,
            tuple(contract.index(name) for name in names),
            tuple(own),
            train,
            train_labels,
            held_out,
            held_labels,
            _digests(subject),
        )

    @cached_property
    def scales(self) -> Floats:
        return self.contract.scales(self.train)

    @property
    def feature_map(self) -> FeatureMap:
        """From contract columns to what the artifact, and every candidate, reads."""
        return FeatureMap.of(self.contract, (), tuple(self.contract.names[column] for column in self.order))

    @property
    def cut(self) -> float:
        """The probability of class 1 from which on class 1 is decided."""
        return self.task.threshold if self.task.positive == 1 else 1 - self.task.threshold

    @property
    def original(self) -> Growth:
        """What the artifact's trees look like, within reason."""
        trees = self.model.ensemble
        return Growth(
            trees=min(max(trees.n_trees, 1), LARGEST.trees), depth=min(max(depth(trees), 1), LARGEST.depth), min_leaf=1
        )


def _part(subject: Subject, role: str) -> Path:
    path = subject.part(role)
    if path is None:
        raise ConfigError(
            f"'{subject.model.name}' cannot be hardened without its {role}",
            cause=f"the manifest names no {role}; training needs rows, judging needs held-out rows and a contract",
            fix="add 'data: {train: …, test: …, label: …}' and 'contract: contract.yaml' to the manifest",
            code="HF-HRD-003",
        )
    return path


def _refuse_unfit(subject: Subject, model: TreeModel) -> None:
    trees = model.ensemble
    if trees.source not in SOURCES or model.transforms:
        cause = f"it is {trees.source}" + (" with preprocessing inside" if model.transforms else "")
        raise UsageError(
            f"'{subject.model.name}' cannot be hardened here",
            cause=f"{cause}; recipes grow plain XGBoost and LightGBM models",
            fix="harden the booster by itself, saved by its own library, and put the preprocessing in front again",
            code="HF-HRD-001",
        )
    if trees.n_classes != 2 or trees.n_outputs != 1 or trees.link is not Link.SIGMOID:
        raise UsageError(
            f"'{subject.model.name}' does not decide between two classes",
            cause=f"it has {trees.n_classes} classes and {trees.n_outputs} outputs, link {trees.link}",
            fix="hardening is for binary classifiers with a probability; audit and gate work for the others",
            code="HF-HRD-002",
        )


def _rows(subject: Subject, contract: Contract, role: str) -> tuple[tuple[str, ...], Floats, Floats]:
    """The input columns' names, the contract matrix and the labels of a table."""
    table = Table.read(_part(subject, role), drop=() if subject.entry.data is None else subject.entry.data.drop)
    label = "" if subject.entry.data is None else subject.entry.data.label
    if label not in table.names:
        raise _no_labels(subject, role, f"there is no column '{label}'")
    values = table.columns[label]
    if values.dtype == object or not np.isin(values, (0, 1)).all() or np.unique(values).size < 2:
        raise _no_labels(subject, role, f"the column '{label}' holds other values than 0 and 1, or only one of them")
    features = table.drop([label])
    return tuple(features.names), contract.encode(features.columns), values.astype(np.float64)


def _no_labels(subject: Subject, role: str, cause: str) -> DataError:
    return DataError(
        f"the {role} data of '{subject.model.name}' has no labels to train with",
        cause=cause,
        fix="name a column of zeros and ones under data: in the manifest, with both classes in it",
        code="HF-HRD-004",
    )


def _digests(subject: Subject) -> dict[str, str]:
    roles = {part.role: part.path for part in subject.parts if part.role in ("artifact", "train", "test")}
    hashed = {Path(file.name): file.digest for file in manifest(set(roles.values())).files}
    contract = subject.part("contract")
    assert contract is not None, "read before"
    return {role: hashed[path] for role, path in roles.items()} | {"contract": Contract.load(contract).digest}
