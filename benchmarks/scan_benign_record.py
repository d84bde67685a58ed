"""Loads files with the libraries that wrote them, and says which names the unpicklers look up.

    python scan_benign_record.py INSIDE < questions > answers

Run under the interpreter whose libraries are meant. INSIDE is the folder of Holdfast's sandbox: before the first file
is opened, this process enters a namespace without a network and gives up writing files; where that fails, it loads
nothing. JSON lines: in, a path and how to load it; out, `names` (`module.name` as the streams write them) and, where
loading failed, `error`.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("numpy", "scipy.io", "scipy.stats", "pandas", "joblib", "dill", "cloudpickle", "sklearn.ensemble", "sklearn.svm"),
    *("xgboost", "lightgbm", "catboost", "torch", "torch.export", "statsmodels.api", "imblearn", "category_encoders"),
)
NAMES: set[str] = set()
_answering: list[str] = []


def outermost(find: Callable[[Any, str, str], Any]) -> Callable[[Any, str, str], Any]:
    """`find_class`, recording what is asked for, but not what answering it asks for in turn."""

    def find_class(self: Any, module: str, name: str) -> Any:
        path = f"{module}.{name}"
        if not _answering:
            NAMES.add(path)
        _answering.append(path)
        try:
            return find(self, module, name)
        finally:
            _answering.pop()

    return find_class


def recording(kind: Any) -> Any:
    """An unpickler that records; libraries that derive their own from it record too."""

    class Recording(kind):  # type: ignore[misc]
        find_class = outermost(kind.find_class)

        def __init_subclass__(cls, **words: Any) -> None:
            super().__init_subclass__(**words)
            if "find_class" in cls.__dict__:
                cls.find_class = outermost(cls.__dict__["find_class"])  # type: ignore[method-assign]

    return Recording


def patch() -> None:
    """Put recording unpicklers into `pickle`; before any library takes them from there."""
    pickle.Unpickler = recording(pickle.Unpickler)  # type: ignore[misc]
    pickle._Unpickler = recording(pickle._Unpickler)  # type: ignore[attr-defined]
    pickle.load = lambda file, **words: pickle.Unpickler(file, **words).load()
    pickle.loads = lambda data, /, **words: pickle.Unpickler(io.BytesIO(data), **words).load()


def prepare() -> None:
    """Import what models are made with, while that may still make temporary files."""
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def confine(inside: Path) -> None:
    """No network, and files for reading only. Gives back in a child, since this process can start no threads then."""
    package = types.ModuleType("holdfast_inside")
    package.__path__ = [str(inside)]
    sys.modules["holdfast_inside"] = package
    from holdfast_inside import landlock, namespaces, seccomp  # type: ignore[import-not-found]

    namespaces.enter()
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    seccomp.no_new_privileges()
    landlock.restrict(["/"])


def load(path: Path, how: str) -> None:
    """Load a file as its users do. `how` is a library's name, with the name of a compression behind a colon."""
    library, _, packed = how.partition(":")
    if library == "joblib":
        importlib.import_module("joblib").load(path)
    elif library == "torch":
        importlib.import_module("torch").load(path, weights_only=False)
    elif library == "pandas":
        importlib.import_module("pandas").read_pickle(path, compression=packed)
    elif library == "numpy":
        found = importlib.import_module("numpy").load(path, allow_pickle=True)
        for key in getattr(found, "files", ()):
            found[key]
    else:
        with path.open("rb") as file:
            importlib.import_module(library).load(file)


def main() -> None:
    """Answer line by line."""
    warnings.simplefilter("ignore")
    patch()
    prepare()
    confine(Path(sys.argv[1]))
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        NAMES.clear()
        try:
            path, how = json.loads(line)
            load(Path(path), how)
            answer: dict[str, Any] = {"names": sorted(NAMES)}
        except Exception as fault:
            answer = {"names": sorted(NAMES), "error": f"{type(fault).__name__}: {fault}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
