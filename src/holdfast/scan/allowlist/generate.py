"""Writes the allowlist: `python -m holdfast.scan.allowlist.generate --dated DAY --generation FOLDER...`.

Libraries of the same years form a generation: a folder of wheels. What any of them forbids is not listed. Which wheels
the list inside was made from is in `generations/`. Reads sources only; nothing is imported. A class is listed where
what runs while it is loaded reaches no file, process, network, import or eval; a function as a reconstructor where its
own library names it as one.
"""

from __future__ import annotations

import _compat_pickle
import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Final

from holdfast.core.domain import JSONValue
from holdfast.scan.allowlist import NAMES
from holdfast.scan.allowlist.effects import Analysis
from holdfast.scan.allowlist.header import SCHEMA, as_bytes, sealed
from holdfast.scan.allowlist.index import Class, Function, Index, declared_module, dotted
from holdfast.scan.allowlist.seeds import ALIASES, SEEDS
from holdfast.scan.allowlist.sources import Distribution, installed, wheel
from holdfast.scan.allowlist.tools import purpose
from holdfast.scan.allowlist.unneeded import UNNEEDED

GENERATOR: Final = 3
"""Of the analysis: raised when the same wheels give another list."""
PINNED: Final = Path(__file__).with_name("pinned.py")
LOAD_HOOKS: Final = (
    *("__new__", "__setstate__", "__setattr__", "__getattr__", "__getattribute__", "__del__", "__hash__", "__eq__"),
    *("append", "extend", "add", "__setitem__", "__init_subclass__"),
)
"""What loading can run of a class without calling it: NEWOBJ, BUILD, APPENDS, ADDITEMS, SETITEMS, and its end."""
USE_HOOKS: Final = (
    *("__call__", "forward", "predict", "predict_proba", "predict_log_proba", "transform", "inverse_transform"),
    *("decision_function", "score", "score_samples", "apply", "__array__", "__array_ufunc__", "__torch_function__"),
    *("__iter__", "__next__", "__getitem__", "__len__", "__contains__", "__bool__", "__enter__", "__exit__"),
    *("__repr__", "__str__", "__format__", "__index__", "__float__", "__int__"),
)
"""What a scoring service runs, or what handling an object runs. What these do themselves or through plain functions
of their own module counts; what they reach beyond that does not: a library may read its own files."""
RECONSTRUCTOR: Final = re.compile(r"unpickle|_reconstruct|_rebuild|^newObj|_ctor$")
SAFE_BASES: Final = frozenset(
    (
        *("object", "Exception", "ValueError", "TypeError", "KeyError", "RuntimeError", "Warning", "UserWarning"),
        *("AttributeError", "NotImplementedError", "ImportError", "FutureWarning", "DeprecationWarning", "int"),
        *("RuntimeWarning", "ArithmeticError", "AssertionError", "BaseException", "IndexError", "OSError", "str"),
        *("dict", "list", "tuple", "set", "frozenset", "float", "bytes", "complex", "type", "NamedTuple", "bool"),
        *("Protocol", "Generic", "TypedDict", "ABC", "abc.ABC", "enum.Enum", "enum.IntEnum", "enum.IntFlag"),
    )
)
SAFE_BASE_MODULES: Final = ("abc", "collections", "enum", "typing", "numbers", "datetime", "contextlib", "types")
STANDARD: Final = (
    sys.stdlib_module_names
    | {name.partition(".")[0] for name in _compat_pickle.IMPORT_MAPPING}
    | {
        "_xxsubinterpreters",
        "_xxinterpchannels",
        "_testbuffer",
        "_testimportmultiple",
        "_testmultiphase",
        "_ctypes_test",
    }
    | {"test", "_interpreters", "_interpchannels", "_interpqueues", "_pyrepl", "_testcapi", "_testinternalcapi"}
)
"""The standard library of this and other versions, Python 2's as far as the unpickler knows it."""
MODES: Final = ("", "v", "n", "h", "c")
"""From nothing to everything."""
DANGERS: Final = ("file", "process", "network", "import", "eval")


