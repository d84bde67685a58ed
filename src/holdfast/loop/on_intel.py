"""What feeds newly say is weighed, takes effect, and the models it hits are judged again, in one transaction."""

from __future__ import annotations

from holdfast.core.domain.intelligence import INTEL as ITEM
from holdfast.core.domain.topics import CLAIM_ENDED, INTEL, REFRESHED
from holdfast.core.store import Message
from holdfast.intel.matching import PACKAGE, UNPINNED
from holdfast.intel.weigh import weigh
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


@reaction(INTEL)
def weigh_the_news(turn: Turn, message: Message) -> None:
    """Match on stored facts, make the claims that follow, judge the models hit again."""
    weigh_and_rejudge(turn, message.body["items"])


@reaction(REFRESHED)
def renew_what_waited(turn: Turn, message: Message) -> None:  # noqa: ARG001
    """Models that were undecided, or whose verdict is running out, are judged by what is fresh again."""
    turn.rejudge(turn.tx.judgements.waning(turn.now))


@reaction(CLAIM_ENDED)
def weigh_what_was_freed(turn: Turn, message: Message) -> None:
    """A person's word on an item or a package has ended by itself: what feeds say counts again."""
    kind, _, name = message.body["target"].partition(":")
    if kind == ITEM:
        weigh_and_rejudge(turn, [name])
    elif kind == PACKAGE:
        turn.rejudge(holders(turn, name.partition("@")[0]))


def weigh_and_rejudge(turn: Turn, uids: list[str]) -> None:
    """Derive what items amount to now; whatever that changes, the models concerned are judged again."""
    turn.rejudge(weigh(turn.tx, uids).models)


def holders(turn: Turn, package: str) -> frozenset[str]:
    """The models with any release of a package."""
    seen = (turn.tx.observations.with_fact(kind, package) for kind in (PACKAGE, UNPINNED))
    return frozenset(model for rows in seen for model, _, _ in rows)
