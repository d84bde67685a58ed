"""Licences of packages from environments, wheels and CycloneDX documents; what is not stated stays unknown."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.scan.licences.sources import Licences, _metadata, classes
from holdfast.scan.lockfile import parse_lock

LOCK = parse_lock("Some_Lib==1.0\nother==2.0\n")


def metadata(name: str, version: str, *lines: str) -> str:
    return "\n".join(
        ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", "License: in the text"]
    )


def said(licences: Licences) -> dict[str, tuple[str, str, str]]:
    return {
        package.name: (str(one.expression), " ".join(classes(one)), one.source)
        for package, one in licences.of_lock(LOCK)
    }


def installed(site: Path, name: str, version: str, *lines: str) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata(name, version, *lines), encoding="utf-8")


@pytest.mark.parametrize("place", ["", "lib/python3.11/site-packages", "Lib/site-packages"])
def test_an_environment(tmp_path: Path, place: str) -> None:
    installed(tmp_path / place, "some_lib", "1.0", "License-Expression: MIT OR GPL-3.0-only")
    installed(tmp_path / place, "other", "2.1", "License-Expression: MIT")
    assert said(Licences.read(tmp_path)) == {
        "Some_Lib": ("MIT OR GPL-3.0-only", "permissive", "metadata: License-Expression"),
        "other": ("None", "unknown", "stated of 2.1 only"),
    }


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["License: Apache 2.0"], ("Apache-2.0", "permissive", "metadata: License")),
        (
            ["License: MIT", "Classifier: License :: OSI Approved :: MIT License"],
            ("MIT", "permissive", "metadata: classifiers"),
        ),
        (
            ["License: MIT", "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
            ("MIT AND GPL-3.0-only", "strong-copyleft", "metadata: classifiers"),
        ),
        (
            [
                "License: Copyright (c) 2001",
                "        ",
                "        more",
                "Classifier: License :: OSI Approved :: BSD License",
            ],
            ("LicenseRef-BSD", "permissive", "metadata: classifiers"),
        ),
        (["License-Expression: Own-Words", "License: MIT"], ("Own-Words", "unknown", "metadata: License-Expression")),
        ([], ("None", "unknown", "metadata")),
    ],
)
def test_what_metadata_says(tmp_path: Path, lines: list[str], found: tuple[str, str, str]) -> None:
    installed(tmp_path, "some_lib", "1.0", *lines)
    assert said(Licences.read(tmp_path))["Some_Lib"] == found


def test_a_folder_of_wheels(tmp_path: Path) -> None:
    for version, licence in (("1.0", "BSD-3-Clause"), ("1.1", "GPL-3.0-only")):
        with zipfile.ZipFile(tmp_path / f"some_lib-{version}-py3-none-any.whl", "w") as archive:
            archive.writestr(
                f"some_lib-{version}.dist-info/METADATA", metadata("some_lib", version, f"License: {licence}")
            )
    (tmp_path / "other-2.0-py3-none-any.whl").write_bytes(b"PK no archive")
    assert said(Licences.read(tmp_path)) == {
        "Some_Lib": ("BSD-3-Clause", "permissive", "wheel some_lib-1.0-py3-none-any.whl: License"),
        "other": ("None", "unknown", "not stated"),
    }


def bom(*components: Any) -> str:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})


@pytest.mark.parametrize(
    ("licences", "found"),
    [
        ([{"license": {"id": "MIT"}}], ("MIT", "permissive")),
        ([{"expression": "MIT AND AGPL-3.0-only"}], ("MIT AND AGPL-3.0-only", "network-copyleft")),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "GPLv3"}}], ("MIT AND GPL-3.0-only", "strong-copyleft")),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "ask us"}}], ("None", "unknown")),
        ([], ("None", "unknown")),
        (7, ("None", "unknown")),
        ([{"license": 7}], ("None", "unknown")),
    ],
)
def test_a_cyclonedx_document(tmp_path: Path, licences: object, found: tuple[str, str]) -> None:
    path = tmp_path / "bom.json"
    path.write_text(bom({"purl": "pkg:pypi/some-lib@1.0?x=y", "licenses": licences}, {"purl": "pkg:npm/other@2.0"}, 7))
    assert said(Licences.read(path))["Some_Lib"] == (*found, "CycloneDX")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bomFormat": "CycloneDX"}', "[" * 100_000, "\x00"])
def test_what_is_no_source_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bom.json"
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        Licences.read(path)
    assert caught.value.code == "HF-SCN-030"


def test_an_empty_folder_and_no_place_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FormatError, match="licences"):
            Licences.read(place)


def test_the_digest_is_of_what_is_said(tmp_path: Path) -> None:
    installed(tmp_path / "a", "some_lib", "1.0", "License: MIT")
    installed(tmp_path / "b" / "lib/python3.12/site-packages", "some_lib", "1.0", "License: MIT", "Home-page: x")
    installed(tmp_path / "c", "some_lib", "1.0", "License: ISC")
    a, b, c = (Licences.read(tmp_path / name).digest for name in "abc")
    assert a == b != c


@given(st.binary(max_size=300))
def test_no_metadata_breaks_it(raw: bytes) -> None:
    one = _metadata(b"Name: x\nVersion: 1\n" + raw, "metadata")
    assert one is None or classes(one)


def test_our_own_environment_states_nearly_all() -> None:
    """Packages installed here at the locked version: a licence is told for nine of ten of them at least."""
    import sysconfig

    root = Path(__file__).resolve().parents[3]
    lock = parse_lock((root / "requirements" / "dev.lock").read_text(encoding="utf-8"))
    found = [one for _, one in Licences.read(Path(sysconfig.get_path("purelib"))).of_lock(lock)]
    here = [one for one in found if one.source.startswith("metadata")]
    assert sum(one.expression is not None for one in here) >= 0.9 * len(here) > 40
    grave = {one.name for one in here if set(classes(one)) & {"strong-copyleft", "network-copyleft", "restricted"}}
    assert grave == set()
