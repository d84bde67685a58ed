"""Making and verifying seals: every flipped bit is seen, what changed is named, a kill leaves nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import DataError, HoldfastError, SignatureError, UsageError
from holdfast.core.sign import SigningKey
from holdfast.seal import apart
from holdfast.seal.code import NO_CODE
from holdfast.seal.diff import compare
from holdfast.seal.files import load, load_leaves, seal_of
from holdfast.seal.making import make
from holdfast.seal.verifying import Standing, verify

from .conftest import READ_APART, columns, write


def test_a_seal_holds_and_is_not_made_twice(data: Path, key: SigningKey) -> None:
    made = make(data, key)
    assert made.path == data.with_name("train.parquet.seal.json")
    assert made.fresh
    assert verify(data, (key.public,)).standing is Standing.OK
    before = made.path.read_bytes()
    again = make(data, key)
    assert not again.fresh
    assert again.signed.seal.digest == made.signed.seal.digest
    assert made.path.read_bytes() == before


def test_the_seal_is_in_toto_about_the_file(data: Path, key: SigningKey) -> None:
    import hashlib

    statement = make(data, key).signed.seal.statement()
    assert statement.predicate_type == "urn:holdfast:seal:v1"
    (subject,) = statement.subjects
    assert subject.sha256 == hashlib.sha256(data.read_bytes()).hexdigest()


def test_without_a_trusted_key_the_answer_is_unknown(data: Path, key: SigningKey) -> None:
    make(data, key)
    found = verify(data, (SigningKey.generate().public,))
    assert (found.standing, found.exit_code) == (Standing.UNKNOWN, 3)
    assert key.public.key_id in found.problems[0]


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_of_the_file_breaks_the_seal(place: int, bit: int, tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "train.csv"
    whole = save(path, columns()).read_bytes()
    make(path, key, replace=True)
    changed = bytearray(whole)
    changed[place % len(whole)] ^= 1 << bit
    path.write_bytes(changed)
    found = verify(path, (key.public,))
    assert found.standing is Standing.BROKEN
    assert found.problems[0].startswith("train.csv: ")


def test_a_reader_that_dies_is_an_answer(data: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    make(data, key)
    data.write_bytes(data.read_bytes()[:-1] + b"X")
    monkeypatch.setattr(apart, "read_apart", READ_APART)
    monkeypatch.setattr(apart.sys, "executable", "/bin/false")
    assert verify(data, (key.public,)).problems == (
        "train.parquet: the bytes changed; it cannot be read: the reader ended with 1",
    )


def test_an_altered_file_is_read_in_a_process_apart(
    data: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(data, key)
    table = columns()
    table["a"][5] += 1
    write(data, table)
    here = verify(data, (key.public,))
    monkeypatch.setattr(apart, "read_apart", READ_APART)
    there = verify(data, (key.public,))
    assert (
        there.problems
        == here.problems
        == (
            "train.parquet: the column 'a' changed",
            "train.parquet: row changed: 5",
        )
    )


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_changed_cell_is_named_by_column_and_row(suffix: str, tmp_path: Path, key: SigningKey) -> None:
    table = columns()
    path = save(tmp_path / f"t.{suffix}", table)
    make(path, key)
    table["b"][17] = np.nextafter(table["b"][17], 9)
    save(path, table)
    found = verify(path, (key.public,))
    assert found.problems == (f"t.{suffix}: the column 'b' changed", f"t.{suffix}: row changed: 17")


def test_other_changes_are_named(data: Path, key: SigningKey) -> None:
    make(data, key)
    table = columns()
    write(data, {**{name: values for name, values in table.items() if name != "city"}, "town": table["city"]})
    assert "train.parquet: the column 'city' is named 'town' now" in verify(data, (key.public,)).problems
    write(data, {name: values[::-1] for name, values in table.items()})
    assert any("rows moved" in problem for problem in verify(data, (key.public,)).problems)
    write(data, {name: values[:-1] for name, values in table.items()})
    assert verify(data, (key.public,)).problems == ("train.parquet: row gone: 59",)
    data.write_bytes(data.read_bytes()[:100])
    assert "HF-DAT" in verify(data, (key.public,)).problems[0]


def test_other_bytes_with_the_same_content_pass_only_when_content_is_asked(data: Path, key: SigningKey) -> None:
    seal = make(data, key).path
    pq.write_table(pa.table(columns()), data, compression="zstd", row_group_size=7)
    found = verify(data, (key.public,))
    assert found.problems == ("train.parquet: other bytes, with the same rows and columns",)
    assert verify(data, (key.public,), content=True).standing is Standing.OK
    other = save(data.with_suffix(".csv"), columns())
    assert verify(other, (key.public,), seal=seal).standing is Standing.BROKEN
    assert verify(other, (key.public,), seal=seal, content=True).standing is Standing.OK


def save(path: Path, table: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(pa.table(table), path)
        return path
    return write(path, table)


def test_a_folder_is_sealed_with_all_its_files(tmp_path: Path, key: SigningKey) -> None:
    folder = tmp_path / "set"
    (folder / "sub").mkdir(parents=True)
    write(folder / "sub" / "june.parquet", columns())
    (folder / "notes.md").write_text("from the warehouse")
    made = make(folder, key)
    assert made.path == tmp_path / "set.seal.json"
    assert [file.name for file in made.signed.seal.data.files] == ["notes.md", "sub/june.parquet"]
    assert verify(folder, (key.public,)).standing is Standing.OK
    (folder / "extra.bin").write_bytes(b"1")
    (folder / "notes.md").write_text("from the warehouse!")
    problems = verify(folder, (key.public,)).problems
    assert problems[0] == "extra.bin: the file was not there when the data was sealed"
    assert problems[1].startswith("notes.md: the bytes changed")
    (folder / "notes.md").unlink()
    assert "notes.md: the file is gone" in verify(folder, (key.public,)).problems


def test_changed_data_is_sealed_again_only_when_meant_and_the_old_seal_stays(data: Path, key: SigningKey) -> None:
    first = make(data, key)
    table = columns()
    table["a"][3] += 1
    write(data, table)
    with pytest.raises(DataError) as caught:
        make(data, key)
    assert caught.value.code == "HF-SEA-005"
    assert load(first.path, (key.public,)).seal.digest == first.signed.seal.digest
    second = make(data, key, replace=True, by="a slip corrected")
    (parent,) = second.signed.seal.parents
    assert (parent.seal, parent.by) == (first.signed.seal.digest, "a slip corrected")
    found = compare(data, None, (key.public,))
    assert found.changes.changed[0].rows is not None
    assert found.changes.changed[0].rows.changed.tolist() == [3]
    assert found.changes.changed[0].columns.changed == ("a",)
    assert found.old.trusted


def test_lineage_names_parents_by_what_was_signed(data: Path, key: SigningKey, tmp_path: Path) -> None:
    parent = make(data, key)
    child = write(tmp_path / "clean.parquet", columns(20))
    seal = make(child, key, parents=[parent.path], by="first twenty rows").signed.seal
    assert seal.parents[0].seal == parent.signed.seal.digest
    with pytest.raises(UsageError) as caught:
        make(child, key, parents=[parent.path])
    assert caught.value.code == "HF-SEA-009"


def test_the_commit_of_the_repository_around_is_named(data: Path, key: SigningKey) -> None:
    assert make(data, key).signed.seal.code == NO_CODE
    for words in (
        ["init", "-q"],
        ["add", "train.parquet"],
        ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"],
    ):
        subprocess.run(["git", *words], cwd=data.parent, check=True)
    code = make(data, key, dry_run=True, replace=True).signed.seal.code
    assert code == NO_CODE, "the seal that is there stays"
    seal_of(data).unlink()
    code = make(data, key).signed.seal.code
    assert code.state == "clean"
    assert len(code.commit or "") == 40
    write(data, columns(10))
    assert make(data, key, replace=True).signed.seal.code.dirty == ("train.parquet",)


def test_nothing_is_written_by_a_dry_run(data: Path, key: SigningKey) -> None:
    assert make(data, key, dry_run=True).fresh
    assert sorted(path.name for path in data.parent.iterdir()) == ["train.parquet"]


def test_what_is_no_table_is_sealed_by_its_bytes_with_the_reason(tmp_path: Path, key: SigningKey) -> None:
    pq.write_table(pa.table({"id": [2**60]}), tmp_path / "ids.parquet")
    (file,) = make(tmp_path / "ids.parquet", key).signed.seal.data.files
    assert file.table is None
    assert file.note.startswith("HF-DAT-008")
    with pytest.raises(SignatureError):
        make(tmp_path / "nothing.parquet", key)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        make(tmp_path / "empty", key)
    assert caught.value.code == "HF-SEA-007"


def test_altered_row_hashes_are_refused(data: Path, key: SigningKey) -> None:
    seal = make(data, key)
    (rows,) = data.with_name("train.parquet.seal.d").iterdir()
    content = bytearray(rows.read_bytes())
    content[5] ^= 1
    rows.write_bytes(content)
    with pytest.raises(SignatureError) as caught:
        load_leaves(seal.path, seal.signed.seal.data)
    assert caught.value.code == "HF-SEA-003"
    rows.unlink()
    table = columns()
    table["a"][3] += 1
    write(data, table)
    problems = verify(data, (key.public,)).problems
    assert problems[0] == "train.parquet: the column 'a' changed"
    assert "not at hand" in problems[1]


KILLED = """
import os, shutil, signal, sys, pandas, pyarrow.parquet, holdfast.core.data.files, pyarrow.compute
from pathlib import Path
from holdfast.core.sign import SigningKey
from holdfast.seal import files, making
data, original = Path(sys.argv[1]), os.fsync
for step in range(9):
    if (child := os.fork()) == 0:
        count = 0
        def dying(handle):
            global count
            count += 1
            if count > step:
                os.kill(os.getpid(), signal.SIGKILL)
            original(handle)
        os.fsync = dying
        making.make(data, SigningKey(bytes(range(32))), replace=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    shutil.copytree(data.parent, sys.argv[2] + str(step))
    print(status, flush=True)
    if status == 0:
        break
"""


def test_a_kill_while_writing_leaves_the_old_seal_or_the_new_one(
    tmp_path_factory: pytest.TempPathFactory, key: SigningKey
) -> None:
    """Killed at each point where a file has been written and is not known to be on disk yet."""
    data = write(tmp_path_factory.mktemp("killed") / "train.parquet", columns())
    old = make(data, key).signed.seal.digest
    table = columns()
    table["a"][3] += 1
    write(data, table)
    copies = str(tmp_path_factory.mktemp("copies") / "step")
    done = subprocess.run([sys.executable, "-c", KILLED, str(data), copies], check=True, capture_output=True, text=True)
    ends = [int(line) for line in done.stdout.split()]
    assert len(ends) > 4
    assert (set(ends[:-1]), ends[-1]) == ({int(signal.SIGKILL)}, 0)
    for step in range(len(ends)):
        copy = Path(f"{copies}{step}") / data.name
        now = load(seal_of(copy), (key.public,))
        assert now.signer is not None
        assert len(load_leaves(seal_of(copy), now.seal.data)) == 1
        if now.seal.digest != old:
            assert now.seal.parents[0].seal == old
            assert verify(copy, (key.public,)).standing is Standing.OK


@pytest.mark.parametrize("link", [True, False])
def test_places_that_are_no_data_are_refused(link: bool, tmp_path: Path, key: SigningKey) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a").write_text("1")
    if link:
        (folder / "up").symlink_to(tmp_path)
    else:
        os.mkfifo(folder / "pipe")
    with pytest.raises(HoldfastError):
        make(folder, key)


def test_a_file_name_in_another_encoding_is_sealed_and_verified(tmp_path: Path, key: SigningKey) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / os.fsdecode(b"gen\xe8ve.bin")).write_bytes(b"1")
    make(folder, key)
    assert verify(folder, (key.public,)).standing is Standing.OK
    (folder / os.fsdecode(b"gen\xe8ve.bin")).write_bytes(b"2")
    assert verify(folder, (key.public,)).standing is Standing.BROKEN
