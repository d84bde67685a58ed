"""Every registered reader keeps one contract; each reads its own format, and hostile bytes end in a named error."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Severity, VersionRange
from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Indicator, Tlp, revision_of
from holdfast.core.errors import HoldfastError
from holdfast.core.policy.versions import affected
from holdfast.intel.cvss import base_score, severity_of
from holdfast.intel.identity import key_of
from holdfast.intel.interface import FEEDS, MAX_ID, MAX_TITLE, Context, Document, Statement, Unreadable
from intel_desk import record

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ATLAS_5 = b"""
id: ATLAS
version: 5.6.0
matrices:
- id: ATLAS
  name: m
  tactics: [{id: AML.TA0002, name: Recon, object-type: tactic}]
  techniques:
  - {id: AML.T0000, name: Search, description: 'Look. Then more.', tactics: [AML.TA0002], maturity: realized}
  - {id: AML.T0000.001, name: Sub, description: 'A [link](/x) here.', subtechnique-of: AML.T0000}
  mitigations:
  - {id: AML.M0000, name: Limit, description: d, techniques: [{id: AML.T0000, use: u}]}
"""
ATLAS_6 = b"""
version: '2026.05'
format-version: 6.0.0
tactics: {AML.TA0002: {name: Recon}}
techniques:
  AML.T0000: {name: Search, description: 'Look. Then more.', maturity: realized, platforms: [Predictive AI]}
  AML.T0000.001: {name: Sub, description: 'A [link](/x) here.'}
