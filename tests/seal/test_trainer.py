"""Training from sealed data: refused when a byte changed, recorded and signed when not; with the real libraries."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.core.domain import FrozenClock, from_iso
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.errors import ConfigError, DataError, SignatureError, UsageError
from holdfast.core.sign import PAYLOAD_TYPE, Provenance, SigningKey, Statement, dsse_verify
from holdfast.core.store import Store
from holdfast.seal import Training, training
from holdfast.seal.making import make
from holdfast.seal.parameters import plain

from .conftest import columns, write


def read(path: Path, key: SigningKey) -> Provenance:
    return Provenance.of(Statement.parse(dsse_verify(path.read_bytes(), key.public, PAYLOAD_TYPE)))


def begin(data: Path, key: SigningKey, **options: Any) -> Training:
    return training(data, label="y", drop=["city"], key=key, trusted=[key.public], **options)


class Mean:
    """An estimator of nobody's library."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift, self.random_state = shift, None
        self.seen: tuple[Any, Any] | None = None

    def get_params(self) -> dict[str, Any]:
        return {"shift": self.shift, "random_state": self.random_state, "hook": len}

    def set_params(self, **params: Any) -> None:
        self.__dict__.update(params)

    def fit(self, X: Any, y: Any, **_: Any) -> None:
        self.seen = X, y

    def save_model(self, path: str) -> None:
        Path(path).write_text(str(self.shift))


def test_everything_that_led_to_the_model_is_signed(data: Path, key: SigningKey, tmp_path: Path) -> None:
    seal = make(data, key).signed.seal
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
    clock = FrozenClock(from_iso("2026-01-05T09:00:00Z"))
    with begin(data, key, seed=7, lock="requirements.lock", clock=clock) as run:
        model = run.fit(Mean(2.0), columns=["b", "a"], sample_weight=None)
        clock.advance(timedelta(minutes=5))
        run.record({"depth": 6}, note="first")
        written = run.save(model, "model.bin")
    assert np.array_equal(model.seen[0], np.column_stack([columns()["b"], columns()["a"]]))
    assert np.array_equal(model.seen[1], columns()["y"])
    made = read(written, key)
    assert made.subjects[0].name == "model.bin"
    assert f"sha256:{made.subjects[0].sha256}" == digest_bytes(Path("model.bin").read_bytes())
    assert made.external["seed"] == 7
    assert made.external["columns"] == ["b", "a"]
    said = made.external["parameters"]
    assert said["estimator"].endswith("Mean")
    assert said["parameters"] == {"shift": 2.0, "random_state": 7, "hook": "builtins.len"}
    assert (said["depth"], said["note"]) == (6, "first")
    train, lock = made.materials
    assert (train.digest, train.notes["seal"]) == (seal.data.files[0].digest, seal.digest)
    assert (lock.name, lock.notes) == ("requirements.lock", {"role": "lock"})
    assert made.finished_at - made.started_at == timedelta(minutes=5)  # type: ignore[operator]
    assert made.internal["code"]["state"] == "none" or len(made.internal["code"]["commit"]) == 40
    assert "numpy" in made.internal["libraries"]


@pytest.mark.parametrize("place", range(0, 2000, 97))
def test_training_does_not_start_when_a_byte_changed(place: int, data: Path, key: SigningKey) -> None:
    make(data, key)
    whole = bytearray(data.read_bytes())
    whole[place % len(whole)] ^= 4
    data.write_bytes(whole)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("holdfast.seal.apart.read_apart", lambda path, seen, name: _unread(seen, name))
        with pytest.raises(SignatureError, match=r"train\.parquet is not what was sealed") as caught, begin(data, key):
            pytest.fail("it started")
    assert caught.value.code == "HF-SEA-003"


def _unread(seen: Any, name: str) -> Any:
    from holdfast.core.data.seal import SealedFile

    return SealedFile(name, seen.digest, seen.bytes, None, "not looked at"), None


def test_the_refusal_names_column_and_row(data: Path, key: SigningKey) -> None:
    make(data, key)
    table = columns()
    table["y"][41] = 1 - table["y"][41]
    write(data, table)
    with pytest.raises(SignatureError) as caught, begin(data, key):
        pytest.fail("it started")
    assert "the column 'y' changed" in caught.value.cause
    assert "row changed: 41" in caught.value.cause


def test_no_seal_or_nobodys_seal_is_refused(data: Path, key: SigningKey) -> None:
    with pytest.raises(DataError) as caught, begin(data, key):
        pytest.fail("it started")
    assert caught.value.code == "HF-SEA-001"
    make(data, SigningKey.generate())
    with pytest.raises(SignatureError) as refused, begin(data, key):
        pytest.fail("it started")
    assert refused.value.code == "HF-SEA-004"


def test_data_that_changes_under_the_run_gets_no_attestation(data: Path, key: SigningKey, tmp_path: Path) -> None:
    make(data, key)
    with begin(data, key) as run:
        model = run.fit(Mean())
        write(data, columns(seed=2))
        with pytest.raises(SignatureError) as caught:
            run.save(model, "model.bin")
    assert caught.value.code == "HF-SEA-003"
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(("model", ".training"))]


def test_values_that_are_swapped_after_the_bytes_were_looked_at_are_refused(data: Path, key: SigningKey) -> None:
    make(data, key)
    with begin(data, key) as run:
        table = columns()
        table["a"][0] += 1
        write(data, table)
        with pytest.raises(SignatureError, match="not what was sealed") as caught:
            _ = run.X
    assert "'a'" in caught.value.cause


