"""Strict YAML: every value keeps its file and line, and a wrong key is answered with the nearest right one.

Aliases, duplicate keys and tags are refused; size and depth are bounded, so a hostile file costs nothing.
"""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from holdfast.core.errors import ConfigError, HoldfastError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

MAX_BYTES = 4_000_000
MAX_DEPTH = 32
MAX_NODES = 200_000

Schema = TypeVar("Schema", bound="BaseModel")
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: plain values, and the 1-based line of every key path."""

    source: str
    value: Any
    lines: dict[Place, int]
    error: type[HoldfastError]
    code: str
    text: str = ""

    @classmethod
    def read(cls, path: Path, *, error: type[HoldfastError] = ConfigError, code: str = "HF-CFG") -> Document:
        """Read `path`. `code` is the prefix of the codes raised: -001 key, -002 value, -003 file, -004 syntax."""
        try:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise error(
                    f"{path} is too large",
                    cause=f"{size:,} bytes; the limit is {MAX_BYTES:,}",
                    fix="split the file or remove what does not belong in it",
                    code=f"{code}-003",
                )
            text = path.read_bytes().decode("utf-8")
        except OSError as fault:
            raise error(
                f"cannot read {path}",
                cause=fault.strerror or str(fault),
                fix="check the path and its permissions",
                code=f"{code}-003",
            ) from fault
        except UnicodeDecodeError as fault:
            raise error(
                f"{path} is not UTF-8 text",
                cause=f"byte {fault.start} is {fault.object[fault.start]:#04x}",
                fix="save the file as UTF-8",
                code=f"{code}-004",
            ) from fault
        return cls.parse(text, str(path), error=error, code=code)

    @classmethod
    def parse(
        cls, text: str, source: str, *, error: type[HoldfastError] = ConfigError, code: str = "HF-CFG"
    ) -> Document:
        """Parse YAML `text`; `source` names it in messages."""
        reader = _Reader(source, error, code)
        value = reader.read(text)
        return cls(source, value, reader.lines, error, code, text)

    def line(self, *place: str | int) -> int | None:
        """The line of a key path, or of its nearest ancestor that has one."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.lines:
                return self.lines[place[:end]]
        return None

    def where(self, *place: str | int) -> str:
        """`file:line` of a key path."""
        line = self.line(*place)
        return self.source if line is None else f"{self.source}:{line}"

    def into(self, schema: type[Schema]) -> Schema:
        """Validate into a pydantic model. The first fault is raised as the document's error."""
        from pydantic import ValidationError

        try:
            return schema.model_validate(self.value)
        except ValidationError as fault:
            errors = _leaves(fault.errors(include_url=False))
            unknown = [item for item in errors if item["type"] == "extra_forbidden"]
            raise self._fault(schema, (unknown or errors)[0], len(errors)) from None

    def _fault(self, schema: type[BaseModel], item: ErrorDetails, count: int) -> HoldfastError:
        place = tuple(part for part in item["loc"] if self._known(part))
        more = "" if count == 1 else f" ({count - 1} more to fix after this one)"
        name = ".".join(str(part) for part in place) or "the document"
        if item["type"] == "extra_forbidden":
            key = str(item["loc"][-1])
            known = sorted(_keys(schema, item["loc"][:-1]))
            return self.error(
                f"unknown key '{key}' in {self.where(*place)}",
                cause=f"the keys allowed here are {', '.join(known) or 'none'}{more}",
                fix=suggest(key, known),
                code=f"{self.code}-001",
            )
        if item["type"] == "missing":
            return self.error(
                f"missing key '{item['loc'][-1]}' in {self.where(*place)}",
                cause=f"it is required{more}",
                fix=f"add '{item['loc'][-1]}:' there",
                code=f"{self.code}-002",
            )
        return self.error(
            f"wrong value for '{name}' in {self.where(*place)}",
            cause=f"{item['msg'].removeprefix('Value error, ')}; found {_short(item['input'])}{more}",
            fix="correct the value",
            code=f"{self.code}-002",
        )

    def _known(self, part: str | int) -> bool:
        """Drop the union tags that pydantic puts into locations."""
        return isinstance(part, int) or any(part in place for place in self.lines)


