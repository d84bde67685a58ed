"""From contract.yaml to a Contract: what the schema cannot say is checked here, each fault with its place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from holdfast.core.contract.compile import Scope, compile_derived, compile_rule
from holdfast.core.contract.contract import Contract, Feature
from holdfast.core.contract.faults import contradiction, in_rule, unknown_column
from holdfast.core.contract.grammar import parse_expression, parse_rule
from holdfast.core.contract.ir import Constraint, Derived
from holdfast.core.contract.schema import ContractFile, FeatureEntry, GroupEntry
from holdfast.core.contract.syntax import Expression, Name, Rule, names, show, show_rule
from holdfast.core.contract.tokens import RuleError
from holdfast.core.documents import Document
from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.errors import ContractError

CODE = "HF-CON"


def load(path: Path) -> Contract:
    """Read contract.yaml. Raises ContractError."""
    return _build(Document.read(path, error=ContractError, code=CODE))


def parse(text: str, source: str) -> Contract:
    """Read the text of a contract; `source` names it in messages. Raises ContractError."""
    return _build(Document.parse(text, source, error=ContractError, code=CODE))


def _build(document: Document) -> Contract:
    file = document.into(ContractFile)
    entries = {**file.features, **_declared_by_groups(file)}
    formulas = {
        name: _formula(entry.derived, document, name) for name, entry in entries.items() if entry.derived is not None
    }
    features = tuple(_feature(name, entry, formulas.get(name), document) for name, entry in entries.items())
    reader = _Reader(document, features)
    derived = reader.derived({reader.positions[name]: tree for name, tree in formulas.items()})
    groups = tuple(reader.group(index, entry) for index, entry in enumerate(file.groups))
    reader.refuse_shared_members(groups)
    constraints = tuple(reader.constraint(index, entry.id, entry.rule) for index, entry in enumerate(file.relations))
    reader.refuse_repeated_ids(constraints)
    return Contract(
        features=features,
        groups=groups,
        constraints=constraints,
        derived=derived,
        digest=_digest(file, features, groups, constraints),
        subject=_subject(file.subject, reader),
        scale=file.scale,
        source=document.source,
        text=document.text,
        formulas={reader.positions[name]: tree for name, tree in formulas.items()},
    )


def _declared_by_groups(file: ContractFile) -> dict[str, FeatureEntry]:
    """The members of groups of which none is listed as a feature: the group lists them, as 0 or 1, to be reviewed.

    Where some are listed, one that is not is a slip of the pen, and an error.
    """
    member = FeatureEntry(type="integer", min=0, max=1, move="any", review="inferred")
    return {
        name: member for group in file.groups if not file.features.keys() & set(group.one_hot) for name in group.one_hot
    }


def _formula(text: str, document: Document, name: str) -> Expression:
    try:
        return parse_expression(text)
    except RuleError as fault:
        raise in_rule(fault, text, document, ("features", name, "derived")) from None


def _subject(subject: str | None, reader: _Reader) -> str | None:
    if subject in reader.positions:
        where = reader.document.where("subject")
        raise contradiction(
            f"the subject '{subject}' is also a feature in {where}",
            "the column that identifies the person is never a model input",
            "remove it from 'features', or name another column",
        )
    return subject


def _feature(name: str, entry: FeatureEntry, formula: Expression | None, document: Document) -> Feature:
    problem = next(_problems(entry), None)
    if problem is not None:
        raise contradiction(f"'{name}' contradicts itself in {document.where('features', name)}", *problem)
    values = tuple(entry.values or ())
    codes = [float(i) if isinstance(v, str) else v for i, v in enumerate(values)]
    low = min(codes) if codes else entry.min
    high = max(codes) if codes else entry.max
    return Feature(
        name=name,
        type=entry.type,
        min=-math.inf if low is None else low,
        max=math.inf if high is None else high,
        values=values,
        move=entry.move or "never",
        cost=entry.cost,
        missing=entry.missing,
        derived=None if formula is None else show(formula),
        undefined=math.nan if entry.undefined is None else entry.undefined,
        review=entry.review,
    )


def _problems(entry: FeatureEntry) -> Iterator[tuple[str, str]]:
    """(cause, fix) of each contradiction inside one feature."""
    if entry.type == "category":
        yield from _category_problems(entry)
    elif entry.values is not None:
        yield f"'values' belongs to a category; this is of type {entry.type}", "use type: category, or min and max"
    if entry.min is not None and entry.max is not None and entry.min > entry.max:
        yield f"min {entry.min:g} is above max {entry.max:g}", "exchange or correct them"
    if entry.type == "integer" and any(b is not None and b != math.floor(b) for b in (entry.min, entry.max)):
        yield "an integer column has a bound that is no integer", "use integer bounds, or type: number"
    if entry.derived is None and entry.move is None:
        yield "'move' is missing", "add move: never, up, down or any: what can an attacker do to this column?"
    if entry.derived is not None and entry.move is not None:
        yield "a derived column is computed, never moved", "remove 'move'"
    if entry.derived is None and entry.undefined is not None:
        yield "'undefined' says what a derived column holds where it divides by zero", "remove it, or add 'derived'"


def _category_problems(entry: FeatureEntry) -> Iterator[tuple[str, str]]:
    values = entry.values or []
    if not values:
        yield "a category needs its values", "add values: [...]"
    if entry.min is not None or entry.max is not None:
        yield "a category has values, not bounds", "remove min and max"
    if len({isinstance(value, str) for value in values}) > 1:
        yield "'values' mixes numbers and texts", "use one kind; quote numbers that are texts"
    if len(set(values)) < len(values):
        yield "'values' names a value twice", "remove the repetition"
    if entry.derived is not None:
        yield "a category cannot be derived", "use type: number or integer"


class _Reader:
    """What needs the names of all features: rules, groups, order of derivation."""

    def __init__(self, document: Document, features: tuple[Feature, ...]) -> None:
        self.document = document
        self.features = features
        self.positions = {feature.name: position for position, feature in enumerate(features)}
        texts = {
            position: tuple(str(value) for value in feature.values)
            for position, feature in enumerate(features)
            if feature.text
        }
        self._scope = Scope(self._column, texts)

    def _column(self, name: Name) -> int:
        if name.name not in self.positions:
            hint = unknown_column(name.name, self.positions, self.document.source)
            raise RuleError(f"no feature is called '{name.name}'", name.at, hint.fix, code=hint.code)
        return self.positions[name.name]

    def constraint(self, index: int, identifier: str, text: str) -> Constraint:
        try:
            rule: Rule = parse_rule(text)
            rows, guard = compile_rule(rule, self._scope)
        except RuleError as fault:
            raise in_rule(fault, text, self.document, ("relations", index, "rule")) from None
        return Constraint(identifier, rows, guard, show_rule(rule))

    def derived(self, formulas: Mapping[int, Expression]) -> tuple[Derived, ...]:
        """In an order in which each needs only columns that are already there."""
        compiled = {column: self._derived(column, tree) for column, tree in formulas.items()}
        needs = {c: {self.positions[n.name] for n in names(tree)} & set(formulas) for c, tree in formulas.items()}
        try:
            return tuple(compiled[column] for column in TopologicalSorter(needs).static_order())
        except CycleError as fault:
            raise self._cycle(fault.args[1][:-1]) from None

    def _derived(self, column: int, tree: Expression) -> Derived:
        feature = self.features[column]
        try:
            return compile_derived(tree, self._scope, column, feature.undefined)
        except RuleError as fault:
            place = ("features", feature.name, "derived")
            raw = self.document.value["features"][feature.name]["derived"]
            raise in_rule(fault, raw, self.document, place) from None

    def _cycle(self, columns: list[int]) -> ContractError:
        listed = ", ".join(f"'{self.features[column].name}'" for column in columns[:8])
        first = self.features[columns[0]].name
        return ContractError(
            f"derived columns go round in a circle in {self.document.where('features', first, 'derived')}",
            cause=f"none of {listed} can be computed first",
            fix="let one of them be an ordinary column",
            code="HF-CON-014",
        )

    def group(self, index: int, entry: GroupEntry) -> tuple[int, ...]:
        where = self.document.where("groups", index, "one_hot")
        for name in entry.one_hot:
            if name not in self.positions:
                raise unknown_column(name, self.positions, where)
            self._refuse_other_than_bits(self.features[self.positions[name]], where)
        return tuple(self.positions[name] for name in entry.one_hot)

    def _refuse_other_than_bits(self, feature: Feature, where: str) -> None:
        bits = (feature.type == "integer" and (feature.min, feature.max) == (0, 1)) or (
            feature.type == "category" and set(feature.values) == {0.0, 1.0}
        )
        if not bits or feature.derived is not None or feature.missing:
            raise contradiction(
                f"'{feature.name}' cannot be part of a one-hot group in {where}",
                "each member is 0 or 1, one of them 1; a member is neither derived nor missing",
                "declare it {type: integer, min: 0, max: 1, ...}, or take it out of the group",
            )

    def refuse_shared_members(self, groups: tuple[tuple[int, ...], ...]) -> None:
        seen: set[int] = set()
        for index, group in enumerate(groups):
            for column in group:
                if column in seen:
                    raise contradiction(
                        f"'{self.features[column].name}' is twice in a group in {self.document.where('groups', index)}",
                        "a column belongs to at most one one-hot group, once",
                        "remove the repetition",
                    )
                seen.add(column)

    def refuse_repeated_ids(self, constraints: tuple[Constraint, ...]) -> None:
        seen: set[str] = set()
        for index, constraint in enumerate(constraints):
            where = self.document.where("relations", index, "id")
            if constraint.id in seen:
                raise contradiction(
                    f"the relation id '{constraint.id}' appears twice in {where}",
                    "findings name relations by their id",
                    "rename one of them",
                )
            seen.add(constraint.id)


def _digest(
    file: ContractFile,
    features: tuple[Feature, ...],
    groups: tuple[tuple[int, ...], ...],
    constraints: tuple[Constraint, ...],
) -> str:
    """Of what the contract means: not of its layout, comments, the order of groups and relations, or number formats."""
    return digest(
        {
            "version": file.version,
            "subject": file.subject,
            "scale": file.scale,
            "features": [_meaning(feature) for feature in features],
            "groups": tuple(sorted(tuple(sorted(group)) for group in groups)),
            "relations": {constraint.id: constraint.text for constraint in constraints},
        }
    )


def _meaning(feature: Feature) -> JSONValue:
    bounds: list[JSONValue] = [None if math.isinf(bound) else bound + 0.0 for bound in (feature.min, feature.max)]
    return {
        "name": feature.name,
        "type": feature.type,
        "bounds": bounds,
        "values": [value if isinstance(value, str) else value + 0.0 for value in feature.values],
        "move": feature.move,
        "cost": feature.cost,
        "missing": feature.missing,
        "derived": feature.derived,
        "undefined": None if math.isnan(feature.undefined) else feature.undefined + 0.0,
        "review": feature.review,
    }
