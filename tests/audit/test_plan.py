"""Observation keys: every input changes exactly the keys of the checks that read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.audit import plan as plan_module
from holdfast.audit.interface import CHECKS
from holdfast.audit.plan import applies, plan
from holdfast.audit.target import EndpointParts, LicenceParts, OriginParts, Parts, SignatureParts
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.model import Harm, Model, Task
from holdfast.core.domain.severity import Tier

HASHES = {role: f"sha256:{role}" for role in ("artifact", "train", "test", "contract", "lock", "report 1")}
PARTS = Parts(
    Model("m", "u", "eu", "o", Tier.HIGH, "p", Task("binary")),
    Path("model.ubj"),
    "xgboost-ubj",
    train=Path("train.parquet"),
    test=Path("test.parquet"),
    label="y",
    contract=Path("contract.yaml"),
    lock=Path("requirements.lock"),
    endpoint=EndpointParts("https://models.bank.example/m", "json", "TOKEN"),
    reports=(Path("semgrep.sarif"),),
    licences=LicenceParts(Path(".venv"), "sha256:l"),
)
RUNS_THE_MODEL = {"evasion.gradient", "evasion.search", "quality.performance"}
READS_DATA = {"data.contract", "data.profile", *RUNS_THE_MODEL}
READS_CONTRACT = {"data.contract", "endpoint.hygiene", "evasion.gradient", "evasion.search"}


def libraries(_: Path | None) -> Mapping[str, str]:
    return {"xgboost": "3.2.0"}


def keys(
    parts: Parts = PARTS, hashes: Mapping[str, str] = HASHES, seed: int = 0, depth: Depth = Depth.QUICK
) -> dict[str, str]:
    return {work.check: work.key for work in plan(parts, hashes, libraries, seed=seed, depth=depth)}


def changed(after: Mapping[str, str]) -> set[str]:
    before = keys()
    assert before.keys() == after.keys()
    return {check for check in before if before[check] != after[check]}


def test_every_shipped_check_is_planned_for_a_whole_model() -> None:
    assert set(keys(depth=Depth.FULL)) == {check for check, _ in CHECKS}


def test_a_quick_audit_leaves_out_what_takes_long_and_changes_no_key() -> None:
    quick, full = keys(depth=Depth.QUICK), keys(depth=Depth.FULL)
    assert quick.items() <= full.items()
    assert full.keys() - quick.keys() == {name for name, check in CHECKS if check.depth is Depth.FULL}


@pytest.mark.parametrize(
    ("role", "checks"),
    [
        ("artifact", {"scan.artifact", "scan.signature", "training.attestation", *RUNS_THE_MODEL}),
        ("train", READS_DATA),
        ("test", READS_DATA),
        ("contract", READS_CONTRACT),
        ("lock", {"deps.advisories", "deps.licences"}),
        ("report 1", {"scan.reports"}),
    ],
)
def test_a_changed_part_re_runs_exactly_the_checks_that_read_it(role: str, checks: set[str]) -> None:
    assert changed(keys(hashes=HASHES | {role: "sha256:other"})) == checks


def test_the_task_the_label_the_runtime_and_the_seed_are_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    other_task = replace(PARTS, model=replace(PARTS.model, task=Task("binary", 1, Harm(1, 0), 0.4)))
    assert changed(keys(other_task)) == RUNS_THE_MODEL
    assert changed(keys(replace(PARTS, label="z"))) == READS_DATA
    assert changed(keys(seed=1)) == {"evasion.gradient", "evasion.search"}
    after = {w.check: w.key for w in plan(PARTS, HASHES, lambda _: {"xgboost": "3.3.0"}, seed=0, depth=Depth.QUICK)}
    assert changed(after) == RUNS_THE_MODEL
    assert changed(keys(replace(PARTS, isolation="full"))) == RUNS_THE_MODEL
    before = keys()
    monkeypatch.setattr(plan_module, "_own_libraries", lambda: (("numpy", "9"),))
    assert not set(keys().values()) & set(before.values())


def test_a_new_period_measures_everything_anew() -> None:
    first, second = keys(replace(PARTS, period=7)), keys(replace(PARTS, period=8))
    assert not set(first.values()) & set(second.values())
    assert keys(replace(PARTS, period=7)) == first


def test_what_is_stated_of_licences_is_an_input_and_not_where() -> None:
    assert changed(keys(replace(PARTS, licences=LicenceParts(Path(".venv"), "sha256:other")))) == {"deps.licences"}
    assert changed(keys(replace(PARTS, licences=LicenceParts(Path("wheels"), "sha256:l")))) == set()
    assert "deps.licences" not in keys(replace(PARTS, licences=None))


def test_names_and_owners_are_no_inputs() -> None:
    renamed = replace(PARTS, model=replace(PARTS.model, name="n", owner="x", tier=Tier.LOW))
    assert changed(keys(renamed)) == set()


def test_the_code_is_an_input(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys()
    monkeypatch.setattr(plan_module, "code_digest", lambda module: f"sha256:{module}:changed")
    assert not set(keys().values()) & set(before.values())


def test_a_check_without_its_inputs_is_not_planned() -> None:
    bare = Parts(PARTS.model, Path("model.ubj"), "xgboost-ubj")
    assert set(keys(bare, {"artifact": "sha256:a"})) == {"scan.artifact", "scan.signature", "training.attestation"}
    assert "evasion.search" not in keys(replace(PARTS, contract=None))


def test_a_check_for_trees_does_not_apply_to_an_opaque_model() -> None:
    assert applies("evasion.search", ["tree"])
    assert not applies("evasion.search", ["opaque"])
    assert applies("scan.artifact", [])


@pytest.mark.parametrize(
    "changed",
    [
        replace(PARTS, live_period=2),
        replace(PARTS, endpoint=EndpointParts("https://models.bank.example/n", "json", "TOKEN")),
        replace(PARTS, endpoint=EndpointParts("https://models.bank.example/m", "open-inference-v2", "TOKEN")),
        replace(PARTS, endpoint=EndpointParts("https://models.bank.example/m", "json")),
    ],
)
def test_only_the_checks_of_an_endpoint_know_its_address_and_age(changed: Parts) -> None:
    before, after = keys(), keys(changed)
    assert {check for check in before if before[check] != after[check]} == {"endpoint.hygiene"}


SIGNED = OriginParts(((Path("model.ubj.training.json"), "sha256:s"),), ("aa",), "sha256:artifact", "sha256:train", None)


@pytest.mark.parametrize(
    "other",
    [
        None,
        replace(SIGNED, statements=((Path("model.ubj.training.json"), "sha256:t"),)),
        replace(SIGNED, statements=()),
        replace(SIGNED, trusted=("aa", "bb")),
        replace(SIGNED, train="sha256:other"),
        replace(SIGNED, lock="sha256:other"),
    ],
)
def test_what_was_signed_and_whose_word_counts_are_inputs_of_the_attestation_alone(other: OriginParts | None) -> None:
    before, after = keys(replace(PARTS, origin=SIGNED)), keys(replace(PARTS, origin=other))
    assert {check for check in before if before[check] != after[check]} == {"training.attestation"}


@pytest.mark.parametrize(
    "other",
    [
        None,
        SignatureParts(Path("model.sig"), "sha256:other", ("pem",), "sha256:artifact"),
        SignatureParts(Path("model.sig"), "sha256:s", ("other pem",), "sha256:artifact"),
    ],
)
def test_a_signature_and_the_keys_that_count_are_inputs_of_its_check_alone(other: SignatureParts | None) -> None:
    named = SignatureParts(Path("model.sig"), "sha256:s", ("pem",), "sha256:artifact")
    before, after = keys(replace(PARTS, signature=named)), keys(replace(PARTS, signature=other))
    assert {check for check in before if before[check] != after[check]} == {"scan.signature"}


def test_the_name_of_the_token_is_no_part_of_a_key() -> None:
    other = replace(PARTS, endpoint=EndpointParts("https://models.bank.example/m", "json", "OTHER"))
    assert keys(other) == keys()
