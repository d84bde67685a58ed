"""A bill of materials as CycloneDX 1.6 JSON (ECMA-424), with a model card.

The serial number is made from what the document says, the timestamp left out: the same model, the same document.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePath
from typing import Final

from holdfast import __version__
from holdfast.comply.bom.material import File, Material
from holdfast.core.contract import Feature
from holdfast.core.domain import JSONValue, Measurement, canonical_json, to_iso
from holdfast.core.report.escape import visible
from holdfast.scan.licences.expression import One
from holdfast.scan.licences.names import LISTED
from holdfast.scan.licences.sources import classes
from holdfast.scan.licences.terms import expressed, together

SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
MAX_METRICS: Final = 5_000
MAX_TEXT: Final = 1_000
MALICIOUS_CODE: Final = 506
"""CWE: embedded malicious code."""

Row = dict[str, JSONValue]
_DATA: Final = {
    "train": ("dataset", "The rows the model was trained on."),
    "test": ("dataset", "The rows the model is tested on."),
    "contract": ("definition", "The feature contract: which inputs are possible."),
}
_FAMILIES: Final = (
    (("xgboost", "lightgbm", "catboost"), "gradient-boosted decision trees"),
    (("torch", "keras", "savedmodel", "tflite", "safetensors"), "neural network"),
)


def to_cyclonedx(material: Material, made_at: datetime) -> Row:
    """The document. `made_at` is its timestamp only; nothing else in it depends on when it is made."""
    body = _body(material)
    serial = _serial(canonical_json(body))
    metadata: Row = {"timestamp": to_iso(made_at), **_metadata(material)}
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **body,
        "metadata": metadata,
    }


def _body(material: Material) -> Row:
    files = [_file(file, material) for file in material.files]
    libraries = _libraries(material)
    refs = [str(row["bom-ref"]) for row in (*files, *libraries)]
    own = _ref(material)
    graph: list[JSONValue] = [{"ref": own, "dependsOn": list(refs)}]
    graph += [{"ref": ref} for ref in refs]
    return {
        "metadata": _metadata(material),
        "components": [*files, *libraries],
        "dependencies": graph,
        "compositions": [{"aggregate": _completeness(material), "dependencies": [own]}],
        **({"vulnerabilities": malware} if (malware := _malware(material)) else {}),
    }


def _serial(data: bytes) -> str:
    """A UUID of version 8 (RFC 9562 section 5.8) out of a digest."""
    value = int.from_bytes(hashlib.sha256(data).digest()[:16], "big")
    value = value & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _completeness(material: Material) -> str:
    """Without a lock nothing is known of the libraries; a line that pins nothing leaves a gap."""
    if not material.locked:
        return "unknown"
    return "incomplete" if material.lock.unpinned else "complete"


def _metadata(material: Material) -> Row:
    tool: Row = {"type": "application", "name": "holdfast", "version": __version__}
    return {"tools": {"components": [tool]}, "component": _model(material)}


def _ref(material: Material) -> str:
    return f"model:{material.model.name}@{material.artifact.digest}"


def _model(material: Material) -> Row:
    model = material.model
    facts = (
        ("format", material.format),
        ("tier", model.tier.value),
        ("unit", model.unit),
        ("region", model.region),
        *(("unpinned", line.text) for line in material.lock.unpinned),
    )
    return {
        "type": "machine-learning-model",
        "bom-ref": _ref(material),
        "name": model.name,
        "version": material.artifact.digest,
        "description": visible(model.purpose, MAX_TEXT),
        **_licensed(material.licences),
        "authors": [{"name": visible(model.owner, MAX_TEXT)}],
        "hashes": _hashes(material.artifact),
        "modelCard": _card(material),
        "properties": _properties(facts),
    }


def _properties(facts: Iterable[tuple[str, str]]) -> list[JSONValue]:
    return [{"name": f"holdfast:{name}", "value": visible(value, MAX_TEXT)} for name, value in facts]


def _hashes(file: File) -> list[JSONValue]:
    return [{"alg": "SHA-256", "content": file.digest.removeprefix("sha256:")}]


def _card(material: Material) -> Row:
    return {
        "modelParameters": _parameters(material),
        "quantitativeAnalysis": {"performanceMetrics": [_metric(item) for item in material.measurements[:MAX_METRICS]]},
        "considerations": _considerations(material),
    }


def _parameters(material: Material) -> Row:
    data: list[JSONValue] = [
        {"ref": _file_ref(file)} for file in material.files if _DATA.get(file.role, ("",))[0] == "dataset"
    ]
    found: Row = {
        **({"approach": {"type": "supervised"}} if material.label else {}),
        "task": f"{material.model.task.kind} classification",
        "modelArchitecture": material.format,
        "datasets": data,
        "inputs": [{"format": _input(feature)} for feature in material.features],
        "outputs": [{"format": _output(material)}],
    }
    family = next((words for names, words in _FAMILIES if material.format.startswith(names)), None)
    return found if family is None else {**found, "architectureFamily": family}


def _input(feature: Feature) -> str:
    """`limit: integer, 500 to 50000`, as the contract says."""
    bounds = "" if math.isinf(feature.min) or math.isinf(feature.max) else f", {feature.min:g} to {feature.max:g}"
    values = f", {len(feature.values)} values" if feature.values else bounds
    return visible(f"{feature.name}: {feature.type}{values}{', may be missing' if feature.missing else ''}", MAX_TEXT)


def _output(material: Material) -> str:
    task = material.model.task
    if task.kind == "binary":
        return f"probability of class {task.positive}; decided at {task.threshold:g}"
    return "probability of each class; the most probable is decided"


def _metric(item: Measurement) -> Row:
    """Values are text in CycloneDX; `slice` is the point that was measured at, and of how many rows."""
    at = [f"{name}={value:g}" for name, value in sorted(item.at.items())]
    place = ", ".join([*at, *([f"n={item.n}"] if item.n is not None else [])])
    found: Row = {"type": visible(f"{item.name} ({item.unit})", 200), "value": repr(float(item.value))}
    return {**found, "slice": visible(place, 200)} if place else found


def _considerations(material: Material) -> Row:
    model = material.model
    uses: list[JSONValue] = [visible(model.purpose, MAX_TEXT), *model.use]
    limits: list[JSONValue] = [visible(f"not measured by {text}", MAX_TEXT) for text in material.undecided]
    return {
        "users": [model.unit],
        "useCases": uses,
        "technicalLimitations": limits,
        "ethicalConsiderations": [{"name": words} for words in _people(material)],
    }


def _people(material: Material) -> list[str]:
    people = material.model.people
    if people is None:
        return []
    said = (
        (people.decides_on, "decides on people"),
        (people.personal_data, "works on personal data"),
        (people.automated, "decides without a person"),
    )
    return [words for holds, words in said if holds]


def _file_ref(file: File) -> str:
    return f"file:{file.role}@{file.digest}"


def _file(file: File, material: Material) -> Row:
    kind, words = _DATA.get(file.role, ("configuration", "The pinned packages."))
    own: Row = {"type": kind, "name": file.name, "description": words}
    people = material.model.people
    if kind == "dataset" and people is not None and people.personal_data:
        own["sensitiveData"] = ["personal data"]
    return {
        "type": "data",
        "bom-ref": _file_ref(file),
        "name": visible(PurePath(file.name).name, 200),
        "version": file.digest,
        "hashes": _hashes(file),
        "data": [own],
    }


def _libraries(material: Material) -> list[Row]:
    """Each release once, under its package URL."""
    rows: dict[str, Row] = {}
    for package in material.lock.packages:
        purl = package.purl
        row: Row = {"type": "library", "bom-ref": purl, "name": visible(package.name, 200)}
        rows[purl] = {**row, "version": visible(package.version, 200), "purl": purl, **_known(purl, material)}
    return [rows[purl] for purl in sorted(rows)]


def _known(purl: str, material: Material) -> Row:
    """The licence of a package, what it asks and who states it, and that it is malware."""
    facts: list[tuple[str, str]] = []
    stated = material.stated.get(purl)
    if stated is not None:
        facts += [("licence-class", word) for word in classes(stated)]
        facts.append(("licence-source", stated.source))
    facts += [("malware", advisory.id) for advisory in material.malware.get(purl, ())]
    said = () if stated is None or stated.expression is None else (str(stated.expression),)
    return {**_licensed(said), **({"properties": _properties(facts)} if facts else {})}


def _licensed(said: Iterable[str]) -> Row:
    """Licences as they are declared: one id of SPDX's, an expression, or words that are neither."""
    known = [(text, expressed(text)) for text in said]
    if not known:
        return {}
    whole = together(one for _, one in known if one is not None)
    if whole is None or any(one is None for _, one in known):
        return {"licenses": [_licence({"name": visible(text, MAX_TEXT)}) for text, _ in known]}
    if isinstance(whole, One) and not whole.later and whole.exception is None:
        return {"licenses": [_licence({"id" if whole.id in LISTED else "name": whole.id})]}
    return {"licenses": [{"expression": str(whole), "acknowledgement": "declared"}]}


def _licence(named: Row) -> Row:
    return {"license": {**named, "acknowledgement": "declared"}}


def _malware(material: Material) -> list[JSONValue]:
    """Packages that are malware, as other tools look for them: one entry a record, with all it affects."""
    found = {one.id: one for listed in material.malware.values() for one in listed}
    rows: list[JSONValue] = []
    for name in sorted(found):
        hit = sorted(purl for purl, listed in material.malware.items() if any(one.id == name for one in listed))
        rows.append(
            {
                "bom-ref": f"malware:{name}",
                "id": name,
                "ratings": [{"severity": "critical"}],
                "cwes": [MALICIOUS_CODE],
                "description": visible(found[name].summary, MAX_TEXT),
                "recommendation": "Remove the package, and replace every secret of the machines it was installed on.",
                "affects": [{"ref": purl} for purl in hit],
            }
        )
    return rows
