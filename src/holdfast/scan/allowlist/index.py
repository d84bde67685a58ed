"""Every class and function of the analysed distributions, and what a name in a module refers to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from holdfast.scan.allowlist.sources import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_MAX_HOPS: Final = 12
_CYTHON_CLASS: Final = re.compile(r"^(?:cdef |ctypedef )?class\s+(\w+)", re.MULTILINE)
_CYTHON_FUNCTION: Final = re.compile(r"^(?:cpdef|def)\s+(?:inline\s+)?(?:\w+\s+)?(\w+)\s*\(", re.MULTILINE)
_HOOKED: Final = rb"\.(\w+)\.__(?:reduce_cython|setstate_cython|reduce|setstate|getstate)__"
_TYPE_NAME: Final = rb"\.([A-Z]\w*)\0"
_MAKERS: Final = rb"[.\0]((?:__pyx_unpickle_|_unpickle_|newObj)\w*|_\w+_unpickle)\0"
_UNSAFE_STRINGS: Final = re.compile(rb"\0(?:open|fopen|subprocess|urlopen|popen|system|execv|eval|exec)\0")


@dataclass(slots=True)
class Function:
    """A function or method. `node` is None where only a compiled body exists."""

    module: str
    name: str
    node: FunctionNode | None
    owner: Class | None = None

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Class:
    """A class. `bases` are dotted paths, resolved as far as the index knows. `public` is its `__module__`."""

    module: str
    name: str
    bases: tuple[str, ...]
    methods: dict[str, Function] = field(default_factory=dict)
    compiled: bool = False
    inert: bool = False
    """Compiled, and its stub shows no base and no `__call__`: calling an instance is an error."""
    public: str = ""
    metaclass: str = ""

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Module:
    """What the names of a module mean: `names` maps to dotted paths of what was imported or assigned."""

    name: str
    is_package: bool
    names: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


_TUPLE_MAKERS: Final = ("namedtuple", "collections.namedtuple", "NamedTuple", "typing.NamedTuple")


class Index:
    """Definitions by dotted path of the place where they are written."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.modules: dict[str, Module] = {}
        self.classes: dict[str, Class] = {}
        self.functions: dict[str, Function] = {}
        self.constants: dict[str, str] = {}
        """Annotated names of compiled modules, and their types."""
        self.unsafe: set[str] = set()
        """Compiled modules that mention files, processes or eval: nothing in them is vouched for."""
        by_kind = sorted(sources, key=lambda source: (".py", ".pyx", ".tp", ".pyi", ".so").index(source.suffix))
        for source in by_kind:
            self._read(source)

    def _read(self, source: Source) -> None:
        if source.suffix == ".so":
            self._read_binary(source)
            return
        module = self.modules.setdefault(source.module, Module(source.module, source.is_package))
        if source.suffix in (".pyx", ".tp"):
            self._read_cython(source)
            return
        try:
            tree = ast.parse(source.text)
        except SyntaxError:
            return
        for node in _statements(tree.body):
            self._statement(module, node, compiled=source.suffix == ".pyi")

    def _read_binary(self, source: Source) -> None:
        """Cython leaves the names of picklable classes and their unpicklers in the module's strings."""
        self.modules.setdefault(source.module, Module(source.module, source.is_package))
        if _UNSAFE_STRINGS.search(source.content):
            self.unsafe.add(source.module)
        own = re.escape(source.module.encode())
        for found in set(re.findall(own + _HOOKED, source.content) + re.findall(own + _TYPE_NAME, source.content)):
            self._compiled_class(source.module, found.decode())
        for found in set(re.findall(_MAKERS, source.content)):
            if not found.endswith(b"__set_state"):
                self._compiled_function(source.module, found.decode())

    def _compiled_class(self, module: str, name: str) -> None:
        path = self.follow(f"{module}.{name}")
        if path not in self.classes and path not in self.functions:
            self.classes[f"{module}.{name}"] = Class(module, name, (), compiled=True)

    def _compiled_function(self, module: str, name: str) -> None:
        path = self.follow(f"{module}.{name}")
        if path not in self.classes and path not in self.functions:
            self.functions[f"{module}.{name}"] = Function(module, name, None)

    def _read_cython(self, source: Source) -> None:
        for name in _CYTHON_CLASS.findall(source.text):
            self._compiled_class(source.module, name)
        for name in _CYTHON_FUNCTION.findall(source.text):
            self._compiled_function(source.module, name)

    def _statement(self, module: Module, node: ast.stmt, *, compiled: bool) -> None:
        match node:
            case ast.ClassDef() if compiled:
                self._stub_class(module, node)
            case ast.ClassDef():
                self._class(module, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if compiled:
                self._compiled_function(module.name, node.name)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.functions[f"{module.name}.{node.name}"] = Function(module.name, node.name, node)
            case ast.Import() | ast.ImportFrom() if not compiled:
                read_import(module, node, module.names, module.stars)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) if compiled:
                self.constants[f"{module.name}.{name}"] = ast.unparse(kind)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if compiled:
                self._compiled_alias(module, name, value)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=maker)) if dotted(maker) in _TUPLE_MAKERS:
                self.classes[f"{module.name}.{name}"] = Class(module.name, name, ("tuple",))
            case ast.Assign(targets=[ast.Name() as target], value=value) if not compiled:
                _alias(module, target, value)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if not compiled:
                for each, given in zip(targets, values, strict=False):
                    _alias(module, each, given)

    def _compiled_alias(self, module: Module, name: str, value: ast.expr) -> None:
        """`int64 = signedinteger[_64Bit]` in a stub: one more name of a class, and the one that pickles write."""
        if self.classes.get(f"{module.name}.{dotted(value)}", Class("", "", ())).compiled:
            self._compiled_class(module.name, name)

    def _stub_class(self, module: Module, node: ast.ClassDef) -> None:
        self._compiled_class(module.name, node.name)
        made = self.classes.get(f"{module.name}.{node.name}")
        if made is not None and made.compiled:
            made.inert = not node.bases and "__call__" not in _defined(node)

    def _class(self, module: Module, node: ast.ClassDef) -> None:
        bases = tuple(filter(None, (dotted(base) for base in node.bases)))
        made = Class(module.name, node.name, bases, public=declared_module(node))
        made.metaclass = next((dotted(word.value) for word in node.keywords if word.arg == "metaclass"), "")
        for item in _statements(node.body):
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                made.methods[item.name] = Function(module.name, f"{node.name}.{item.name}", item, made)
        self.classes[made.path] = made

    def resolve(self, module: Module, name: str, local: dict[str, str] | None = None) -> str:
        """The dotted path that `name` (maybe with attributes) means in a module; the name itself where unknown."""
        head, _, rest = name.partition(".")
        target = (local or {}).get(head) or self._meaning(module, head)
        return self.follow(f"{target}.{rest}" if rest else target)

    def _meaning(self, module: Module, head: str, hops: int = 0) -> str:
        here = f"{module.name}.{head}"
        if here in self.classes or here in self.functions:
            return here
        if module.names.get(head):
            return module.names[head]
        for star in module.stars:
            there = f"{star}.{head}"
            if there in self.classes or there in self.functions or head in self._names_of(star):
                return there
        for star in module.stars if hops < _MAX_HOPS else ():
            # What a package takes from everything that another takes from a third.
            found = self._meaning(self.modules[star], head, hops + 1) if star in self.modules else head
            if found != head:
                return found
        return head

    def _names_of(self, module: str) -> dict[str, str]:
        return self.modules[module].names if module in self.modules else {}

    def follow(self, path: str) -> str:
        """Follow re-exports (`numpy.memmap`) to where a thing is written (`numpy._core.memmap.memmap`)."""
        for _ in range(_MAX_HOPS):
            path = self._shadowed(path)
            if path in self.classes or path in self.functions or path in self.modules:
                return path
            module, rest = self._longest_module(path)
            if not rest:
                return path
            head, _, tail = rest.partition(".")
            meant = self._meaning(self.modules[module], head)
            if meant == f"{module}.{head}" or (meant == head and head not in self.modules[module].names):
                return path
            path = f"{meant}.{tail}" if tail else meant
        return path

    def _shadowed(self, path: str) -> str:
        """`from .memmap import *` puts the class `memmap` in the place of its module."""
        parent, _, last = path.rpartition(".")
        inner = f"{path}.{last}"
        if path in self.modules and parent in self.modules and (inner in self.classes or inner in self.functions):
            above = self.modules[parent]
            if path in above.stars or above.names.get(last) == inner:
                return inner
        return path

    def _longest_module(self, path: str) -> tuple[str, str]:
        parts = path.split(".")
        for size in range(len(parts) - 1, 0, -1):
            if ".".join(parts[:size]) in self.modules:
                return ".".join(parts[:size]), ".".join(parts[size:])
        return path, ""

    def lineage(self, made: Class) -> Iterator[Class | str]:
        """The class, its bases, their bases; a base that is written elsewhere is given as its path."""
        pending: list[Class | str] = [made]
        seen: set[str] = set()
        while pending:
            item = pending.pop(0)
            path = item if isinstance(item, str) else item.path
            if path in seen:
                continue
            seen.add(path)
            yield item
            if isinstance(item, Class):
                home = self.modules[item.module]
                paths = (self.resolve(home, base) for base in item.bases)
                pending.extend(self.classes.get(path, path) for path in paths)

    def method(self, made: Class, name: str) -> Function | None:
        """A method as instances find it; None where no analysed class has it."""
        for item in self.lineage(made):
            if isinstance(item, Class) and name in item.methods:
                return item.methods[name]
        return None


