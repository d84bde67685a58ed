"""What each role may do. A right that is not listed here is nobody's."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from holdfast.core.domain.access import Role


class Right(StrEnum):
    """Everything that changes something, and what not everybody may read."""

    HANDLE_ALERTS = "handle alerts"
    APPROVE_RESPONSE = "approve a response"
    UNDO_RESPONSE = "undo a response"
    HANDLE_INTEL = "withdraw or release intelligence"
    WORK_ON_ITEMS = "work on backlog items"
    PLAN_SPRINTS = "plan sprints"
    ASK_ACCEPTANCE = "ask that a risk be accepted"
    ACCEPT_RISK = "accept a risk"
    TAKE_EVIDENCE = "download evidence"
    SEND_EVENTS = "make tokens that send events"
    MANAGE_USERS = "manage users"


_ADMIN, _LEAD, _ANALYST, _ENGINEER, _AUDITOR = Role.ADMIN, Role.LEAD, Role.ANALYST, Role.ENGINEER, Role.AUDITOR

HOLDERS: Final[dict[Right, frozenset[Role]]] = {
    Right.HANDLE_ALERTS: frozenset({_ANALYST, _LEAD, _ADMIN}),
    Right.APPROVE_RESPONSE: frozenset({_LEAD, _ADMIN}),
    Right.UNDO_RESPONSE: frozenset({_ANALYST, _LEAD, _ADMIN}),
    Right.HANDLE_INTEL: frozenset({_ANALYST, _LEAD, _ADMIN}),
    Right.WORK_ON_ITEMS: frozenset({_ENGINEER, _ANALYST, _LEAD, _ADMIN}),
    Right.PLAN_SPRINTS: frozenset({_LEAD, _ADMIN}),
    Right.ASK_ACCEPTANCE: frozenset({_ENGINEER, _ANALYST, _LEAD, _ADMIN}),
    Right.ACCEPT_RISK: frozenset({_LEAD}),
    Right.TAKE_EVIDENCE: frozenset({_AUDITOR, _LEAD, _ADMIN}),
    Right.SEND_EVENTS: frozenset({_ENGINEER, _ADMIN}),
    Right.MANAGE_USERS: frozenset({_ADMIN}),
}


def holds(role: Role, right: Right) -> bool:
    """Whether a role includes a right."""
    return role in HOLDERS[right]


def roles_with(right: Right) -> str:
    """The roles that include a right, in words."""
    return ", ".join(sorted(role.value for role in HOLDERS[right]))
