"""`holdfast doctor`: what is missing here, and the command that repairs it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import Form, Output, as_json, output_options
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import settings_in_force, settings_options
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, HoldfastError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from holdfast.core.settings import Settings

OK, NOTE, MISSING = "ok", "note", "missing"
COLORS = {OK: "green", NOTE: "yellow", MISSING: "red"}
MIN_FREE_BYTES = 500_000_000
FOR_DEVELOPERS = ("rivals",)
PIP_ATTACK = "pip install 'holdfast[attack]'"


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing looked at. `missing` stops work, a `note` only limits it; `repair` is a command or None."""

    name: str
    state: str
    found: str
    repair: str | None = None


@verb(
    "doctor",
    examples=(
        ("holdfast doctor", "Look at the whole installation."),
        ("holdfast doctor --format json --output doctor.json", "The same for a support request."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def command(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> int:
    """Say what is missing here, and the command that repairs it. Exits with 1 when something must be repaired."""
    symptoms = list(examine(settings))
    Output.of(forms, output).write(
        lambda form: _text(symptoms, terminal) if form.format == "text" else _json(symptoms), terminal
    )
    return EXIT_FINDINGS if any(symptom.state == MISSING for symptom in symptoms) else EXIT_PASSED


def examine(settings: Settings) -> Iterator[Symptom]:
    """Look at everything; a look that fails is itself a symptom."""
    home = Path(str(next(item.value for item in settings_in_force(settings, Path.cwd()) if item.name == "home")))
    looks: tuple[Callable[[], Iterator[Symptom]], ...] = (
        _python,
        _extras,
        _isolation,
        lambda: _state_folder(home),
        lambda: _database(settings, home),
        _kernel_cache,
        lambda: _manifest(settings),
    )
    for look in looks:
        try:
            yield from look()
        except HoldfastError as fault:
            yield Symptom(fault.code, MISSING, fault.message, fault.fix)
        except OSError as fault:
            yield Symptom("system", MISSING, str(fault), "check the path and its permissions")


def _python() -> Iterator[Symptom]:
    version = ".".join(map(str, sys.version_info[:3]))
    fit = sys.version_info >= (3, 11)
    yield Symptom(
        "python", OK if fit else MISSING, f"{version} at {sys.executable}", None if fit else "install Python 3.11"
    )


def _extras() -> Iterator[Symptom]:
    """The libraries of each extra, as the installed distribution declares them."""
    from packaging.requirements import Requirement

    declared = [Requirement(text) for text in importlib.metadata.requires("holdfast") or []]
    for extra in importlib.metadata.metadata("holdfast").get_all("Provides-Extra") or []:
        if extra in FOR_DEVELOPERS:
            continue
        wanted = [item for item in declared if _only_in(item, extra)]
        lacking = [item.name for item in wanted if item.name != "holdfast" and not _installed(item)]
        found = "all installed" if not lacking else f"not installed: {', '.join(lacking)}"
        yield Symptom(
            f"extra {extra}", NOTE if lacking else OK, found, f"pip install 'holdfast[{extra}]'" if lacking else None
        )


def _only_in(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False


def _isolation() -> Iterator[Symptom]:
    """Start one confined process and see how high its walls are."""
    try:
        from holdfast.core.sandbox.limits import Isolation
        from holdfast.core.sandbox.sandbox import Sandbox
    except ModuleNotFoundError as fault:
        yield Symptom("sandbox", NOTE, f"models cannot be run here: {fault.name} is not installed", PIP_ATTACK)
        return
    level, facts = Sandbox(minimum=Isolation.NONE).probe()
    steps = {fact.kind.rpartition(".")[2]: fact for fact in facts if isinstance(fact.value, bool)}
    lacking = [f"{name} ({fact.detail})" if fact.detail else name for name, fact in steps.items() if not fact.value]
    found = f"isolation {level.name.lower()}: {', '.join(name for name, fact in steps.items() if fact.value)}"
    found += f"; without {', '.join(lacking)}" if lacking else ""
    state = {Isolation.FULL: OK, Isolation.REDUCED: NOTE}.get(level, MISSING)
    yield Symptom("sandbox", state, found, None if state == OK else _wall_repair())


def _wall_repair() -> str:
    """The kernel switch that most often stands between us and namespaces."""
    switches = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=10000"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    }
    for path, (bad, command) in switches.items():
        switch = Path(path)
        if switch.exists() and switch.read_text(encoding="ascii").strip() == bad:
            return command
    return "run outside a container, or in one that allows user namespaces (or Landlock)"


def _state_folder(home: Path) -> Iterator[Symptom]:
    if not home.exists():
        yield Symptom("state folder", OK, f"{home} is made when it is first needed")
        return
    loose = stat.S_IMODE(home.stat().st_mode) & 0o077
    if not os.access(home, os.W_OK | os.X_OK):
        yield Symptom("state folder", MISSING, f"{home} cannot be written", f"chown -R $(id -u) {home}")
    elif loose:
        yield Symptom("state folder", MISSING, f"{home} can be read by others", f"chmod 700 {home}")
    else:
        yield Symptom("state folder", OK, f"{home}, for its owner only")
    free = shutil.disk_usage(home).free
    if free < MIN_FREE_BYTES:
        yield Symptom("disk", MISSING, f"{free / 1e6:.0f} MB free at {home}", "free some space, or set HOLDFAST_HOME")


def _database(settings: Settings, home: Path) -> Iterator[Symptom]:
    from holdfast.core.store import Store
    from holdfast.core.store.engine import DATABASE_NAME, database_url

    url = database_url(settings.database, home)
    if settings.database is None and not (home / DATABASE_NAME).exists():
        yield Symptom("database", OK, f"SQLite at {home / DATABASE_NAME}, made when it is first needed")
        return
    Store.open(settings.database, home).close()
    yield Symptom("database", OK, url.render_as_string(hide_password=True))


def _kernel_cache() -> Iterator[Symptom]:
    """Compiled kernels are kept in a private folder; where there is none, every audit compiles them again."""
    try:
        from holdfast.attack.evasion.kernels.jit import CACHE_VARIABLE, cache_folder
    except ModuleNotFoundError as fault:
        yield Symptom(
            "kernel cache", NOTE, f"models cannot be attacked here: {fault.name} is not installed", PIP_ATTACK
        )
        return
    folder = cache_folder()
    if folder.is_relative_to(tempfile.gettempdir()) and not os.environ.get(CACHE_VARIABLE):
        folder.rmdir()
        repair = f"export {CACHE_VARIABLE}=FOLDER, one that only you can open"
        yield Symptom("kernel cache", NOTE, "no private folder, so kernels are compiled at each start", repair)
        return
    kept = "kernels are kept" if any(folder.iterdir()) else "kernels are compiled at the first attack"
    yield Symptom("kernel cache", OK, f"{folder}: {kept}")


def _manifest(settings: Settings) -> Iterator[Symptom]:
    from holdfast.core.settings import MANIFEST_NAME, find_manifest
    from holdfast.estate.manifest import Manifest

    path = settings.config or find_manifest(Path.cwd())
    if path is None:
        yield Symptom("manifest", NOTE, f"no {MANIFEST_NAME} here or above", "holdfast estate init --help")
        return
    manifest = Manifest.load(path)
    yield Symptom("manifest", OK, f"{path}: {len(manifest.subjects)} models")


def _text(symptoms: list[Symptom], terminal: Terminal) -> str:
    width = max(len(symptom.name) for symptom in symptoms)
    lines = []
    for symptom in symptoms:
        state = terminal.paint(f"{symptom.state:<7}", COLORS[symptom.state])
        lines.append(f"{state} {symptom.name:<{width}}  {symptom.found}")
        if symptom.repair:
            lines.append(f"{'':<{width + 10}}repair: {symptom.repair}")
    return "\n".join(lines)


def _json(symptoms: list[Symptom]) -> str:
    return as_json({"schema_version": 1, "symptoms": [asdict(symptom) for symptom in symptoms]})
