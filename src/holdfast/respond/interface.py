"""What a sink is: something outside that is told of alerts. Delivery, retries and labels are not its business.

A sink's `send` returns only when the receiver has the notice, as far as its protocol can say; anything else is a
`SinkError`, and the notice is delivered again later under the same id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Notice
from holdfast.core.plugins import Registry
from holdfast.core.policy.schema import Strict

MAX_WAIT_S = 30.0
"""What one delivery may take in all, whatever a sink's own settings say."""


class SinkError(Exception):
    """The receiver did not take a notice; the text says why, without secrets.

    `refused`: it works, and does not want this very notice; the next ones need not wait for it.
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


@runtime_checkable
class Sink(Protocol):
    """One configured receiver. `send` may be called from any thread, for one notice at a time."""

    def send(self, notice: Notice) -> None:
        """Deliver a notice. Raises SinkError, or OSError, when that is not certain."""


Options = TypeVar("Options", bound=Strict)


@dataclass(frozen=True, slots=True)
class SinkKind:
    """A kind of sink: what its entry in respond.yaml may say, and how it is made. `folder`: relative paths start there.

    Making a sink opens nothing and raises nothing but HoldfastError.
    """

    id: str
    options: type[Strict]
    make: Callable[[Any, Path], Sink]


@dataclass(frozen=True, slots=True)
class Outlet:
    """A sink under its name, and what it may be told.

    `tlp`: the most restricted label it may get. `always`: it hears of every alert, else only where a playbook names it.
    """

    name: str
    kind: str
    tlp: Tlp
    sink: Sink
    always: bool = True

    def may_hear(self, label: str) -> bool:
        """Whether a label is within its clearance. A word that is no label counts as the most restrictive."""
        try:
            word = Tlp(label)
        except ValueError:
            word = Tlp.RED
        return word <= self.tlp


def _load_own() -> None:
    import holdfast.respond.sinks.ocsf_file
    import holdfast.respond.sinks.syslog
    import holdfast.respond.sinks.webhook  # noqa: F401


SINKS: Registry[SinkKind] = Registry("sink", "holdfast.sinks", _load_own)


def sink(
    kind: str, options: type[Options]
) -> Callable[[Callable[[Options, Path], Sink]], Callable[[Options, Path], Sink]]:
    """Register a kind of sink: `@sink("webhook", WebhookOptions)` above the function that makes one."""

    def register(make: Callable[[Options, Path], Sink]) -> Callable[[Options, Path], Sink]:
        SINKS.add(kind, SinkKind(kind, options, make))
        return make

    return register
