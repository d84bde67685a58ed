"""Whether a live endpoint can be slowed, broken or occupied by what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.checks.endpoint.hygiene import _token
from holdfast.audit.checks.endpoint.requests import Speaker
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.errors import TargetError

if TYPE_CHECKING:
    from holdfast.attack.availability.fuzz import Damage

SLOW = 50.0
"""An answer so many times slower than a valid one, and above half a second, is worth telling."""
SLOW_S = 0.5


@dataclass(frozen=True, slots=True)
class AvailabilityParams:
    """Bounds on what is sent, in all; `rows` are the batches tried, until one is refused."""

    max_bytes: int = 8 * 2**20
    max_requests: int = 120
    seconds: float = 15.0
    patience_s: float = 3.0
    rows: tuple[int, ...] = (16, 64, 256, 1_024, 4_096)


@check(
    id="endpoint.availability",
    version=1,
    needs=("endpoint",),
    requires=("endpoint.hygiene",),
    covers=("AML.T0029", "AML.T0034", "AML.T0043"),
    depth=Depth.FULL,
)
def observe(target: Target, params: AvailabilityParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Which payloads break it, slow it down or are taken, and whether it goes on serving."""
    from holdfast.attack.availability.fuzz import Bounds, Fuzz
    from holdfast.attack.availability.payloads import payloads
    from holdfast.attack.availability.wire import Place

    place = target.endpoint
    speaker = Speaker(place.protocol, None if target.parts.contract is None else target.contract)
    if not speaker.fluent:
        return Observation.unknown("without a contract no valid request can be written in this protocol")
    bounds = Bounds(params.max_bytes, params.max_requests, params.seconds, params.patience_s)
    fuzz = Fuzz(Place.of(place.url, _token(place)), speaker.valid, bounds)
    damage = fuzz.run(payloads(speaker.valid()), params.rows)
    if not damage.baseline_s:
        raise TargetError(
            "the endpoint does not answer a valid request",
            cause=f"of {damage.requests} valid requests not all were accepted",
            fix="see that it runs, that the token is valid and that url and protocol in holdfast.yaml are right",
            code="HF-AUD-002",
        )
    return Observation.of(_facts(damage), _measurements(damage))


def _facts(damage: Damage) -> Iterator[Fact]:
    if damage.down_after is not None:
        yield Fact("endpoint.availability", "goes-down", detail=f"after {damage.down_after}")
    elif damage.broke:
        told = ", ".join(f"{name} ({status or 'no answer'})" for name, status in damage.broke.items())
        yield Fact("endpoint.availability", "breaks", detail=told)
    elif damage.slowest_s > SLOW_S and damage.inflation > SLOW:
        yield Fact("endpoint.availability", "slows", detail=f"{damage.inflation:.0f} times, by {damage.slowest}")
    else:
        yield Fact("endpoint.availability", "holds")
    if damage.taken:
        yield Fact("endpoint.payloads", "accepted", detail=", ".join(damage.taken))
    elif not damage.cut:
        yield Fact("endpoint.payloads", "refused")
    if damage.cut:
        yield Fact("endpoint.availability_bounds", "reached", detail="not all payloads were sent")


def _measurements(damage: Damage) -> Iterator[Measurement]:
    yield Measurement("endpoint.latency_s", damage.baseline_s, "seconds")
    yield Measurement("endpoint.latency_inflation", damage.inflation, "ratio")
    yield Measurement("endpoint.broken_payloads", float(len(damage.broke)), "payloads")
    yield Measurement("endpoint.open_body_s", damage.held_s, "seconds")
    if damage.rows_s:
        rows = max(damage.rows_s)
        yield Measurement("endpoint.batch_latency_s", damage.rows_s[rows], "seconds", {"rows": float(rows)})
    yield Measurement("endpoint.fuzz_requests", float(damage.requests), "requests")
    yield Measurement("endpoint.fuzz_bytes", float(damage.sent), "bytes")
