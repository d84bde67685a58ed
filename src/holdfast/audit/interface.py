"""What a check is: one decorated function that observes a target and judges nothing."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

from holdfast.core.domain.depth import Depth
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.observation import Observation
from holdfast.core.plugins import Registry

if TYPE_CHECKING:
    from holdfast.audit.target import Target

NEEDS = frozenset(
    {
        *("artifact", "model", "train_data", "test_data", "contract", "lock", "endpoint"),
        *("attestation", "reports", "signature", "licences"),
    }
)
"""What a check may read. A key covers exactly the digests of what its check needs."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds on work, in counts; wall time only kills and is never part of a result."""

    rows: int = 100_000
    nodes: int = 2_000_000_000


P = TypeVar("P")


@dataclass(frozen=True)
class Check(Generic[P]):
    """A check and all that its observation key must know about it."""

    id: str
    version: int
    needs: tuple[str, ...]
    requires: tuple[str, ...]
    covers: tuple[str, ...]
    kinds: tuple[str, ...]
    params: type[P]
    observe: Callable[[Target, P, Budget], Observation]
    depth: Depth = Depth.QUICK
    """The least depth of an audit that runs it."""

    @property
    def module(self) -> str:
        return self.observe.__module__

    def default_params(self, seed: int) -> P:
        """The default parameters, with the run's seed where the check takes one."""
        fields = {field.name for field in dataclasses.fields(self.params)}  # type: ignore[arg-type]
        return self.params(**({"seed": seed} if "seed" in fields else {}))

    def params_json(self, params: P) -> dict[str, JSONValue]:
        return dataclasses.asdict(params)  # type: ignore[call-overload, no-any-return]

    def params_from(self, value: dict[str, Any]) -> P:
        """The parameters that `params_json` wrote."""
        import msgspec

        return msgspec.convert(value, self.params)


@dataclass(frozen=True, slots=True)
class NoParams:
    """For checks without parameters."""


def _load_own() -> None:
    import holdfast.audit.checks  # noqa: F401


CHECKS: Registry[Check[Any]] = Registry("check", "holdfast.checks", _load_own)


def check(
    *,
    id: str,  # noqa: A002
    version: int,
    needs: tuple[str, ...],
    requires: tuple[str, ...] = (),
    covers: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    depth: Depth = Depth.QUICK,
) -> Callable[[Callable[[Any, Any, Budget], Observation]], Callable[[Any, Any, Budget], Observation]]:
    """Register a check. `kinds` limits it to targets of a kind (`tree`); empty means every model."""
    unknown = set(needs) - NEEDS
    if unknown:
        raise ValueError(f"{id}: no such need: {', '.join(sorted(unknown))}")

    def register(observe: Callable[[Any, Any, Budget], Observation]) -> Callable[[Any, Any, Budget], Observation]:
        params = get_type_hints(observe).get("params", NoParams)
        if list(inspect.signature(observe).parameters) != ["target", "params", "budget"]:
            raise TypeError(f"{id}: a check takes (target, params, budget)")
        CHECKS.add(id, Check(id, version, needs, requires, covers, kinds, params, observe, depth))
        return observe

    return register