class Judge:
    """Decides for each definition in which ways a pickle may use it."""

    def __init__(self, index: Index) -> None:
        self.index, self.analysis = index, Analysis(index)
        self.reducers = set(_reducers(index))

    def class_mode(self, made: Class) -> str:
        """`c` may be called, `h` may be called and calls its arguments, `n` may be instantiated; empty: unlisted."""
        if made.module in self.index.unsafe or not self._bases_known(made):
            return ""
        if made.compiled:
            return "c"
        if any(self._reaches(made, hook) for hook in LOAD_HOOKS) or any(self._does(made, hook) for hook in USE_HOOKS):
            return ""
        if made.metaclass not in ("", "ABCMeta", "abc.ABCMeta", "EnumMeta") or self._reaches(made, "__init__"):
            return "n"
        makers = (self.analysis.method(made, hook) for hook in ("__new__", "__init__"))
        own = [self.analysis.own[maker.path] for maker in makers if maker is not None]
        return "h" if any(effects.calls_argument or effects.looks_up for effects in own) else "c"

    def _bases_known(self, made: Class) -> bool:
        outside = (item for item in self.index.lineage(made) if isinstance(item, str))
        return all(
            path in SAFE_BASES or path.startswith(SAFE_BASE_MODULES) or self._is_compiled(path) for path in outside
        )

    def _is_compiled(self, path: str) -> bool:
        """A base in a package of ours that no source shows: C code such as numpy.generic."""
        return path.partition(".")[0] in self.index.modules

    def _reaches(self, made: Class, hook: str) -> bool:
        return self.analysis.reaches(made, hook)

    def _does(self, made: Class, hook: str) -> bool:
        method = self.analysis.method(made, hook)
        return method is not None and any(self.analysis.own[path].sinks & set(DANGERS) for path in self._nearby(method))

    def _nearby(self, method: Function) -> set[str]:
        """The method, and the plain functions of its module that it calls, and those that they call."""
        found, waiting = {method.path}, [method.path]
        while waiting:
            for target in self.analysis.own[waiting.pop()].calls - found:
                function = self.index.functions.get(target)
                if function is not None and function.module == method.module:
                    found.add(target)
                    waiting.append(target)
        return found

    def function_mode(self, function: Function) -> str:
        """`c` or `h` a reconstructor, `v` may be kept as a value; empty: unlisted."""
        if function.module in self.index.unsafe or self.analysis.reached.get(function.path):
            return ""
        named = function.path in self.reducers or RECONSTRUCTOR.search(function.name)
        if function.node is None:
            return "h" if named else ""
        own = self.analysis.own[function.path]
        if own.looks_up:
            return ""
        if named:
            return "h" if own.calls_argument else "c"
        return "v"


def _reducers(index: Index) -> Iterator[str]:
    """Functions that a `__reduce__` returns as the one to call."""
    for made in index.classes.values():
        for hook in ("__reduce__", "__reduce_ex__"):
            method = made.methods.get(hook)
            if method is not None and method.node is not None:
                yield from _returned(index, method)


def _returned(index: Index, method: Function) -> Iterator[str]:
    assert method.node is not None
    for item in ast.walk(method.node):
        match item:
            case ast.Return(value=ast.Tuple(elts=[first, *_])):
                name = dotted(first)
                if name:
                    yield index.resolve(index.modules[method.module], name)


def entries(index: Index) -> Iterator[tuple[str, str, str]]:
    """(module, name, mode) of everything that is listed, under each module name a pickle may write.

    Where a thing is at home says what it is a tool for, whatever module it says that it is of.
    """
    judge = Judge(index)
    modes: dict[str, str] = {}
    for made in index.classes.values():
        modes[made.path] = "" if purpose(made.module) else judge.class_mode(made)
        yield made.public or made.module, made.name, modes[made.path]
    for function in index.functions.values():
        modes[function.path] = "" if purpose(function.module) else judge.function_mode(function)
        public = declared_module(function.node) if function.node else ""
        yield public or function.module, function.name, modes[function.path]
    for path, kind in index.constants.items():
        module, _, name = path.rpartition(".")
        declared = index.resolve(index.modules[module], kind)
        if "ufunc" in kind.lower() or modes.get(declared):
            modes[path] = "c" if declared in index.classes and index.classes[declared].inert else "v"
            yield module, name, modes[path]
    yield from _published(index, modes)