def _leaves(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the errors that only follow from one further down, such as a list left empty by a wrong item."""
    return [
        item
        for item in errors
        if not any(
            len(other["loc"]) > len(item["loc"]) and other["loc"][: len(item["loc"])] == item["loc"] for other in errors
        )
    ]


def suggest(word: str, known: typing.Iterable[str]) -> str:
    """`did you mean 'x'?`, or what else to do when nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"remove '{word}', or use one of: {', '.join(names[:12])}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys(schema: Any, place: tuple[str | int, ...]) -> set[str]:
    """The keys a schema allows at a location, following models, lists, mappings and unions."""
    found: set[str] = set()
    for kind in _alternatives(schema):
        if place and place[0] in (getattr(kind, "__name__", None), *_tags(kind)):
            found |= _keys(kind, place[1:])
        fields = getattr(kind, "model_fields", None)
        if fields is None:
            inner = typing.get_args(kind)
            if inner and place:
                found |= _keys(inner[-1] if inner[-1] is not Ellipsis else inner[0], place[1:])
        elif not place:
            found |= {info.alias or name for name, info in fields.items()}
        else:
            for name, info in fields.items():
                if place[0] in (name, info.alias):
                    found |= _keys(info.annotation, place[1:])
    return found


def _tags(kind: Any) -> tuple[str, ...]:
    """What pydantic may call an arm of a union in a location: its type, or the value of its discriminator."""
    origin = typing.get_origin(kind)
    fields = getattr(kind, "model_fields", {}).values()
    literals = [value for info in fields for value in typing.get_args(info.annotation) if isinstance(value, str)]
    return (*literals, *([origin.__name__] if origin is not None and hasattr(origin, "__name__") else []))


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) is typing.Annotated:
        return _alternatives(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(leaf for arm in typing.get_args(kind) for leaf in _alternatives(arm))
    return (kind,)


def _line(mark: Any) -> int:
    return 1 if mark is None else mark.line + 1


# The same rules in C where PyYAML was built with it: ten times faster.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader:
    """Walks the composed YAML node tree with the safe constructors only."""

    def __init__(self, source: str, error: type[HoldfastError], code: str) -> None:
        self.source, self.error, self.code = source, error, code
        self.lines: dict[Place, int] = {}
        self._nodes = 0

    def read(self, text: str) -> Any:
        try:
            self._refuse_what_is_not_plain(text)
            loader = _Loader(text)
            node = loader.get_single_node()
            return None if node is None else self._value(loader, node, (), 0)
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            raise self._syntax(fault.problem or "not YAML", None if mark is None else _line(mark)) from None
        except yaml.YAMLError as fault:
            raise self._syntax(str(fault), None) from None
        except (ValueError, OverflowError, RecursionError) as fault:
            raise self._syntax(str(fault), None) from None

    def _refuse_what_is_not_plain(self, text: str) -> None:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise self._syntax("anchors and aliases are not allowed", _line(event.start_mark))
            if getattr(event, "tag", None):
                raise self._syntax("tags are not allowed", _line(event.start_mark))
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise self._syntax(f"nested deeper than {MAX_DEPTH} levels", _line(event.start_mark))

    def _value(self, loader: yaml.SafeLoader, node: yaml.Node, place: Place, depth: int) -> Any:
        self._nodes += 1
        line = _line(node.start_mark)
        if self._nodes > MAX_NODES:
            raise self._syntax(f"more than {MAX_NODES:,} values", line)
        self.lines.setdefault(place, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, place, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(loader, item, (*place, index), depth + 1) for index, item in enumerate(node.value)]
        return loader.construct_object(node, deep=True)

    def _mapping(self, loader: yaml.SafeLoader, node: yaml.MappingNode, place: Place, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._syntax("a key must be a word", line)
            # A key is what was typed: `on`, `1` and `no` must not turn into booleans and numbers.
            key = key_node.value
            if key in found:
                raise self._syntax(f"the key '{key}' appears twice", line)
            self.lines[(*place, key)] = line
            found[key] = self._value(loader, value_node, (*place, key), depth + 1)
        return found

    def _syntax(self, problem: str, line: int | None) -> HoldfastError:
        where = self.source if line is None else f"{self.source}:{line}"
        return self.error(
            f"{where} is not valid YAML",
            cause=problem,
            fix="correct that line; `holdfast estate init` writes a correct example",
            code=f"{self.code}-004",
        )
