"""Sets of files: every file is in, or named as left out, or the reason why nothing is signed."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import SignatureError
from holdfast.core.sign import FileSet, Rules, fileset, hash_set
from holdfast.core.sign.fileset import MAX_IGNORED, MAX_SET, in_order, list_files, refuse_outside

PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=6).filter(
    lambda part: part not in (".", "..") and len(part.encode()) < 200
)


def fill(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def digests(found: FileSet) -> dict[str, str]:
    return {file.name: file.digest for file in found.files}


def expected(files: dict[str, bytes]) -> dict[str, str]:
    return {name: "sha256:" + hashlib.sha256(data).hexdigest() for name, data in files.items()}


def refused(root: Path, rules: Rules = fileset.DEFAULT) -> str:
    with pytest.raises(SignatureError) as raised:
        hash_set(root, rules)
    assert raised.value.code == "HF-SIG-010"
    return raised.value.cause


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.tuples(PART, PART), st.binary(max_size=30), min_size=1, max_size=8))
def test_every_file_is_in_by_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str], bytes]
) -> None:
    named = {f"d{folder}/{name}": data for (folder, name), data in files.items()}
    found = hash_set(fill(tmp_path_factory.mktemp("s"), named), workers=2)
    assert digests(found) == expected(named)
    assert [file.name for file in found.files] == sorted(named, key=lambda name: name.split("/"))
    assert found.bytes == sum(map(len, named.values()))


def test_what_git_keeps_is_left_out_at_the_root_only(tmp_path: Path) -> None:
    kept = {"a": b"1", "sub/.gitignore": b"2", ".gitmodules": b"3", ".github2/x": b"4"}
    fill(tmp_path, kept | {".git/config": b"x", ".github/w.yml": b"x", ".gitignore": b"x", ".gitattributes": b"x"})
    assert digests(hash_set(tmp_path)) == expected(kept)
    assert list_files(tmp_path, fileset.DEFAULT).left_out == (".git", ".gitattributes", ".github", ".gitignore")
    assert len(hash_set(tmp_path, Rules(())).files) == 8
    assert set(digests(hash_set(tmp_path, Rules(("sub", "a"))))) == {
        ".git/config",
        ".github/w.yml",
        ".github2/x",
        ".gitattributes",
        ".gitignore",
        ".gitmodules",
    }


PATH = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=3).map("/".join)


@given(st.lists(PATH, max_size=3), PATH)
def test_what_is_left_out_is_told_by_whole_parts(ignored: list[str], name: str) -> None:
    parts = name.split("/")
    wanted = any(parts[: len(one)] == one for one in (path.split("/") for path in ignored))
    assert Rules(tuple(ignored)).leaves_out(name) is wanted


def test_as_many_names_as_there_may_be_are_held_against_as_many_paths() -> None:
    rules = Rules(tuple(f"p{i}" for i in range(MAX_IGNORED)))
    before = time.process_time()
    assert not any(rules.leaves_out(f"d{i}/file") for i in range(MAX_SET))
    assert time.process_time() - before < 3.0, "a fifth of a second as a rule; eight where each path is tried by itself"


def test_a_single_file_is_named_by_its_own_name(tmp_path: Path) -> None:
    fill(tmp_path, {"m.bin": b"x"})
    found = hash_set(tmp_path / "m.bin")
    assert (found.name, found.single, digests(found)) == ("m.bin", True, expected({"m.bin": b"x"}))


def test_links_are_refused_or_followed_inside_only(tmp_path: Path) -> None:
    root = fill(tmp_path / "m", {"blobs/b": b"x"})
    fill(tmp_path, {"outside": b"secret"})
    (root / "a").symlink_to("blobs/b")
    assert "links are not followed" in refused(root)
    found = digests(hash_set(root, Rules(links=True)))
    assert found == expected({"a": b"x", "blobs/b": b"x"})
    for target, word in (("../outside", "out of the folder"), ("nowhere", "nowhere"), ("blobs", "no regular file")):
        (root / "z").unlink(missing_ok=True)
        (root / "z").symlink_to(target)
        assert word in refused(root, Rules(links=True))
        assert "links are not followed" in refused(root)
    (root / "z").unlink()
    (root / "z").symlink_to("z")
    assert "nowhere" in refused(root, Rules(links=True))


def test_what_is_no_file_or_has_no_name_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path) == "it is no regular file"
    (tmp_path / "pipe").unlink()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"x")
    assert refused(tmp_path) == "its name is no UTF-8 text"
    assert refused(tmp_path / "none") == "No such file or directory"


def test_an_empty_or_endless_set_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="it has 0 files"):
        hash_set(tmp_path)
    fill(tmp_path, {".git/config": b"x"})
    with pytest.raises(ValueError, match="it has 0 files"):
        hash_set(tmp_path)
    fill(tmp_path, {"a": b"", "b": b"", "c": b""})
    monkeypatch.setattr(fileset, "MAX_SET", 2)
    with pytest.raises(ValueError, match="it has 3 files"):
        hash_set(tmp_path)


@pytest.mark.parametrize("what", ["write", "add", "remove", "replace"])
def test_a_change_while_hashing_is_refused(what: str, tmp_path: Path) -> None:
    """After each file's digest was taken, and before the set is whole."""
    fill(tmp_path, {"a": b"x" * 100, "b": b"y"})

    def meddle(files: int, all_files: int, size: int, all_size: int) -> None:
        if files != 2:
            return
        if what == "write":
            (tmp_path / "a").write_bytes(b"z" * 100)
            os.utime(tmp_path / "a", ns=(1, 1))
        elif what == "add":
            (tmp_path / "c").write_bytes(b"new")
        elif what == "remove":
            (tmp_path / "a").unlink()
        else:
            (tmp_path / "new").write_bytes(b"z" * 100)
            (tmp_path / "new").replace(tmp_path / "a")

    with pytest.raises(SignatureError) as raised:
        hash_set(tmp_path, told=meddle)
    assert "changed while the set was hashed" in raised.value.cause


def test_a_file_written_to_while_it_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)

    def meddle(files: int, all_files: int, size: int, all_size: int) -> None:
        if files == 0:
            (tmp_path / "a").write_bytes(b"z" * 100)
            os.utime(tmp_path / "a", ns=(1, 1))

    with pytest.raises(SignatureError) as raised:
        hash_set(tmp_path, told=meddle)
    assert raised.value.cause == "it changed while it was read"


def test_progress_ends_with_everything(tmp_path: Path) -> None:
    fill(tmp_path, {f"f{i}": bytes(i * 1000) for i in range(20)})
    seen: list[tuple[int, int, int, int]] = []
    hash_set(tmp_path, told=lambda *step: seen.append(step), workers=4)
    assert seen[-1] == (20, 20, sum(i * 1000 for i in range(20)), sum(i * 1000 for i in range(20)))
    assert seen == sorted(seen)


def test_names_have_one_spelling_and_stay_inside() -> None:
    for name in ("", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a\0b", "a" * 5000):
        with pytest.raises(ValueError, match="not a plain path"):
            refuse_outside(name)
        with pytest.raises(ValueError, match="not a plain path"):
            Rules((name,))
    for name in ("a", ".git", "a/b", "...", "a b", "ü/ß", "a\\b"):
        refuse_outside(name)
    with pytest.raises(ValueError, match="left out"):
        Rules(tuple(f"f{i}" for i in range(MAX_IGNORED + 1)))
    assert sorted(["a-b/x", "a/x", "a/b"], key=in_order) == ["a/b", "a/x", "a-b/x"]
