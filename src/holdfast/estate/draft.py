"""`estate init`: a first holdfast.yaml and contract.yaml, written from the data and the model itself."""

from __future__ import annotations

import getpass
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.documents import suggest
from holdfast.core.errors import ConfigError, DataError, FormatError
from holdfast.core.settings import MANIFEST_NAME

if TYPE_CHECKING:
    from holdfast.core.contract import Draft as ContractDraft
    from holdfast.core.data.table import Table

CONTRACT_NAME = "contract.yaml"

_LOCKS = ("requirements.lock", "pylock.toml", "uv.lock", "poetry.lock", "requirements.txt")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user named. Paths are relative to the working folder."""

    folder: Path
    data: Path
    model: Path
    label: str
    test: Path | None = None
    drop: tuple[str, ...] = ()
    name: str | None = None
    tier: str = "medium"


@dataclass(frozen=True, slots=True)
class Draft:
    """The files to write, by path, and what was found out on the way, in words."""

    files: dict[Path, str]
    notes: tuple[str, ...]

    def write(self, *, force: bool = False) -> None:
        """Write all files. Raises ConfigError (HF-CFG-009) where one exists, unless forced."""
        for path in self.files:
            if path.exists() and not force:
                raise ConfigError(
                    f"{path} exists already",
                    cause="it may hold what people have reviewed",
                    fix="edit it, remove it, or pass --force to write it anew",
                    code="HF-CFG-009",
                )
        for path, text in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}")
            part.write_text(text, encoding="utf-8")
            part.replace(path)


def draft(wish: Wish) -> Draft:
    """Read data and model, mine the contract. Raises DataError, FormatError, ConfigError."""
    from holdfast.core.contract import infer
    from holdfast.core.data.table import Table

    table = Table.read(wish.data, drop=wish.drop)
    _refuse_wrong_label(wish, table)
    unused = _unused_columns(wish, table)
    dropped = tuple(dict.fromkeys((*wish.drop, *unused)))
    contract = infer(table.columns, label=wish.label, drop=dropped)
    dropped = tuple(dict.fromkeys((*dropped, *contract.omitted)))
    files = {
        wish.folder / MANIFEST_NAME: _manifest(wish, table, dropped),
        wish.folder / CONTRACT_NAME: contract.to_yaml(),
    }
    return Draft(files, _notes(wish, contract, unused))


def _refuse_wrong_label(wish: Wish, table: Table) -> None:
    if wish.label not in table.names:
        raise DataError(
            f"there is no column '{wish.label}' in {wish.data}",
            cause=f"the columns are {', '.join(table.names[:30])}{' …' if len(table.names) > 30 else ''}",
            fix=suggest(wish.label, table.names),
            code="HF-DAT-020",
        )


def _unused_columns(wish: Wish, table: Table) -> tuple[str, ...]:
    """Columns that are no input of the model: a model that names its inputs settles it."""
    inputs = [name for name in table.names if name != wish.label]
    own, count = _model_inputs(wish.model)
    if own and set(own) <= set(inputs):
        return tuple(name for name in inputs if name not in own)
    missing = sorted(set(own) - set(inputs))
    if missing and not all(re.fullmatch(r"(f|Column_)\d+", name) for name in own):
        raise DataError(
            f"the model {wish.model} was trained on columns that {wish.data} does not have",
            cause=f"missing: {', '.join(missing[:12])}",
            fix="name the data the model was trained on",
            code="HF-DAT-022",
        )
    if count is not None and count != len(inputs):
        raise DataError(
            f"the model {wish.model} has {count} inputs, {wish.data} offers {len(inputs)}",
            cause=f"offered: {', '.join(inputs[:30])}",
            fix="name the columns that are no inputs with --drop",
            code="HF-DAT-022",
        )
    return ()


def _model_inputs(path: Path) -> tuple[tuple[str, ...], int | None]:
    """The names of the model's raw inputs where it knows them, and their number where that can be told."""
    from holdfast.core.formats.read import TreeModel, read_model

    if not path.is_file():
        raise ConfigError(f"there is no model {path}", cause="no such file", fix="correct --model", code="HF-CFG-006")
    try:
        model = read_model(path)
    except FormatError:
        return (), None
    inner = model.ensemble if isinstance(model, TreeModel) else model.net
    return model.columns_given, None if model.transforms else inner.n_features


