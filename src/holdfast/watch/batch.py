"""One model's events as arrays, in the order they arrived: what detectors are handed.

Values that a contract cannot read are not dropped: they are missing in `X` and marked in `invalid`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holdfast.core.contract import Contract, Feature
from holdfast.watch.schema import feature_columns

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int32]
Keys = NDArray[np.uint64]

NOBODY = -1
"""The code of an event without a subject."""
_LAST_US = 253_402_300_799_000_000
"""The end of the year 9999: what a calendar can hold."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Batch:
    """n events of one model. Codes point into the names beside them; keys are the same across batches."""

    model: str
    contract: Contract
    X: Floats
    """(n, d) in contract order; NaN where missing or invalid."""
    invalid: Bools
    """(n, d) a value was there that the contract cannot read: an unknown text, text for a number, an infinite one."""
    time: NDArray[np.int64]
    """(n,) microseconds since 1970, UTC."""
    client: Codes
    clients: tuple[str, ...]
    client_key: Keys
    subject: Codes
    """(n,) NOBODY where the event names no subject."""
    subject_key: Keys
    """(n,) 0 where the event names no subject."""
    score: Floats
    """(n,) NaN where there is none."""
    decision: Codes
    decisions: tuple[str, ...]
    ids: pa.Array
    version: str | None
    """The version of the last event that names one."""

    def __len__(self) -> int:
        return len(self.X)

    def event_id(self, row: int) -> str:
        """The id of one event."""
        return str(self.ids[row].as_py())

    def at(self, row: int) -> datetime:
        """The moment of one event."""
        return _EPOCH + timedelta(microseconds=int(self.time[row]))

    def client_name(self, row: int) -> str:
        """Who asked."""
        return self.clients[int(self.client[row])]

    @classmethod
    def of(cls, table: pa.Table, contract: Contract) -> Batch:
        """The events of a table of `watch.schema`, all of one model. Raises nothing on odd values: it marks them."""
        X, invalid = encode(contract, feature_columns(table), table.num_rows)
        client, clients = _codes(table["client"])
        subject, subjects = _codes(table["subject"])
        decision, decisions = _codes(table["decision"])
        return cls(
            model=str(table["model"][0].as_py()) if table.num_rows else "",
            contract=contract,
            X=X,
            invalid=invalid,
            time=_whole(table["time"]),
            client=client,
            clients=clients,
            client_key=_keys(clients)[client],
            subject=subject,
            subject_key=np.append(_keys(subjects), np.uint64(0))[subject],
            score=_numbers(table["score"]),
            decision=decision,
            decisions=decisions,
            ids=_single(table["event_id"]),
            version=_version(table["version"]),
        )

    def pieces(self, size: int) -> Iterator[Batch]:
        """The same events in batches of at most `size`."""
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))

    def rows(self, part: slice) -> Batch:
        """Some of the events, one after the other."""
        arrays = ("X", "invalid", "time", "client", "client_key", "subject", "subject_key", "score", "decision")
        start, stop, _ = part.indices(len(self))
        cut: dict[str, Any] = {name: getattr(self, name)[part] for name in arrays}
        return replace(self, ids=self.ids.slice(start, max(stop - start, 0)), **cut)


def encode(contract: Contract, columns: dict[str, pa.Array], rows: int) -> tuple[Floats, Bools]:
    """Features as (n, d), NaN where missing or unreadable, and where they were unreadable."""
    X = np.full((rows, len(contract.features)), np.nan)
    invalid = np.zeros(X.shape, np.bool_)
    for position, feature in enumerate(contract.features):
        if feature.name in columns:
            values, bad = _encoded(feature, columns[feature.name])
            X[:, position], invalid[:, position] = np.where(bad, np.nan, values), bad
    return X, invalid


def _encoded(feature: Feature, column: pa.Array) -> tuple[Floats, Bools]:
    there = np.asarray(column.is_valid())
    if feature.text:
        if not pa.types.is_string(column.type):
            return np.full(len(column), np.nan), there
        found = pc.index_in(column, pa.array([str(value) for value in feature.values]))
        values = _numbers(found)
        return values, there & np.isnan(values)
    if pa.types.is_string(column.type):
        return np.full(len(column), np.nan), there
    values = _numbers(column)
    return values, np.isinf(values)


def _numbers(column: Any) -> Floats:
    values: Floats = np.asarray(_single(column).cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    return values


def _whole(column: Any) -> NDArray[np.int64]:
    micros = _single(column).cast(pa.int64())
    return np.clip(np.asarray(micros.to_numpy(zero_copy_only=False), np.int64), 0, _LAST_US)


def _single(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def _codes(column: Any) -> tuple[Codes, tuple[str, ...]]:
    encoded = _single(column).cast(pa.string()).dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(NOBODY).to_numpy(zero_copy_only=False), np.int32)
    return codes, tuple(encoded.dictionary.to_pylist())


def _keys(names: Sequence[str]) -> Keys:
    """Nobody can choose names that share a key, so that many would count as one."""
    raw = b"".join(blake2b(name.encode("utf-8", "replace"), digest_size=8).digest() for name in names)
    keys = np.frombuffer(raw, "<u8").astype(np.uint64)
    return np.maximum(keys, np.uint64(1))


def _version(column: Any) -> str | None:
    named = pc.drop_null(_single(column))
    return str(named[-1].as_py()) if len(named) else None
