"""What a model says of the bytes of another file: where its tensors lie in it, and how many bytes each has.

A claim explains raw numbers, which have no format of their own, and never a file that is something by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

Span = tuple[int, int]
"""Bytes from the first up to, not including, the second."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Tensors kept in one file beside the model. `place` is relative to the model's folder, with forward slashes.

    Where `appended`, the file is called as the model is, without its suffix, and `place` behind that. `sized` is false
    where a tensor's size cannot be told; such a claim explains nothing.
    """

    place: str
    spans: tuple[Span, ...]
    sized: bool = True
    appended: bool = False

    def path(self, model: str) -> PurePosixPath:
        """The place as a path relative to the model's folder; `model` is the file name of the model."""
        return PurePosixPath(PurePosixPath(model).stem + self.place if self.appended else self.place)


class Claims:
    """Gathers the spans of each place while a model is read."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, bool], list[Span]] = {}
        self._unsized: set[tuple[str, bool]] = set()

    def add(self, place: str, offset: int, size: int | None, *, appended: bool = False) -> bool:
        """One tensor; `size` None where it cannot be told. True where the place was not named before."""
        key = (place, appended)
        known = key in self._spans
        spans = self._spans.setdefault(key, [])
        if size is None:
            self._unsized.add(key)
        elif size:
            spans.append((offset, offset + size))
        return not known

    def of(self) -> tuple[Claim, ...]:
        """One claim for each place, its spans in order and joined where they touch."""
        return tuple(
            Claim(place, joined(spans), (place, appended) not in self._unsized, appended)
            for (place, appended), spans in self._spans.items()
        )


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same bytes in as few spans as can be."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def gaps(spans: Iterable[Span], size: int) -> list[Span]:
    """What of a file of `size` bytes lies in none of the spans, which are in order and do not touch."""
    found, reached = [], 0
    for start, end in spans:
        if start > reached:
            found.append((reached, start))
        reached = end
    return [*found, (reached, size)] if reached < size else found