def _manifest(wish: Wish, table: Table, dropped: tuple[str, ...]) -> str:
    base = wish.folder.resolve()
    test = f", test: {_relative(wish.test, base)}" if wish.test is not None else ""
    drop = f", drop: {json.dumps(list(dropped))}" if dropped else ""
    lock = next((name for name in _LOCKS if (base / name).is_file()), None)
    classes = "multiclass" if _n_classes(wish, table) > 2 else "binary"
    name = wish.name or re.sub(r"[^A-Za-z0-9._-]+", "-", wish.model.resolve().stem).strip("-._") or "model"
    lines = [
        "# What the model is, where its parts are, who answers for it. Paths are relative to this file.",
        "version: 1",
        "models:",
        f"  - name: {json.dumps(name)}",
        "    unit: unassigned                 # business unit; letters, digits, dots and dashes",
        "    region: eu",
        f"    owner: {json.dumps(_owner())}        # who gets the findings",
        f"    tier: {wish.tier}                     # low | medium | high | critical: how much depends on this model",
        '    purpose: "Say in one sentence what this model decides."',
        "    # people: {decides_on: true, personal_data: true, automated: false}    # drives which regulation applies",
        "    # The attacker wants to be moved from one class to the other; threshold is a probability.",
        f"    task: {{kind: {classes}, positive: 1, harm: {{from: 1, to: 0}}, threshold: 0.5}}",
        f"    artifact: {_relative(wish.model, base)}",
        "    # runtime: .venv/bin/python      # interpreter the model runs under, sandboxed; default: the current one",
        f"    data: {{train: {_relative(wish.data, base)}{test}, label: {json.dumps(wish.label)}{drop}}}",
        f"    lock: {lock}" if lock else "    # lock: requirements.lock         # pinned packages, for advisories",
        f"    contract: {CONTRACT_NAME}",
        "    policy: baseline                 # a built-in policy, or the path of your own",
    ]
    return "\n".join(lines) + "\n"


def _n_classes(wish: Wish, table: Table) -> int:
    import numpy as np

    values = table.columns[wish.label]
    if values.dtype == object:
        raise DataError(
            f"the label column '{wish.label}' holds text",
            cause=f"for example {next((v for v in values if v is not None), None)!r}",
            fix="name a column of class numbers (0 and 1 for a binary task)",
            code="HF-DAT-021",
        )
    classes = np.unique(values[~np.isnan(values.astype(float))])
    if classes.size > 1000 or not np.all(classes == np.round(classes.astype(float))):
        raise DataError(
            f"the label column '{wish.label}' does not hold classes",
            cause=f"it has {classes.size:,} distinct values",
            fix="name a column of class numbers (0 and 1 for a binary task)",
            code="HF-DAT-021",
        )
    return int(classes.size)


def _relative(path: Path, base: Path) -> str:
    return json.dumps(os.path.relpath(path.resolve(), base))


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unassigned"


def _notes(wish: Wish, contract: ContractDraft, unused: tuple[str, ...]) -> tuple[str, ...]:
    notes = [f"contract.yaml: {contract.summary()}"]
    if unused:
        notes.append(f"dropped, because the model does not use them: {', '.join(unused)}")
    if wish.test is None:
        notes.append("no --test data: figures will be measured on training data, and say so")
    notes.append("every `review: inferred` in contract.yaml is a guess about the attacker: confirm or correct it")
    return tuple(notes)
