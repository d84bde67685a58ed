"""The licence of each package that the lock pins, where an environment, wheels or a CycloneDX document state it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.errors import FormatError

if TYPE_CHECKING:
    from holdfast.scan.licences.sources import Stated
    from holdfast.scan.packages import Package


@check(id="deps.licences", version=1, needs=("lock", "licences"), covers=())
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """`package.licence`: an SPDX expression or `unknown`, with its source. `package.licence.class`: what it asks."""
    from holdfast.scan.licences.sources import Licences, classes
    from holdfast.scan.lockfile import read_lock

    assert target.parts.lock is not None
    assert target.parts.licences is not None
    try:
        rows = list(Licences.read(target.parts.licences.place).of_lock(read_lock(target.parts.lock)))
    except FormatError as fault:
        return Observation.unknown(f"{fault.message}: {fault.cause}")
    unknown = sum("unknown" in classes(stated) for _, stated in rows)
    return Observation.of(
        [fact for package, stated in rows for fact in _facts(package, stated)],
        Measurement("licences.packages", len(rows), "packages"),
        Measurement("licences.unknown", unknown, "packages"),
    )


def _facts(package: Package, stated: Stated) -> Iterator[Fact]:
    """The place of what it asks leaves the version out: the same package stays the same finding."""
    from holdfast.scan.licences.sources import classes

    said = "unknown" if stated.expression is None else str(stated.expression)
    yield Fact("package.licence", said, member=package.purl, detail=stated.source)
    for word in classes(stated):
        yield Fact(
            "package.licence.class",
            word,
            member=package.purl.rpartition("@")[0],
            detail=f"{package.name} {package.version}: {said}",
        )
