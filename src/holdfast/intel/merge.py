"""What several sources that speak of one thing say together. Their order changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from holdfast.core.domain.advisory import Advisory, Technique, VersionRange
from holdfast.core.domain.intelligence import Feed, Indicator
from holdfast.core.domain.severity import Severity
from holdfast.core.store.intel import Said
from holdfast.intel.identity import best_name

MAX_RANGES = 2_000


def merge(
    said: Sequence[Said], feeds: Mapping[str, Feed], *, exploited: bool = False
) -> Advisory | Technique | Indicator:
    """One body out of the statements that stand: words of the most trusted source, the widest extent of all.

    An advisory is as severe as the gravest of the sources that rate it says, one class more when it is exploited.
    """
    ordered = sorted(said, key=lambda one: (-feeds[one.item.feed].trust, one.place))
    lead = ordered[0].item.body
    if not isinstance(lead, Advisory):
        return lead
    return _merge_advisories(lead, [one.item.body for one in ordered if isinstance(one.item.body, Advisory)], exploited)


def _merge_advisories(lead: Advisory, bodies: Sequence[Advisory], exploited: bool) -> Advisory:
    names = frozenset(name for body in bodies for name in body.names)
    best = best_name(names)
    judged = [body for body in bodies if body.rated] or list(bodies)
    severity = max(body.severity for body in judged)
    ranges = sorted({span for body in bodies for span in body.ranges}, key=_order)
    return replace(
        lead,
        id=best,
        aliases=tuple(sorted(names - {best})),
        severity=raised(severity) if exploited else severity,
        rated=any(body.rated for body in bodies),
        ranges=tuple(ranges[:MAX_RANGES]) if len(ranges) <= MAX_RANGES else (VersionRange(),),
        versions=tuple(sorted({version for body in bodies for version in body.versions})),
    )


def raised(severity: Severity) -> Severity:
    """One class graver."""
    scale = list(Severity)
    return scale[min(severity.rank + 1, len(scale) - 1)]


def _order(span: VersionRange) -> tuple[str, str, str]:
    return span.introduced or "", span.fixed or "", span.last_affected or ""
