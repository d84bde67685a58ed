"""A drafted contract, and the commented contract.yaml it is written as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdfast.core.contract.contract import Contract
from holdfast.core.contract.mining.columns import Column, Columns
from holdfast.core.contract.mining.mined import Formula, OneHotGroup, Relation
from holdfast.core.contract.mining.words import guess_move
from holdfast.core.contract.syntax import signed_number

_HEADER = """\
# The model's input space, drafted from {rows:,} training rows. Everything here held on all of them; whether it must
# hold is for a person to say: correct what is chance, widen bounds that future rows may pass, then remove `review`.
# `move` says what an attacker can do to a column: never, up, down, any. It is a guess from the column's name, and
# where nothing is known it is `any`: overstating an attacker costs a second look, understating one hides a weakness.
# `cost` (default 1.0) weighs moves against each other. `was(x)` is the value before the attack; state there how much
# an attacker can spend, for example:  - {{id: budget, rule: amount - was(amount) <= 20000}}
version: 1
subject: null                        # event column that identifies the person; never a model input
scale: train-range                   # distance unit of a column: max - min of training data
"""
_WORDLIKE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLAIN_RULE = re.compile(r"[A-Za-z_(][A-Za-z0-9_ +\-*/()<>=!.]*\Z")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
_WIDTH = 100


@dataclass(frozen=True)
class Draft:
    """What was inferred. `omitted` says why columns cannot be features: they belong in `drop` of holdfast.yaml."""

    columns: Columns
    formulas: Mapping[int, Formula]
    groups: tuple[OneHotGroup, ...]
    relations: tuple[Relation, ...]
    left_out: int = 0

    @property
    def omitted(self) -> Mapping[str, str]:
        return self.columns.omitted

    def contract(self) -> Contract:
        """The draft as a contract."""
        return Contract.parse(self.to_yaml(), "contract.yaml")

    def summary(self) -> str:
        """One line: how much was found."""
        found = [
            _counted(len(self.columns.found), "feature"),
            _counted(len(self.formulas), "derived column"),
            _counted(len(self.groups), "one-hot group"),
            _counted(len(self.relations), "relation"),
        ]
        text = f"{', '.join(found)}, from {self.columns.n_rows:,} rows"
        return f"{text}; not usable: {', '.join(self.omitted)}" if self.omitted else text

    def to_yaml(self) -> str:
        """contract.yaml, with the support of each finding as a comment."""
        return _HEADER.format(rows=self.columns.n_rows) + "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        for name, reason in self.omitted.items():
            yield f"# left out: {_comment(name)} ({reason}); name it under `drop` in holdfast.yaml"
        yield "features:"
        for position, column in enumerate(self.columns.found):
            yield from self._feature(position, column)
        if self.groups:
            yield "groups:"
            for group in self.groups:
                members = ", ".join(yaml_text(self.columns.found[position].name) for position in group.columns)
                yield f"  # {group.support}"
                yield f"  - {{one_hot: [{members}]}}"
        if self.relations:
            yield f"relations:                           # the {len(self.relations)} most telling{self._others()}"
            yield from self._relations()

    def _others(self) -> str:
        return f"; {self.left_out:,} weaker ones were left out" if self.left_out else ""

    def _relations(self) -> Iterator[str]:
        seen: set[str] = set()
        for relation in self.relations:
            yield f"  # {relation.support}"
            yield f"  - {{id: {_identifier(relation.id, seen)}, rule: {yaml_rule(relation.rule)}}}"

    def _feature(self, position: int, column: Column) -> Iterator[str]:
        formula = self.formulas.get(position)
        entry, note = self._entry(column, formula)
        inside = ", ".join(f"{key}: {value}" for key, value in entry.items())
        line = f"  {yaml_text(column.name)}: {{{inside}}}"
        if len(line) > _WIDTH:
            yield f"  # {note}"
            yield line
        else:
            yield f"{line}  # {note}"

    def _entry(self, column: Column, formula: Formula | None) -> tuple[dict[str, str], str]:
        entry = {"type": column.type}
        if column.type == "category":
            values = [yaml_text(text) for text in column.texts] or [signed_number(float(v)) for v in column.distinct]
            entry["values"] = f"[{', '.join(values)}]"
        elif formula is None:
            entry |= {"min": signed_number(float(column.distinct[0])), "max": signed_number(float(column.distinct[-1]))}
        if column.missing:
            entry["missing"] = "true"
        if formula is not None:
            entry["derived"] = yaml_rule(formula.text)
            if formula.undefined is not None:
                entry["undefined"] = signed_number(formula.undefined)
            return entry, f"{formula.support}; recomputed after each move"
        move, why = ("never", "the same on every row") if column.constant else guess_move(column.name)
        entry |= {"move": move, "review": "inferred"}
        return entry, why + self._notes(column)

    def _notes(self, column: Column) -> str:
        notes = ""
        if column.missing:
            notes += f"; missing on {column.missing / self.columns.n_rows:.1%}"
        if column.integral and len(column.distinct) == self.columns.n_rows >= 100:
            notes += "; different on every row: if it is an identifier, drop it"
        return notes


def yaml_text(text: str) -> str:
    """A text as a YAML scalar that reads back as itself, whatever it holds."""
    if _WORDLIKE.match(text) and text.lower() not in _YAML_WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def yaml_rule(rule: str) -> str:
    """A rule as a YAML scalar inside braces."""
    return rule if _PLAIN_RULE.match(rule) else yaml_text(rule)


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if character.isprintable() and not 0xFDD0 <= code <= 0xFDEF and code != 0xFEFF:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _comment(text: str) -> str:
    return "".join(map(_escaped, text[:80]))


def _identifier(wanted: str, seen: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted)[:70].strip("-.") or "relation"
    name, count = base, 2
    while name in seen:
        name, count = f"{base}-{count}", count + 1
    seen.add(name)
    return name


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
