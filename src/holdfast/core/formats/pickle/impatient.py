"""A machine that stops where another way of following the stream would be quicker."""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Buffer
from holdfast.core.formats.pickle.facts import Notes
from holdfast.core.formats.pickle.graph import GaveUp
from holdfast.core.formats.pickle.machine import Machine, Meter

WORTHWHILE: Final = 8
"""How many times its patience must seem to be left for it to give up: loading a compiler takes longer than that."""


class Impatient(Machine):
    """A machine that gives up after `patience` instructions where far more seem to be left. Raises GaveUp."""

    def __init__(self, patience: int, data: Buffer, start: int, end: int, notes: Notes, meter: Meter) -> None:
        super().__init__(data, start, end, notes, meter)
        self._start, self._budget, self._patience = start, meter.opcodes, patience

    def stretch(self) -> int:
        """As many as patience lasts, again and again where the stream is mostly bytes that are stepped over."""
        done = self._budget - self.meter.opcodes
        if done >= self._patience:
            left = done * (self.end - self.pos) // max(1, self.pos - self._start)
            if left >= WORTHWHILE * self._patience:
                raise GaveUp
        return max(1, self._patience)
