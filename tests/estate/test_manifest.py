"""holdfast.yaml: what is right is read, what is wrong is answered with file, line and the nearest name."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.domain.severity import Tier
from holdfast.core.errors import ConfigError
from holdfast.estate.manifest import Manifest

GOOD = """\
version: 1
models:
  - name: credit-default
    unit: retail-credit
    region: eu
    owner: credit-ml@bank.example
    tier: high
    purpose: Decide limit increases.
    people: {decides_on: true, personal_data: true, automated: false}
    task: {kind: binary, positive: 1, harm: {from: 1, to: 0}, threshold: 0.5}
    artifact: model.ubj
    data: {train: train.parquet, test: test.parquet, label: y, drop: [ID]}
    lock: requirements.lock
    contract: contract.yaml
    endpoint: {url: "https://models.bank.example/infer", protocol: open-inference-v2, auth: {bearer_env: CREDIT_TOKEN}}
    policy: baseline
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.ubj", "train.parquet", "test.parquet", "requirements.lock", "contract.yaml"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def load(folder: Path, text: str) -> Manifest:
    path = folder / "holdfast.yaml"
    path.write_text(text)
    return Manifest.load(path)


def test_a_whole_manifest(folder: Path) -> None:
    (subject,) = load(folder, GOOD).subjects
    assert subject.model.name == "credit-default"
    assert subject.model.tier is Tier.HIGH
    assert subject.model.task.harm.to_class == 0
    assert subject.part("artifact") == folder / "model.ubj"
    assert subject.part("policy") is None
    assert subject.entry.data is not None
    assert subject.entry.data.drop == ("ID",)


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("unit:", "unti:", "HF-CFG-001", "did you mean 'unit'?"),
        ("automated:", "automatd:", "HF-CFG-001", "did you mean 'automated'?"),
        ("bearer_env:", "bearer:", "HF-CFG-001", "did you mean 'bearer_env'?"),
        ("tier: high", "tier: hgh", "HF-CFG-002", "low, medium, high, critical"),
        ("threshold: 0.5", "threshold: 1.5", "HF-CFG-002", "less than 1"),
        ("threshold: 0.5", "threshold: .nan", "HF-CFG-002", "task.threshold"),
        ("to: 0}", "to: 1}", "HF-CFG-002", "one class to another"),
        ("positive: 1", "positive: 99999999999999999999", "HF-CFG-002", "task.positive"),
        ("    region: eu\n", "", "HF-CFG-002", "missing key 'region'"),
        ("version: 1", "version: 2", "HF-CFG-002", "version"),
        ("CREDIT_TOKEN", "s3cret", "HF-CFG-002", "bearer_env"),
        ("name: credit-default", "name: '../up'", "HF-CFG-002", "name"),
        ("model.ubj", "gone.ubj", "HF-CFG-006", "gone.ubj"),
        ("policy: baseline", "policy: my.yaml", "HF-CFG-006", "my.yaml"),
        ("policy: baseline", "runtime: nowhere/python", "HF-CFG-006", "nowhere/python"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, code: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, GOOD.replace(old, new))
    assert caught.value.code == code
    assert says in str(caught.value)


def test_the_line_is_the_line_of_the_fault(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"holdfast\.yaml:7"):
        load(folder, GOOD.replace("tier: high", "tier: none"))


def test_twins_are_refused(folder: Path) -> None:
    again = GOOD + GOOD.split("models:\n")[1]
    with pytest.raises(ConfigError, match="two models are named 'credit-default'"):
        load(folder, again)


def test_select_answers_a_wrong_name_with_the_nearest(folder: Path) -> None:
    manifest = load(folder, GOOD)
    assert manifest.select(("credit-default",)) == manifest.subjects == manifest.select(())
    with pytest.raises(ConfigError) as caught:
        manifest.select(("credit-defalt",))
    assert "did you mean 'credit-default'?" in caught.value.fix


@settings(max_examples=60, deadline=None)
@given(
    key=st.sampled_from(["name", "tier", "task", "data", "artifact", "people", "endpoint", "policy", "owner"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_no_value_gives_anything_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    document = yaml.safe_load(GOOD)
    document["models"][0][key] = value
    with contextlib.suppress(ConfigError):
        load(tmp_path_factory.mktemp("m"), yaml.safe_dump(document, allow_unicode=True))
