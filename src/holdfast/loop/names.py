"""The list of names in force and a policy's additions, as they bear on what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.core.domain.observation import Recorded
from holdfast.core.policy import Policy
from holdfast.loop.docket import Again

if TYPE_CHECKING:
    from holdfast.scan.allowlist import Allowlist

Names = Callable[[], "Allowlist | None"]
"""Gives the list in force; None is the one inside, which is then read only where it is needed."""


def inside() -> Allowlist | None:
    """The list that ships with this version."""
    return None


def by_names(policy: Policy, at: datetime, names: Names = inside) -> Again:
    """What turns records into what they say by the list in force and this policy's additions at a moment."""
    from holdfast.scan.again import records_again

    def again(records: Iterable[Recorded]) -> tuple[Recorded, ...]:
        return records_again(records, policy.names, at, names())

    return again
