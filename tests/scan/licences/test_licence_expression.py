"""SPDX expressions: read as packaging reads them, never permissive where it cannot be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.scan.licences.expression import MAX_WORDS, All, One, Some, parse, references
from holdfast.scan.licences.names import LINKING, LISTED, LicenceClass, class_of
from holdfast.scan.licences.terms import classes_of, of_classifiers, of_hub, spdx

IDS = st.sampled_from(sorted(LISTED))
SINGLE = st.one_of(
    IDS,
    IDS.map(str.lower),
    IDS.map(lambda name: f"{name}+"),
    st.tuples(IDS, st.sampled_from(sorted(LINKING))).map(" WITH ".join),
    st.just("LicenseRef-Own-1.0"),
)
EXPRESSIONS = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " and ", " or "]), inner).map("".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_the_same_as_packaging_reads(text: str) -> None:
    oracle = pytest.importorskip("packaging.licenses", reason="packaging 24.2 reads licence expressions")
    assert parse(oracle.canonicalize_license_expression(text)) == parse(text)


@given(
    st.lists(st.sampled_from(["MIT", "GPL-3.0-only", "AND", "OR", "WITH", "(", ")", "+", "ISC+", "GCC-exception-3.1"]))
)
def test_refused_where_packaging_refuses(words: list[str]) -> None:
    oracle = pytest.importorskip("packaging.licenses", reason="packaging 24.2 reads licence expressions")
    text = " ".join(words)
    try:
        oracle.canonicalize_license_expression(text)
    except oracle.InvalidLicenseExpression:
        taken = [one.id for one in references(parse(text))] if _reads(text) else []
        # Ids nobody listed are kept here, to be of the class unknown: an exception's name alone is such an id.
        assert not taken or any(name not in LISTED for name in taken)
    else:
        assert _reads(text)


def _reads(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


@given(EXPRESSIONS)
def test_what_is_written_is_read_back(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    said = spdx(text)
    assert said is None or parse(str(said)) == said
    _reads(text)


def test_every_listed_id_is_one_of_spdx() -> None:
    oracle = pytest.importorskip("packaging.licenses._spdx", reason="packaging 24.2 holds SPDX's ids")
    assert set(LISTED) - {row["id"] for row in oracle.LICENSES.values()} == set()
    assert set(LINKING) - {row["id"] for row in oracle.EXCEPTIONS.values()} == set()


def test_precedence() -> None:
    assert parse("MIT OR ISC AND GPL-2.0+") == Some((One("MIT"), All((One("ISC"), One("GPL-2.0", later=True)))))
    assert str(parse("(mit or isc) and ((bsd-3-clause))")) == "(MIT OR ISC) AND BSD-3-Clause"


@pytest.mark.parametrize(
    "text",
    ["", "MIT ISC", "MIT AND", "OR MIT", "(MIT", "MIT)", "MIT WITH", "MIT WITH (ISC)", "MIT/ISC", "a" * 3_000, "MIT +"],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


def test_a_long_or_deep_one_is_refused_early() -> None:
    with pytest.raises(ValueError, match="words"):
        parse("(" * MAX_WORDS + "MIT" + ")" * MAX_WORDS)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("MIT", "permissive"),
        ("MIT OR GPL-3.0-only", "permissive"),
        ("MIT AND GPL-3.0-only", "strong-copyleft"),
        ("GPL-3.0-or-later OR AGPL-3.0-only", "strong-copyleft"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "weak-copyleft"),
        ("GPL-2.0-only WITH Own-exception", "strong-copyleft"),
        ("AGPL-3.0-only WITH GCC-exception-3.1", "network-copyleft"),
        ("BUSL-1.1 OR LGPL-2.1+", "weak-copyleft"),
        ("SSPL-1.0", "restricted"),
        ("LicenseRef-Own", "unknown"),
        ("LicenseRef-Own OR Apache-2.0", "permissive"),
        ("LicenseRef-Own OR GPL-3.0-only", "unknown"),
        ("LicenseRef-Own AND GPL-3.0-only", "strong-copyleft unknown"),
        ("(LicenseRef-Own AND AGPL-3.0-only) OR GPL-3.0-only", "strong-copyleft"),
        ("MIT AND (GPL-2.0-only OR MPL-2.0) AND Nobody-Knows", "unknown weak-copyleft"),
    ],
)
def test_what_an_expression_asks(text: str, asked: str) -> None:
    assert " ".join(map(str, classes_of(parse(text)))) == asked


@given(EXPRESSIONS, EXPRESSIONS)
def test_more_that_holds_never_asks_less_and_a_choice_never_more(one: str, other: str) -> None:
    def gravest(text: str) -> int:
        return max(kind.rank for kind in classes_of(parse(text)))

    assert gravest(f"({one}) AND ({other})") >= max(gravest(one), gravest(other))
    assert gravest(f"({one}) OR ({other})") == min(gravest(one), gravest(other))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("apache-2.0", "Apache-2.0"),
        ("BSD", "LicenseRef-BSD"),
        ("MIT/Apache-2.0", None),
        ("Copyright (c) 2001-2002 somebody", None),
        ("LicenseRef-Own", None),
        ("", None),
    ],
)
def test_licences_as_people_write_them(text: str, found: str | None) -> None:
    said = spdx(text)
    assert (None if said is None else str(said)) == found


@pytest.mark.parametrize(
    ("name", "found", "kind"),
    [
        ("apache-2.0", "Apache-2.0", LicenceClass.PERMISSIVE),
        ("llama3.1", "LicenseRef-hub-llama3.1", LicenceClass.RESTRICTED),
        ("bigscience-openrail-m", "LicenseRef-hub-bigscience-openrail-m", LicenceClass.RESTRICTED),
        ("cc-by-nc-4.0", "CC-BY-NC-4.0", LicenceClass.RESTRICTED),
        ("somebodys", "LicenseRef-hub-somebodys", LicenceClass.UNKNOWN),
    ],
)
def test_licences_as_hubs_name_them(name: str, found: str, kind: LicenceClass) -> None:
    said = of_hub(name)
    assert isinstance(said, One)
    assert str(said) == found
    assert class_of(said.id) is kind


def test_names_that_say_nothing() -> None:
    assert [of_hub(name) for name in ("other", "unknown", "<b>", "")] == [None] * 4


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["License :: OSI Approved :: MIT License"], "MIT"),
        (["License :: OSI Approved", "License :: OSI Approved :: BSD License"], "LicenseRef-BSD"),
        (
            ["License :: OSI Approved :: MIT License", "License :: Other/Proprietary License"],
            "MIT AND LicenseRef-Proprietary",
        ),
        (["License :: OSI Approved :: MIT License", "License :: OSI Approved :: Never Heard Of"], None),
        (["License :: OSI Approved"], None),
        (["Topic :: Software Development"], None),
    ],
)
def test_classifiers_hold_together(lines: list[str], found: str | None) -> None:
    said = of_classifiers(lines)
    assert (None if said is None else str(said)) == found
