"""respond.yaml, beside the manifest: how far playbooks may go, which ones there are, who is told.

Without the file the built-in playbooks observe and nobody is told. Secrets are never in it, only the names of the
environment variables that hold them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from holdfast.core.documents import Document, suggest
from holdfast.core.errors import ConfigError, UsageError
from holdfast.core.policy.schema import RuleId, Strict
from holdfast.respond.interface import SINKS, Outlet
from holdfast.respond.playbook import BUILTIN, CODE, Playbook, builtin_playbooks, named_once, playbooks_in
from holdfast.respond.schema import Mode, ModeWord, SinkName, TlpWord

NAME = "respond.yaml"
MAX_SINKS = 50


class RespondSettings(BaseSettings):
    """Each field is also `HOLDFAST_RESPOND_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_RESPOND_", extra="ignore", frozen=True)

    config: Path | None = Field(None, description="The file; default: respond.yaml beside the manifest.")
    mode: Mode | None = Field(None, description="observe or enforce, instead of what the file says.")


class _SinkHead(BaseModel):
    """What every sink's entry says; the rest is its kind's."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    name: SinkName
    kind: Annotated[str, Field(min_length=1, max_length=80)]
    tlp: TlpWord
    hears: Literal["always", "named"] = "always"


class _Playbooks(Strict):
    """Built-in ones by name, and a folder of own ones beside the file."""

    builtin: Annotated[tuple[RuleId, ...], Field(max_length=50)] = BUILTIN
    folder: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class RespondFile(Strict):
    """respond.yaml."""

    version: Literal[1]
    mode: ModeWord = Mode.OBSERVE
    playbooks: _Playbooks = _Playbooks()
    sinks: Annotated[tuple[_SinkHead, ...], Field(max_length=MAX_SINKS)] = ()

    @model_validator(mode="after")
    def _named_once(self) -> RespondFile:
        names = [item.name for item in self.sinks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two sinks are named '{twice}'")
        return self


@dataclass(frozen=True)
class Response:
    """What is configured. `outlets` are the sinks; making them opens nothing."""

    mode: Mode
    playbooks: tuple[Playbook, ...]
    outlets: tuple[Outlet, ...] = ()
    source: str = "built in"

    @cached_property
    def sinks(self) -> tuple[str, ...]:
        """The names of the sinks."""
        return tuple(item.name for item in self.outlets)

    @cached_property
    def hear_everything(self) -> frozenset[str]:
        """The sinks that are told of every alert."""
        return frozenset(item.name for item in self.outlets if item.always)

    def outlet(self, name: str) -> Outlet:
        """The sink of this name. Raises UsageError (HF-RSP-011) where there is none."""
        found = next((item for item in self.outlets if item.name == name), None)
        if found is None:
            raise UsageError(
                f"there is no sink '{name}'",
                cause=f"{self.source} has: {', '.join(self.sinks) or 'none'}",
                fix=suggest(name, self.sinks) if self.sinks else f"add it under `sinks:` in {NAME}",
                code="HF-RSP-011",
            )
        return found


@cache
def observing() -> Response:
    """The response of an installation that configures none."""
    return Response(Mode.OBSERVE, named_once(builtin_playbooks()))


def load_response(folder: Path, settings: RespondSettings | None = None, plugins: tuple[str, ...] = ()) -> Response:
    """The response configured for a manifest's folder; the default where there is no file.

    Raises ConfigError HF-RSP-001 to -006, -010, -014.
    """
    settings = settings or _from_environment()
    SINKS.load_named(plugins)
    path = settings.config or folder / NAME
    if settings.config is None and not path.exists():
        return replace(observing(), mode=settings.mode or Mode.OBSERVE)
    return _of(Document.read(path, error=ConfigError, code=CODE), path.resolve().parent, settings)


def _from_environment() -> RespondSettings:
    from pydantic import ValidationError

    try:
        return RespondSettings()
    except ValidationError as fault:
        item = fault.errors(include_url=False)[0]
        raise ConfigError(
            f"wrong value for HOLDFAST_RESPOND_{str(item['loc'][0]).upper()}",
            cause=f"{item['msg']}; found {item['input']!r}",
            fix="correct it, or unset it",
            code="HF-CFG-020",
        ) from None


def _of(document: Document, folder: Path, settings: RespondSettings) -> Response:
    file = document.into(RespondFile)
    own = () if file.playbooks.folder is None else playbooks_in(folder / file.playbooks.folder)
    playbooks = named_once((*builtin_playbooks(file.playbooks.builtin), *own))
    outlets = tuple(_outlet(document, number, head, folder) for number, head in enumerate(file.sinks))
    _check_names(playbooks, {item.name for item in outlets})
    return Response(settings.mode or file.mode, playbooks, outlets, document.source)


def _outlet(document: Document, number: int, head: _SinkHead, folder: Path) -> Outlet:
    known = [name for name, _ in SINKS]
    if head.kind not in known:
        raise ConfigError(
            f"there is no kind of sink '{head.kind}' in {document.where('sinks', number, 'kind')}",
            cause=f"known: {', '.join(known)}",
            fix=suggest(head.kind, known),
            code="HF-RSP-002",
        )
    kind = SINKS.get(head.kind)
    options = _part(document, ("sinks", number), set(_SinkHead.model_fields)).into(kind.options)
    return Outlet(head.name, head.kind, head.tlp, kind.make(options, folder), always=head.hears == "always")


def _part(document: Document, place: tuple[str | int, ...], without: set[str]) -> Document:
    """A mapping inside a document as a document of its own, with its own lines."""
    value: Any = document.value
    for step in place:
        value = value[step]
    inner = {key: item for key, item in value.items() if key not in without}
    depth = len(place)
    lines = {key[depth:]: line for key, line in document.lines.items() if key[:depth] == place}
    return Document(document.source, inner, lines, document.error, document.code)


def _check_names(playbooks: tuple[Playbook, ...], sinks: set[str]) -> None:
    for item in playbooks:
        unknown = sorted(item.sinks - sinks)
        if unknown:
            raise ConfigError(
                f"playbook '{item.id}' notifies '{unknown[0]}', which is no sink",
                cause=f"{item.source}; the sinks are {', '.join(sorted(sinks)) or 'none'}",
                fix=suggest(unknown[0], sinks) if sinks else f"add it under `sinks:` in {NAME}",
                code="HF-RSP-010",
            )
