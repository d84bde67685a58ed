"""A policy: rules as data, checked against their own cases before they may judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path

from holdfast.core.documents import Document, suggest
from holdfast.core.domain import JSONValue, Tier, digest
from holdfast.core.domain.addition import NameAddition
from holdfast.core.errors import PolicyError
from holdfast.core.policy.directions import worse_side
from holdfast.core.policy.schema import STORED, Case, FactRule, PolicyFile, Ratchet, Rule, Worse, from_tier

BUILTIN = ("baseline",)
IMPLIED = FactRule(id="scan-verdict", on="fact", kind="scan.verdict", deny=("blocked",), allow=("clean",))
"""Judges the scanner's verdict where scanning is required and no rule of the policy says otherwise."""


@dataclass(frozen=True)
class Policy:
    """A checked policy. `source` is where it was read, `digest` what it means."""

    file: PolicyFile
    source: str

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy file. Raises PolicyError HF-POL-001 to -007 with file, line and what to do."""
        return cls.of(Document.read(path, error=PolicyError, code="HF-POL"))

    @classmethod
    def parse(cls, text: str, source: str) -> Policy:
        """Read policy text; `source` names it in messages."""
        return cls.of(Document.parse(text, source, error=PolicyError, code="HF-POL"))

    @classmethod
    def builtin(cls, name: str) -> Policy:
        """A policy that ships inside. Raises PolicyError HF-POL-008 when there is none of that name."""
        if name not in BUILTIN:
            raise PolicyError(
                f"there is no built-in policy '{name}'",
                cause=f"built in: {', '.join(BUILTIN)}",
                fix=suggest(name, BUILTIN) + " A policy file is named by its path, such as ./policy.yaml",
                code="HF-POL-008",
            )
        file = resources.files("holdfast.core.policy") / "policies" / f"{name}.yaml"
        return cls.parse(file.read_text("utf-8"), f"built-in policy {name}")

    @classmethod
    def from_json(cls, text: str, source: str) -> Policy:
        """Read what `to_json` wrote; its cases were run when first read. Raises ValueError when it is not one."""
        return cls(PolicyFile.model_validate_json(text, context=STORED), source)

    def to_json(self) -> str:
        """The whole policy, to judge by it again later."""
        return self.file.model_dump_json(by_alias=True)

    @classmethod
    def of(cls, document: Document) -> Policy:
        """Validate a document, and run its cases."""
        from holdfast.core.policy.cases import check_cases

        policy = cls(document.into(PolicyFile), document.source)
        policy._check_directions(document)
        check_cases(policy, document)
        return policy

    def check_cases(self) -> None:
        """Run every case again. Raises PolicyError when one is missing (HF-POL-006) or fails (HF-POL-005)."""
        from holdfast.core.policy.cases import check_cases

        check_cases(self)

    def _check_directions(self, document: Document) -> None:
        for place, item in enumerate(self.file.ratchet):
            if self.worse(item) is None:
                raise PolicyError(
                    f"which way '{item.name}' gets worse is not known in {document.where('ratchet', place)}",
                    cause="Holdfast does not take this measurement itself, and no rule bounds it on one side",
                    fix="add `worse: lower` or `worse: higher`",
                    code="HF-POL-007",
                )

    @property
    def id(self) -> str:
        return self.file.id

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules as written, and the one implied by required scanning."""
        scans = any("scan.artifact" in checks for checks in self.file.required.values())
        named = any(isinstance(rule, FactRule) and rule.kind == IMPLIED.kind for rule in self.file.rules)
        return self.file.rules if named or not scans else (*self.file.rules, IMPLIED)

    @property
    def ratchet(self) -> tuple[Ratchet, ...]:
        return self.file.ratchet

    @property
    def cases(self) -> tuple[Case, ...]:
        return self.file.cases

    @cached_property
    def digest(self) -> str:
        """Of the meaning: layout, comments, order of rules, description and cases change nothing."""
        # A policy that adds no names means what it meant before names could be added.
        unsaid = {"cases", "description"} | (set() if self.file.names else {"names"})
        value: dict[str, JSONValue] = self.file.model_dump(mode="json", exclude=unsaid)
        return digest(_sorted(value))

    @cached_property
    def names(self) -> tuple[NameAddition, ...]:
        """What the site adds to the list of names that a pickle may use."""
        return tuple(entry.addition for entry in self.file.names)

    def worse(self, item: Ratchet) -> Worse | None:
        """Which way a ratchet's measurement gets worse."""
        return worse_side(item, self.file.rules)

    def required(self, kinds: Iterable[str]) -> tuple[str, ...]:
        """The checks demanded of models of these kinds."""
        wanted = {"any", *kinds}
        return tuple(
            sorted({check for kind, checks in self.file.required.items() if kind in wanted for check in checks})
        )

    def unknown_blocks(self, tier: Tier) -> bool:
        """Whether unknown blocks a model of this tier."""
        return tier in self.file.unknown_blocks

    def isolation(self, tier: Tier) -> str | None:
        """The least isolation for models that must run."""
        return from_tier(self.file.isolation, tier)

    def results_age(self, tier: Tier) -> timedelta | None:
        """How old results may be."""
        return from_tier({step: item.results for step, item in self.file.freshness.items() if item.results}, tier)

    def intel_age(self, tier: Tier) -> timedelta | None:
        """How old intelligence may be."""
        return from_tier({step: item.intel for step, item in self.file.freshness.items() if item.intel}, tier)


def _sorted(value: JSONValue) -> JSONValue:
    """Lists as sets: none of a policy's lists has a meaningful order."""
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_sorted(item) for item in value), key=repr)
    return value