mitigations: {AML.M0000: {name: Limit}}
relationships:
- {source: AML.T0000, target: AML.TA0002, type: achieves}
- {source: AML.T0000.001, target: AML.T0000, type: subtechnique-of}
- {source: AML.M0000, target: AML.T0000, type: mitigates}
"""
KEV = b'{"vulnerabilities":[{"cveID":"CVE-2025-3248","vulnerabilityName":"Langflow","dateAdded":"2025-05-05"}]}'
OSV = json.dumps(record("CVE-1", "x")).encode()
SAMPLES = {
    "osv": [Document("one.json", OSV)],
    "atlas": [Document("ATLAS.yaml", ATLAS_5)],
    "kev": [Document("kev.json", KEV)],
    "table": [Document("list.csv", b"name,version\nevil,1.0\n")],
}


def context(kind: str, **said: Any) -> Context:
    feed = Feed("f", kind, "somewhere", 90, Ceiling.BLOCK_NEW, Tlp.CLEAR, timedelta(days=1))
    return Context(feed, said.pop("cursor", {}), NOW)


def read(kind: str, *documents: Document) -> list[Statement | Unreadable]:
    return list(FEEDS.get(kind).read(iter(documents), context(kind)).statements)


def said(kind: str, *documents: Document) -> list[Statement]:
    found = read(kind, *documents)
    assert [one for one in found if isinstance(one, Unreadable)] == []
    return [one for one in found if isinstance(one, Statement)]


def test_every_reader_but_the_bundle_has_a_sample_here() -> None:
    assert {kind for kind, _ in FEEDS} == {*SAMPLES, "bundle"}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_reader_says_the_same_of_the_same_bytes_within_bounds(kind: str) -> None:
    first, second = said(kind, *SAMPLES[kind]), said(kind, *SAMPLES[kind])
    assert first == second
    assert first
    for one in first:
        assert 0 < len(one.native_id) <= MAX_ID
        assert len(one.title) <= MAX_TITLE
        assert one.modified_at.tzinfo is not None
        assert key_of(one.body)[0] in FEEDS.get(kind).gives
        assert revision_of(one.body, withdrawn=False) != revision_of(one.body, withdrawn=True)


NOISE = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "affected", "package", "vulnerabilities", "ranges"]), inner, max_size=4
            )
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["osv", "atlas", "kev", "table", "bundle"]),
    data=NOISE,
    name=st.sampled_from(["a.json", "a.jsonl", "items.ndjson"]),
)
def test_hostile_bytes_are_refused_or_named_and_never_anything_else(kind: str, data: bytes, name: str) -> None:
    codes: list[str] = []
    try:
        read(kind, Document(name, data))
    except HoldfastError as fault:
        codes.append(fault.code)
    assert all(code.startswith(("HF-INT-", "HF-SIG-")) for code in codes)


@pytest.mark.parametrize("data", [ATLAS_5, ATLAS_6], ids=["form 5", "form 6"])
def test_atlas_in_both_forms(data: bytes) -> None:
    whole, sub = (one.body for one in said("atlas", Document("ATLAS.yaml", data)))
    assert isinstance(whole, Technique)
    assert isinstance(sub, Technique)
    assert (whole.id, whole.name, whole.summary, whole.tactics) == ("AML.T0000", "Search", "Look", ("AML.TA0002",))
    assert (whole.maturity, whole.mitigations, sub.parent, sub.summary) == (
        "realized",
        ("AML.M0000",),
        "AML.T0000",
        "A link here.",
    )


@pytest.mark.shared
def test_the_whole_of_atlas(shared: Path) -> None:
    data = (shared / "data/intel/atlas/ATLAS.yaml").read_bytes()
    found = said("atlas", Document("ATLAS.yaml", data))
    bodies = [one.body for one in found if isinstance(one.body, Technique)]
    assert len(bodies) == len({body.id for body in bodies}) == 170
    assert sum(body.parent is not None for body in bodies) == 69
    assert sum(len(body.mitigations) for body in bodies) == 244, "all 246 links, two of which are said twice"
    assert sum(not body.mitigations for body in bodies) == 96


@pytest.mark.shared
def test_a_thousand_advisories(shared: Path) -> None:
    data = (shared / "data/intel/osv/pypa_ml_advisories.jsonl").read_bytes()
    found = said("osv", Document("pypa.jsonl", data))
    assert len(found) == 1251
    assert sum(one.withdrawn_at is not None for one in found) == 2
    (aim,) = [one.body for one in found if one.native_id == "PYSEC-2021-839"]
    assert isinstance(aim, Advisory)
    assert (aim.ranges, aim.rated, aim.severity) == ((VersionRange(None, "3.1.0"),), False, Severity.HIGH)


@pytest.mark.shared
def test_the_catalogue_of_the_exploited_and_lists_of_bad_names(shared: Path) -> None:
    data = shared / "data/intel"
    kev = said("kev", Document("kev", (data / "kev/known_exploited_vulnerabilities.json").read_bytes()))
    assert len(kev) == 1404
    globals_ = said("table", Document("g", (data / "mal/pickle_unsafe_globals_picklescan.csv").read_bytes()))
    assert Indicator("pickle-global", "__builtin__.eval") in {one.body for one in globals_}
    packages = said("table", Document("p", (data / "mal/malicious_pypi_ml_related.csv").read_bytes()))
    assert all(isinstance(one.body, Advisory) and one.body.malicious for one in packages)


def advisory(events: list[dict[str, str]] | None = None, **more: Any) -> Advisory:
    one = record("CVE-1", "x")
    one["affected"][0] |= more
    if events is not None:
        one["affected"][0]["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    (found,) = said("osv", Document("x.json", json.dumps(one).encode()))
    assert isinstance(found.body, Advisory)
    return found.body


@pytest.mark.parametrize(
    ("events", "hit", "free"),
    [
        ([{"introduced": "0"}], ["1.0"], []),
        ([{"introduced": "0"}, {"fixed": "2"}], ["1.9"], ["2.0"]),
        ([{"introduced": "1"}, {"last_affected": "2"}], ["1", "2.0"], ["0.9", "2.1"]),
        ([{"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}, {"fixed": "3"}], ["0.5", "2.5"], ["1.5", "3"]),
        ([{"introduced": "1"}, {"introduced": "3"}, {"fixed": "4"}], ["1", "3.5"], ["0.5"]),
    ],
)
def test_events_become_ranges(events: list[dict[str, str]], hit: list[str], free: list[str]) -> None:
    body = advisory(events)
    assert [affected(version, body) for version in hit] == [True] * len(hit)
    assert [affected(version, body) for version in free] == [False] * len(free)


def test_what_cannot_be_compared_is_open_for_every_release() -> None:
    assert affected("1.0", advisory([{"introduced": "0"}, {"fixed": "not a version"}])) is None
    commits = advisory(ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}])
    assert affected("1.0", commits) is None


def test_a_record_on_several_packages_is_one_statement_on_each() -> None:
    one = record("CVE-1", "x")
    one["affected"] += record("CVE-1", "Y_z")["affected"] + [{"package": {"ecosystem": "npm", "name": "n"}}]
    found = said("osv", Document("x.json", json.dumps(one).encode()))
    assert [one.body.package for one in found if isinstance(one.body, Advisory)] == ["x", "y-z"]


@pytest.mark.parametrize(
    ("vector", "score", "severity"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, Severity.CRITICAL),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, Severity.MEDIUM),
        ("CVSS:3.0/AV:L/AC:H/PR:H/UI:N/S:U/C:N/I:L/A:N", 1.9, Severity.LOW),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, Severity.INFO),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9, Severity.CRITICAL),
    ],
)
def test_scores_of_the_specification(vector: str, score: float, severity: Severity) -> None:
    assert base_score(vector) == pytest.approx(score)
    assert severity_of(vector) is severity


@pytest.mark.parametrize("vector", ["", "CVSS:2.0/AV:N", "CVSS:3.1/AV:X", "nonsense", "CVSS:3.1/" + "A:" * 1000])
def test_a_vector_that_is_none(vector: str) -> None:
    assert severity_of(vector) is None


def test_a_version_4_vector_is_estimated() -> None:
    vector = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    assert severity_of(vector) is Severity.CRITICAL


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"0" * 50_000_000)
    return made.getvalue()


def test_a_zip_is_walked_within_bounds(tmp_path: Path) -> None:
    from holdfast.intel.source import open_source

    good = tmp_path / "good.zip"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("a/one.json", OSV)
        archive.writestr("readme.txt", "no")
    assert [one.name for one in open_source(str(good), {}).documents] == ["a/one.json"]
    bad = tmp_path / "bomb.zip"
    bad.write_bytes(bomb())
    with pytest.raises(HoldfastError, match="larger than a feed") as fault:
        list(open_source(str(bad), {}).documents)
    assert fault.value.code == "HF-INT-005"
    cut = tmp_path / "cut.zip"
    cut.write_bytes(good.read_bytes()[:60])
    with pytest.raises(HoldfastError) as fault:
        list(open_source(str(cut), {}).documents)
    assert fault.value.code == "HF-INT-004"


def test_a_folder_is_read_by_name_and_its_links_are_not_followed(tmp_path: Path) -> None:
    from holdfast.intel.source import open_source

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.json").write_bytes(OSV)
    (tmp_path / "in" / "a.json").write_bytes(OSV)
    (tmp_path / "outside.json").write_bytes(OSV)
    (tmp_path / "in" / "c.json").symlink_to(tmp_path / "outside.json")
    assert [one.name for one in open_source(str(tmp_path / "in"), {}).documents] == ["a.json", "b.json"]


@pytest.mark.parametrize("location", ["http://x/y", "ftp://x", "file:///etc/passwd", "https://user:secret@x/y"])
def test_addresses_that_are_not_read(location: str) -> None:
    from holdfast.intel.source import open_source

    with pytest.raises(HoldfastError) as fault:
        open_source(location, {})
    assert fault.value.code == "HF-INT-010"
    assert "secret" not in str(fault.value)


def test_an_address_is_fetched_within_bounds_and_asked_for_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    from holdfast.intel import source

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"v1"':
            return httpx.Response(304)
        if request.url.path == "/gone":
            return httpx.Response(302, headers={"location": "https://elsewhere.example/"})
        return httpx.Response(200, content=OSV, headers={"etag": '"v1"'})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(httpx, "stream", lambda method, url, **how: client.stream(method, url, headers=how["headers"]))
    found = source.open_source("https://feeds.example/a.json", {})
    assert found.cursor == {"url": "https://feeds.example/a.json", "etag": '"v1"'}
    assert [one.data for one in found.documents] == [OSV]
    assert source.open_source("https://feeds.example/a.json", found.cursor).unchanged
    with pytest.raises(HoldfastError, match="cannot read"):
        source.open_source("https://feeds.example/gone", {})
    monkeypatch.setattr(source, "MAX_BYTES", 10)
    with pytest.raises(HoldfastError) as fault:
        source.open_source("https://feeds.example/a.json", {})
    assert fault.value.code == "HF-INT-005"


def lines(*texts: str) -> Iterator[Document]:
    yield Document("t.csv", "\n".join(texts).encode())


@pytest.mark.parametrize(
    ("texts", "bodies"),
    [
        (
            ("module,name", "os,system", "runpy,*"),
            [Indicator("pickle-global", "os.system"), Indicator("pickle-global", "runpy.*")],
        ),
        (("sha256", "A" * 64), [Indicator("sha256", "a" * 64)]),
    ],
)
def test_lists_by_their_header(texts: tuple[str, ...], bodies: list[Indicator]) -> None:
    assert [one.body for one in said("table", *lines(*texts))] == bodies


def test_rows_that_are_none_are_named() -> None:
    found = read("table", *lines("name,version", "good,1.0", "b a d,1.0", "good,2.0", "worse,"))
    assert [one.name for one in found if isinstance(one, Unreadable)] == ["b a d 1.0"]
    good, worse = [one.body for one in found if isinstance(one, Statement)]
    assert isinstance(good, Advisory)
    assert isinstance(worse, Advisory)
    assert (good.versions, good.ranges) == (("1.0", "2.0"), ())
    assert worse.ranges == (VersionRange(),)
