"""The tree model or net in a file, whatever format it has: recognised by content, read as data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from holdfast.core.errors import FormatError
from holdfast.core.formats import (
    catboost,
    catboost_binary,
    lightgbm,
    nets_sklearn,
    nets_torch,
    onnx,
    onnx_nets,
    sklearn,
    xgboost,
)
from holdfast.core.formats.buffers import Fault, Window, open_buffer
from holdfast.core.formats.containers import COMPRESSIONS, inflate
from holdfast.core.formats.faults import damaged, not_trees, oversize
from holdfast.core.formats.nets import NetModel
from holdfast.core.formats.pickle import Value, read_pickles
from holdfast.core.formats.sniff import compression_of, sniff_window
from holdfast.core.formats.trees import TreeModel

MAX_INFLATED = 2 << 30
"""Bytes a compressed artifact may come to."""

__all__ = ["NetModel", "TreeModel", "read_buffer", "read_model", "read_net", "read_net_buffer", "read_trees"]

NO_TREES = "HF-FMT-014"
Found = TypeVar("Found")


def read_trees(path: Path) -> TreeModel:
    """The tree model in `path`. FormatError HF-FMT-001, -004, -010 to -014 where there is none or it is broken."""
    with open_buffer(path) as data:
        return read_buffer(data)


def read_net(path: Path) -> NetModel:
    """The net or linear model in `path`. FormatError as `read_trees`."""
    with open_buffer(path) as data:
        return read_net_buffer(data)


def read_model(path: Path) -> TreeModel | NetModel:
    """The tree model in `path`, or else the net. FormatError as `read_trees`; where it is neither, the trees' one."""
    with open_buffer(path) as data:
        try:
            return read_buffer(data)
        except FormatError as fault:
            if fault.code != NO_TREES:
                raise
            try:
                return read_net_buffer(data)
            except FormatError as other:
                raise (fault if other.code == NO_TREES else other) from None


def read_buffer(data: Any) -> TreeModel:
    """The tree model in `data`, bytes or a memory map of a whole file."""
    return _unpacked(data, _read)


def read_net_buffer(data: Any) -> NetModel:
    """The net in `data`, bytes or a memory map of a whole file."""
    return _unpacked(data, _read_net)


def _unpacked(data: Any, read: Callable[[Any, str], Found]) -> Found:
    window = Window.whole(data)
    kind = sniff_window(window)
    # sniff looks through the compression of a joblib file; what is read must be inflated all the same.
    squeezed = compression_of(window) if kind == "joblib" or kind in COMPRESSIONS else None
    if squeezed is None:
        return read(data, kind)
    inner = _inflate(window, squeezed)
    return read(inner, sniff_window(Window.whole(inner)))


def _inflate(window: Window, kind: str) -> bytes:
    try:
        return inflate(window, kind, MAX_INFLATED).data
    except Fault as fault:
        if fault.kind in ("bomb", "budget"):
            raise oversize(kind, "bytes unpacked, or more", MAX_INFLATED + 1, MAX_INFLATED) from None
        raise damaged(kind, fault.why) from None


def _read(data: Any, kind: str) -> TreeModel:
    match kind:
        case "xgboost-json":
            return xgboost.read_json(bytes(data))
        case "xgboost-ubj":
            return xgboost.read_ubj(memoryview(data))
        case "lightgbm-text":
            return lightgbm.read_text(bytes(data))
        case "catboost-json":
            return catboost.read_json(bytes(data))
        case "catboost-cbm":
            return catboost_binary.read_cbm(data)
        case "onnx":
            return onnx.read_onnx(data)
        case "pickle" | "joblib":
            return _read_pickle(data)
    raise not_trees(kind, "a format that holds no trees")


def _read_net(data: Any, kind: str) -> NetModel:
    match kind:
        case "onnx":
            return onnx_nets.read_onnx_net(data)
        case "torch-zip":
            return nets_torch.read_torch(data)
        case "pickle" | "joblib":
            return nets_sklearn.read_graph(_graph(data), data)
    raise not_trees(kind, "a format that holds no net")


def _read_pickle(data: Any) -> TreeModel:
    return sklearn.read_graph(_graph(data), data)


def _graph(data: Any) -> Value:
    reading = read_pickles(data)
    if not reading.streams:
        raise damaged("pickled", "; ".join(str(fact.value) for fact in reading.facts[:3]) or "no stream")
    return reading.value
