"""`ledger`: what a third party does with a folder and a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli.main import run
from holdfast.core.ledger import Ledger
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store


@pytest.fixture
def handed_over(tmp_path: Path) -> tuple[Path, Path]:
    """A ledger of five entries, and the public key."""
    key = SigningKey.generate()
    with Store.open(None, tmp_path / "state") as store:
        with store.transaction() as tx:
            for number in range(5):
                tx.intend("model.judged", {"model": f"m{number}", "verdict": "passed"})
        ledger = Ledger(store, key, "bank.example/test")
        ledger.append_pending()
        ledger.export(tmp_path / "ledger")
    key.public.save(tmp_path / "holdfast.pub")
    return tmp_path / "ledger", tmp_path / "holdfast.pub"


def test_a_whole_ledger_verifies(handed_over: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder, key = handed_over
    assert run(["ledger", "verify", str(folder), "--key", str(key)]) == 0
    assert capsys.readouterr().out.startswith("ok\n  5 entries of 'bank.example/test'")


def test_without_a_key_nothing_is_shown(handed_over: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = handed_over
    assert run(["ledger", "verify", str(folder), "--format", "json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["size"]) == ("unknown", 5)


def test_one_changed_byte_is_found(handed_over: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder, key = handed_over
    tile = next(path for path in sorted(folder.rglob("*")) if path.is_file() and "entries" in str(path))
    data = bytearray(tile.read_bytes())
    data[-2] ^= 1
    tile.write_bytes(data)
    assert run(["ledger", "verify", str(folder), "--key", str(key)]) == 1
    assert capsys.readouterr().out.startswith("broken")


def test_a_rollback_is_found_by_a_remembered_checkpoint(handed_over: tuple[Path, Path], tmp_path: Path) -> None:
    folder, key = handed_over
    remembered = tmp_path / "remembered"
    remembered.write_bytes((folder / "checkpoint").read_bytes())
    args = ["ledger", "verify", str(folder), "--key", str(key)]
    assert run([*args, "--checkpoint", str(remembered)]) == 0
    assert run([*args, "--origin", "bank.example/other"]) == 1


@pytest.mark.parametrize("content", [None, b"", b"not a key"])
def test_a_wrong_key_file_is_an_error(
    handed_over: tuple[Path, Path], content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "other.pub"
    if content is not None:
        key.write_bytes(content)
    assert run(["ledger", "verify", str(handed_over[0]), "--key", str(key)]) != 0
    assert capsys.readouterr().err.startswith("error[HF-SIG-")


def test_no_ledger_is_unknown(tmp_path: Path) -> None:
    assert run(["ledger", "verify", str(tmp_path / "nowhere")]) == 3


@pytest.mark.parametrize("verb", [["show"], ["export", "out"], ["verify"]])
def test_without_a_manifest_the_own_ledger_is_not_known(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", *verb]) == 2
    assert capsys.readouterr().err.startswith("error[HF-CFG-010]")
