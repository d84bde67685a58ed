"""The settings of a run: flags over environment over defaults, and where each value came from."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from holdfast.core.settings import Settings

FLAGS = ("config", "home", "database", "intel", "names", "workers")


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config, --home, --database, --intel, --names and --workers; the function is given them as `settings`."""

    @functools.wraps(function)
    def with_settings(*args: Any, **values: Any) -> Any:
        flags = {name: values.pop(name) for name in FLAGS}
        return function(*args, settings=read_settings(flags), **values)

    return _with_flags(with_settings)


@dataclass(frozen=True)
class Later:
    """Settings that are read when they are first needed: that alone takes longer than many a command."""

    flags: dict[str, Any]

    @functools.cached_property
    def settings(self) -> Settings:
        return read_settings(self.flags)

    @property
    def home(self) -> Path | None:
        """The state folder as set, else beside the manifest in force; None where there is neither."""
        from holdfast.core.places import find_manifest

        named = any(self.flags.values()) or {"HOLDFAST_HOME", "HOLDFAST_CONFIG"} & os.environ.keys()
        if not named and find_manifest(Path.cwd()) is None:
            return None
        from holdfast.seal.place import home_of

        return home_of(self.settings)


def later_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `settings_options`; the function is given a `Later` as `later`."""

    @functools.wraps(function)
    def with_later(*args: Any, **values: Any) -> Any:
        flags = {name: values.pop(name) for name in FLAGS}
        return function(*args, later=Later(flags), **values)

    return _with_flags(with_later)


def _with_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    # The environment is read by Settings, so that a library user and the command line agree on it.
    for option in (
        click.option("--workers", type=int, envvar="", help="Audit processes. [default: the number of cores]"),
        click.option("--names", type=Path, envvar="", help="Signed list of names. [default: the one inside]"),
        click.option("--intel", type=Path, envvar="", help="Intelligence snapshot. [default: the one inside]"),
        click.option("--database", envvar="", help="SQLAlchemy URL. [default: SQLite in the state folder]"),
        click.option("--home", type=Path, envvar="", help="State folder. [default: .holdfast beside the manifest]"),
        click.option("--config", type=Path, envvar="", help="Manifest. [default: the nearest holdfast.yaml upward]"),
    ):
        function = option(function)
    return function


def depth_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --depth; the function's `settings` (of `settings_options`, below this one) hold it."""

    @functools.wraps(function)
    def with_depth(*args: Any, depth: str | None, settings: Settings, **values: Any) -> Any:
        from holdfast.core.domain.depth import Depth

        if depth is not None:
            settings = settings.model_copy(update={"depth": Depth(depth)})
        return function(*args, settings=settings, **values)

    choice = click.Choice(("quick", "full"))
    text = "How much is asked of each model. [default: what the manifest says, else full]"
    return click.option("--depth", type=choice, envvar="", help=text)(with_depth)


def read_settings(flags: dict[str, Any]) -> Settings:
    """Settings from the flags given, then the environment. Raises ConfigError (HF-CFG-020) on a wrong value."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from holdfast.core.errors import ConfigError
    from holdfast.core.settings import Settings

    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as fault:
        item = fault.errors(include_url=False)[0]
        name = str(item["loc"][0])
        raise ConfigError(
            f"wrong value for the setting '{name}' ({_source(name, given)})",
            cause=f"{item['msg']}; found {item['input']!r}",
            fix="correct it there; `holdfast config show` lists every setting",
            code="HF-CFG-020",
        ) from None
    except SettingsError as fault:
        raise ConfigError(
            "a setting in the environment cannot be read",
            cause=str(fault),
            fix="write a list as JSON, for example HOLDFAST_PLUGINS='[\"acme-checks\"]'",
            code="HF-CFG-020",
        ) from None


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force."""

    name: str
    value: str | int | float | list[str] | None
    origin: str


def settings_in_force(settings: Settings, start: Path) -> list[Setting]:
    """Every setting, defaults resolved as a run in the folder `start` resolves them."""
    from holdfast.core.settings import STATE_NAME, find_manifest

    found = [Setting(name, _plain(value), _origin(name, settings)) for name, value in settings]
    values = {setting.name: setting for setting in found}
    manifest = settings.config or find_manifest(start)
    if settings.config is None and manifest is not None:
        values["config"] = Setting("config", str(manifest), "nearest upward")
    if settings.home is None:
        beside = (manifest.resolve().parent if manifest else start.resolve()) / STATE_NAME
        values["home"] = Setting("home", str(beside), "default: beside the manifest")
    if settings.intel is None:
        values["intel"] = Setting("intel", "the snapshot inside", "default")
    if settings.names is None:
        values["names"] = Setting("names", "the list inside", "default")
    if settings.database is None:
        values["database"] = Setting("database", f"SQLite in {values['home'].value}", "default")
    return list(values.values())


def _origin(name: str, settings: Settings) -> str:
    if name not in settings.model_fields_set:
        return "default"
    context = click.get_current_context(silent=True)
    flagged = context is not None and context.params.get(name) is not None
    return f"flag --{name}" if flagged else f"environment {_variable(name)}"


def _source(name: str, given: dict[str, Any]) -> str:
    return f"--{name}" if name in given else _variable(name)


def _variable(name: str) -> str:
    wanted = f"HOLDFAST_{name.upper()}"
    return next((key for key in os.environ if key.upper() == wanted), wanted)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
