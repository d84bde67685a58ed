"""Licences by what they ask of whoever passes the software on or serves it: own judgement, by SPDX id.

An id that is not here is of the class unknown, never permissive by silence.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Final


class LicenceClass(StrEnum):
    """What a licence asks, from little to much; unknown stands where a choice would be made blindly.

    `restricted`: proprietary, or source that may be read and not used for everything.
    """

    PERMISSIVE = "permissive"
    WEAK = "weak-copyleft"
    UNKNOWN = "unknown"
    STRONG = "strong-copyleft"
    NETWORK = "network-copyleft"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        return list(type(self)).index(self)


_PERMISSIVE: Final = """
    0BSD AFL-1.1 AFL-1.2 AFL-2.0 AFL-2.1 AFL-3.0 Apache-1.0 Apache-1.1 Apache-2.0 Beerware BlueOak-1.0.0 blessing
    BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent BSD-2-Clause-Views BSD-3-Clause BSD-3-Clause-Attribution
    BSD-3-Clause-Clear BSD-3-Clause-LBNL BSD-3-Clause-Open-MPI BSD-4-Clause BSD-4-Clause-UC BSD-Source-Code BSL-1.0
    bzip2-1.0.6 CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-PDDC CC0-1.0 CDLA-Permissive-1.0
    CDLA-Permissive-2.0 CNRI-Python curl ECL-1.0 ECL-2.0 EFL-2.0 Fair FTL HPND HPND-sell-variant ICU IJG Intel ISC JSON
    Latex2e Libpng libpng-2.0 libtiff MirOS MIT MIT-0 MIT-advertising MIT-CMU MIT-Modern-Variant MS-PL MulanPSL-1.0
    MulanPSL-2.0 Naumen NCSA NIST-PD NTP ODC-By-1.0 OLDAP-2.8 OpenSSL PDDL-1.0 PHP-3.0 PHP-3.01 PostgreSQL PSF-2.0
    Python-2.0 Python-2.0.1 SGI-B-2.0 Spencer-94 TCL Unicode-3.0 Unicode-DFS-2015 Unicode-DFS-2016 Unicode-TOU
    Unlicense UPL-1.0 W3C WTFPL X11 Xnet Zlib zlib-acknowledgement ZPL-1.1 ZPL-2.0 ZPL-2.1
"""
_WEAK: Final = """
    APSL-1.0 APSL-1.1 APSL-1.2 Artistic-1.0 Artistic-1.0-Perl Artistic-2.0 CDDL-1.0 CDDL-1.1 CECILL-C CPL-1.0 EPL-1.0
    EPL-2.0 ErlPL-1.1 IPL-1.0 LGPL-2.0 LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1 LGPL-2.1-only LGPL-2.1-or-later
    LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later LPPL-1.3a LPPL-1.3c MPL-1.0 MPL-1.1 MPL-2.0
    MPL-2.0-no-copyleft-exception MS-RL NPL-1.0 NPL-1.1 OFL-1.0 OFL-1.1 SPL-1.0
"""
_STRONG: Final = """
    CC-BY-SA-1.0 CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-4.0 CDLA-Sharing-1.0 CECILL-1.0 CECILL-1.1 CECILL-2.0
    CECILL-2.1 GFDL-1.1 GFDL-1.1-only GFDL-1.1-or-later GFDL-1.2 GFDL-1.2-only GFDL-1.2-or-later GFDL-1.3
    GFDL-1.3-only GFDL-1.3-or-later GPL-1.0 GPL-1.0-only GPL-1.0-or-later GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0
    GPL-3.0-only GPL-3.0-or-later ODbL-1.0 QPL-1.0 Sleepycat
"""
_NETWORK: Final = """
    AGPL-1.0 AGPL-1.0-only AGPL-1.0-or-later AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later APSL-2.0 CPAL-1.0 EUPL-1.0
    EUPL-1.1 EUPL-1.2 OSL-1.0 OSL-1.1 OSL-2.0 OSL-2.1 OSL-3.0 Parity-6.0.0 Parity-7.0.0 RPL-1.1 RPL-1.5
