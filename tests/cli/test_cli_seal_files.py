"""`holdfast seal sign` and `check` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from holdfast.cli.main import run
from holdfast.cli.seal_progress import FilesLine
from holdfast.cli.terminal import Terminal
from holdfast.core.sign import SigningKey


@pytest.fixture
def place(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of three files, an installation, and the two halves of an ECDSA key."""
    monkeypatch.setenv("HOLDFAST_HOME", str(workplace / "home"))
    for name in ("model/MLmodel", "model/data/model.pkl", "model/data/env.yaml"):
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        (workplace / name).write_text(name)
    secret = ec.generate_private_key(ec.SECP256R1())
    (workplace / "k.pem").write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (workplace / "k.pem").chmod(0o600)
    (workplace / "k.pub").write_bytes(secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return workplace


def test_a_model_from_its_signature_to_a_changed_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["seal", "sign", "model"]) == 0
    assert capsys.readouterr().out.startswith("model signed: 3 files, 52 bytes\n  model.sig  by sha256:")
    assert run(["seal", "check", "model/"]) == 0
    assert capsys.readouterr().out.startswith("ok\n  model: 3 files, signed by sha256:")
    assert run(["seal", "show", "model.sig"]) == 0
    assert "data/model.pkl  sha256:" in capsys.readouterr().out
    (place / "model" / "extra.py").write_text("import os")
    assert run(["seal", "check", "model"]) == 1
    assert "extra.py: nobody signed it" in capsys.readouterr().out
    assert run(["seal", "check", "model", "--allow-extra"]) == 0
    assert "allowed though nobody signed it: extra.py" in capsys.readouterr().out
    (place / "model" / "MLmodel").write_text("other")
    assert run(["seal", "check", "model", "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["status"], said["changed"], said["extra"]) == ("broken", ["MLmodel"], ["extra.py"])


def test_a_bundle_of_the_openssf_form(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["seal", "sign", "model", "--form", "openssf", "--save", "m.sig"]
    assert run(words) == 2
    assert "HF-SEA-020" in capsys.readouterr().err
    assert run([*words, "--key", "k.pem"]) == 0
    assert json.loads((place / "m.sig").read_text())["mediaType"].startswith("application/vnd.dev.sigstore.bundle")
    check = ["seal", "check", "model", "--signature", "m.sig"]
    assert run([*check, "--key", "k.pub"]) == 0
    capsys.readouterr()
    assert run(check) == 3
    assert "k.pub verifies it, but a key that comes with the files proves nothing" in capsys.readouterr().out
    assert run(["seal", "show", "m.sig"]) == 0
    assert "no trusted key" in capsys.readouterr().out


def test_the_ledger_says_what_was_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from holdfast.core.store import Store

    assert run(["seal", "sign", "model", "--dry-run"]) == 0
    assert not (place / "model.sig").exists()
    assert run(["seal", "sign", "model", "--key", "k.pem", "--format", "json"]) == 0
    made = json.loads(capsys.readouterr().out.split("\n", 2)[2])["signatures"][0]
    with Store.open(None, place / "home") as store, store.transaction() as tx:
        assert [kind for kind, _ in tx.intents.about(made["statement"])] == ["files.signed"]


def test_a_key_alone_signs_without_an_installation(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_HOME")
    SigningKey.generate().save(place / "ed.pem")
    SigningKey.load(place / "ed.pem").public.save(place / "ed.pub")
    assert run(["seal", "sign", "model", "--key", "ed.pem"]) == 0
    assert run(["seal", "check", "model", "--key", "ed.pub"]) == 0
    assert run(["seal", "check", "model"]) == 3
    assert not (place / "home").exists()


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["check", "model"], 1, "HF-SEA-021"),
        (["sign", "nothing"], 1, "HF-SIG-010"),
        (["sign", "model", "k.pem", "--save", "x.sig"], 2, "HF-USE-003"),
        (["sign", "model", "--key", "k.pub"], 1, "HF-SIG-00"),
        (["sign", "model", "--ignore", "../x"], 2, "HF-SEA-020"),
        (["sign", "model", "--form", "pgp"], 2, "HF-USE-00"),
        (["check"], 2, "HF-USE-00"),
    ],
)
def test_mistakes_are_answered(
    words: list[str], status: int, code: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["seal", *words]) == status
    said = capsys.readouterr()
    assert code in said.err
    assert said.out == ""


def test_with_a_key_at_hand_no_settings_are_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer to read than most models to hash; both commands are for jobs that call them often."""
    monkeypatch.delenv("HOLDFAST_HOME")
    for words in (["sign", "model", "--key", "k.pem"], ["check", "model", "--key", "k.pub"]):
        code = f"import sys; from holdfast.cli.main import run; code = run(['seal', *{words!r}])"
        code += "; sys.exit(code or 9 * ('pydantic_settings' in sys.modules))"
        assert subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_names_cannot_act_on_the_terminal(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["seal", "sign", "model"]) == 0
    (place / "model" / "a\x1b[2Jb").write_text("x")
    capsys.readouterr()
    assert run(["seal", "check", "model"]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "a\\x1b[2Jb: nobody signed it" in said


def test_progress_moves_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("holdfast.cli.seal_progress.EVERY_S", 0.0)
    for moving in (True, False):
        monkeypatch.setattr(Terminal, "animated", property(lambda _, moving=moving: moving))
        with FilesLine(Terminal()) as line:
            line(1, 3, 500_000_000, 2_000_000_000)
        said = capsys.readouterr().err
        assert ("1 of 3 files, 0.50 of 2.00 GB" in said) is moving
        assert said.endswith("\033[K") is moving
