"""Trees as large as the original's, trained again beside copies that a cheap attack has moved."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.harden.growths import with_copies
from holdfast.harden.interface import Bench, Draft, recipe

WEIGHTS = (0.5, 1.0)


@recipe(id="adversarial", version=1)
def adversarial(bench: Bench) -> Iterator[Draft]:
    """One candidate per weight of the copies."""
    for weight in WEIGHTS:
        yield with_copies(bench, bench.original, weight)
