"""Packs: whole, signed, verifiable without the store; one changed byte anywhere breaks them; no text acts as markup."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from holdfast.cli.main import run
from holdfast.comply.pack import Wish, build, preview, verify_pack
from holdfast.comply.pack.paper import paper
from holdfast.comply.queries import posture
from holdfast.core.domain import FrozenClock
from holdfast.core.errors import DataError, HoldfastError, LedgerError
from holdfast.core.ledger import Ledger, LedgerStatus, verify_ledger
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store
from ledgered_bank import KEY, START, Bank

EVIL = 'A. *Jansen* #panic() $x^2$ @ref <script>alert(1)</script> ]] \\u{0} "quoted" \u202etxet'


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bank, Path]]:
    """A bank with a finding, people of odd names, and its pack."""
    folder = tmp_path_factory.mktemp("packed")
    clock = FrozenClock(START)
    with Store.open(None, folder / "state", clock) as store:
        bank = Bank(store, clock, Ledger(store, KEY, "bank"))
        bank.register()
        bank.audit(broken="evasion.search")
        bank.deploy()
        bank.attest("doc:dpia", by=EVIL, statement=EVIL)
        bank.register("other", "sha256:o1", use=("fraud",), purpose=EVIL)
        bank.audit("other")
        bank.pass_time(hours=3)
        build(store, bank.ledger, KEY, Wish(clock()), folder / "pack")
        yield bank, folder / "pack"


@pytest.fixture
def pack(packed: tuple[Bank, Path], tmp_path: Path) -> Path:
    """A copy to spoil, in a folder without any store."""
    return Path(shutil.copytree(packed[1], tmp_path / "copy"))


def test_a_pack_verifies_without_the_store(pack: Path) -> None:
    found = verify_pack(pack, KEY.public)
    assert (found.status, found.problems) == (LedgerStatus.OK, ())
    assert found.state == "failing"
    assert found.proofs > 10
    assert sorted(path.name for path in pack.iterdir()) == [
        "ledger",
        "manifest.dsse.json",
        "pack.html",
        "pack.json",
        "pack.pdf",
        "proofs.json",
    ]


def test_the_command_line_verifies_it_too(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    KEY.public.save(tmp_path / "holdfast.pub")
    assert run(["comply", "verify", str(pack), "--key", "holdfast.pub"]) == 0
    assert capsys.readouterr().out.startswith("ok\n  failing, as of 2026-03-02T12:00:00Z")
    assert run(["comply", "verify", str(pack)]) == 3
    assert run(["comply", "verify", str(tmp_path / "nowhere"), "--key", "holdfast.pub"]) == 3
    assert run(["ledger", "verify", str(pack / "ledger"), "--key", "holdfast.pub"]) == 0
    SigningKey.generate().public.save(tmp_path / "other.pub")
    assert run(["comply", "verify", str(pack), "--key", "other.pub"]) == 1


def names(pack: Path) -> list[str]:
    return sorted(str(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file())


def test_one_changed_byte_of_any_file_breaks_it(pack: Path) -> None:
    for name in names(pack):
        good = (pack / name).read_bytes()
        for place in (0, len(good) // 2, len(good) - 1):
            bad = bytearray(good)
            bad[place] ^= 1
            (pack / name).write_bytes(bad)
            assert verify_pack(pack, KEY.public).status is LedgerStatus.BROKEN, (name, place)
        (pack / name).write_bytes(good)
    assert verify_pack(pack, KEY.public).status is LedgerStatus.OK


def test_no_byte_of_the_manifest_is_idle(pack: Path) -> None:
    path = pack / "manifest.dsse.json"
    good = path.read_bytes()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1
        path.write_bytes(bad)
        assert verify_pack(pack, KEY.public).status is LedgerStatus.BROKEN, (place, good[place : place + 20])


def test_a_file_more_or_less_breaks_it(pack: Path) -> None:
    for name in names(pack):
        good = (pack / name).read_bytes()
        (pack / name).unlink()
        assert verify_pack(pack, KEY.public).status is LedgerStatus.BROKEN, name
        (pack / name).write_bytes(good)
    (pack / "note.txt").write_text("by the way")
    found = verify_pack(pack, KEY.public)
    assert (found.status, found.problems) == (LedgerStatus.BROKEN, ("note.txt: not part of what was signed",))


def test_another_ledger_under_the_same_key_is_noticed(pack: Path, small_bank: Bank) -> None:
    small_bank.register()
    small_bank.settle()
    shutil.rmtree(pack / "ledger")
    Ledger(small_bank.store, KEY, "bank").export(pack / "ledger")
    assert verify_ledger(pack / "ledger", KEY.public).status is LedgerStatus.OK
    assert verify_pack(pack, KEY.public).status is LedgerStatus.BROKEN


@cache
def words_of(pack: Path) -> str:
    pypdf = pytest.importorskip("pypdf")
    pages = [page.extract_text() for page in pypdf.PdfReader(pack / "pack.pdf").pages]
    return re.sub(r"\s+", " ", " ".join(pages).replace("\u200b", ""))


def test_the_pdf_says_what_the_run_gave(packed: tuple[Bank, Path]) -> None:
    bank, pack = packed
    text = words_of(pack)
    with bank.store.reading() as tx:
        found = posture(tx, bank.clock())
        head = bank.ledger.checkpoint()
    assert head is not None
    for state in {clause.state for view in found.frameworks for clause in view.clauses}:
        assert state.value in text
    for state, count in found.counts.items():
        assert state.value == "not applicable" or not count or f"{count} {state}" in text
    assert "evasion.search is broken (1)" in text
    pieces = [
        piece
        for view in found.frameworks
        for clause in view.clauses
        for model in clause.models
        for answer in model.answers
        for piece in answer.evidence
    ]
    for piece in pieces:
        assert piece.source.partition(":")[2][:12] in text
        assert str(piece.leaf) in text
    for word in (head.root.hex(), f"{head.size:,} entries", KEY.public.key_id, "holdfast comply verify PACK"):
        assert word.replace(" ", "") in text.replace(" ", "")


def test_the_pdf_is_an_archive_file_and_equal_for_equal_packs(packed: tuple[Bank, Path], tmp_path: Path) -> None:
    bank, pack = packed
    data = (pack / "pack.pdf").read_bytes()
    assert data.startswith(b"%PDF-1.7")
    assert b"pdfaid:part" in data
    build(bank.store, bank.ledger, KEY, Wish(bank.clock()), tmp_path / "again")
    for name in names(pack):
        assert (tmp_path / "again" / name).read_bytes() == (pack / name).read_bytes(), name


def test_what_people_wrote_is_text_and_nothing_else(packed: tuple[Bank, Path]) -> None:
    _, pack = packed
    page = (pack / "pack.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
    assert "http" not in re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", page)
    text = words_of(pack)
    assert "#panic()" in text
    assert "*Jansen*" in text
    assert "$x^2$" in text


def test_the_page_is_one_file_that_can_be_read_by_everyone(packed: tuple[Bank, Path]) -> None:
    page = (packed[1] / "pack.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page
    assert page.count("<svg") == page.count("The same numbers as a table") == 2
    assert len(re.findall(r"<h1>", page)) == 1
    for tag in ("table", "section", "figure", "details", "div"):
        assert page.count(f"<{tag}") == page.count(f"</{tag}>"), tag


def test_the_data_holds_all_and_every_leaf_is_proven(packed: tuple[Bank, Path]) -> None:
    bank, pack = packed
    data = json.loads((pack / "pack.json").read_text())
    assert data["as_of"] == "2026-03-02T12:00:00Z"
    assert data["schema_version"] == 1
    with bank.store.reading() as tx:
        assert data["posture_digest"] == posture(tx, bank.clock(), bank.clock()).digest
    leaves = {int(leaf) for leaf in re.findall(r'"leaf": (\d+)', (pack / "pack.json").read_text())}
    proofs = json.loads((pack / "proofs.json").read_text())["proofs"]
    assert leaves == {proof["leaf"] for proof in proofs}


def test_a_pack_of_a_past_moment_says_what_held_then(packed: tuple[Bank, Path], tmp_path: Path) -> None:
    bank, _ = packed
    before = bank.clock() - timedelta(hours=4)
    built = build(bank.store, bank.ledger, KEY, Wish(before, framework="GDPR", pdf=False), tmp_path / "past")
    assert built.posture.models == ()
    assert built.posture.state.value == "missing"
    assert [view.id for view in built.posture.frameworks] == ["GDPR"]
    assert not (tmp_path / "past" / "pack.pdf").exists()
    assert verify_pack(tmp_path / "past", KEY.public).status is LedgerStatus.OK


def test_a_preview_writes_nothing(packed: tuple[Bank, Path], tmp_path: Path) -> None:
    bank, pack = packed
    now, leaves = preview(bank.store, Wish(bank.clock()))
    assert now.state.value == "failing"
    assert leaves == verify_pack(pack, KEY.public).proofs


def test_a_used_folder_is_refused_and_a_failed_pack_leaves_nothing(
    packed: tuple[Bank, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, pack = packed
    with pytest.raises(DataError, match="HF-CPL-011"):
        build(bank.store, bank.ledger, KEY, Wish(bank.clock()), pack)
    with pytest.raises(LedgerError, match="HF-CPL-012"):
        build(bank.store, bank.ledger, SigningKey.generate(), Wish(bank.clock()), tmp_path / "new")
    monkeypatch.setattr("typst.compile", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("cannot")))
    with pytest.raises(HoldfastError, match="HF-CPL-013"):
        build(bank.store, bank.ledger, KEY, Wish(bank.clock()), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_pack_of_nothing_can_be_written_too(small_bank: Bank, tmp_path: Path) -> None:
    built = build(small_bank.store, small_bank.ledger, KEY, Wish(small_bank.clock()), tmp_path / "none")
    assert built.leaves == 0
    assert verify_pack(tmp_path / "none", KEY.public).status is LedgerStatus.OK
    assert paper is not None
