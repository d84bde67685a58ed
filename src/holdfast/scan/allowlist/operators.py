"""TensorFlow's operators by what they reach: generated from a wheel's op groups, shipped as data.

    python -m holdfast.scan.allowlist.operators tensorflow_cpu-….whl

TensorFlow writes its operators in groups, one generated module each. A group is numerical, or reaches files, Python or
the network; what a group is for is written here, what it contains comes from the wheel. Nothing is imported.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Final

OPERATORS: Final = Path(__file__).with_name("operators.json")
PLAIN_GROUPS: Final = frozenset(
    (
        *("array", "audio", "batch", "bitwise", "boosted_trees", "candidate_sampling", "clustering", "control_flow"),
        *("composite_tensor", "count", "ctc", "cudnn_rnn", "data_flow", "functional", "image", "linalg", "list"),
        *("logging", "lookup", "manip", "map", "math", "nn", "optional", "parsing", "ragged_array", "random"),
        *("ragged_conversion", "ragged_math", "random_index_shuffle", "resource_variable", "rnn", "sdca", "set"),
        *("sparse", "sparse_csr_matrix", "special_math", "spectral", "state", "stateful_random", "string"),
        *("stateless_random", "training", "uniform_quant"),
    )
)
"""Groups that compute: numbers, text, variables, control flow within the graph."""
REACHING_GROUPS: Final = frozenset(
    ("io", "script", "filesystem", "summary", "checkpoint", "decode_proto", "encode_proto", "rpc", "debug")
)
"""Groups that open files or addresses, or call Python."""
REACHING_NAMES: Final = re.compile(
    r"File|Directory|Snapshot|SaveDataset|LoadDataset|SavedDataset|TFRecord|TextLine|FixedLengthRecord|PyFunc|LMDB|Lmdb"
    r"|ImmutableConst|RecordInput|CacheDataset|Remote|Rpc|SqlDataset|DatasetFromGraph|^Debug|PrintV2|DataService"
)
"""Operators of any group that do so by name. PrintV2 writes to a file of its attribute's choice."""
SAVER: Final = frozenset(
    (
        *("SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "ShardedFilespec"),
        *("Save", "SaveSlices", "Restore", "RestoreSlice"),
    )
)
"""Part of every SavedModel: they read and write its own variables, at a path that the loader hands in."""
ASSETS: Final = frozenset(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"))
"""Read a file that the graph names: an asset of the model, or any other file."""
_GROUP: Final = re.compile(r"/gen_(\w+)_ops\.py$")
_NAME: Final = re.compile(r'tf_export\("raw_ops\.(\w+)"\)')


def build(wheel: Path) -> dict[str, object]:
    """The lists as they are written to the data file."""
    plain: set[str] = set(SAVER)
    reaching: set[str] = set()
    total = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for entry in sorted(archive.namelist()):
            group = _GROUP.search(entry)
            if group is None:
                continue
            content = archive.read(entry)
            total.update(entry.encode() + b"\0" + content)
            for name in _NAME.findall(content.decode()):
                if name in SAVER | ASSETS:
                    continue
                if group[1] in REACHING_GROUPS or REACHING_NAMES.search(name):
                    reaching.add(name)
                elif group[1] in PLAIN_GROUPS:
                    plain.add(name)
    name, version = wheel.name.split("-")[:2]
    source = {"name": name, "version": version, "digest": "sha256:" + total.hexdigest()}
    return {"schema": 1, "source": source, "plain": sorted(plain), "reaching": sorted(reaching)}


@cache
def operators() -> tuple[frozenset[str], frozenset[str]]:
    """Operators that compute, and operators that reach out; any other is somebody's own."""
    data = json.loads(OPERATORS.read_bytes())
    return frozenset(data["plain"]), frozenset(data["reaching"])


def main() -> None:
    """Write the data file beside this module."""
    text = json.dumps(build(Path(sys.argv[1])), indent=0)
    OPERATORS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
