"""Progress of an audit on stderr: one line that moves on a terminal, one line per finished check elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli.moving_line import MovingLine
from holdfast.cli.terminal import Terminal

if TYPE_CHECKING:
    from holdfast.audit.reconcile import Progress

LONG_S = 0.5
"""Without a terminal, a check that took less is only worth a line with -v."""


class ProgressLine(MovingLine):
    """A watcher of audits. No thread stands behind it, because the audit forks."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._moving = terminal.animated
        self._running: list[str] = []

    def __call__(self, step: Progress) -> None:
        """Take note of one step."""
        name = f"{step.model} {step.check}"
        if step.state == "started":
            self._running.append(name)
        elif name in self._running:
            self._running.remove(name)
        self._clear()
        if step.state not in ("started", "cached"):
            self._say(step, name)
        if self._moving and step.done < step.total:
            self._draw(f"[{step.done}/{step.total}] {', '.join(self._running) or 'waiting'} …")

    def _say(self, step: Progress, name: str) -> None:
        routine = step.state == "measured" and step.elapsed_s < LONG_S and not self._moving
        took = f" in {step.elapsed_s:.1f} s" if step.elapsed_s >= 0.05 else ""
        self._terminal.log(f"[{step.done}/{step.total}] {name}: {step.state}{took}", level=int(routine))
