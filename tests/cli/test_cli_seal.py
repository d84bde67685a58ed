"""`holdfast seal` from the command line, and the gate that asks for what training signed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bank
from holdfast.cli.main import run
from holdfast.core.errors import SignatureError
from holdfast.core.sign import SigningKey, dsse_sign
from holdfast.seal import apart, training
from holdfast.seal.observe import read_file

MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: o@bank.example
    tier: low
    purpose: p
    artifact: model.json
    data: {train: train.parquet, label: y}
    policy: policy.yaml
"""
POLICY = """\
version: 1
id: sealed
required: {any: [scan.artifact, training.attestation]}
rules:
  - id: trained-from-sealed-data
    on: fact
    kind: training.attestation
    check: training.attestation
    deny: [absent, broken, untrusted]
    allow: [attested]
    technique: AML.T0020
    severity: high
cases:
  - {rule: trained-from-sealed-data, given: {training.attestation: broken}, expect: failed}
  - {rule: trained-from-sealed-data, given: {training.attestation: attested}, expect: passed}
"""


@pytest.fixture
def place(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A process for each altered file takes a second to start; tests/seal does it.
    monkeypatch.setattr(apart, "read_apart", read_file)
    bank.write(workplace, n=400)
    (workplace / "holdfast.yaml").write_text(MANIFEST)
    (workplace / "policy.yaml").write_text(POLICY)
    (workplace / "model.json").write_bytes(b"{}")
    return workplace


def change(path: Path, column: str = "paid", row: int = 7) -> None:
    table = pq.read_table(path).to_pydict()
    table[column][row] += 1
    pq.write_table(pa.table(table), path)


def test_a_data_set_from_its_seal_to_its_next_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["seal", "make", "train.parquet", "test.parquet"]) == 0
    assert "train.parquet sealed: 400 rows in 1 file" in capsys.readouterr().out
    assert run(["seal", "verify", "train.parquet"]) == 0
    assert capsys.readouterr().out.startswith("ok\n")
    assert run(["seal", "show", "train.parquet"]) == 0
    assert "400 rows, root sha256:" in capsys.readouterr().out
    change(place / "train.parquet")
    assert run(["seal", "verify", "train.parquet", "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["problems"] == ["train.parquet: the column 'paid' changed", "train.parquet: row changed: 7"]
    assert said["changes"]["changed"][0]["rows"]["changed"] == {"count": 1, "first": [7]}
    assert run(["seal", "make", "train.parquet"]) == 2
    assert "HF-SEA-005" in capsys.readouterr().err
    assert run(["seal", "make", "train.parquet", "--replace", "--by", "corrected", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["seals"][0]["parents"][0]["by"] == "corrected"
    assert run(["seal", "diff", "train.parquet", "--label", "y"]) == 1
    assert "1 new rows: no sign of poisoning seen" in capsys.readouterr().out
    assert run(["seal", "diff", "train.parquet.seal.json", "train.parquet"]) == 0
    assert capsys.readouterr().out.endswith("the same\n")
    assert run(["ledger", "show", "--format", "json"]) == 0
    kinds = [entry["kind"] for entry in json.loads(capsys.readouterr().out)["entries"]]
    assert kinds == ["data.sealed"] * 3


def test_a_row_is_proven_and_verified(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["seal", "make", "train.parquet"]) == 0
    assert run(["seal", "prove", "train.parquet", "7", "--save", "row.json"]) == 0
    capsys.readouterr()
    check = ["seal", "verify", "--proof", "row.json", "--seal", "train.parquet.seal.json"]
    assert run(check) == 0
    assert "row 7 of train.parquet is under the seal" in capsys.readouterr().out
    SigningKey.generate().public.save(place / "other.pub")
    assert run([*check, "--key", "other.pub"]) == 3
    (place / "row.json").write_text((place / "row.json").read_text().replace('"row": 7', '"row": 8'))
    assert run([*check, "--format", "json"]) == 1
    assert run(["seal", "prove", "train.parquet", "400"]) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["verify", "train.parquet"], "HF-SEA-001"),
        (["show", "train.parquet"], "HF-SEA-001"),
        (["diff", "train.parquet"], "HF-SEA-001"),
        (["prove", "train.parquet", "0"], "HF-SEA-001"),
        (["make", "nothing.parquet"], "HF-SIG-010"),
        (["make", "train.parquet", "--parent", "holdfast.yaml", "--by", "x"], "HF-SEA-002"),
        (["make", "train.parquet", "test.parquet", "--save", "x.seal.json"], "HF-USE-003"),
        (["verify"], "HF-USE-00"),
        (["verify", "--proof", "row.json"], "HF-USE-00"),
    ],
)
def test_mistakes_are_answered(words: list[str], code: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["seal", *words]) in (1, 2)
    said = capsys.readouterr()
    assert code in said.err
    assert said.out == ""


def gate(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = run(["gate", "--depth", "quick", "--workers", "1"])
    return code, capsys.readouterr().out


def test_the_gate_asks_for_what_training_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way: seal, train, pass; a changed byte stops training, a changed model or a strange key the gate."""
    xgboost = pytest.importorskip("xgboost")
    estimator = xgboost.XGBClassifier(n_estimators=3, n_jobs=1)
    (place / "model.json").unlink()
    assert run(["seal", "make", "train.parquet"]) == 0, "before there is a model"
    with training("train.parquet", label="y") as session:
        session.save(session.fit(estimator), "model.json")
    code, said = gate(capsys)
    assert code == 0, said
    data = (place / "train.parquet").read_bytes()
    change(place / "train.parquet")
    with pytest.raises(SignatureError, match="not what was sealed"), training("train.parquet", label="y"):
        pytest.fail("it started")
    (place / "train.parquet").write_bytes(data)
    model = (place / "model.json").read_bytes()
    (place / "model.json").write_bytes(model.replace(b"{", b"{ ", 1))
    code, said = gate(capsys)
    assert code == 1
    assert "training.attestation is broken" in said
    with training("train.parquet", label="y") as session:
        session.save(session.fit(estimator), "model.json")
    envelope = json.loads((place / "model.json.training.json").read_bytes())
    signed = dsse_sign(envelope["payloadType"], base64.b64decode(envelope["payload"]), SigningKey.generate())
    (place / "model.json.training.json").write_bytes(signed.to_json())
    code, said = gate(capsys)
    assert code == 1
    assert "training.attestation is untrusted" in said
