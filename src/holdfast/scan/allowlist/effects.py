"""What a function may reach: files, processes, the network, imports, eval. Over-estimates on purpose.

A call counts where its target is one of the sinks below, or is something outside of the analysed sources that is
not known to be harmless. Reaching is transitive over every call the index can resolve. A file or an import whose
name is written in the source (`import_module("pandas")`) does not count: only what data could choose.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from holdfast.scan.allowlist.index import Class, Function, Index, dotted, read_import

BUILTIN_SINKS: Final = {
    "open": "file",
    "exec": "eval",
    "eval": "eval",
    "compile": "eval",
    "__import__": "import",
    "input": "process",
    "breakpoint": "process",
}
REFLECTION: Final = frozenset(("getattr", "setattr", "delattr"))
METHOD_SINKS: Final = {
    **dict.fromkeys(("open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "hardlink_to"), "file"),
    **dict.fromkeys(("unlink", "rmdir", "mkdir", "symlink_to", "rmtree", "tofile", "fromfile", "memmap"), "file"),
    **dict.fromkeys(("to_csv", "to_parquet", "to_pickle", "to_hdf", "to_sql", "to_excel", "savefig"), "file"),
    **dict.fromkeys(("read_csv", "read_pickle", "read_parquet", "save_model", "load_model", "savez"), "file"),
    **dict.fromkeys(("system", "popen", "Popen", "spawn", "check_call", "check_output"), "process"),
    **dict.fromkeys(("urlopen", "urlretrieve", "connect", "sendall", "create_connection", "fetch"), "network"),
    **dict.fromkeys(("import_module", "exec_module", "load_module"), "import"),
    **dict.fromkeys(("runcode", "runsource", "eval", "load", "loads"), "eval"),
}
NATIVE_SINK: Final = re.compile(r"[Ff]ile|(Load|Save)Model$|U[Rr][Ii]|Cache")
"""Names of native library functions that take a path (ctypes: `_LIB.LGBM_BoosterCreateFromModelfile`)."""
HARMLESS: Final = frozenset(
    (
        *("abc", "array", "ast", "bisect", "calendar", "cmath", "collections", "contextlib", "contextvars", "copy"),
        *("copyreg", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "errno", "fractions"),
        *("functools", "hashlib", "heapq", "inspect", "itertools", "json", "keyword", "locale", "math", "numbers"),
        *("operator", "pprint", "random", "re", "secrets", "statistics", "string", "struct", "textwrap"),
        *("threading", "time", "traceback", "types", "typing", "unicodedata", "uuid", "warnings", "weakref"),
        *("zlib", "zoneinfo", "__future__", "base64", "binascii", "codecs", "gc", "html", "token", "stat"),
        *("colorsys", "ipaddress"),
    )
)
"""Standard modules whose functions reach nothing by themselves; every other standard module counts as a sink."""
HARMLESS_NAMES: Final = (
    *("os.path.join", "os.path.basename", "os.path.dirname", "os.path.splitext", "os.path.normpath"),
    *("os.environ.get", "os.getenv", "os.getpid", "os.fspath", "os.cpu_count", "os.path.isabs"),
    *("sys.getsizeof", "sys.getrefcount", "sys.intern", "sys.exc_info", "sys.modules", "sys.version_info"),
    *("sys.getrecursionlimit", "sys.platform", "sys.stdout", "sys.stderr", "sys.maxsize", "sys.byteorder"),
    *("platform.system", "platform.machine", "platform.python_implementation", "io.StringIO", "io.BytesIO"),
    *("logging.getLogger", "logging.warning", "logging.debug", "logging.info", "ctypes.byref", "ctypes.c_"),
    *("ctypes.cast", "ctypes.POINTER", "ctypes.pointer", "ctypes.py_object", "ctypes.string_at"),
    *(
        "ctypes.addressof",
        "ctypes.create_string_buffer",
        "ctypes.Structure",
        "ctypes.sizeof",
        "ctypes.memmove",
        "builtins.",
    ),
)
"""Beginnings of names that are harmless within standard modules that are not."""
FOREIGN_SINKS: Final = {
    **dict.fromkeys(("dump", "dumps", "save"), "file"),
    **dict.fromkeys(("run", "call", "Process", "Pool"), "process"),
}
"""Names that count where they belong to a library outside of the analysed sources."""
_NAMES: Final = frozenset(dir(builtins))


@dataclass(slots=True)
class Effects:
    """What one body does itself (`sinks`), whom it calls, whether it calls what it was handed or looks names up.

    `own` are the names it uses of its own instance: which method or property that is, its class says.
    """

    sinks: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    calls_argument: bool = False
    looks_up: bool = False
    own: set[str] = field(default_factory=set)


class Analysis:
    """The effects of every function of an index, own and reached."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.own: dict[str, Effects] = {}
        for function in self._everything():
            self.own[function.path] = _Body(index, function).effects
        self.reached = self._spread()

    def _everything(self) -> Iterator[Function]:
        yield from self.index.functions.values()
        for made in self.index.classes.values():
            yield from made.methods.values()

    def _spread(self) -> dict[str, dict[str, str]]:
        """Carry every sink back to all that reach it: function, sink, the next function on the way there."""
        callers: dict[str, set[str]] = defaultdict(set)
        reached: dict[str, dict[str, str]] = defaultdict(dict)
        for path, effects in self.own.items():
            for target in effects.calls:
                callers[target].add(path)
        waiting = deque((path, sink, "") for path, effects in self.own.items() for sink in sorted(effects.sinks))
        while waiting:
            path, sink, via = waiting.popleft()
            if sink in reached[path]:
                continue
            reached[path][sink] = via
            waiting.extend((caller, sink, path) for caller in sorted(callers[path]))
        return dict(reached)

    def way(self, path: str, sink: str) -> list[str]:
        """The calls that lead from a function to a sink it reaches."""
        found = [path]
        while via := self.reached[found[-1]][sink]:
            found.append(via)
        return [*found, sink]

    def reaches(self, made: Class, hook: str) -> bool:
        """Whether a method reaches a sink on an instance of this class, whose own methods take the place of its bases'.

        Properties count as methods: to read or to set one calls it.
        """
        first = self.method(made, hook)
        bases = (item for item in self.index.lineage(made) if isinstance(item, Class))
        written = {method.path: method for base in bases for method in base.methods.values()}
        waiting, seen = [first] if first is not None else [], set[str]()
        while waiting:
            method = waiting.pop()
            if method.path in seen:
                continue
            seen.add(method.path)
            if self.reached.get(method.path):
                return True
            found = (self.method(made, name) for name in self.own[method.path].own)
            waiting += [item for item in found if item is not None]
            waiting += [written[path] for path in self.own[method.path].calls if path in written]
        return False

    def method(self, made: Class, name: str) -> Function | None:
        """A method as instances find it; None where no analysed class has it."""
        return self.index.method(made, name)


