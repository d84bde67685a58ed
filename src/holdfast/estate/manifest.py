"""holdfast.yaml: one file per model repository, validated strictly, with paths resolved beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from holdfast.core.documents import Document, suggest
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.model import Harm, Model, People, Task
from holdfast.core.domain.severity import Tier
from holdfast.core.errors import ConfigError

MAX_MODELS = 10_000
MAX_REPORTS = 20
REPORT = "report "
"""How the roles of other tools' reports begin; their number in the manifest follows."""

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Label = Annotated[str, Field(min_length=1, max_length=256)]


Use = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class HarmEntry(_Strict):
    """The move an attacker wants."""

    from_class: int = Field(alias="from", ge=0, le=10_000, strict=True)
    to_class: int = Field(alias="to", ge=0, le=10_000, strict=True)

    @model_validator(mode="after")
    def _moves(self) -> HarmEntry:
        if self.from_class == self.to_class:
            raise ValueError("harm must lead from one class to another")
        return self


class TaskEntry(_Strict):
    """What the model decides."""

    kind: Literal["binary", "multiclass"] = "binary"
    positive: int = Field(1, ge=0, le=10_000, strict=True)
    harm: HarmEntry = HarmEntry(**{"from": 1, "to": 0})
    threshold: float = Field(0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _binary_has_two_classes(self) -> TaskEntry:
        if self.kind == "binary" and not {self.positive, self.harm.from_class, self.harm.to_class} <= {0, 1}:
            raise ValueError("a binary task has the classes 0 and 1")
        return self


class PeopleEntry(_Strict):
    """How the model touches people."""

    decides_on: bool
    personal_data: bool
    automated: bool


class DataEntry(_Strict):
    """The tables the model was made and is tested with."""

    train: Path
    test: Path | None = None
    label: Label
    drop: tuple[Label, ...] = ()


class AuthEntry(_Strict):
    """The name of the environment variable that holds the token, never the token."""

    bearer_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]


class EndpointEntry(_Strict):
    """Where the model answers.

    `open-inference-v2`: tensors by the Open Inference Protocol. `json`: POST {"inputs": ...}, any JSON answer.
    """

    url: Annotated[str, Field(pattern=r"^https?://", max_length=2000)]
    protocol: Literal["open-inference-v2", "json"] = "open-inference-v2"
    auth: AuthEntry | None = None


class SignatureEntry(_Strict):
    """A signature over the artifact's bytes, and the public key it is held against; the trusted keys where none is."""

    file: Path
    key: Path | None = None


class ModelEntry(_Strict):
    """One model and the places of its parts, as written."""

    name: Name
    unit: Name
    region: Name
    owner: Words
    tier: Tier
    purpose: Words
    use: Annotated[tuple[Use, ...], Field(max_length=20)] = ()
    people: PeopleEntry | None = None
    task: TaskEntry = TaskEntry()
    artifact: Path
    signature: SignatureEntry | None = None
    runtime: Path | None = None
    data: DataEntry | None = None
    lock: Path | None = None
    contract: Path | None = None
    licences: Path | None = None
    reports: Annotated[tuple[Path, ...], Field(max_length=MAX_REPORTS)] = ()
    endpoint: EndpointEntry | None = None
    policy: str = "baseline"
    depth: Depth = Depth.FULL

    @field_validator("tier", mode="before")
    @classmethod
    def _tier_is_a_word(cls, value: object) -> object:
        if value not in list(Tier):
            raise ValueError(f"one of {', '.join(Tier)}")
        return value


class _File(_Strict):
    version: Literal[1]
    models: tuple[ModelEntry, ...] = Field(min_length=1, max_length=MAX_MODELS)


@dataclass(frozen=True)
class Part:
    """A file a model is made of, and the manifest line that names it."""

    role: str
    path: Path
    where: str


@dataclass(frozen=True)
class Subject:
    """A model with the absolute paths of its parts."""

    model: Model
    entry: ModelEntry
    folder: Path
    where: str
    parts: tuple[Part, ...]

    @property
    def reports(self) -> tuple[Path, ...]:
        """Reports of other tools about this model, in the order of the manifest."""
        return tuple(part.path for part in self.parts if part.role.startswith(REPORT))

    def part(self, role: str) -> Path | None:
        """The path of the part with this role, if declared.

        artifact, train, test, lock, contract, policy, signature, signer.
        """
        return next((part.path for part in self.parts if part.role == role), None)

    @property
    def licences(self) -> Path | None:
        """Where the licences of packages are stated; without a place of its own, the virtual environment it runs in."""
        if self.entry.licences is not None:
            return (self.folder / self.entry.licences).resolve()
        home = None if self.runtime is None else self.runtime.parent.parent
        return home if home is not None and (home / "pyvenv.cfg").is_file() else None

    @property
    def runtime(self) -> Path | None:
        """The interpreter the model runs under; None for the current one."""
        runtime = self.entry.runtime
        # Not resolved: a virtual environment's interpreter is a link, and the link is what selects it.
        return None if runtime is None else self.folder / runtime


