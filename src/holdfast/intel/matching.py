"""Which models hold what an item speaks of, by stored facts alone: nothing is opened again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.intelligence import Indicator
from holdfast.core.policy.versions import Package, affected
from holdfast.core.store import Transaction
from holdfast.core.store.observations import stem_of

PACKAGE, UNPINNED, IMPORT = "package", "package.unpinned", "import"
Body = Advisory | Technique | Indicator


@dataclass(frozen=True, slots=True)
class ModelHit:
    """A model version that holds what an item speaks of: the fact's kind and value. Not certain: it cannot be told."""

    model: str
    version: str
    kind: str
    value: str
    certain: bool


def match(tx: Transaction, bodies: Mapping[str, Body]) -> dict[str, tuple[ModelHit, ...]]:
    """By uid: every version hit, in order. Queries grow with the packages named, not with the items."""
    facts = _Facts.read(tx, bodies.values())
    return {uid: tuple(sorted(set(facts.hits(body)), key=_order)) for uid, body in bodies.items()}


def current_models(hits: Iterable[ModelHit], current: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The models hit in a version that matters now: deployed, or judged last."""
    return frozenset(hit.model for hit in hits if hit.version in current.get(hit.model, ()))


def _order(hit: ModelHit) -> tuple[str, str, str, str]:
    return hit.model, hit.version, hit.kind, hit.value


_Found = dict[str, list[tuple[str, str, str]]]


@dataclass(frozen=True, slots=True)
class _Facts:
    """Facts of the asked stems: (model, version, value) by stem."""

    pinned: _Found
    unpinned: _Found
    imports: _Found
    artifacts: _Found

    @classmethod
    def read(cls, tx: Transaction, bodies: Iterable[Body]) -> _Facts:
        packages, names, digests = set[str](), set[str](), set[str]()
        for body in bodies:
            if isinstance(body, Advisory):
                packages.add(stem_of(PACKAGE, body.package))
            elif isinstance(body, Indicator) and body.type == "pickle-global":
                names.add(body.value)
            elif isinstance(body, Indicator) and body.type == "sha256":
                digests.add(f"sha256:{body.value}")
        seen = tx.observations
        return cls(
            seen.with_facts(PACKAGE, packages),
            seen.with_facts(UNPINNED, packages),
            seen.with_facts(IMPORT, names),
            tx.models.with_digests(digests),
        )

    def hits(self, body: Body) -> Iterable[ModelHit]:
        if isinstance(body, Advisory):
            yield from self._packages(body)
        elif isinstance(body, Indicator) and body.type == "pickle-global":
            yield from (ModelHit(*row[:2], IMPORT, row[2], True) for row in self.imports.get(body.value, ()))
        elif isinstance(body, Indicator) and body.type == "sha256":
            digest = f"sha256:{body.value}"
            yield from (ModelHit(*row[:2], "artifact", digest, True) for row in self.artifacts.get(digest, ()))

    def _packages(self, advisory: Advisory) -> Iterable[ModelHit]:
        stem = stem_of(PACKAGE, advisory.package)
        answers: dict[str, bool | None] = {}
        for model, version, value in self.pinned.get(stem, ()):
            if value not in answers:
                package = Package.parse(value)
                answers[value] = None if package is None else affected(package.version, advisory)
            if answers[value] is not False:
                yield ModelHit(model, version, PACKAGE, value, answers[value] is True)
        for model, version, value in self.unpinned.get(stem, ()):
            yield ModelHit(model, version, UNPINNED, value, advisory.every_release)
