"""`holdfast intel` as people type it: from a file to a verdict and back, with the right exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.main import run
from intel_desk import record

BASE = [record(f"CVE-2026-000{n}", f"pkg-{n}") for n in range(3)]
MANIFEST = """\
version: 1
models:
  - {name: m, unit: u, region: eu, owner: o@bank.example, tier: low, purpose: p, artifact: model.ubj}
"""
Said = Callable[..., Any]


@pytest.fixture(autouse=True)
def workplace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    (tmp_path / "model.ubj").write_bytes(b"{}")
    write(tmp_path, *BASE)
    return tmp_path


def write(folder: Path, *records: dict[str, Any]) -> None:
    (folder / "feed.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command line; gives its exit code and what it printed, as JSON where that was asked for."""

    def typed(line: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run(["intel", *line.split("|")] if "|" in line else ["intel", *line.split()]) == code, (
            capsys.readouterr()
        )
        printed = capsys.readouterr()
        return json.loads(printed.out) if "--format json" in line else printed.out + printed.err

    return typed


ADD = "add pypa --kind osv --location feed.jsonl --trust 90 --ceiling block-new --tlp green"


def test_a_feed_from_file_to_effects_and_back(say: Said, workplace: Path) -> None:
    assert "would be registered" in say(f"{ADD} --dry-run")
    assert say("list --format json")["feeds"] == []
    say(ADD)
    assert [one["state"] for one in say("list --format json")["feeds"]] == ["never"]
    (preview,) = say("import --dry-run --format json")["imported"]
    assert (preview["new"], say("list --format json")["feeds"][0]["items"]) == (3, 0)
    (done,) = say("import --format json")["imported"]
    assert (done["said"], done["new"], done["fault"]) == (3, 3, None)
    view = say("list --format json")
    assert (view["schema_version"], view["feeds"][0]["state"], view["feeds"][0]["items"]) == (1, "fresh", 3)
    write(workplace, *BASE, record("MAL-2026-1", "evil", versions=["1.0"]))
    assert "pypa" in say("import pypa")
    (effect,) = say("effects --format json")["effects"]
    assert (effect["effect"], effect["target"], effect["feeds"]) == ("deny", "package:evil@1.0", ["pypa"])
    shown = say("show MAL-2026-1 --format json")["impact"]
    assert (shown["item"]["state"], len(shown["claims"])) == ("in force", 1)
    assert all(isinstance(leaf, int) for leaf in shown["claims"][0]["leaves"])
    assert "would be withdrawn" in say("withdraw|MAL-2026-1|--by|ana|--reason|a false alarm|--dry-run")
    assert len(say("effects --format json")["effects"]) == 1
    say("withdraw|MAL-2026-1|--by|ana|--reason|a false alarm")
    assert [one["effect"] for one in say("effects --format json")["effects"]] == ["dismiss"]
    assert "is released" in say("release|mal-2026-1|--by|ana|--reason|no, it is true")
    assert [one["effect"] for one in say("effects --format json")["effects"]] == ["deny"]
    assert "nothing holds it" in say("release|MAL-2026-1|--by|ana|--reason|again")
    assert "deny" in say("effects")
    assert "said by pypa" in say("show MAL-2026-1")


def test_a_bundle_is_carried_to_another_store(say: Said, workplace: Path) -> None:
    say(ADD)
    say("import")
    assert "3 items" in say("bundle export out --feed pypa")
    key = workplace / ".holdfast" / "keys" / "holdfast.pub"
    other = f"--home {workplace / 'other'}"
    say(f"bundle import out --feed carried --key {key} --ceiling block-new --trust 90 {other}")
    (feed,) = say(f"list --format json {other}")["feeds"]
    assert (feed["kind"], feed["items"], feed["signed"]) == ("bundle", 3, True)
    (workplace / "out" / "items.ndjson").write_text("")
    assert "HF-INT-007" in say(f"import carried {other}", 1)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("import nothing", 2, "HF-INT-008"),
        ("show CVE-1999-1", 2, "HF-INT-009"),
        ("add x --kind nonsense --location y", 2, "HF-USE-002"),
        ("add X! --kind osv --location y", 2, "HF-INT-010"),
        ("add x --kind osv --location http://a/b", 2, "HF-INT-010"),
        ("add x --kind osv --location y --trust 101", 2, "HF-INT-010"),
        ("add x --kind osv --location y --max-age never", 2, "HF-USE"),
        ("withdraw CVE-2026-0001 --by ana", 2, "reason"),
        ("withdraw|CVE-2026-0001|--by|ana|--reason| ", 2, "HF-INT-012"),
        ("withdraw CVE-2026-0001 --by ana --reason x --until 2001-01-01T00:00:00Z", 2, "HF-INT-012"),
        ("bundle export . --feed pypa", 2, "HF-INT-011"),
        ("bundle export out --feed nothing", 2, "HF-INT-008"),
        ("nonsense", 2, "HF-USE-001"),
    ],
)
def test_wrong_input_is_answered_with_a_code(say: Said, line: str, code: int, words: str) -> None:
    say(ADD)
    say("import")
    answer = say(line, code)
    assert words in answer
    assert "Traceback" not in answer


def test_a_feed_that_fails_is_shown_with_its_fault_and_exits_1(say: Said, workplace: Path) -> None:
    say(ADD)
    (workplace / "feed.jsonl").write_text("")
    assert "HF-INT-004" in say("import", 1)
    (feed,) = say("list --format json")["feeds"]
    assert (feed["state"], feed["last_ok"]) == ("failing", None)


def test_what_feeds_say_is_what_models_are_judged_by(say: Said, workplace: Path) -> None:
    from holdfast.app import Holdfast
    from holdfast.core.settings import Settings

    settings = Settings(config=workplace / "holdfast.yaml")
    with Holdfast.open(settings) as holdfast:
        assert holdfast.intel.id != "feeds", "nothing was imported: the one inside"
    say(ADD)
    say("import")
    with Holdfast.open(settings) as holdfast:
        assert {one.id for one in holdfast.intel.advisories} == {one["id"] for one in BASE}
    (workplace / "own.json").write_text('{"version":1,"id":"own","dated":"2026-01-05","advisories":[],"techniques":[]}')
    with Holdfast.open(Settings(config=workplace / "holdfast.yaml", intel=workplace / "own.json")) as holdfast:
        assert holdfast.intel.id == "own"