def _published(index: Index, modes: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Names that a package offers at its own level, such as numpy.mean."""
    for module in index.modules.values():
        if module.is_package:
            for name in module.names:
                path = index.follow(f"{module.name}.{name}")
                if modes.get(path) and not purpose(path):
                    yield module.name, name, modes[path]


def build(*generations: Iterable[Distribution]) -> dict[str, JSONValue]:
    """The allowlist without its date and version. A generation is libraries that are installed together."""
    found = [sorted(generation, key=lambda item: item.registry_name) for generation in generations]
    table: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    seeded = [(module, name, mode) for module, mode, names, _ in SEEDS for name in names.split()]
    claimed = {(module, name) for module, name, _ in seeded}
    for (module, name), mode in _agreed(map(_modes, found)).items():
        if mode and (module, name) not in claimed and not purpose(module):
            table[module][mode].add(name)
    for module, name, mode in seeded:
        table[module][mode].add(name)
    every = [distribution for generation in found for distribution in generation]
    covered = {source.module.partition(".")[0] for distribution in every for source in distribution.sources}
    return {
        "schema": SCHEMA,
        "header": {
            "generator": GENERATOR,
            "python": ".".join(map(str, sys.version_info[:2])),
            "generations": [[_package(item) for item in generation] for generation in found],
        },
        "covered": [*sorted(covered)],
        "standard": [*sorted(STANDARD)],
        "unneeded": {use: " ".join(sorted(names.split())) for use, names in sorted(UNNEEDED.items())},
        "aliases": [list(pair) for pair in ALIASES],
        "names": {
            module: {mode: " ".join(sorted(names)) for mode, names in sorted(modes.items())}
            for module, modes in sorted(table.items())
        },
    }


def _package(item: Distribution) -> dict[str, JSONValue]:
    return {"name": item.registry_name, "version": item.version, "digest": item.digest}


def _modes(distributions: list[Distribution]) -> dict[tuple[str, str], str]:
    """The mode of every name that one generation defines, empty where it may not be used."""
    index = Index([source for distribution in distributions for source in distribution.sources])
    found: dict[tuple[str, str], str] = {}
    for module, name, mode in entries(index):
        found[module, name] = max(found.get((module, name), ""), mode, key=MODES.index)
    return found


def _agreed(generations: Iterable[dict[tuple[str, str], str]]) -> dict[tuple[str, str], str]:
    """What every generation that knows a name allows: nobody can tell from a file which one will load it."""
    agreed: dict[tuple[str, str], str] = {}
    for modes in generations:
        for place, mode in modes.items():
            agreed[place] = min(agreed.get(place, mode), mode, key=MODES.index)
    return agreed


def main() -> None:
    """Write the data file beside this module, and the digest by which this version knows it."""
    parser = argparse.ArgumentParser(description="Generate the allowlist from sources.")
    parser.add_argument("distributions", nargs="*", help="installed ones, a generation of their own with --wheel")
    parser.add_argument("--wheel", type=Path, action="append", default=[])
    parser.add_argument("--generation", type=Path, action="append", default=[], help="a folder of wheels")
    parser.add_argument("--dated", type=date.fromisoformat, required=True, help="the day the list is of")
    parser.add_argument("--output", type=Path, default=NAMES)
    options = parser.parse_args()
    present = [installed(name) for name in options.distributions] + [wheel(path) for path in options.wheel]
    folders = [[wheel(path) for path in sorted(folder.glob("*.whl"))] for folder in options.generation]
    write(sealed(build(*([present] if present else []), *folders), options.dated), options.output)


def write(document: dict[str, JSONValue], output: Path) -> None:
    """Write a list; the one inside together with its digest."""
    header = document["header"]
    assert isinstance(header, dict), "made by `sealed`"
    output.write_bytes(as_bytes(document))
    if output == NAMES:
        PINNED.write_text(_PINNED.format(version=header["version"]), encoding="utf-8")


_PINNED: Final = '''"""The list of names that ships with this version, by its digest. Written by the generator."""

from typing import Final

VERSION: Final = "{version}"
'''


if __name__ == "__main__":
    main()
