"""Version ranges: the same answers as packaging's specifiers, and closed where they cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from holdfast.core.domain import Advisory, Severity, VersionRange
from holdfast.core.policy.versions import Package, affected

RELEASES = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
BOUNDS = st.none() | RELEASES


def on(*ranges: VersionRange, versions: tuple[str, ...] = ()) -> Advisory:
    return Advisory("A-1", "example", "words", Severity.HIGH, ranges, versions)


@given(RELEASES, BOUNDS, BOUNDS, BOUNDS)
def test_final_releases_are_matched_as_packaging_matches_them(
    version: str, introduced: str | None, fixed: str | None, last: str | None
) -> None:
    parts = [f"{op}{bound}" for op, bound in ((">=", introduced), ("<", fixed), ("<=", last)) if bound is not None]
    assert affected(version, on(VersionRange(introduced, fixed, last))) == (version in SpecifierSet(",".join(parts)))


@given(st.lists(RELEASES, max_size=4), RELEASES)
def test_listed_versions_are_matched_as_packaging_matches_them(listed: list[str], version: str) -> None:
    expected = any(version in SpecifierSet(f"=={item}") for item in listed)
    assert affected(version, on(versions=tuple(listed))) == expected


@given(RELEASES, RELEASES, st.sampled_from(["cpu", "cu124", "rocm6.1"]))
def test_a_build_tag_changes_nothing(version: str, bound: str, tag: str) -> None:
    for span in (VersionRange(last_affected=bound), VersionRange(fixed=bound), VersionRange(introduced=bound)):
        assert affected(f"{version}+{tag}", on(span)) == affected(version, on(span))
        assert affected(version, on(VersionRange(None, None, f"{bound}+{tag}"))) == (Version(version) <= Version(bound))


@pytest.mark.parametrize(
    ("version", "hit"), [("1.9", True), ("2.0rc1", True), ("2.0.dev1", True), ("2.0", False), ("2.0.post1", False)]
)
def test_a_release_candidate_comes_before_the_fix(version: str, hit: bool) -> None:
    assert affected(version, on(VersionRange(introduced="1.0", fixed="2.0"))) is hit


@pytest.mark.parametrize("version", ["not a version", "1.0-NA", "", "1" * 500, None])
def test_a_version_that_cannot_be_read_is_neither_hit_nor_safe(version: str | None) -> None:
    assert affected(version, on(VersionRange(fixed="2.0"))) is None


def test_a_bound_that_cannot_be_read_leaves_it_open_unless_another_range_hits() -> None:
    odd = VersionRange(last_affected="2.6.0-NA")
    assert affected("9.9", on(odd)) is None
    assert affected("1.0", on(odd, VersionRange(fixed="2.0"))) is True
    assert affected("9.9", on(VersionRange(fixed="2.0"), versions=("odd one",))) is None
    assert affected("odd one", on(VersionRange(fixed="2.0"), versions=("odd one",))) is True


def test_several_ranges_leave_gaps() -> None:
    advisory = on(VersionRange(fixed="2.1.4"), VersionRange("2.2.0", "2.2.3"))
    answers = [affected(version, advisory) for version in ("2.1.3", "2.1.4", "2.2.0", "2.2.3")]
    assert answers == [True, False, True, False]


@pytest.mark.parametrize(
    ("purl", "package"),
    [
        ("pkg:pypi/torch@2.5.0", Package("torch", "2.5.0")),
        ("pkg:pypi/Scikit_Learn@1.0", Package("scikit-learn", "1.0")),
        ("pkg:pypi/zope.interface@5", Package("zope-interface", "5")),
        ("PKG:PyPI/torch@2.5.0%2Bcpu", Package("torch", "2.5.0+cpu")),
        ("pkg:pypi/torch", Package("torch", None)),
        ("pkg:pypi/torch@1.0?checksum=x#sub", Package("torch", "1.0")),
        ("pkg:conda/torch@1.0", None),
        ("pkg:pypi/../../etc@1", None),
        ("pkg:pypi/-x@1", None),
        ("torch==1.0", None),
        ("pkg:pypi/" + "a" * 2000 + "@1", None),
    ],
)
def test_package_urls_are_read_strictly(purl: str, package: Package | None) -> None:
    assert Package.parse(purl) == package


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_package_urls(text: str) -> None:
    Package.parse(text)
    Package.parse(f"pkg:pypi/{text}")
    affected(text, on(VersionRange(fixed="1.0"), versions=(text,)))


@pytest.mark.parametrize("spelling", ["PyYAML", "pyyaml", "Py_YAML", "py.yaml"])
def test_a_snapshot_knows_a_package_under_any_spelling(build: Any, spelling: str) -> None:
    intel = build.intel(build.advisory("py-yaml"), build.advisory("pyyaml", name="PYSEC-2"))
    assert [item.id for item in intel.on(spelling)] == (["PYSEC-2"] if spelling.lower() == "pyyaml" else ["PYSEC-1"])
