"""Licences that model files state: facts with what they ask, and no reason against a file."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.scan import FileReport, scan
from holdfast.scan.formats.cards import read_card
from holdfast.scan.inspect import Seen


def licence(report: FileReport) -> list[tuple[str, str]]:
    assert str(report.verdict) == "clean"
    return [(fact.kind, str(fact.value)) for fact in report.facts if fact.kind.startswith("licence")]


def gguf(**keys: str) -> bytes:
    def text(word: str) -> bytes:
        return struct.pack("<Q", len(word)) + word.encode()

    body = b"".join(text(name.replace("_", ".")) + struct.pack("<I", 8) + text(value) for name, value in keys.items())
    made = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + body
    return made + b"\0" * (-len(made) % 32)


def safetensors(**notes: str) -> bytes:
    header = json.dumps({"__metadata__": notes}).encode()
    return struct.pack("<Q", len(header)) + header


CASES = {
    "gguf": (gguf(general_license="apache-2.0"), "Apache-2.0", ["permissive"]),
    "gguf of a hub": (gguf(general_license="llama3"), "LicenseRef-hub-llama3", ["restricted"]),
    "safetensors": (safetensors(license="cc-by-nc-4.0"), "CC-BY-NC-4.0", ["restricted"]),
    "safetensors of other tools": (
        safetensors(**{"modelspec.license": "AGPL-3.0-only"}),
        "AGPL-3.0-only",
        ["network-copyleft"],
    ),
    "mlmodel": (
        b"flavors:\n  python_function: {loader_module: mlflow.sklearn}\nmetadata: {license: MIT}\nmlflow_version: 2\n",
        "MIT",
        ["permissive"],
    ),
    "card": (b"---\nlanguage: en\nlicense: mit\n---\n# A model\n", "MIT", ["permissive"]),
    "card of two": (b"---\nlicense:\n- mit\n- gpl-3.0\n---\n", "MIT AND GPL-3.0", ["strong-copyleft"]),
    "card of two in a line": (b"---\nlicense: [mit, 'isc']\n---\n", "MIT AND ISC", ["permissive"]),
    "card that says other": (b"---\nlicense: other\nlicense_name: own\n---\n", "other", ["unknown"]),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_licence_is_stated(case: str, tmp_path: Path) -> None:
    data, value, asked = CASES[case]
    path = tmp_path / "file"
    path.write_bytes(data)
    assert licence(scan(path, hash=False)) == [("licence", value), *(("licence.class", word) for word in asked)]


@pytest.mark.parametrize(
    "data",
    [
        gguf(general_name="x"),
        safetensors(note="x"),
        b"---\ntags: [license]\n---\n",
        b"license: mit\n",
        b"---\nlicense: mit\n",
    ],
)
def test_no_licence_is_no_fact(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert licence(scan(path, hash=False)) == []


@given(st.text(max_size=300))
def test_no_card_breaks_it(text: str) -> None:
    seen = Seen("other")
    read_card(f"---\nlicense:{text}", seen)
    read_card(f"---\nlicense:{text}\n---\n", seen)
    assert {fact.kind for fact in seen.facts} <= {"licence", "licence.class"}
