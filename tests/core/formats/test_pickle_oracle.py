"""What CPython would look up, we report or refuse: benign streams exactly, damaged streams at least."""

from __future__ import annotations

import collections
import csv
import datetime
import decimal
import fractions
import io
import json
import pickle
import random
import subprocess
import sys
import uuid
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from holdfast.core.formats.buffers import Window
from holdfast.core.formats.containers import inflate
from holdfast.core.formats.pickle import read_pickles
from holdfast.core.formats.sniff import compression_of, sniff_window

RECORDER = Path(__file__).with_name("recording_unpickler.py")
SEED = 20260105


def recorded(cases: list[tuple[bytes, bool]]) -> list[list[set[str]]]:
    """The names each of CPython's unpicklers looks up for each case, dotted."""
    lines = "".join(json.dumps({"data": data.hex(), "joblib": is_joblib}) + "\n" for data, is_joblib in cases)
    done = subprocess.run([sys.executable, str(RECORDER)], input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return [[{".".join(name) for name in names} for names in answer] for answer in answers]


def reported(data: bytes) -> set[str]:
    """The names we report, as they are written in the stream."""
    imports = [fact for fact in read_pickles(data).facts if fact.kind == "import"]
    return {(fact.detail or f"written {fact.value}").removeprefix("written ") for fact in imports}


def models() -> dict[str, object]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y", None] * 20, "t": pd.date_range("2026", periods=60, tz="UTC")})
    encoder = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["b"]))
    return {
        "forest": RandomForestClassifier(3, random_state=0).fit(X, y),
        "histogram": HistGradientBoostingClassifier(max_iter=3).fit(X, y),
        "pipeline": make_pipeline(FunctionTransformer(np.log1p), SelectKBest(k=2), LogisticRegression()).fit(
            np.abs(X), y
        ),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(X, y),
        "columns": encoder.fit(frame[["a", "b"]]),
        "frame": frame.astype({"b": "category"}),
        "series": pd.Series([1, None, 3], dtype="Int64"),
        "generators": [np.random.RandomState(0), np.random.default_rng(0)],
        "values": [
            decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=5), datetime.date(2026, 1, 5),
            collections.Counter("abc"), collections.defaultdict(list, a=[1]), range(3), {1, 2}, b"\xff" * 9, 2**70,
        ],
    }  # fmt: skip


def boosters() -> dict[str, object]:
    lightgbm, xgboost = pytest.importorskip("lightgbm"), pytest.importorskip("xgboost")
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    return {
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y),
        "xgboost": xgboost.XGBClassifier(n_estimators=2).fit(X, y),
    }


def test_generated_models_exactly():
    streams = [
        pickle.dumps(value, protocol)
        for value in (models() | boosters()).values()
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for data, (fast, slow) in zip(streams, recorded([(data, False) for data in streams]), strict=True):
        assert fast == slow == reported(data)


def test_generated_joblib_files_exactly():
    streams = []
    for value in (models() | boosters()).values():
        file = io.BytesIO()
        joblib.dump(value, file)
        streams.append(file.getvalue())
    for data, (names,) in zip(streams, recorded([(data, True) for data in streams]), strict=True):
        assert names == reported(data)


@pytest.mark.shared
def test_benign_files_of_the_corpus_exactly(shared):
    folder = shared / "corpus" / "artifacts"
    with (folder / "labels.csv").open() as file:
        paths = [folder / row["path"] for row in csv.DictReader(file) if row["label"] == "benign"]
    cases = [case for path in paths for case in _pickles(path)]
    assert len(cases) > 200
    for (data, _), answers in zip(cases, recorded(cases), strict=True):
        assert all(names == reported(data) for names in answers)


def _pickles(path: Path) -> list[tuple[bytes, bool]]:
    """The file as a pickle, unpacked where joblib compressed it; empty where it is none."""
    data = path.read_bytes()
    kind = sniff_window(Window.whole(data))
    if kind not in ("pickle", "joblib"):
        return []
    packed = compression_of(Window.whole(data))
    return [(inflate(Window.whole(data), packed, 1 << 28).data if packed else data, kind == "joblib")]


HOSTILE = [
    b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
    b"cos\nsystem\n(S'id'\ntR.",
    b"(S'id'\nios\nsystem\n.",
    b"\x80\x02]q\x00(cbuiltins\neval\nq\x01X\x01\x00\x00\x001q\x02\x85q\x03Rq\x04e.",
    b"\x80\x04\x8c\x02os\x94\x8c\x05posix\x94\x8c\x06system\x94h\x00h\x02\x93h\x01h\x02\x93\x86.",
]


def mutations(seeds: list[bytes], count: int) -> list[bytes]:
    """Seeded damage: bytes changed, cut, doubled, moved between streams."""
    rng = random.Random(SEED)
    opcodes = bytes(range(0x28, 0x99))
    made = []
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(5):
                case 0:
                    data[at : at + 1] = bytes([rng.choice(opcodes)])
                case 1:
                    data[at:at] = bytes([rng.choice(opcodes)])
                case 2:
                    del data[at : at + rng.randint(1, 8)]
                case 3:
                    donor = rng.choice(seeds)
                    start = rng.randrange(len(donor))
                    data[at:at] = donor[start : start + rng.randint(1, 40)]
                case _:
                    data[at : at + 1] = bytes([rng.randrange(256)])
        made.append(bytes(data))
    return made


def test_damaged_streams_never_hide_a_name():
    plain = [{"a": [1, "x", (2.5, None)]}, collections.OrderedDict(b=2), fractions.Fraction(1, 3), {1, 2}, b"\x00" * 40]
    seeds = [pickle.dumps(value, protocol) for value in plain for protocol in range(6)] + HOSTILE * 6
    cases = mutations(seeds, 6_000)
    looked_up = 0
    for data, answers in zip(cases, recorded([(data, False) for data in cases]), strict=True):
        ours, reading = reported(data), read_pickles(data)
        odd = [fact for fact in reading.facts if fact.kind not in ("import", "call", "construct", "argument")]
        for names in answers:
            looked_up += len(names)
            assert names <= ours or odd, data
    assert looked_up > 2_000
