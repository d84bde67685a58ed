"""Playbooks: what is done about which alerts, as data, tried on their own cases before they may act."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from holdfast.core.documents import Document, suggest
from holdfast.core.domain import JSONValue, digest
from holdfast.core.errors import ConfigError
from holdfast.respond.schema import Caps, Mode, NotifyStep, PlaybookFile, Step, Trigger

BUILTIN = ("evasion", "extraction", "contract", "drift")
CODE = "HF-RSP"
MAX_FILES = 200


@dataclass(frozen=True)
class Playbook:
    """A checked playbook. `source` is where it was read, `digest` what it means."""

    file: PlaybookFile
    source: str

    @classmethod
    def load(cls, path: Path) -> Playbook:
        """Read a playbook file. Raises ConfigError HF-RSP-001 to -006 with file, line and what to do."""
        return cls.of(Document.read(path, error=ConfigError, code=CODE))

    @classmethod
    def parse(cls, text: str, source: str) -> Playbook:
        """Read playbook text; `source` names it in messages."""
        return cls.of(Document.parse(text, source, error=ConfigError, code=CODE))

    @classmethod
    def builtin(cls, name: str) -> Playbook:
        """A playbook that ships inside. Raises ConfigError HF-RSP-010 when there is none of that name."""
        if name not in BUILTIN:
            raise ConfigError(
                f"there is no built-in playbook '{name}'",
                cause=f"built in: {', '.join(BUILTIN)}",
                fix=suggest(name, BUILTIN),
                code="HF-RSP-010",
            )
        file = resources.files("holdfast.respond") / "playbooks" / f"{name}.yaml"
        return cls.parse(file.read_text("utf-8"), f"built-in playbook {name}")

    @classmethod
    def of(cls, document: Document) -> Playbook:
        """Validate a document, and run its cases."""
        from holdfast.respond.cases import check_cases

        playbook = cls(document.into(PlaybookFile), document.source)
        check_cases(playbook, document)
        return playbook

    @property
    def id(self) -> str:
        return self.file.id

    @property
    def trigger(self) -> Trigger:
        return self.file.on

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.file.steps

    @property
    def caps(self) -> Caps:
        return self.file.caps

    @property
    def mode(self) -> Mode:
        return self.file.mode

    @property
    def sinks(self) -> frozenset[str]:
        """The sinks it names."""
        named = (step.notify for step in self.steps if isinstance(step, NotifyStep) and step.notify != "all")
        return frozenset(name for names in named for name in names)

    @cached_property
    def digest(self) -> str:
        """Of the meaning: layout, comments, description and cases change nothing; the order of steps does."""
        value: dict[str, JSONValue] = self.file.model_dump(mode="json", exclude={"cases", "description"}, by_alias=True)
        return digest(_sorted(value))


def _sorted(value: JSONValue, key: str = "") -> JSONValue:
    """Sets come in any order; tiers are the only lists of a playbook that have none."""
    if isinstance(value, dict):
        return {name: _sorted(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_sorted(item) for item in value), key=str) if key == "tiers" else [_sorted(v) for v in value]
    return value


def builtin_playbooks(names: Iterable[str] = BUILTIN) -> tuple[Playbook, ...]:
    """The named built-in playbooks."""
    return tuple(Playbook.builtin(name) for name in names)


def playbooks_in(folder: Path) -> tuple[Playbook, ...]:
    """Every playbook of a folder, by file name. Raises ConfigError, also where the folder cannot be read."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError as fault:
        raise ConfigError(
            f"cannot read the playbook folder {folder}",
            cause=fault.strerror or str(fault),
            fix="correct `playbooks: {folder: …}` in respond.yaml, or make the folder readable",
            code="HF-RSP-003",
        ) from fault
    if len(files) > MAX_FILES:
        raise ConfigError(
            f"too many playbooks in {folder}",
            cause=f"{len(files):,} files; the limit is {MAX_FILES}",
            fix="remove what is not used",
            code="HF-RSP-003",
        )
    return tuple(Playbook.load(path) for path in files)


def named_once(playbooks: Iterable[Playbook]) -> tuple[Playbook, ...]:
    """The playbooks, in the order of their ids. Raises ConfigError (HF-RSP-014) where two have the same."""
    found: dict[str, Playbook] = {}
    for item in playbooks:
        if item.id in found:
            raise ConfigError(
                f"two playbooks are named '{item.id}'",
                cause=f"{found[item.id].source} and {item.source}",
                fix="rename one of them, or leave the built-in one out: `playbooks: {builtin: []}`",
                code="HF-RSP-014",
            )
        found[item.id] = item
    return tuple(found[name] for name in sorted(found))