def test_a_folder_gives_its_tables_and_its_files(tmp_path: Path, key: SigningKey) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder / "june.parquet", columns())
    write(folder / "july.parquet", columns(seed=2))
    (folder / "vocabulary.txt.gz").write_bytes(b"words")
    make(folder, key)
    with training(folder, label="y", key=key, trusted=[key.public]) as run:
        with pytest.raises(UsageError) as caught:
            _ = run.table
        assert caught.value.code == "HF-SEA-014"
        assert run.read_table("july.parquet").n_rows == 60
        assert run.read_bytes("vocabulary.txt.gz") == b"words"
        (folder / "vocabulary.txt.gz").write_bytes(b"Words")
        with pytest.raises(SignatureError):
            run.read_bytes("vocabulary.txt.gz")


def test_misuse_is_answered(data: Path, key: SigningKey) -> None:
    make(data, key)
    with pytest.raises(UsageError) as unnamed:
        training(key=key)
    assert unnamed.value.code == "HF-SEA-017"
    run = begin(data, key)
    for act in (lambda: run.table, lambda: run.record(a=1), lambda: run.attest("model.bin")):
        with pytest.raises(UsageError):
            act()
    with training(data, key=key, trusted=[key.public]) as other:
        with pytest.raises(UsageError, match="cannot do this"):
            _ = other.y
        with pytest.raises(DataError) as texts:
            _ = other.X
        assert texts.value.code == "HF-SEA-016"
        assert list(other.frame(["city", "a"]).columns) == ["city", "a"]
        with pytest.raises(UsageError) as unsaved:
            other.save(object(), "model.bin")
        assert unsaved.value.code == "HF-SEA-015"
    with pytest.raises(ConfigError) as keyless:
        training(data)
    assert keyless.value.code == "HF-SEA-013"


def test_a_state_folder_gives_the_keys_and_keeps_the_record(data: Path, tmp_path: Path) -> None:
    from holdfast.core.sign import own_key

    home = tmp_path / "state"
    own = own_key(home)
    make(data, own)
    with training(data, label="y", drop=["city"], home=home) as run:
        run.save(run.fit(Mean()), "model.bin")
    assert read(tmp_path / "model.bin.training.json", own).invocation == run.id
    with Store.open(None, home) as store, store.reading() as tx:
        assert [kind for kind, _ in tx.intents.about(run.id)] == ["model.trained"]


def test_uncommitted_code_is_said(data: Path, key: SigningKey, tmp_path: Path) -> None:
    from holdfast.seal.code import code_at

    script = tmp_path / "train.py"
    script.write_text("1")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e"]
    for words in (["init", "-q"], ["add", "train.py"], ["commit", "-qm", "m"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    assert code_at(tmp_path, script).state == "clean"
    (tmp_path / "new.py").write_text("2")
    assert code_at(tmp_path, tmp_path / "new.py").dirty == ("new.py (not committed)",)
    script.write_text("3")
    assert code_at(tmp_path, script).dirty == ("train.py",)
    assert code_at(Path("/")).state == "none"


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "sklearn", "xgboost booster"])
def test_the_real_libraries_train_and_save_through_a_run(library: str, data: Path, key: SigningKey) -> None:
    make(data, key)
    with begin(data, key, seed=3) as run:
        model, name = fitted(library, run)
        attested = run.save(model, name)
    assert f"sha256:{read(attested, key).subjects[0].sha256}" == digest_bytes(Path(name).read_bytes())
    assert read(attested, key).external["parameters"]


def fitted(library: str, run: Training) -> tuple[Any, str]:
    if library == "sklearn":
        linear = pytest.importorskip("sklearn.linear_model")
        return run.fit(linear.LogisticRegression(max_iter=50)), "model.joblib"
    if library == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        return run.fit(lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1, min_child_samples=2)), "model.txt"
    xgboost = pytest.importorskip("xgboost")
    if library == "xgboost":
        return run.fit(xgboost.XGBClassifier(n_estimators=3, n_jobs=1)), "model.json"
    params = {"max_depth": 3, "seed": run.seed, "nthread": 1, "objective": "binary:logistic"}
    run.record(params, rounds=3)
    return xgboost.train(params, xgboost.DMatrix(run.X, run.y), 3), "model.ubj"


def test_a_torch_loop_is_attested(data: Path, key: SigningKey) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    make(data, key)
    with begin(data, key, seed=3) as run:
        torch.manual_seed(run.seed)
        net = torch.nn.Linear(2, 1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        step = torch.optim.SGD(net.parameters(), lr=0.01)
        loss(net(torch.tensor(run.X, dtype=torch.float32))[:, 0], torch.tensor(run.y, dtype=torch.float32)).backward()
        step.step()
        run.record(optimiser="SGD", rate=0.01, epochs=1)
        attested = run.save(net, "net.pt")
    assert read(attested, key).external["parameters"]["rate"] == 0.01
    assert Path("net.pt").stat().st_size > 100


def test_parameters_are_plain_and_bounded() -> None:
    deep: list[Any] = []
    deep.append(deep)
    value = {"a": np.float64(0.5), "n": np.int64(3), "nan": float("nan"), "f": len, "deep": deep, 5: ("x", None, True)}
    said = plain({**value, "long": "x" * 9999, "many": list(range(9999)), "array": np.arange(3)})
    assert (said["a"], said["n"], said["nan"], said["f"], said["5"]) == (
        0.5,
        3,
        "nan",
        "builtins.len",
        ["x", None, True],
    )
    assert len(said["long"]) == 2000
    assert len(said["many"]) == 2000
    assert said["array"] == "numpy.ndarray"
    json.dumps(said)
