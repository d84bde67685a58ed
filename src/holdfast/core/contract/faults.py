"""The errors of this room, in one voice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.core.contract.tokens import RuleError
from holdfast.core.documents import Document, suggest
from holdfast.core.errors import ContractError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def unknown_column(name: str, known: Iterable[str], where: str) -> ContractError:
    """A name that no feature has."""
    return ContractError(
        f"{where} has no feature '{_short(name)}'",
        cause="every column must be listed under 'features'; a column that is not listed is an error, never free",
        fix=suggest(name, known),
        code="HF-CON-006",
    )


def in_rule(fault: RuleError, rule: str, document: Document, place: tuple[str | int, ...]) -> ContractError:
    """A fault inside a rule, at its line and column in the file, with the rule and a mark under the spot."""
    line, column = _spot(document, place, rule, fault.at)
    shown, mark = _excerpt(rule, fault.at)
    return ContractError(
        f"{document.source}:{line}:{column}: {fault.problem}",
        cause=f"in the rule\n    {shown}\n    {mark}",
        fix=fault.fix,
        code=fault.code,
    )


def contradiction(message: str, cause: str, fix: str) -> ContractError:
    """Two parts of a contract that cannot both be meant."""
    return ContractError(message, cause=cause, fix=fix, code="HF-CON-008")


def _spot(document: Document, place: tuple[str | int, ...], rule: str, at: int) -> tuple[int, int]:
    """1-based line and column. A rule spread over lines or escaped in quotes is located by its first line only."""
    line = document.line(*place) or 1
    lines = document.text.splitlines()
    for number in range(line, min(line + 3, len(lines) + 1)):
        start = lines[number - 1].find(rule) if rule else -1
        if start >= 0:
            return number, start + at + 1
    return line, at + 1


def _excerpt(rule: str, at: int, width: int = 90) -> tuple[str, str]:
    start = max(0, at - width // 2)
    shown = rule[start : start + width].replace("\n", " ").replace("\t", " ")
    return shown, " " * (at - start) + "^"


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:57] + "..."


def listed_rows(rows: Sequence[int] | NDArray[Any]) -> str:
    """`row 4`, `rows 4, 9`, or the first three of many. Rows are counted from 0; values stay out of logs."""
    first = ", ".join(str(int(row)) for row in rows[:3])
    more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
    return f"row{'s' if len(rows) > 1 else ''} {first}{more}"
