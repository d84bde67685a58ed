"""An alert becomes what a finding predicted or a new finding, then what is done about it; closed, all of that ends."""

from __future__ import annotations

from datetime import timedelta

from holdfast.core.domain.alert import AlertState
from holdfast.core.domain.topics import ALERT, ALERT_CLOSED
from holdfast.core.store import Message, Transaction
from holdfast.loop.live import foreseen, join, minted, observe
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn

RECENT = timedelta(hours=24)


@reaction(ALERT)
def answer(turn: Turn, message: Message) -> None:
    """Join it to the finding that predicted it, let the judge see it, and do what playbooks say.

    What was closed before its turn came is left alone: nothing was done, so nothing has to end.
    """
    from holdfast.respond.run import respond

    alert = turn.tx.alerts.find(message.body["alert"])
    if alert is None or alert.state is AlertState.CLOSED:
        return
    alert = join(turn.tx, alert, foreseen(turn.tx, alert))
    observe(turn.tx, alert, f"raised {alert.id}")
    turn.rejudge([alert.model])
    alert = join(turn.tx, alert, minted(turn.tx, alert))
    respond(turn.tx, alert, turn.surroundings.response(), clients_of(turn.tx, alert.model))


@reaction(ALERT_CLOSED)
def end(turn: Turn, message: Message) -> None:
    """What the alert caused ends: its observation is followed by one without it, its runs are taken back."""
    from holdfast.respond.run import end_alert

    alert = turn.tx.alerts.find(message.body["alert"])
    if alert is None:
        return
    observe(turn.tx, alert, f"closed {alert.id}")
    end_alert(turn.tx, alert)
    turn.rejudge([alert.model])


def clients_of(tx: Transaction, model: str) -> int | None:
    """How many clients a model has had in the last day of its traffic, at least; None where nothing is known."""
    newest = tx.traffic.newest(model)
    if newest is None:
        return None
    return max((hour.clients for hour in tx.traffic.since(newest - RECENT, model)), default=0) or None
