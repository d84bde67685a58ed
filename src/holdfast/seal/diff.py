"""Two states of a data set side by side: seals, or data as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.core.data.seal import Leaves, SealedData
from holdfast.core.data.seal_changes import Changes, changes
from holdfast.core.errors import DataError
from holdfast.core.sign import PublicKey
from holdfast.seal.files import data_of, earlier_of, is_seal, load, load_leaves, seal_of
from holdfast.seal.observe import observe
from holdfast.seal.statement import Seal
from holdfast.seal.verifying import same_bytes


@dataclass(frozen=True, slots=True)
class State:
    """A side of a comparison. `seal` and `trusted` are None where it is data that was just looked at."""

    path: Path
    data: SealedData
    leaves: dict[str, Leaves]
    seal: Seal | None = None
    trusted: bool | None = None
    found_at: Path | None = None
    """Where the data itself lies, if it still is what the state says."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of `old` in `new`."""

    old: State
    new: State
    changes: Changes


def state(path: Path, keys: tuple[PublicKey, ...], against: SealedData | None = None) -> State:
    """A seal file, or data as it is now. Raises DataError HF-SEA-001, SignatureError HF-SEA-002, -003."""
    if not is_seal(path):
        now = observe(path, against)
        return State(path, now.data, now.leaves, found_at=path)
    signed = load(path, keys)
    data = signed.seal.data
    beside = data_of(path)
    found_at = beside if beside.exists() else None
    return State(path, data, load_leaves(path, data), signed.seal, signed.signer is not None, found_at)


def compare(old: Path, new: Path | None, keys: tuple[PublicKey, ...]) -> Difference:
    """Compare two states. Without `new`: data as it is now, or the seal `old`, with the last seal before it."""
    if new is None:
        old, new = _before(old, keys), old
    first = state(old, keys)
    second = state(new, keys, first.data)
    return Difference(first, second, changes(first.data, second.data, first.leaves, second.leaves))


def _before(path: Path, keys: tuple[PublicKey, ...]) -> Path:
    """The seal of data; of data whose seal is up to date, or of a seal, the one before."""
    seal = path if is_seal(path) else seal_of(path)
    signed = load(seal, keys, data=path)
    if not is_seal(path) and not same_bytes(path, signed.seal.data):
        return seal
    for parent in reversed(signed.seal.parents):
        earlier = earlier_of(seal, parent.seal)
        if earlier.exists():
            return earlier
    raise DataError(
        f"there is nothing to compare {path} with",
        cause="the data is as it was sealed, and no earlier seal lies beside it",
        fix="name two seals or data sets: holdfast seal diff OLD NEW",
        code="HF-SEA-012",
    )
