"""The bill of materials: valid by the official schema, the same for the same model, and complete only if it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.comply.bom.cyclonedx import to_cyclonedx
from holdfast.comply.bom.material import NO_LOCK, File, Material
from holdfast.core.contract import Contract
from holdfast.core.domain.advisory import Advisory, VersionRange
from holdfast.core.domain.model import Harm, Model, People, Task
from holdfast.core.domain.observation import Measurement
from holdfast.core.domain.severity import Severity, Tier
from holdfast.scan.licences.names import LISTED
from holdfast.scan.licences.sources import Stated
from holdfast.scan.licences.terms import expressed
from holdfast.scan.lockfile import parse_lock

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LATER = datetime(2026, 2, 5, 9, tzinfo=UTC)
CONTRACT = """\
version: 1
subject: null
features:
  limit: {type: integer, min: 500, max: 50000, move: never}
  spent: {type: number, move: up, cost: 1.0}
"""


def material(**changed: Any) -> Material:
    people = People(decides_on=True, personal_data=True, automated=False)
    model = Model(
        "limits", "cards", "eu", "o@bank.example", Tier.HIGH, "Limits.", Task("binary", 1, Harm(1, 0)), people
    )
    made = Material(
        model=model,
        format="xgboost-ubj",
        artifact=File("artifact", "model.ubj", "sha256:" + "a" * 64),
        files=tuple(
            File(role, f"{role}.x", "sha256:" + digit * 64)
            for role, digit in (("train", "b"), ("lock", "c"), ("contract", "d"))
        ),
        lock=parse_lock("numpy==2.4.6\nScikit_Learn==1.9.1\nscikit-learn==1.9.1\n"),
        locked=True,
        label="y",
        features=Contract.parse(CONTRACT).features,
        measurements=(Measurement("evasion.robust_recall", 0.23, "share", at={"linf": 0.005}, n=200, seed=0),),
        undecided=("privacy.membership: too few rows",),
    )
    return replace(made, **changed)


@pytest.fixture
def faults() -> Any:
    validation = pytest.importorskip("cyclonedx.validation.json", reason="needs cyclonedx-python-lib[json-validation]")
    pytest.importorskip("jsonschema", reason="needs cyclonedx-python-lib[json-validation]")
    from cyclonedx.schema import SchemaVersion

    check = validation.JsonStrictValidator(SchemaVersion.V1_6)
    return lambda document: check.validate_str(json.dumps(document))


EVIL = Advisory("MAL-2026-1", "numpy", "steals \u202e keys", Severity.CRITICAL, (VersionRange(),))


def stated(**said: str | None) -> dict[str, Stated]:
    """By package, under the URL it has in `material`."""
    urls = {"numpy": "pkg:pypi/numpy@2.4.6", "sklearn": "pkg:pypi/scikit-learn@1.9.1"}
    return {
        urls[name]: Stated(name, "1", None if text is None else expressed(text), "CycloneDX")
        for name, text in said.items()
    }


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"stated": stated(numpy="BSD-3-Clause", sklearn=None), "licences": ("Apache-2.0",)},
        {"stated": stated(numpy="mit or GPL-2.0+ WITH Classpath-exception-2.0", sklearn="LicenseRef-Own")},
        {"stated": stated(numpy="GPL-2.0+"), "licences": ("llama <3>", "MIT")},
        {"malware": {"pkg:pypi/numpy@2.4.6": (EVIL,)}, "licences": ("MIT AND ISC",)},
        {
            "lock": NO_LOCK,
            "locked": False,
            "files": (),
            "features": (),
            "measurements": (),
            "undecided": (),
            "label": None,
        },
        {"lock": parse_lock('[[package]]\nname = "a b/../\\u202e<x>"\nversion = "1 2?#@"\n[[package]]\nname = "y"\n')},
        {"measurements": (Measurement("m", float("nan"), "u"), Measurement("m", float("inf"), "u"))},
    ],
    ids=["all", "licences", "expressions", "odd licences", "malware", "least", "hostile lock", "no numbers"],
)
def test_it_is_valid_by_the_official_schema(faults: Any, changed: dict[str, Any]) -> None:
    assert faults(to_cyclonedx(material(**changed), NOW)) is None


def test_the_validator_would_say_otherwise(faults: Any) -> None:
    assert faults({**to_cyclonedx(material(), NOW), "serialNumber": "urn:uuid:none"}) is not None


def test_the_same_model_gives_the_same_document_but_for_its_time() -> None:
    first, second = to_cyclonedx(material(), NOW), to_cyclonedx(material(), LATER)
    assert first["serialNumber"] == second["serialNumber"]
    second["metadata"]["timestamp"] = first["metadata"]["timestamp"]  # type: ignore[index, call-overload]
    assert first == second
    other = to_cyclonedx(material(measurements=()), NOW)
    assert other["serialNumber"] != first["serialNumber"]


def test_it_says_what_the_model_is() -> None:
    document: Any = to_cyclonedx(material(), NOW)
    model = document["metadata"]["component"]
    card = model["modelCard"]
    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert card["modelParameters"]["inputs"] == [
        {"format": "limit: integer, 500 to 50000"},
        {"format": "spent: number"},
    ]
    assert card["modelParameters"]["datasets"] == [{"ref": "file:train@sha256:" + "b" * 64}]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "evasion.robust_recall (share)", "value": "0.23", "slice": "linf=0.005, n=200"}
    ]
    assert card["considerations"]["technicalLimitations"] == ["not measured by privacy.membership: too few rows"]
    assert [row["purl"] for row in document["components"] if row["type"] == "library"] == [
        "pkg:pypi/numpy@2.4.6",
        "pkg:pypi/scikit-learn@1.9.1",
    ]


def test_every_part_is_in_the_graph_once() -> None:
    document: Any = to_cyclonedx(material(), NOW)
    refs = [row["bom-ref"] for row in document["components"]]
    assert len(set(refs)) == len(refs)
    assert document["dependencies"][0]["dependsOn"] == refs
    assert [row["ref"] for row in document["dependencies"][1:]] == refs


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "complete"),
        ({"lock": parse_lock("numpy>=1\n")}, "incomplete"),
        ({"lock": NO_LOCK, "locked": False}, "unknown"),
    ],
)
def test_it_says_how_complete_it_is(changed: dict[str, Any], word: str) -> None:
    document: Any = to_cyclonedx(material(**changed), NOW)
    assert [row["aggregate"] for row in document["compositions"]] == [word]


def library(document: Any, name: str) -> dict[str, Any]:
    (found,) = (row for row in document["components"] if row["type"] == "library" and row["purl"].startswith(name))
    return dict(found)


def test_every_listed_licence_is_one_that_the_schema_knows(faults: Any) -> None:
    for name in sorted(LISTED):
        document: Any = to_cyclonedx(material(licences=(name,)), NOW)
        (row,) = document["metadata"]["component"]["licenses"]
        assert row == {"license": {"id": name, "acknowledgement": "declared"}}
    every = to_cyclonedx(material(), NOW)
    every["metadata"]["component"]["licenses"] = [{"license": {"id": name}} for name in sorted(LISTED)]  # type: ignore[index, call-overload]
    assert faults(every) is None


def test_licences_and_who_states_them() -> None:
    document: Any = to_cyclonedx(material(stated=stated(numpy="mit OR isc", sklearn=None)), NOW)
    assert library(document, "pkg:pypi/numpy")["licenses"] == [
        {"expression": "MIT OR ISC", "acknowledgement": "declared"}
    ]
    assert library(document, "pkg:pypi/numpy")["properties"] == [
        {"name": "holdfast:licence-class", "value": "permissive"},
        {"name": "holdfast:licence-source", "value": "CycloneDX"},
    ]
    unknown = library(document, "pkg:pypi/scikit-learn")
    assert "licenses" not in unknown
    assert unknown["properties"][0]["value"] == "unknown"
    assert "properties" not in library(to_cyclonedx(material(), NOW), "pkg:pypi/numpy")


def test_malware_is_said_where_other_tools_look_for_it() -> None:
    document: Any = to_cyclonedx(material(malware={"pkg:pypi/numpy@2.4.6": (EVIL,)}), NOW)
    (row,) = document["vulnerabilities"]
    assert (row["id"], row["cwes"], row["affects"]) == ("MAL-2026-1", [506], [{"ref": "pkg:pypi/numpy@2.4.6"}])
    assert {"name": "holdfast:malware", "value": "MAL-2026-1"} in library(document, "pkg:pypi/numpy")["properties"]
    assert "vulnerabilities" not in to_cyclonedx(material(), NOW)
