"""What a detector is, what it remembers, and how one is added.

@detector(id="watch.duplicates", version=1, start=start)
def step(state, batch, context): ...
"""

from __future__ import annotations

import importlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.domain.alert import Signal
from holdfast.core.errors import StoreError
from holdfast.core.plugins import Registry

if TYPE_CHECKING:
    from holdfast.watch.batch import Batch

ENTRY_POINTS: Final = "holdfast.detectors"
OWN: Final = ("contract", "duplicates", "boundary", "extraction", "drift")
EVASION: Final = "AML.T0015"
EXTRACTION: Final = "AML.T0024.002"
EROSION: Final = "AML.T0031"
MAX_STATE_BYTES: Final = 64_000_000
_MAGIC: Final = b"HFD1"


@dataclass(frozen=True)
class Context:
    """What is known of a model besides its events.

    A score from `threshold` on is flagged where `flagged_above`, else accepted. `learning` is how many events a
    detector learns from before it speaks: a model's own past is the only benign traffic there is. `longest_series` is
    how many questions about one person in a row are honest: what-ifs of an adviser, retries of a client.
    """

    model: str
    contract: Contract
    threshold: float = 0.5
    flagged_above: bool = True
    learning: int = 10_000
    longest_series: int = 60

    def accepted(self, score: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where the model decides as an attacker wants; never where there is no score."""
        with np.errstate(invalid="ignore"):
            found: NDArray[np.bool_] = score < self.threshold if self.flagged_above else score >= self.threshold
        return found


@dataclass
class State:
    """What a detector remembers: numbers and arrays of fixed size. A step spends the state it is given.

    Written as a JSON head and the arrays' bytes, compressed; reading runs nothing.
    """

    version: int
    numbers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def copy(self) -> State:
        """A state of its own, for a second future."""
        numbers = json.loads(json.dumps(self.numbers))
        return State(self.version, numbers, {name: values.copy() for name, values in self.arrays.items()})

    def encode(self) -> bytes:
        """The state as bytes, the same for the same state."""
        head = {
            "version": self.version,
            "numbers": self.numbers,
            "arrays": [
                {"name": name, "dtype": _said(values.dtype), "shape": values.shape}
                for name, values in sorted(self.arrays.items())
            ],
        }
        said = json.dumps(head, sort_keys=True).encode()
        parts = [np.ascontiguousarray(values).tobytes() for _, values in sorted(self.arrays.items())]
        return _MAGIC + zlib.compress(len(said).to_bytes(8, "little") + said + b"".join(parts), 1)

    @classmethod
    def decode(cls, data: bytes) -> State:
        """What `encode` wrote. Raises StoreError (HF-WAT-060) on anything else."""
        try:
            return _decoded(data)
        except (ValueError, KeyError, TypeError, zlib.error) as fault:
            raise StoreError(
                "a detector's memory cannot be read",
                cause=f"{type(fault).__name__}: {fault}"[:200],
                fix="let it learn again: holdfast watch detect --forget MODEL",
                code="HF-WAT-060",
            ) from fault


def _said(dtype: np.dtype[Any]) -> Any:
    return dtype.str if dtype.names is None else [list(item) for item in dtype.descr]


def _decoded(data: bytes) -> State:
    if data[:4] != _MAGIC:
        raise ValueError("it is no detector state")
    reader = zlib.decompressobj()
    raw = reader.decompress(data[4:], MAX_STATE_BYTES)
    if not reader.eof:
        raise ValueError("it is cut off, or larger than a state may be")
    size = int.from_bytes(raw[:8], "little")
    head, place, arrays = json.loads(raw[8 : 8 + size]), 8 + size, {}
    for item in head["arrays"]:
        dtype = _dtype(item["dtype"])
        count = int(np.prod(item["shape"], dtype=np.int64))
        arrays[str(item["name"])] = np.frombuffer(raw, dtype, count, place).reshape(item["shape"]).copy()
        place += count * dtype.itemsize
    if place != len(raw):
        raise ValueError("its arrays are not as long as it says")
    return State(int(head["version"]), dict(head["numbers"]), arrays)


def _dtype(said: Any) -> np.dtype[Any]:
    dtype = np.dtype(said if isinstance(said, str) else [(str(name), str(kind)) for name, kind in said])
    if dtype.hasobject:
        raise ValueError("it holds objects")
    return dtype


Start = Callable[[Context], State]


class Step(Protocol):
    """One detector's work on one batch: never raises on what a batch holds, says nothing of an empty one."""

    def __call__(self, state: State, batch: Batch, context: Context) -> tuple[State, list[Signal]]:
        """The state after the batch, and what was seen in it."""
        ...


@dataclass(frozen=True, slots=True)
class Detector:
    """A registered detector. `split_invariant`: how events are cut into batches changes nothing in what it sees."""

    id: str
    version: int
    start: Start
    step: Step
    ready: Callable[[State, Context], bool]
    note: Callable[[State, Context], str]
    split_invariant: bool


def _load_own() -> None:
    for name in OWN:
        importlib.import_module(f"holdfast.watch.detectors.{name}")


DETECTORS: Registry[Detector] = Registry("detector", ENTRY_POINTS, _load_own)

Function = TypeVar("Function", bound=Step)


def seen_enough(state: State, context: Context) -> bool:
    """Whether a detector that counts `events` has learned long enough."""
    return int(state.numbers.get("events", 0)) >= context.learning


def say_nothing(state: State, context: Context) -> str:
    """How far a detector that counts `events` has come with learning."""
    events = int(state.numbers.get("events", 0))
    return (
        f"{events:,} events" if events >= context.learning else f"learning: {events:,} of {context.learning:,} events"
    )


def detector(
    *,
    id: str,  # noqa: A002
    version: int,
    start: Start,
    ready: Callable[[State, Context], bool] = seen_enough,
    note: Callable[[State, Context], str] = say_nothing,
    split_invariant: bool = True,
) -> Callable[[Function], Function]:
    """Register a function as the step of the detector `id`."""

    def register(step: Function) -> Function:
        DETECTORS.add(id, Detector(id, version, start, step, ready, note, split_invariant))
        return step

    return register


def start_all(context: Context) -> dict[str, State]:
    """A fresh state for every detector."""
    return {name: item.start(context) for name, item in DETECTORS}


def step_all(states: Mapping[str, State], batch: Batch, context: Context) -> tuple[dict[str, State], list[Signal]]:
    """Every detector's step, in the order of their ids. A detector without a state of its version starts anew."""
    after: dict[str, State] = {}
    signals: list[Signal] = []
    for name, item in DETECTORS:
        known = states.get(name)
        state = known if known is not None and known.version == item.version else item.start(context)
        after[name], seen = item.step(state, batch, context)
        signals += seen
    return after, signals
