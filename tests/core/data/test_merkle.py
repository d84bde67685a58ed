"""Merkle trees against a naive reading of RFC 6962, and against the known answers of its reference code."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.data.merkle import (
    EMPTY_ROOT,
    consistency_path,
    consistent,
    fold,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
)

# The eight leaves and the roots over the first n of them that implementations of RFC 6962 share as test data.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]  # fmt: skip


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    middle = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:middle]) + naive_root(leaves[middle:])).digest()


def naive_split(size: int) -> int:
    middle = 1
    while middle * 2 < size:
        middle *= 2
    return middle


def naive_inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    middle = naive_split(len(leaves))
    if index < middle:
        return [*naive_inclusion(index, leaves[:middle]), naive_root(leaves[middle:])]
    return [*naive_inclusion(index - middle, leaves[middle:]), naive_root(leaves[:middle])]


def naive_consistency(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    middle = naive_split(len(leaves))
    if old <= middle:
        return [*naive_consistency(old, leaves[:middle], whole=whole), naive_root(leaves[middle:])]
    return [*naive_consistency(old - middle, leaves[middle:], whole=False), naive_root(leaves[:middle])]


def entries(size: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(size)]


def subtree_of(leaves: list[bytes]):
    hashes = [leaf_hash(leaf) for leaf in leaves]

    def subtree(start: int, stop: int) -> bytes:
        span = stop - start
        assert span & (span - 1) == 0
        assert start % span == 0
        return root_of(hashes[start:stop])

    return subtree


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_the_known_ones(size: int) -> None:
    assert root_of([leaf_hash(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size]
    assert naive_root(LEAVES[:size]).hex() == ROOTS[size]


def test_leaves_and_nodes_are_hashed_apart() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", range(70))
def test_every_path_of_small_trees_is_the_naive_one_and_verifies(size: int) -> None:
    leaves = entries(size)
    subtree, root = subtree_of(leaves), naive_root(leaves)
    assert root_of([leaf_hash(leaf) for leaf in leaves]) == root
    for index in range(size):
        path = inclusion_path(index, size, subtree)
        assert path == naive_inclusion(index, leaves)
        assert root_from_inclusion(leaf_hash(leaves[index]), index, size, path) == root
    for old in range(1, size + 1):
        path = consistency_path(old, size, subtree)
        assert path == naive_consistency(old, leaves)
        assert consistent(old, naive_root(leaves[:old]), size, root, path)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.data())
def test_paths_are_the_naive_ones(size: int, data: st.DataObject) -> None:
    leaves = entries(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    subtree = subtree_of(leaves)
    assert inclusion_path(index, size, subtree) == naive_inclusion(index, leaves)
    assert consistency_path(old, size, subtree) == naive_consistency(old, leaves)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 70), st.data())
def test_a_changed_inclusion_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = entries(size)
    root = naive_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = naive_inclusion(index, leaves)
    leaf = leaf_hash(leaves[index])
    kind = data.draw(st.sampled_from(["leaf", "index", "size", "drop", "add", "flip"]))
    if kind == "leaf":
        leaf = leaf_hash(b"another")
    elif kind == "index":
        index = data.draw(st.integers(-1, size).filter(lambda other: other != index))
    elif kind == "size":
        # A tree one leaf larger can have the same path; one of another height cannot.
        size = data.draw(st.sampled_from([2 * size + 1, 0]))
    elif kind == "drop" and path:
        path = path[:-1]
    elif kind == "add":
        path = [*path, leaf]
    elif path:
        place = data.draw(st.integers(0, len(path) - 1))
        path = [*path[:place], node_hash(path[place], leaf), *path[place + 1 :]]
    else:
        leaf = root[::-1]
    assert root_from_inclusion(leaf, index, size, path) != root


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 70), st.data())
def test_a_changed_consistency_proof_proves_nothing(new: int, data: st.DataObject) -> None:
    leaves = entries(new)
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = naive_root(leaves[:old]), naive_root(leaves)
    path = naive_consistency(old, leaves)
    assert consistent(old, old_root, new, new_root, path)
    forked = naive_root([*leaves[: old - 1], b"another"])
    assert not consistent(old, forked, new, new_root, path)
    assert not consistent(old, old_root, new, forked, path)
    assert not consistent(old, old_root, new, new_root, path[:-1])
    assert not consistent(old, old_root, new, new_root, [*path, new_root])
    place = data.draw(st.integers(0, len(path) - 1))
    flipped = bytes([path[place][0] ^ 1]) + path[place][1:]
    assert not consistent(old, old_root, new, new_root, [*path[:place], flipped, *path[place + 1 :]])


def test_impossible_questions_are_refused() -> None:
    subtree = subtree_of(entries(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match="leaf"):
            inclusion_path(index, size, subtree)
    for old, new in ((0, 4), (5, 4)):
        with pytest.raises(ValueError, match="path"):
            consistency_path(old, new, subtree)
    root = naive_root(entries(4))
    assert not consistent(0, EMPTY_ROOT, 4, root, [])
    assert not consistent(5, root, 4, root, [])
    assert consistent(4, root, 4, root, [])
    assert not consistent(4, root, 4, root, [root])
    assert not consistent(3, root, 4, root, [])


def test_nothing_folds_to_the_empty_root() -> None:
    assert fold([]) == EMPTY_ROOT == root_of([])