@dataclass(frozen=True)
class Manifest:
    """A validated holdfast.yaml."""

    path: Path
    subjects: tuple[Subject, ...]

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read and check the manifest and that every file it names exists. Raises ConfigError (HF-CFG-001..006)."""
        document = Document.read(path)
        entries = document.into(_File).models
        folder = path.resolve().parent
        _refuse_twins(document, entries)
        subjects = tuple(_subject(document, number, entry, folder) for number, entry in enumerate(entries))
        for subject in subjects:
            _refuse_missing(subject)
        return cls(path, subjects)

    def select(self, names: tuple[str, ...]) -> tuple[Subject, ...]:
        """The named models, in manifest order; all of them when no name is given."""
        known = [subject.model.name for subject in self.subjects]
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"there is no model '{name}' in {self.path}",
                    cause=f"it has {', '.join(known[:12])}",
                    fix=suggest(name, known),
                    code="HF-CFG-005",
                )
        return tuple(subject for subject in self.subjects if not names or subject.model.name in names)


def _subject(document: Document, number: int, entry: ModelEntry, folder: Path) -> Subject:
    return Subject(
        _model(entry), entry, folder, document.where("models", number), _parts(document, number, entry, folder)
    )


def _model(entry: ModelEntry) -> Model:
    task = entry.task
    return Model(
        name=entry.name,
        unit=entry.unit,
        region=entry.region,
        owner=entry.owner,
        tier=entry.tier,
        purpose=entry.purpose,
        task=Task(task.kind, task.positive, Harm(task.harm.from_class, task.harm.to_class), task.threshold),
        people=None if entry.people is None else People(**entry.people.model_dump()),
        policy=entry.policy,
        use=tuple(sorted(set(entry.use))),
    )


def _parts(document: Document, number: int, entry: ModelEntry, folder: Path) -> tuple[Part, ...]:
    named: list[tuple[str, tuple[str, ...], Path | None]] = [
        ("artifact", ("artifact",), entry.artifact),
        ("lock", ("lock",), entry.lock),
        ("contract", ("contract",), entry.contract),
    ]
    if entry.data is not None:
        named += [("train", ("data", "train"), entry.data.train), ("test", ("data", "test"), entry.data.test)]
    if entry.signature is not None:
        named += [("signature", ("signature", "file"), entry.signature.file)]
        named += [("signer", ("signature", "key"), entry.signature.key)]
    named += [(f"{REPORT}{i + 1}", ("reports",), path) for i, path in enumerate(entry.reports)]
    if entry.policy.endswith((".yaml", ".yml")):
        named.append(("policy", ("policy",), Path(entry.policy)))
    return tuple(
        Part(role, (folder / path).resolve(), document.where("models", number, *place))
        for role, place, path in named
        if path is not None
    )


def _refuse_twins(document: Document, entries: tuple[ModelEntry, ...]) -> None:
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        if entry.name in seen:
            raise ConfigError(
                f"two models are named '{entry.name}' in {document.where('models', number, 'name')}",
                cause="a name identifies one model",
                fix="rename one of them",
                code="HF-CFG-002",
            )
        seen.add(entry.name)


def _refuse_missing(subject: Subject) -> None:
    for part in subject.parts:
        if not part.path.is_file():
            what = "is not a file" if part.path.exists() else "does not exist"
            raise ConfigError(
                f"the {part.role} of '{subject.model.name}' {what} ({part.where})",
                cause=f"there is no file {part.path}",
                fix="correct the path; it is relative to the manifest",
                code="HF-CFG-006",
            )
    if subject.entry.licences is not None and subject.licences is not None and not subject.licences.exists():
        raise ConfigError(
            f"the licences of '{subject.model.name}' do not exist ({subject.where})",
            cause=f"there is nothing at {subject.licences}",
            fix="name an environment, a folder of wheels or a CycloneDX JSON file, relative to the manifest",
            code="HF-CFG-006",
        )
    runtime = subject.runtime
    if runtime is not None and not runtime.exists():
        raise ConfigError(
            f"the runtime of '{subject.model.name}' does not exist ({subject.where})",
            cause=f"there is no interpreter {runtime}",
            fix="create the environment, or remove 'runtime' to use the current one",
            code="HF-CFG-006",
        )
