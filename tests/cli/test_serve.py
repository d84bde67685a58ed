"""`holdfast serve`: a process of its own that starts, says where it is, and stops cleanly."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from console_estate import PASSWORD, write
from holdfast.cli.main import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path)
    monkeypatch.setenv("HOLDFAST_INTEL", str(tmp_path / "intel.json"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_serves_says_the_first_keys_once_and_stops_cleanly(place: Path) -> None:
    command = [sys.executable, "-m", "holdfast", "serve", "--port", "0"]
    said = []
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("http://"):
                break
        assert httpx.get(lines[-1] + "/healthz", trust_env=False).json() == {"status": "ok"}
        said.append(lines)
        if len(lines) > 1:
            token = next(line for line in lines if line.startswith("token: ")).removeprefix("token: ")
            headers = {"authorization": f"Bearer {token}"}
            assert httpx.get(lines[-1] + "/api/posture", headers=headers, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert rest == ""
        assert "stopped" in errors
        assert "Traceback" not in errors
    assert [line.split(":")[0] for line in said[0]] == ["name", "password", "token", "http"]
    assert len(said[1]) == 1


def test_a_port_in_use_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert run(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "HF-SRV-001" in capsys.readouterr().err


def test_a_network_without_tls_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "HF-SRV-002" in capsys.readouterr().err


def test_a_certificate_that_is_none_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "x.pem").write_text("no certificate")
    options = ["--tls-certificate", "x.pem", "--tls-key", "x.pem"]
    assert run(["serve", "--port", "0", *options]) == 2
    assert "HF-SRV-008" in capsys.readouterr().err


def test_users_and_tokens_are_managed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "password").write_text(PASSWORD + "\n")
    assert run(["serve", "user", "add", "ana", "--role", "lead", "--unit", "cards", "--password-file", "password"]) == 0
    assert run(["serve", "user", "add", "ana", "--role", "lead", "--no-password"]) == 3
    assert "HF-STO-020" in capsys.readouterr().err
    assert run(["serve", "token", "create", "ana", "--scope", "read", "--days", "3"]) == 0
    secret = capsys.readouterr().out.strip().splitlines()[-1]
    assert secret.startswith("hft_")
    assert run(["serve", "token", "list", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema_version"] == 1
    assert said["tokens"][0]["user"] == "ana"
    assert secret not in json.dumps(said)
    assert run(["serve", "token", "revoke", said["tokens"][0]["id"], "--dry-run"]) == 0
    assert run(["serve", "token", "revoke", said["tokens"][0]["id"]]) == 0
    assert run(["serve", "token", "revoke", said["tokens"][0]["id"]]) == 2
    assert "HF-SRV-013" in capsys.readouterr().err
    assert run(["serve", "user", "disable", "ana", "--dry-run"]) == 0
    assert run(["serve", "user", "disable", "ana"]) == 0
    assert run(["serve", "user", "list"]) == 0
    assert "disabled" in capsys.readouterr().out
    assert run(["serve", "user", "disable", "nobody"]) == 2
    assert run(["serve", "token", "create", "nobody", "--scope", "read"]) == 2
