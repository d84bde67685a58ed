"""An observation of the scanner in the light of the list in force and of a site's additions, from its facts alone.

Facts stay; what was concluded from them is concluded again. The file is not opened, and may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from holdfast.core.domain import Fact, Measurement, Observation, Recorded, Status
from holdfast.core.domain.addition import NameAddition
from holdfast.scan.additions import relied, widened
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.pinned import VERSION
from holdfast.scan.report import FileReport
from holdfast.scan.rules import judge, verdict_of

CHECK: Final = "scan.artifact"
VERDICT: Final = "scan.verdict"
NAMES: Final = "scan.names"
"""The fact that says by which list a verdict was reached; without it an observation is as old as it says."""
ADDITION: Final = "scan.addition"
"""The fact that says which of a site's additions a verdict rests on."""
DROPPED: Final = "scan.facts-dropped"
"""The fact that not every fact was kept: such an observation cannot be judged again."""
COUNT: Final = "scan.additions"
"""The measurement of how many additions a verdict rests on; more is worse."""
_CONCLUDED: Final = frozenset({VERDICT, NAMES, ADDITION})


def concluded(facts: Iterable[Fact], names: Allowlist) -> tuple[tuple[Fact, ...], Measurement]:
    """The verdict on facts, by which list, and which additions it rests on and how many."""
    seen = tuple(facts)
    rests = relied(seen, names)
    verdict = verdict_of(judge(seen, names))
    detail = None
    if rests:
        detail = f"by {_count(len(rests))} of this site; {verdict_of(judge(seen, names.base))} without"
    said = (
        Fact(VERDICT, str(verdict), detail=detail),
        Fact(NAMES, names.version, detail=f"of {names.header.dated.isoformat()}"),
        *map(_said, rests),
    )
    return said, Measurement(COUNT, len(rests), "names")


def additions_of(report: FileReport) -> tuple[Fact, ...]:
    """The additions that a file's verdict rests on, as facts."""
    return () if report.names is None else tuple(map(_said, relied(report.facts, report.names)))


def _said(one: NameAddition) -> Fact:
    told = f"mode {one.mode} until {one.until.isoformat()}, {one.who}: {one.reason}"
    return Fact(ADDITION, one.name, detail=told)


def judged_again(
    seen: Observation, additions: Iterable[NameAddition], at: datetime, names: Allowlist | None = None
) -> Observation:
    """What the scanner saw, judged by the list in force (default: the one inside) and by what a site has added.

    The same observation where that changes nothing, or where it does not hold all that the scanner saw.
    """
    wanted = tuple(additions)
    said = {fact.kind: fact for fact in seen.facts if fact.kind in (NAMES, DROPPED, ADDITION)}
    if seen.status is not Status.MEASURED or NAMES not in said or DROPPED in said:
        return seen
    version = VERSION if names is None else names.version
    if not wanted and said[NAMES].value == version and ADDITION not in said:
        return seen
    facts = [fact for fact in seen.facts if fact.kind not in _CONCLUDED]
    more, count = concluded(facts, widened(names or Allowlist.builtin(), wanted, at))
    others = [one for one in seen.measurements if one.name != COUNT]
    return replace(seen, facts=(*more, *facts), measurements=(*others, count))


def records_again(
    records: Iterable[Recorded], additions: Iterable[NameAddition], at: datetime, names: Allowlist | None = None
) -> tuple[Recorded, ...]:
    """`judged_again` for each record; what is kept in the store stays as it was."""
    wanted = tuple(additions)
    return tuple(
        replace(one, observation=judged_again(one.observation, wanted, at, names)) if one.check == CHECK else one
        for one in records
    )


def _count(number: int) -> str:
    return f"{number} addition{'' if number == 1 else 's'}"
