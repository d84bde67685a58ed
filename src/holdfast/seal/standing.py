"""How something stands to what was signed about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN


class Standing(StrEnum):
    """`unknown` where nobody trusted signed it, or where it cannot be told."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


EXITS: Final = {Standing.OK: EXIT_PASSED, Standing.BROKEN: EXIT_FINDINGS, Standing.UNKNOWN: EXIT_UNKNOWN}
