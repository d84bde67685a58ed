"""Frameworks as data: strict files of clauses in our own words, each checked against its own cases before it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from holdfast.comply.applies import FLAGS, Facts, Rule
from holdfast.comply.evidence.kinds import kind_of
from holdfast.core.documents import Document, suggest
from holdfast.core.domain.control import Clause, Level
from holdfast.core.domain.severity import Tier
from holdfast.core.errors import ConfigError
from holdfast.core.policy.duration import parse_duration

EVENT: Final = "event"
MAX_CLAUSES: Final = 500


def _span(value: object) -> timedelta | None:
    return None if value == EVENT else parse_duration(value)


def _rule(text: str) -> str:
    Rule.parse(text)
    return text


def _query(text: str) -> str:
    kind_of(text)
    return text


Id = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{1,30}$")]
Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9().,_ -]{0,60}$")]
Sentence = Annotated[str, Field(min_length=10, max_length=600)]
Title = Annotated[str, Field(min_length=2, max_length=160)]
Checked = Literal["primary", "secondary", "knowledge", "not verified"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DateEntry(_Strict):
    """From when something binds, how that date stands, and whether its source was read."""

    on: date
    status: Literal["in force", "adopted", "proposed", "ended"]
    verified: Checked
    note: str = ""


class Predecessor(_Strict):
    """What a framework replaced, and from when to when that bound."""

    id: str
    started: date
    ended: date
    note: str = ""


class ClauseEntry(_Strict):
    """One clause as written."""

    ref: Ref
    title: Title
    level: Level
    fresh: Annotated[timedelta | None, BeforeValidator(_span)]
    applies: Annotated[str, AfterValidator(_rule)]
    evidence: Annotated[tuple[Annotated[str, AfterValidator(_query)], ...], Field(min_length=1, max_length=12)]
    text: Sentence
    since: str
    checked: Checked

    @model_validator(mode="after")
    def _level_fits_its_evidence(self) -> Self:
        people = [query for query in self.evidence if kind_of(query).person]
        if self.level is Level.AUTO and people:
            raise ValueError(f"a clause at level auto asks no person, yet it asks for {people[0]}")
        if self.level is Level.HUMAN and len(people) < len(self.evidence):
            raise ValueError("a clause at level human is shown by people alone")
        if self.level is Level.ASSISTED and not people:
            raise ValueError("a clause at level assisted names what a person decides: signoff, doc, register, ...")
        return self


class PeopleCase(_Strict):
    """How the example touches people."""

    decides_on: bool
    personal_data: bool
    automated: bool


class ModelCase(_Strict):
    """An example model. What is left out is not declared."""

    tier: Tier = Tier.HIGH
    region: str = "eu"
    unit: str = "unit"
    task: str = "binary"
    use: tuple[str, ...] = ()
    people: PeopleCase | None = None
    endpoint: bool = False

    def facts(self) -> Facts:
        """What applicability asks about."""
        said = (None, None, None) if self.people is None else tuple(self.people.model_dump().values())
        flags = tuple(zip(FLAGS, (*said, self.endpoint), strict=True))
        return Facts(self.tier, self.region, self.unit, self.task, self.use, flags)


class Case(_Strict):
    """An example: to this model, that clause applies, or does not."""

    clause: Ref
    model: ModelCase
    applies: bool


class FrameworkFile(_Strict):
    """A framework file as written."""

    version: Literal[1]
    id: Id
    title: Title
    source: Title
    status: Sentence
    verified: Checked
    note: Sentence
    replaces: Predecessor | None = None
    dates: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], DateEntry] = Field(min_length=1)
    clauses: tuple[ClauseEntry, ...] = Field(min_length=1, max_length=MAX_CLAUSES)
    cases: tuple[Case, ...] = Field(min_length=2, max_length=MAX_CLAUSES * 4)


@dataclass(frozen=True)
class Framework:
    """A checked framework and its clauses."""

    file: FrameworkFile
    source: str

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a framework file. Raises ConfigError HF-CPL-001 to -006 with file, line and what to do."""
        return cls.of(Document.read(path, error=ConfigError, code="HF-CPL"))

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """Read framework text; `source` names it in messages."""
        return cls.of(Document.parse(text, source, error=ConfigError, code="HF-CPL"))

    @classmethod
    def of(cls, document: Document) -> Self:
        """Validate a document, and try its cases."""
        made = cls(document.into(FrameworkFile), document.source)
        _refuse_twins(document, made.file)
        _refuse_unknown_dates(document, made.file)
        _try_cases(document, made)
        return made

    @property
    def id(self) -> str:
        return self.file.id

    @cached_property
    def clauses(self) -> dict[str, Clause]:
        """The clauses by their references, in the order written."""
        return {entry.ref: self._clause(entry) for entry in self.file.clauses}

    def binds(self, clause: Clause, on: date) -> str | None:
        """Under which name a clause binds on a day: the framework's, before it its predecessor's; None: not yet."""
        before = self.file.replaces
        if clause.since is None or clause.since <= on:
            return self.id
        return before.id if before is not None and before.started <= on < before.ended else None

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The parsed applicability rule of each clause."""
        return {entry.ref: Rule.parse(entry.applies) for entry in self.file.clauses}

    def clause(self, ref: str) -> Clause:
        """A clause by its reference. Raises ConfigError HF-CPL-008 with the nearest one."""
        if ref not in self.clauses:
            raise ConfigError(
                f"{self.id} has no clause '{ref}'",
                cause=f"its clauses are {', '.join(list(self.clauses)[:12])}",
                fix=suggest(ref, self.clauses),
                code="HF-CPL-008",
            )
        return self.clauses[ref]

    def _clause(self, entry: ClauseEntry) -> Clause:
        since = self.file.dates[entry.since]
        return Clause(
            framework=self.id,
            ref=entry.ref,
            text=entry.text,
            level=entry.level,
            applies=entry.applies,
            fresh=entry.fresh,
            evidence=entry.evidence,
            title=entry.title,
            since=since.on,
            since_status=since.status,
            since_verified=since.verified,
        )


def _refuse_twins(document: Document, file: FrameworkFile) -> None:
    seen: set[str] = set()
    for number, entry in enumerate(file.clauses):
        if entry.ref in seen:
            raise ConfigError(
                f"the clause '{entry.ref}' appears twice in {document.where('clauses', number, 'ref')}",
                cause="a reference names one clause",
                fix="join the two, or correct one of them",
                code="HF-CPL-002",
            )
        seen.add(entry.ref)


def _refuse_unknown_dates(document: Document, file: FrameworkFile) -> None:
    for number, entry in enumerate(file.clauses):
        if entry.since not in file.dates:
            raise ConfigError(
                f"the clause '{entry.ref}' counts from an unknown date in {document.where('clauses', number, 'since')}",
                cause=f"'{entry.since}' is not under dates:",
                fix=suggest(entry.since, file.dates),
                code="HF-CPL-002",
            )


def _try_cases(document: Document, framework: Framework) -> None:
    shown: dict[str, set[bool]] = {}
    for number, case in enumerate(framework.file.cases):
        rule = framework.rules.get(case.clause)
        found = None if rule is None else rule.on(case.model.facts())
        if rule is None or found is None or found.applies is not case.applies:
            raise ConfigError(
                f"a case of clause '{case.clause}' fails in {document.where('cases', number)}",
                cause="there is no such clause" if found is None else f"the clause {found.why}",
                fix="correct the rule or the case; one of them says what you did not mean",
                code="HF-CPL-005",
            )
        shown.setdefault(rule.text, set()).add(found.applies)
    for number, entry in enumerate(framework.file.clauses):
        wanted = {True} if entry.applies == "all" else {True, False}
        if (lacking := wanted - shown.get(entry.applies, set())) and entry.applies != "all":
            raise ConfigError(
                f"the rule of clause '{entry.ref}' lacks a case in {document.where('clauses', number, 'applies')}",
                cause=f"no case shows that it {'applies' if True in lacking else 'does not apply'} somewhere",
                fix="add a model to which it applies and one to which it does not, under cases:",
                code="HF-CPL-006",
            )


@cache
def builtin() -> dict[str, Framework]:
    """The frameworks that ship inside, by id."""
    folder = resources.files("holdfast.comply") / "frameworks"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    read = [Framework.parse(item.read_text("utf-8"), f"comply/frameworks/{item.name}") for item in files]
    return {framework.id: framework for framework in sorted(read, key=lambda one: one.id)}


def select(names: Iterable[str] = ()) -> tuple[Framework, ...]:
    """The named frameworks, or all. Raises ConfigError HF-CPL-007 with the nearest name."""
    known, wanted = builtin(), [name.upper() for name in names]
    for name in wanted:
        if name not in known:
            raise ConfigError(
                f"there is no framework '{name}'",
                cause=f"there are {', '.join(known)}",
                fix=suggest(name, known),
                code="HF-CPL-007",
            )
    return tuple(known[name] for name in wanted or known)