class _Body(ast.NodeVisitor):
    """Collects the effects of one function's body, nested functions included."""

    def __init__(self, index: Index, function: Function) -> None:
        self.index, self.function = index, function
        self.module = index.modules[function.module]
        self.effects = Effects()
        self.local: dict[str, str] = {}
        self.own_names: set[str] = set()
        self.nested: set[str] = set()
        if function.node is not None:
            self._bind(function.node)
            for line in function.node.body:
                self.visit(line)

    def _bind(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        spec = node.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
        self.own_names |= {item.arg for item in every if item is not None}
        for item in ast.walk(node):
            if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
                self.own_names.add(item.id)
            elif isinstance(item, ast.FunctionDef) and item is not node:
                self.nested.add(item.name)

    def visit_Import(self, node: ast.Import) -> None:
        read_import(self.module, node, self.local)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        read_import(self.module, node, self.local)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._bind(node)
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._bind(node)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            self.effects.own.add(node.attr)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = dotted(node.func) if not isinstance(node.func, ast.Subscript) else ""
        if isinstance(node.func, ast.Attribute):
            self._attribute(node, node.func, name)
        elif name:
            self._plain(node, name)
        else:
            self.effects.calls_argument = True

    def _plain(self, node: ast.Call, name: str) -> None:
        if name in self.nested:
            return
        if name in self.own_names and name not in self.local:
            self.effects.calls_argument = True
            return
        target = self.index.resolve(self.module, name, self.local)
        if target == name and name in _NAMES:
            self._builtin(node, name)
            return
        self._reach(node, target)

    def _builtin(self, node: ast.Call, name: str) -> None:
        if name in BUILTIN_SINKS and not _is_fixed(node):
            self.effects.sinks.add(BUILTIN_SINKS[name])
        if name in REFLECTION and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
            self.effects.looks_up = True

    def _attribute(self, node: ast.Call, target: ast.Attribute, name: str) -> None:
        owner = self.function.owner
        if owner is not None and self._own_method(node, target, owner):
            return
        if isinstance(target.value, ast.Call) and self._method_of_result(target.value, target.attr):
            return
        head = name.partition(".")[0]
        known = name and (head not in self.own_names or head in self.local) and head not in ("self", "cls")
        if known:
            meant = self.index.resolve(self.module, name, self.local)
            if meant != name or head in self.module.names or head in self.local:
                self._reach(node, meant)
                return
        if target.attr in METHOD_SINKS and not _is_fixed(node):
            self.effects.sinks.add(METHOD_SINKS[target.attr])
        if head in self.own_names and name.count(".") == 1:
            self.effects.calls_argument = True

    def _own_method(self, node: ast.Call, target: ast.Attribute, owner: Class) -> bool:
        """`self.x()`, `cls.x()`, `super().x()`."""
        del node
        match target.value:
            case ast.Name(id="self" | "cls"):
                start: Iterator[Class | str] = self.index.lineage(owner)
            case ast.Call(func=ast.Name(id="super")):
                start = self.index.lineage(owner)
                next(start)
            case _:
                return False
        for item in start:
            if isinstance(item, Class) and target.attr in item.methods:
                self.effects.calls.add(item.methods[target.attr].path)
                return True
        if target.attr in METHOD_SINKS:
            self.effects.sinks.add(METHOD_SINKS[target.attr])
        return True

    def _method_of_result(self, made: ast.Call, name: str) -> bool:
        """`self.get_booster().eval()`: where what is called first says which class it returns, the method is known."""
        found = self._called(made.func)
        if found is None or found.node is None or found.node.returns is None:
            return False
        given = found.node.returns
        text = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else dotted(given)
        kind = self.index.classes.get(self.index.resolve(self.index.modules[found.module], text)) if text else None
        method = self.index.method(kind, name) if kind is not None else None
        if method is None:
            return False
        self.effects.calls.add(method.path)
        return True

    def _called(self, function: ast.expr) -> Function | None:
        """The function or the method of its own that an expression names."""
        match function:
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if self.function.owner is not None:
                return self.index.method(self.function.owner, name)
            case ast.Name(id=name) if name not in self.own_names and name not in self.nested:
                return self.index.functions.get(self.index.resolve(self.module, name, self.local))
        return None

    def _reach(self, node: ast.Call, path: str) -> None:
        if path in self.index.functions:
            self.effects.calls.add(path)
            return
        if path in self.index.classes:
            self._construct(self.index.classes[path])
            return
        self.effects.sinks |= set(self._outside(node, path))

    def _construct(self, made: Class) -> None:
        """Making an instance runs its two makers, and whatever a base does that is not written here."""
        for item in self.index.lineage(made):
            if isinstance(item, str) and outside(item) and not item.endswith(("Error", "Exception", "Warning")):
                self.effects.sinks.add(f"standard:{item.partition('.')[0]}")
        for hook in ("__new__", "__init__"):
            for item in self.index.lineage(made):
                if isinstance(item, Class) and hook in item.methods:
                    self.effects.calls.add(item.methods[hook].path)
                    break

    def _outside(self, node: ast.Call, path: str) -> Iterator[str]:
        """The sinks of a call to something that is not written in the analysed sources."""
        head, last = path.partition(".")[0], path.rpartition(".")[2]
        if "_LIB" in path.split("."):
            if NATIVE_SINK.search(last):
                yield "file"
            return
        if head in HARMLESS or _is_fixed(node):
            return
        if last in BUILTIN_SINKS:
            yield BUILTIN_SINKS[last]
        elif path.startswith(HARMLESS_NAMES):
            return
        elif last in METHOD_SINKS:
            yield METHOD_SINKS[last]
        elif last in FOREIGN_SINKS and head not in self.index.modules:
            yield FOREIGN_SINKS[last]
        elif outside(path) and head not in self.own_names:
            yield f"standard:{head}"


def outside(path: str) -> bool:
    """Whether a name belongs to a standard module that can reach out of the process."""
    head = path.partition(".")[0]
    return head in sys.stdlib_module_names and head not in HARMLESS and not path.startswith(HARMLESS_NAMES)


def _is_fixed(node: ast.Call) -> bool:
    """Whether every argument is written in the source."""
    values = [*node.args, *(word.value for word in node.keywords)]
    return bool(values) and all(isinstance(value, ast.Constant) for value in values)
