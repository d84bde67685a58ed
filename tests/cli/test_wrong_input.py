"""Wrong input, as users and attackers give it: cause, fix, code and the right exit code; never a traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from holdfast.cli.main import run

ERROR = re.compile(
    r"^error\[(HF-[A-Z]{3}-\d{3})\]: \S.*\n  cause: \S.*(?:\n    .*)*\n  fix: \S.*\n  docs: holdfast explain \1$", re.M
)


def edit(name: str, find: str, put: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert find in text
        (folder / name).write_text(text.replace(find, put, 1))

    return change


def spoil(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes())) and None


def column(name: str, change: Callable[[Any], Any], part: str = "test.parquet") -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        table = pyarrow.parquet.read_table(folder / part)
        values = change(np.asarray(table[name].to_pylist()))
        place = table.column_names.index(name)
        changed = table.set_column(place, name, pyarrow.array(values))
        pyarrow.parquet.write_table(changed, folder / part)

    return rewrite


def no_rows(folder: Path) -> None:
    table = pyarrow.parquet.read_table(folder / "train.parquet")
    pyarrow.parquet.write_table(table.slice(0, 0), folder / "train.parquet")


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


WRONG = {
    "unknown key": (edit("holdfast.yaml", "tier:", "teir:"), 2, "HF-CFG-001", "did you mean 'tier'?"),
    "wrong type": (edit("holdfast.yaml", "version: 1", "version: one"), 2, "HF-CFG-002", "found 'one'"),
    "wrong word": (edit("holdfast.yaml", "tier: medium", "tier: huge"), 2, "HF-CFG-002", "low, medium, high, critical"),
    "missing file": (remove("model.ubj"), 2, "HF-CFG-006", "model.ubj"),
    "missing data": (remove("test.parquet"), 2, "HF-CFG-006", "test.parquet"),
    "manifest not UTF-8": (spoil("holdfast.yaml", lambda data: data + b"# \xff\n"), 2, "HF-CFG-004", "UTF-8"),
    "manifest with an alias": (edit("holdfast.yaml", "unit: retail", "unit: &x retail"), 2, "HF-CFG-004", "anchors"),
    "contract key": (
        edit("contract.yaml", "missing: true", "mising: true"),
        2,
        "HF-CON-001",
        "did you mean 'missing'?",
    ),
    "contract column": (edit("contract.yaml", "rent + loans", "rent + loan"), 2, "HF-CON-", "did you mean 'loans'?"),
    "contract rule": (edit("contract.yaml", "<= 500}", "<= }"), 2, "HF-CON-", "contract.yaml:"),
    "contract not UTF-8": (spoil("contract.yaml", lambda data: data + b"# \xff\n"), 2, "HF-CON-004", "UTF-8"),
    "contract against the data": (edit("contract.yaml", "max: 90", "max: 30"), 2, "HF-CON-", "age"),
    "wrong label": (edit("holdfast.yaml", "label: default", "label: defualt"), 2, "HF-", "default"),
    "no rows": (no_rows, 2, "HF-DAT-", "row"),
    "huge integers": (edit("contract.yaml", "max: 850", "max: " + "9" * 400), 2, "HF-CON-", "contract.yaml:"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_answered_with_cause_fix_and_code(
    name: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, exit_code, code, told = WRONG[name]
    change(repository)
    assert run(["audit"]) == exit_code
    said = capsys.readouterr().err
    found = ERROR.search(said)
    assert found, said
    assert found[1].startswith(code), said
    assert told in said
    assert "Traceback" not in said


UNDECIDED = {
    "truncated model": spoil("model.ubj", lambda data: data[: len(data) // 2]),
    "empty model": spoil("model.ubj", lambda _: b""),
    "random model": spoil("model.ubj", lambda _: np.random.default_rng(0).bytes(5000)),
    "text as a model": spoil("model.ubj", lambda _: b"hello\n" * 100),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_a_model_that_cannot_be_read_is_never_passed(
    name: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    UNDECIDED[name](repository)
    manifest = repository / "holdfast.yaml"
    manifest.write_text(manifest.read_text().replace("tier: medium", "tier: high"))
    assert run(["gate", "--format", "json"]) == 3
    seen = capsys.readouterr()
    assert '"verdict": "unknown"' in seen.out
    assert "Traceback" not in seen.err


def test_a_malicious_pickle_fails_and_is_never_loaded(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark = repository / "loaded"
    (repository / "model.ubj").write_bytes(b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    assert run(["gate", "--format", "json"]) == 1
    assert '"rule": "artifact-clean"' in capsys.readouterr().out
    assert not mark.exists()
    assert run(["scan", "model.ubj"]) == 1
    assert "os.system" in capsys.readouterr().out.replace("posix.system", "os.system")


@pytest.mark.parametrize("paths", [["nowhere"], ["model.ubj", "nowhere"]])
def test_scanning_what_is_not_there_is_a_usage_error(
    paths: list[str], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scan", *paths]) == 2
    assert ERROR.search(capsys.readouterr().err)


def test_missing_values_where_none_are_allowed_are_measured_against_the_contract(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    column("age", lambda values: np.where(np.arange(len(values)) < 200, np.nan, values))(repository)
    assert run(["gate", "--format", "json"]) in (1, 2)
    seen = capsys.readouterr()
    assert '"rule": "data-contract"' in seen.out or ERROR.search(seen.err)


INIT = {
    "no such label": (["--data", "train.parquet", "--model", "model.ubj", "--label", "y"], "HF-DAT-020"),
    "no such data": (["--data", "nowhere.parquet", "--model", "model.ubj", "--label", "default"], "HF-DAT-"),
    "no such model": (["--data", "train.parquet", "--model", "nowhere", "--label", "default"], "HF-CFG-006"),
    "a label of many values": (["--data", "train.parquet", "--model", "model.ubj", "--label", "income"], "HF-DAT-"),
    "data that is a model": (["--data", "model.ubj", "--model", "model.ubj", "--label", "default"], "HF-DAT-"),
}


@pytest.mark.parametrize("name", INIT)
def test_a_wrong_init_writes_nothing(
    name: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args, code = INIT[name]
    placed = [str(trained / word) if word.endswith((".parquet", ".ubj")) else word for word in args]
    assert run(["estate", "init", *placed]) == 2
    found = ERROR.search(capsys.readouterr().err)
    assert found
    assert found[1].startswith(code)
    assert list(tmp_path.iterdir()) == []
