"""Which observations should exist: one piece of work per check and model, under the key that names its result."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from holdfast.audit.codedigest import code_digest
from holdfast.audit.interface import CHECKS, Check
from holdfast.audit.target import Parts
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.ids import JSONValue, digest
from holdfast.estate.manifest import REPORT

_ANALYSIS_LIBRARIES = ("numpy", "scipy", "numba", "scikit-learn", "pyarrow")
_NEEDS_OF_ROLE = {"model": "artifact", "train_data": "train", "test_data": "test"}

Hashes = Mapping[str, str]
"""Digest of each part of a model, by role: artifact, train, test, contract, lock."""


@dataclass(frozen=True, slots=True)
class Work:
    """One check on one model: what to run and the key its observation will have."""

    key: str
    check: str
    version: int
    requires: tuple[str, ...]
    params: dict[str, JSONValue]
    parts: Parts

    @property
    def model(self) -> str:
        return self.parts.model.name


def plan(
    parts: Parts,
    hashes: Hashes,
    libraries: Callable[[Path | None], Mapping[str, str]],
    *,
    seed: int,
    depth: Depth = Depth.FULL,
) -> tuple[Work, ...]:
    """All work for a model, whatever its kind, in check order. `libraries` gives a runtime's model libraries."""
    planned = (check for _, check in CHECKS if depth.covers(check.depth) and _can_apply(check, parts))
    return tuple(_work(check, parts, hashes, libraries, seed) for check in planned)


def applies(check_id: str, kinds: Iterable[str]) -> bool:
    """Whether a check is meant for a target of these kinds."""
    wanted = CHECKS.get(check_id).kinds
    return not wanted or bool(set(wanted) & set(kinds))


def _can_apply(check: Check[Any], parts: Parts) -> bool:
    """A check without its inputs is not planned; the policy decides whether it was required."""
    present = {"artifact", "model", "attestation", "signature"}  # that nobody signed is an answer too
    present |= {"train_data", "test_data"} if parts.train is not None else set()
    present |= {"contract"} if parts.contract is not None else set()
    present |= {"lock"} if parts.lock is not None else set()
    present |= {"reports"} if parts.reports else set()
    present |= {"licences"} if parts.licences is not None else set()
    present |= {"endpoint"} if parts.endpoint is not None else set()
    return set(check.needs) <= present


def _work(
    check: Check[Any], parts: Parts, hashes: Hashes, libraries: Callable[[Path | None], Mapping[str, str]], seed: int
) -> Work:
    params = check.params_json(check.default_params(seed))
    made_from: dict[str, JSONValue] = {
        "check": check.id,
        "version": check.version,
        "code": code_digest(check.module),
        "params": params,
        "inputs": _inputs(check, parts, hashes),
        "libraries": dict(_own_libraries()),
    }
    if "model" in check.needs:
        made_from["runtime"] = dict(libraries(parts.runtime))
        made_from["isolation"] = parts.isolation
    if parts.period is not None:
        made_from["period"] = parts.period
    if "endpoint" in check.needs:
        made_from["live_period"] = parts.live_period
    origin = CHECKS.origin(check.id)
    if origin is not None:
        made_from["plugin"] = [origin.distribution, origin.version, origin.digest]
    return Work(digest(made_from), check.id, check.version, check.requires, params, parts)


def _inputs(check: Check[Any], parts: Parts, hashes: Hashes) -> dict[str, JSONValue]:
    found: dict[str, JSONValue] = {}
    for need in check.needs:
        found[need] = _input(need, parts, hashes)
    if {"train_data", "test_data", "model"} & set(check.needs):
        found["columns"] = {"label": parts.label, "drop": list(parts.drop)}
    if "model" in check.needs:
        task = parts.model.task
        found["task"] = [task.kind, task.positive, task.harm.from_class, task.harm.to_class, task.threshold]
    return found


def _input(need: str, parts: Parts, hashes: Hashes) -> JSONValue:
    match need:
        case "endpoint":
            return _address(parts, hashes)
        case "attestation":
            return _origin(parts)
        case "signature":
            return _signature(parts)
        case "licences":
            return _licences(parts)
        case "reports":
            return [hashes[f"{REPORT}{number}"] for number in range(1, len(parts.reports) + 1)]
        case _:
            return hashes.get(_NEEDS_OF_ROLE.get(need, need)) or hashes["train"]


def _address(parts: Parts, hashes: Hashes) -> JSONValue:
    """An endpoint as far as it can be known: its address, how to speak to it, and what a row looks like."""
    assert parts.endpoint is not None, "planned only where there is one"
    place = parts.endpoint
    return [place.url, place.protocol, place.bearer_env is not None, hashes.get("contract")]


def _licences(parts: Parts) -> JSONValue:
    """What is stated, wherever it lies."""
    assert parts.licences is not None, "planned only where there are some"
    return parts.licences.digest


def _signature(parts: Parts) -> JSONValue:
    """A signature by its digest, whose word counts, and where the file lies: a signed folder names it by its path."""
    said = parts.signature
    return None if said is None else [said.digest, list(said.keys), parts.artifact.as_posix()]


def _origin(parts: Parts) -> JSONValue:
    """What was signed about the model's making, by name and digest, and by what that is held against."""
    said = parts.origin
    if said is None or not said.statements:
        return None
    statements: list[JSONValue] = [[path.name, digest] for path, digest in said.statements]
    return [statements, list(said.trusted), said.train, said.lock]


@cache
def _own_libraries() -> tuple[tuple[str, str], ...]:
    versions = [("python", platform.python_version())]
    for name in _ANALYSIS_LIBRARIES:
        try:
            versions.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            versions.append((name, "absent"))
    return tuple(versions)
