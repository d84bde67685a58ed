"""What column names give away. Every use of these lists is a guess, and is marked as one in the draft."""

from __future__ import annotations

import re


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


CODE_WORDS = _set(
    """branch category channel class code country education ethnicity gender grade group housing industry job kind
    marital marriage nationality occupation product profession purpose race region religion sector segment sex state
    type zip"""
)

PERSON_WORDS = _set(
    """age birth born child children citizen citizenship country dependants dependents dob education educational
    ethnicity family female foreign gender male marital marriage married nationality native race relationship
    religion sex"""
)

RECORD_WORDS = _set(
    """approved arrears balance bill bureau created default delinquencies delinquency delinquent fico history id issued
    key limit opened overdue rating registration score statement tenure timestamp uuid"""
)

PAYING_WORDS = _set("deposit deposits paid payment payments repaid repayment repayments")

COMPUTED_WORDS = _set(
    """average avg change delta diff difference gap mean net per percent percentage ratio rate share sum total util
    utilisation utilization"""
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words(name: str) -> frozenset[str]:
    """The lower-case words of a name in any of the usual spellings: `openAcc`, `OPEN_ACC`, `open acc`."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def guess_move(name: str) -> tuple[str, str]:
    """(move, why) for a column of this name.

    Overstating an attacker costs a finding that a person can dismiss; understating one hides a weakness. So a column
    moves freely unless its name says that it belongs to the person or to the bank's own records.
    """
    found = words(name)
    if found & PAYING_WORDS or ("pay" in found and found & {"amt", "amount"}):
        return "up", "a customer can pay more"
    if found & PERSON_WORDS:
        return "never", "named like a fact about the person"
    if found & RECORD_WORDS:
        return "never", "named like a record of the bank"
    return "any", "nothing known: assumed movable"