"""
_RESTRICTED: Final = """
    BUSL-1.1 CC-BY-NC-1.0 CC-BY-NC-2.0 CC-BY-NC-2.5 CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-ND-1.0 CC-BY-NC-ND-2.0
    CC-BY-NC-ND-2.5 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-1.0 CC-BY-NC-SA-2.0 CC-BY-NC-SA-2.5 CC-BY-NC-SA-3.0
    CC-BY-NC-SA-4.0 CC-BY-ND-1.0 CC-BY-ND-2.0 CC-BY-ND-2.5 CC-BY-ND-3.0 CC-BY-ND-4.0 Elastic-2.0 Hippocratic-2.1
    PolyForm-Noncommercial-1.0.0 PolyForm-Small-Business-1.0.0 SSPL-1.0
"""
LISTED: Final = {
    name: kind
    for kind, names in (
        (LicenceClass.PERMISSIVE, _PERMISSIVE),
        (LicenceClass.WEAK, _WEAK),
        (LicenceClass.STRONG, _STRONG),
        (LicenceClass.NETWORK, _NETWORK),
        (LicenceClass.RESTRICTED, _RESTRICTED),
    )
    for name in names.split()
}
OWN: Final = {
    "LicenseRef-BSD": LicenceClass.PERMISSIVE,
    "LicenseRef-Public-Domain": LicenceClass.PERMISSIVE,
    "LicenseRef-Proprietary": LicenceClass.RESTRICTED,
}
"""What metadata says without naming a licence of the list: a BSD licence, but not which; no rights kept; none given."""
_LINKING_NAMES: Final = """
    Autoconf-exception-2.0 Autoconf-exception-3.0 Bison-exception-2.2 Bootloader-exception Classpath-exception-2.0
    Font-exception-2.0 GCC-exception-2.0 GCC-exception-3.1 GNU-compiler-exception GPL-3.0-linking-exception
    Libtool-exception Linux-syscall-note LLVM-exception LGPL-3.0-linking-exception OCaml-LGPL-linking-exception
    Qt-GPL-exception-1.0 Qwt-exception-1.0 Swift-exception u-boot-exception-2.0 WxWindows-exception-3.1
"""
LINKING: Final = frozenset(_LINKING_NAMES.split())
"""Exceptions that let other code be built with, or by, a work under the GPL without falling under it."""
_HUB_RESTRICTED: Final = (
    "openrail",
    "bigscience-",
    "creativeml-",
    "bigcode-",
    "llama",
    "gemma",
    "deepfloyd",
    "apple-a",
)
"""How the names of model hubs begin that forbid some uses."""


@cache
def _spellings() -> dict[str, str]:
    return {name.lower(): name for name in (*LISTED, *OWN)}


@cache
def _exceptions() -> dict[str, str]:
    return {name.lower(): name for name in LINKING}


def licence_name(word: str) -> str:
    """The id as SPDX spells it; an unlisted one as it is written."""
    return _spellings().get(word.lower(), word)


def exception_name(word: str) -> str:
    """The exception as SPDX spells it; an unlisted one as it is written."""
    return _exceptions().get(word.lower(), word)


def class_of(name: str, exception: str | None = None) -> LicenceClass:
    """The class of one licence; an exception for linking makes strong copyleft weak."""
    kind = LISTED.get(name) or OWN.get(name)
    if kind is None and name.startswith("LicenseRef-hub-"):
        hub = name.removeprefix("LicenseRef-hub-").lower()
        kind = LicenceClass.RESTRICTED if hub.startswith(_HUB_RESTRICTED) else None
    if kind is LicenceClass.STRONG and exception in LINKING:
        return LicenceClass.WEAK
    return kind or LicenceClass.UNKNOWN
