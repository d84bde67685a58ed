"""Plug-ins: ours by decorator, others' only when named, each with its origin."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import pytest

from holdfast.core.errors import PrerequisiteError, UsageError
from holdfast.core.plugins import Registry

GROUP = "holdfast.tests"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    """A registry that plug-ins reach as they reach ours: by importing the module it stands in."""
    made: Registry[object] = Registry("thing", GROUP, lambda: None)
    room = types.ModuleType("room_of_things")
    room.THINGS = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "room_of_things", room)
    return made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed distributions: one that works, one that raises, one that registers nothing."""
    bodies = {
        "acme": "from room_of_things import THINGS\nmade = THINGS.add('acme.thing', object())\n",
        "broken": "raise RuntimeError('no licence')\n",
        "empty": "made = 1\n",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}_plugin.py").write_text(body)
        info = tmp_path / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name}.thing = {name}_plugin:made\n")
        (info / "RECORD").write_text(f"{name}_plugin.py,sha256=abc,10\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in bodies:
        monkeypatch.delitem(sys.modules, f"{name}_plugin", raising=False)
    importlib.invalidate_caches()
    return tmp_path


def test_ours_are_loaded_on_first_use_and_once() -> None:
    calls = []

    def load() -> None:
        calls.append(1)
        registry.add("b", "second")
        registry.add("a", "first")

    registry: Registry[str] = Registry("thing", GROUP, load)
    assert calls == []
    assert list(registry) == [("a", "first"), ("b", "second")]
    assert registry.get("a") == "first"
    assert calls == [1]
    assert registry.origin("a") is None


def test_an_id_names_one_variant_for_ever(registry: Registry[object]) -> None:
    one = object()
    assert registry.add("a", one) is one
    assert registry.add("a", one) is one
    with pytest.raises(ValueError, match="two things are named 'a'"):
        registry.add("a", object())


def test_an_unknown_id_is_answered_with_the_nearest(registry: Registry[object]) -> None:
    registry.add("evasion.search", object())
    with pytest.raises(UsageError) as caught:
        registry.get("evasion.serch")
    assert (caught.value.code, caught.value.fix) == ("HF-USE-002", "did you mean 'evasion.search'?")


@pytest.mark.usefixtures("site")
def test_others_are_off_unless_their_distribution_is_named(registry: Registry[object]) -> None:
    registry.load_named([])
    registry.load_named(["some-other"])
    assert list(registry) == []
    assert "acme_plugin" not in sys.modules
    registry.load_named(["Acme"])
    origin = registry.origin("acme.thing")
    assert registry.get("acme.thing") is sys.modules["acme_plugin"].made
    assert origin is not None
    assert (origin.distribution, origin.version) == ("acme", "1.2")
    assert origin.digest.startswith("sha256:")


def test_the_origin_changes_with_the_files(
    site: Path, registry: Registry[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.load_named(["acme"])
    before = registry.origin("acme.thing")
    (site / "acme-1.2.dist-info" / "RECORD").write_text("acme_plugin.py,sha256=abd,10\n")
    again: Registry[object] = Registry("thing", GROUP, lambda: None)
    monkeypatch.delitem(sys.modules, "acme_plugin")
    monkeypatch.setattr(sys.modules["room_of_things"], "THINGS", again)
    again.load_named(["acme"])
    after = again.origin("acme.thing")
    assert before is not None
    assert after is not None
    assert before.digest != after.digest


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("name", "cause"), [("broken", "no licence"), ("empty", "registers no thing")])
def test_a_plugin_that_does_not_load_stops_the_run(registry: Registry[object], name: str, cause: str) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        registry.load_named([name])
    assert caught.value.code == "HF-PRE-002"
    assert cause in caught.value.cause
    assert f"pip uninstall {name}" in caught.value.fix
