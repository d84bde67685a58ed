"""Nouns to JSON text and back, at the border between the house and the database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from holdfast.core.domain import Observation
from holdfast.core.errors import StoreError
from holdfast.core.store.types import storable

MAX_BODY_BYTES = 64_000_000

Noun = TypeVar("Noun")


def encode(value: object) -> str:
    """JSON text of a noun or of plain data. Raises StoreError for a body beyond 64 MB or data JSON has no word for."""
    try:
        text = _json(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as fault:
        raise StoreError(
            "a value cannot be stored",
            cause=str(fault),
            fix="store only JSON values: text, finite numbers, lists and mappings",
            code="HF-STO-007",
        ) from fault
    if len(text) > MAX_BODY_BYTES:
        raise StoreError(
            "a value is too large to be stored",
            cause=f"{len(text):,} bytes of JSON; the limit is {MAX_BODY_BYTES:,}",
            fix="keep large results as blobs and store their digest",
            code="HF-STO-007",
        )
    return text.decode()


def decode(text: str, kind: type[Noun]) -> Noun:
    """The noun that `encode` wrote. Raises StoreError where the text is not one (a damaged or foreign row)."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise StoreError(
            f"a stored {kind.__name__} cannot be read",
            cause=str(fault),
            fix="restore the database from a backup; rows are written by Holdfast only",
            code="HF-STO-008",
        ) from fault


def encode_observation(observation: Observation) -> str:
    """JSON text of an observation. Raises StoreError on NaN or infinity, which JSON would turn into null."""
    for name, number in _numbers(observation):
        if not math.isfinite(number):
            raise StoreError(
                f"'{name}' is not a finite number",
                cause=f"the check gave {number}",
                fix="give an unknown observation with the reason instead",
                code="HF-STO-007",
            )
    return encode(observation)


def _numbers(observation: Observation) -> list[tuple[str, float]]:
    found = [(fact.kind, fact.value) for fact in observation.facts if isinstance(fact.value, float)]
    for seen in observation.measurements:
        found.append((seen.name, seen.value))
        found.extend((f"{seen.name} at {axis}", value) for axis, value in seen.at.items())
    return found


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_cleaned(msgspec.to_builtins(value)))


def _cleaned(value: Any) -> Any:
    """Hostile artifacts name things with lone surrogates, which no UTF-8 text can hold."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
