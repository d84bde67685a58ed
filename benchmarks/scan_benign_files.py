"""Files that libraries write in formats of their own: torch, the boosters, numpy and pandas.

Each function saves into a folder and yields the name of each thing it saved. A library that is not installed, or a
format that this version of it lacks, is left out.
"""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scan_benign_values import data, optional

Names = Iterator[str]


def written(path: Path, write: Callable[[Path], Any]) -> Names:
    """One file, where this version can write it to its end."""
    try:
        write(path)
        yield path.name
    except Exception:
        path.unlink(missing_ok=True)


def _modules(nn: Any) -> dict[str, Any]:
    """Torch modules of every kind that a model is made of."""
    return {
        "module": nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2)),
        "encoder": nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 1),
        "transformer": nn.Transformer(8, 2, 1, 1, 16),
        "recurrent": nn.ModuleDict({"lstm": nn.LSTM(5, 3), "gru": nn.GRU(5, 3), "cell": nn.RNNCell(5, 3)}),
        "conv": nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(3), nn.GELU()),
        "embedding": nn.ModuleList([nn.Embedding(9, 4), nn.EmbeddingBag(9, 4), nn.LayerNorm(4), nn.Identity()]),
        "losses": nn.ModuleList([nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss(), nn.Softmax(1)]),
        "bilinear": nn.ModuleList([nn.Bilinear(2, 3, 4), nn.PReLU(), nn.GroupNorm(2, 4), nn.MultiheadAttention(8, 2)]),
        "spectral": nn.utils.parametrizations.weight_norm(nn.Linear(5, 3)),
    }


def _states(torch: Any, model: Any) -> Iterator[tuple[str, Any]]:
    """Tensors of every type, optimisers and schedulers after a step."""
    kinds = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
    yield "dtypes", {kind: torch.ones(3, dtype=getattr(torch, kind)) for kind in (*kinds, "complex64")}
    yield "views", [torch.arange(9.0)[2:5], torch.zeros(3, 4).t(), torch.tensor(5), torch.empty(0)]
    yield "sparse", [torch.eye(3).to_sparse(), torch.eye(3).to_sparse_csr()]
    yield "quantised", torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    yield "parameters", [torch.nn.Parameter(torch.ones(2)), torch.nn.ParameterList([torch.ones(2)])]
    model(torch.randn(4, 5)).sum().backward()
    for name in ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "Adamax"):
        optimiser = getattr(torch.optim, name)(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, 2)
        optimiser.step()
        states = {"optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
        yield f"optimiser-{name}", states
    yield "optimiser", optimiser
    yield "checkpoint", {"epoch": 3, "model": model.state_dict(), "seed": torch.get_rng_state(), **states}


def networks(folder: Path) -> Names:
    """Torch files, saved by torch itself: both layouts, whole modules and states, scripts and exported programs."""
    torch = optional("torch")
    if torch is None:
        return
    modules = _modules(torch.nn)
    modules["conv"](torch.zeros(1, 1, 12, 12))  # a lazy layer takes its shape from the first batch
    model = modules["module"]
    things = dict(_states(torch, model)) | modules
    things |= {f"{name}-state": module.state_dict() for name, module in modules.items()}
    for name, thing in things.items():
        yield from written(folder / f"torch-{name}.pt", partial(torch.save, thing))
        old = partial(torch.save, thing, _use_new_zipfile_serialization=False)
        yield from written(folder / f"torch-{name}-legacy.pt", old)
    yield from _compiled(torch, model.eval(), modules["conv"].eval(), folder)


def _compiled(torch: Any, model: Any, images: Any, folder: Path) -> Names:
    row, image = torch.randn(4, 5), torch.zeros(2, 1, 12, 12)
    save, script = torch.jit.save, torch.jit.script
    yield from written(folder / "torch-script.pt", lambda path: save(script(model), path))
    yield from written(folder / "torch-trace.pt", lambda path: save(torch.jit.trace(model, row), path))
    yield from written(folder / "torch-trace-images.pt", lambda path: save(torch.jit.trace(images, image), path))
    yield from written(folder / "torch-frozen.pt", lambda path: save(torch.jit.freeze(script(model)), path))
    program = torch.export.export(model, (row,))
    yield from written(folder / "torch-exported.pt2", lambda path: torch.export.save(program, path))
    dynamic = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)
    yield from written(folder / "torch-dynamic.pt", partial(torch.save, dynamic.state_dict()))


def boosters(folder: Path) -> Names:
    """XGBoost, LightGBM and CatBoost in each format of their own."""
    X, y = data()
    xgboost, lightgbm, catboost = (optional(name) for name in ("xgboost", "lightgbm", "catboost"))
    if xgboost is not None:
        for kind, goal in (("", {}), ("-multi", {"objective": "multi:softprob", "num_class": 3})):
            model = xgboost.train({"max_depth": 3, **goal}, xgboost.DMatrix(X, np.arange(80) % 3 if kind else y), 3)
            for suffix in ("json", "ubj"):
                yield from written(folder / f"xgboost{kind}.{suffix}", model.save_model)
    if lightgbm is not None:
        for kind in ("binary", "regression", "multiclass"):
            label = np.arange(80) % 3 if kind == "multiclass" else y
            goal = {"objective": kind, "verbose": -1, "num_class": 3 if kind == "multiclass" else 1}
            model = lightgbm.train(goal, lightgbm.Dataset(X, label), 3)
            yield from written(folder / f"lightgbm-{kind}.txt", model.save_model)
    if catboost is not None:
        model = catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False)
        words = np.column_stack([X.round(1).astype(object), ["a", "b"] * 40])
        for kind, rows, groups in (("", X, []), ("-words", words, [5])):
            fitted = model.copy().fit(rows, y, cat_features=groups)
            for suffix in ("cbm", "json"):
                yield from written(folder / f"catboost{kind}.{suffix}", partial(_save_catboost, fitted, suffix))


def _save_catboost(model: Any, suffix: str, path: Path) -> None:
    model.save_model(str(path), format=suffix)


def arrays(folder: Path) -> Names:
    """numpy's own files."""
    X, y = data()
    record = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8", 2)])
    things = {"plain": X, "fortran": np.asfortranarray(X), "record": record, "words": np.array(["a", "bc"])}
    for name, thing in {**things, "objects": np.array([1, "x", None], dtype=object)}.items():
        np.save(folder / f"numpy-{name}.npy", thing)
        yield name
    np.savez(folder / "numpy-several.npz", X=X, y=y)
    np.savez_compressed(folder / "numpy-packed.npz", X=X, y=y)
    yield from ("several", "packed")


def tables(folder: Path) -> Names:
    """pandas' own pickles in each compression, and plain pickles that somebody packed."""
    pd = optional("pandas")
    packed = gzip.compress(pickle.dumps(data()))
    yield from written(folder / "packed.pkl.gz", lambda path: path.write_bytes(packed))
    if pd is None:
        return
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None], "t": pd.date_range("2026", periods=2)})
    for kind in ("gzip", "bz2", "xz", "zip", "tar", "zstd"):
        yield from written(folder / f"pandas-{kind}.pkl", partial(frame.to_pickle, compression=kind))


PARTS: dict[str, Callable[[Path], Names]] = {
    "networks": networks,
    "booster-files": boosters,
    "array-files": arrays,
    "table-files": tables,
}
