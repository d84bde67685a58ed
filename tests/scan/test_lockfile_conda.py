"""Conda's files: what is Python's is named as PyPI names it, the rest is conda's, and nothing hostile unfolds."""

from __future__ import annotations

import pytest

from holdfast.core.policy import Snapshot
from holdfast.scan.lockfile import parse_lock

ENVIRONMENT = """\
name: credit
channels: [conda-forge]
dependencies:
  - python=3.11.7=hab00c5b_1_cpython
  - conda-forge::pytorch=2.1.0=cpu_py311h6d93b4c_0
  - numpy==1.26.4
  - scipy=1.10
  - pip:
      - xgboost==1.10
      - lightgbm>=4
"""
CONDA_LOCK = """\
version: 1
metadata: {content_hash: {linux-64: aa}}
package:
  - {name: numpy, version: 1.26.4, manager: conda, platform: linux-64,
     url: "https://host.example/conda-forge/linux-64/numpy-1.26.4-py311h64a7726_0.conda"}
  - {name: openssl, version: 3.2.1, manager: conda, url: "https://host.example/linux-64/openssl-3.2.1-hd590300_0.conda"}
  - {name: joblib, version: "1.10", manager: pip, url: "https://host.example/joblib-1.10-py3-none-any.whl"}
  - {name: half}
"""
EXPLICIT = """\
# platform: linux-64
@EXPLICIT
https://host.example/noarch/tqdm-4.66.1-pyhd8ed1ab_0.conda#0123
https://host.example/linux-64/libgcc-ng-13.2.0-h807b86a_5.tar.bz2
file:///somewhere/odd
"""


@pytest.mark.parametrize(
    ("text", "purls", "loose"),
    [
        (
            ENVIRONMENT,
            ["pkg:conda/numpy@1.26.4", "pkg:conda/python@3.11.7", "pkg:pypi/torch@2.1.0", "pkg:pypi/xgboost@1.10"],
            ["scipy=1.10", "lightgbm>=4"],
        ),
        (CONDA_LOCK, ["pkg:pypi/joblib@1.10", "pkg:pypi/numpy@1.26.4", "pkg:conda/openssl@3.2.1"], ["half"]),
        (EXPLICIT, ["pkg:conda/libgcc-ng@13.2.0", "pkg:pypi/tqdm@4.66.1"], ["file:///somewhere/odd"]),
        (
            '{"_meta": {}, "default": {"numpy": {"version": "==1.26.4"}, "own": {"path": "."}}, "develop": {}}',
            ["pkg:pypi/numpy@1.26.4"],
            ["own"],
        ),
    ],
    ids=["environment", "conda-lock", "explicit", "pipfile"],
)
def test_what_is_pinned_and_what_is_not(text: str, purls: list[str], loose: list[str]) -> None:
    lock = parse_lock(text)
    assert [package.purl for package in lock.packages] == purls
    assert [line.text for line in lock.unpinned] == loose


def test_what_no_advisory_speaks_of_is_never_taken_for_safe() -> None:
    assert Snapshot.builtin().hits("pkg:conda/openssl@1.0.1") is None
    assert Snapshot.builtin().hits("pkg:pypi/surely-unknown@1.0") == ()


@pytest.mark.parametrize(
    "text",
    [
        "dependencies:\n  - &a [x, x]\n"
        + "".join(f"  - &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
        "dependencies:\n" + "[" * 50_000,
        "dependencies:\n  - &a [*a]\n",
        "dependencies:\n  {1: 2\n",
        "dependencies: \n",
        "package:\n  - 5\n  - {name: [x], version: {}}\n",
        '{"_meta": ' + "[" * 100_000,
        '{"_meta": {}, "default": {"a": 5}}',
    ],
    ids=["aliases", "deep", "circle", "broken", "empty", "types", "json-deep", "json-types"],
)
def test_hostile_text_pins_nothing(text: str) -> None:
    lock = parse_lock(text)
    assert lock.packages == ()
    assert lock.unpinned
