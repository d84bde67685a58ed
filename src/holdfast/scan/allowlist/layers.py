"""Keras's public names that a model's configuration may be made of: generated from its wheel, shipped as data.

    python -m holdfast.scan.allowlist.layers keras-….whl

Keras makes an object of every `class_name` of a configuration. Which modules hold such objects is written here; what
is in them comes from the wheel's own public modules. Nothing is imported.
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

LAYERS: Final = Path(__file__).with_name("layers.json")
MODULES: Final = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics", "models", "ops"),
    *("ops.image", "ops.linalg", "ops.nn", "ops.numpy", "optimizers", "optimizers.schedules", "quantizers", "random"),
    *("regularizers", "mixed_precision"),
)
"""Public modules whose objects are parts of models."""
TOP: Final = ("Function", "Functional", "KerasTensor", "Layer", "Model", "Sequential", "Variable", "DTypePolicy")
"""Parts of models that Keras offers at its own level."""
CODE: Final = frozenset((*("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"),))
"""Classes that run code of their configuration or load another file: marshalled functions, pickles, SavedModels."""
_LINE: Final = re.compile(r"^from [\w.]+ import (\w+)(?: as\s*\(?\s*(\w+)\s*\)?)?", re.MULTILINE)
_SPLIT: Final = re.compile(r"^from [\w.]+ import \(\s*(\w+)(?: as (\w+))?,?\s*\)", re.MULTILINE)


def build(wheel: Path) -> dict[str, object]:
    """The list as it is written to the data file."""
    names: set[str] = set(TOP)
    total = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for module in MODULES:
            content = archive.read(f"keras/{module.replace('.', '/')}/__init__.py")
            total.update(module.encode() + b"\0" + content)
            text = content.decode()
            for name, alias in _LINE.findall(text) + _SPLIT.findall(text):
                names.add(alias or name)
    name, version = wheel.name.split("-")[:2]
    source = {"name": name, "version": version, "digest": "sha256:" + total.hexdigest()}
    return {"schema": 1, "source": source, "names": sorted(names - CODE)}


@cache
def layers() -> frozenset[str]:
    """The public names."""
    return frozenset(json.loads(LAYERS.read_bytes())["names"])


def main() -> None:
    """Write the data file beside this module."""
    LAYERS.write_text(json.dumps(build(Path(sys.argv[1])), indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
