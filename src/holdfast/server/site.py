"""What every request of one server shares."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.core.domain import Clock
from holdfast.core.store import Store
from holdfast.server.auth.entry import Entry
from holdfast.server.front import Front

if TYPE_CHECKING:
    from holdfast.app import Holdfast
    from holdfast.server.metrics import Metrics
    from holdfast.server.pulse import Pulse
    from holdfast.watch.intake import Intake


@dataclass
class Site:
    """One Holdfast behind one address."""

    holdfast: Holdfast
    front: Front
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the server is about to stop, so that live connections end by themselves."""

    @property
    def store(self) -> Store:
        return self.holdfast.store

    @property
    def clock(self) -> Clock:
        return self.holdfast.clock

    @property
    def now(self) -> datetime:
        return self.holdfast.clock()

    @cached_property
    def entry(self) -> Entry:
        return Entry(self.store)

    @cached_property
    def metrics(self) -> Metrics:
        from holdfast.server.metrics import Metrics

        return Metrics()

    @cached_property
    def pulse(self) -> Pulse:
        from holdfast.server.pulse import Pulse

        return Pulse(self.store, self.closing)

    @cached_property
    def intake(self) -> Intake:
        """The way in for events, opened with the first of them."""
        from holdfast.watch.intake import Intake

        return Intake(self.store)

    def close(self) -> None:
        """End live connections, and write the events that were accepted."""
        self.closing.set()
        if "intake" in self.__dict__:
            self.intake.close()
