"""`estate init`: the first files follow from the data and the model, and lead to a manifest that loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bank
from holdfast.core.contract import Contract
from holdfast.core.errors import ConfigError, DataError
from holdfast.estate.draft import Wish, draft
from holdfast.estate.manifest import Manifest


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    parts = bank.write(tmp_path)
    bank.train(parts, rounds=2)
    assert parts.train is not None
    return Wish(tmp_path / "repo", parts.train, parts.artifact, "y", parts.test)


def with_ids(wish: Wish) -> Wish:
    """The same training data with a numeric id in front and a text behind."""
    columns = bank.rows(500, 1)
    ids = {"id": np.arange(500) + 2**40}
    path = wish.data.with_name("ids.parquet")
    pq.write_table(pa.table(ids | columns | {"note": [f"call {n}" for n in range(500)]}), path)
    return replace(wish, data=path, test=None)


def test_what_is_written_loads_and_holds_on_the_data(wish: Wish) -> None:
    made = draft(wish)
    made.write()
    manifest = Manifest.load(wish.folder / "holdfast.yaml")
    (subject,) = manifest.subjects
    assert subject.part("artifact") == wish.model
    contract = Contract.load(wish.folder / "contract.yaml")
    columns = bank.rows(3000, 1)
    del columns["y"]
    assert contract.names == tuple(columns)
    assert contract.validate(contract.encode(columns)).all
    assert "review: inferred" in (wish.folder / "contract.yaml").read_text()
    assert "left" in " ".join(made.files[wish.folder / "contract.yaml"].split("relations")[-1:]) or any(
        feature.derived for feature in contract.features
    )


def test_nothing_is_overwritten_unless_forced(wish: Wish) -> None:
    made = draft(wish)
    made.write()
    (wish.folder / "contract.yaml").write_text("# reviewed\n")
    with pytest.raises(ConfigError, match="HF-CFG-009"):
        made.write()
    assert (wish.folder / "contract.yaml").read_text() == "# reviewed\n"
    made.write(force=True)
    assert "version: 1" in (wish.folder / "contract.yaml").read_text()


def test_columns_the_model_does_not_know_are_dropped(wish: Wish) -> None:
    made = draft(with_ids(wish))
    made.write()
    (subject,) = Manifest.load(wish.folder / "holdfast.yaml").subjects
    assert subject.entry.data is not None
    assert set(subject.entry.data.drop) == {"id", "note"}
    assert any("the model does not use them: id, note" in note for note in made.notes)
    assert any("no --test data" in note for note in made.notes)


def test_a_wrong_label_and_wrong_data_are_named(wish: Wish, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="HF-DAT-020") as caught:
        draft(replace(wish, label="Y"))
    assert "'y'" in caught.value.fix or "y" in caught.value.cause
    columns = bank.rows(50, 1)
    del columns["spent"]
    pq.write_table(pa.table(columns), tmp_path / "less.parquet")
    with pytest.raises(DataError, match="HF-DAT-022") as caught:
        draft(replace(wish, data=tmp_path / "less.parquet"))
    assert "spent" in caught.value.cause
    with pytest.raises(DataError, match="HF-DAT-021"):
        draft(replace(wish, data=_with_text_label(tmp_path)))
    with pytest.raises(ConfigError, match="HF-CFG-006"):
        draft(replace(wish, model=tmp_path / "gone.ubj"))


def _with_text_label(folder: Path) -> Path:
    columns = bank.rows(50, 1)
    pq.write_table(pa.table(columns | {"y": ["yes" if y else "no" for y in columns["y"]]}), folder / "text.parquet")
    return folder / "text.parquet"