def _alias(module: Module, name: ast.expr, value: ast.expr) -> None:
    """`loads = pickle.loads` gives a thing another name."""
    target = dotted(value)
    if isinstance(name, ast.Name) and target and name.id not in module.names and target != name.id:
        module.names[name.id] = f"{module.name}.{target}"


def read_import(
    module: Module, node: ast.Import | ast.ImportFrom, names: dict[str, str], stars: list[str] | None = None
) -> None:
    """Enter what an import statement binds into `names`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            names[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
        return
    base = _base(module, node)
    for alias in node.names:
        if alias.name == "*":
            if stars is not None:
                stars.append(base)
        else:
            names[alias.asname or alias.name] = f"{base}.{alias.name}"


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    up = node.level - (1 if module.is_package else 0)
    parts = parts[: len(parts) - up] if up else parts
    return ".".join([*parts, *([node.module] if node.module else [])])


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names, also under a subscript (`Generic[T]`); empty for anything else."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Name):
            return ".".join([node.id, *reversed(parts)])
        else:
            return ""


def declared_module(node: ast.ClassDef | FunctionNode) -> str:
    """The `__module__` that a decorator such as `set_module("numpy")` gives."""
    for mark in node.decorator_list:
        match mark:
            case ast.Call(func=ast.Name(id="set_module"), args=[ast.Constant(value=str() as module), *_]):
                return module
    return ""


def _defined(node: ast.ClassDef) -> set[str]:
    """The names that a class's body gives to functions or declares."""
    names = {item.name for item in _statements(node.body) if isinstance(item, FunctionNode)}
    targets = (item.target for item in _statements(node.body) if isinstance(item, ast.AnnAssign))
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a body, also under `if`, `try` and `with`."""
    pending = list(reversed(body))
    while pending:
        node = pending.pop()
        match node:
            case ast.If() | ast.For() | ast.While():
                pending += reversed([*node.body, *node.orelse])
            case ast.Try():
                handlers = [line for handler in node.handlers for line in handler.body]
                pending += reversed([*node.body, *handlers, *node.orelse, *node.finalbody])
            case ast.With():
                pending += reversed(node.body)
            case _:
                yield node
