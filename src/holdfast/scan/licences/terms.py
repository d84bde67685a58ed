"""What an expression asks for altogether, and licences as people write them: classifiers, habits, names of hubs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from holdfast.scan.licences.expression import All, Expression, One, parse, references
from holdfast.scan.licences.names import LISTED, OWN, LicenceClass, class_of

_GPL, _LGPL, _AGPL = (
    "GNU General Public License",
    "GNU Lesser General Public License",
    "GNU Affero General Public License",
)
CLASSIFIERS: Final = {
    "Academic Free License (AFL)": "AFL-3.0",
    "Apache Software License": "Apache-2.0",
    "Artistic License": "Artistic-2.0",
    "BSD License": "LicenseRef-BSD",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    _AGPL + " v3": "AGPL-3.0-only",
    _AGPL + " v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    _GPL + " (GPL)": "GPL-1.0-or-later",
    _GPL + " v2 (GPLv2)": "GPL-2.0-only",
    _GPL + " v2 or later (GPLv2+)": "GPL-2.0-or-later",
    _GPL + " v3 (GPLv3)": "GPL-3.0-only",
    _GPL + " v3 or later (GPLv3+)": "GPL-3.0-or-later",
    _LGPL + " v2 (LGPLv2)": "LGPL-2.0-only",
    _LGPL + " v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    _LGPL + " v3 (LGPLv3)": "LGPL-3.0-only",
    _LGPL + " v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-2.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Other/Proprietary License": "LicenseRef-Proprietary",
    "Public Domain": "LicenseRef-Public-Domain",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
}
"""Trove classifiers by their last part, as SPDX. `GPL` without a version is any of them."""
_HABITS: Final = {
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "agpl": "AGPL-3.0-or-later",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd license": "LicenseRef-BSD",
    "bsd-3": "BSD-3-Clause",
    "gpl": "GPL-1.0-or-later",
    "gplv2": "GPL-2.0-only",
    "gplv3": "GPL-3.0-only",
    "isc license": "ISC",
    "lgpl": "LGPL-2.0-or-later",
    "lgplv3": "LGPL-3.0-only",
    "mit license": "MIT",
    "mpl 2.0": "MPL-2.0",
    "mozilla public license 2.0": "MPL-2.0",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "proprietary": "LicenseRef-Proprietary",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "public domain": "LicenseRef-Public-Domain",
    "the mit license": "MIT",
    "zpl 2.1": "ZPL-2.1",
}
_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}")


def classes_of(expression: Expression) -> tuple[LicenceClass, ...]:
    """What it asks, gravest first: every part of AND holds; of OR the part that asks least.

    A part nobody knows stays in the answer beside what is known, so that a rule on either sees it.
    """
    return tuple(sorted(_asked(expression), key=lambda kind: -kind.rank))


def _asked(expression: Expression) -> frozenset[LicenceClass]:
    if isinstance(expression, One):
        return frozenset({class_of(expression.id, expression.exception)})
    parts = [_asked(part) for part in expression.parts]
    if isinstance(expression, All):
        return _gravest(frozenset().union(*parts))
    return min(parts, key=lambda asked: sorted((kind.rank for kind in asked), reverse=True))


def _gravest(asked: frozenset[LicenceClass]) -> frozenset[LicenceClass]:
    """The gravest known one, and that something is unknown."""
    known = asked - {LicenceClass.UNKNOWN}
    worst = frozenset({max(known, key=lambda kind: kind.rank)}) if known else frozenset[LicenceClass]()
    return worst | (asked & {LicenceClass.UNKNOWN})


@lru_cache(maxsize=4_096)
def spdx(text: str) -> Expression | None:
    """A licence as somebody wrote it: an expression of listed ids, or a habit; None where it cannot be told."""
    plain = " ".join(text.replace(",", " ").split())
    habit = _HABITS.get(plain.lower())
    if habit is not None:
        return One(habit)
    try:
        found = parse(plain)
    except ValueError:
        return None
    return found if all(one.id in LISTED or one.id in OWN for one in references(found)) else None


def expressed(text: str) -> Expression | None:
    """An expression that is stated as one: ids that nobody listed stay, and are unknown; None where it is none."""
    try:
        return parse(text)
    except ValueError:
        return None


def of_hub(name: str) -> Expression | None:
    """A licence as a model hub names it: SPDX ids in small letters, or names of its own."""
    known = spdx(name)
    if known is not None or not _HUB_NAME.fullmatch(name.strip()) or name.strip().lower() in ("other", "unknown"):
        return known
    return One(f"LicenseRef-hub-{name.strip().replace('+', 'p')}")


def of_classifiers(classifiers: Iterable[str]) -> Expression | None:
    """Trove classifiers as one expression. Several hold together: nobody says that one may be chosen."""
    last = [line.rpartition(" :: ")[2].strip() for line in classifiers if line.startswith("License ::")]
    named = [name for name in last if name != "OSI Approved"]
    if not named or any(name not in CLASSIFIERS for name in named):
        return None
    return together(One(CLASSIFIERS[name]) for name in named)


def together(parts: Iterable[Expression]) -> Expression | None:
    """All of them, each once."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, All) else (part,))]
    found = tuple(dict.fromkeys(flat))
    return None if not found else found[0] if len(found) == 1 else All(found)
