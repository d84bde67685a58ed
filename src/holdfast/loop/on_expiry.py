"""Time alone changes what holds: verdicts grow old, claims end."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.domain import to_iso
from holdfast.core.domain.claim import NAME
from holdfast.core.domain.topics import ACCEPTANCE_ENDED, CLAIM_ENDED, EXPIRED
from holdfast.core.store import Message, Transaction
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


def publish_expired(tx: Transaction, since: datetime, now: datetime) -> int:
    """Publish what ended after `since` and no later than `now`, each once. Returns how much of it is news."""
    published = 0
    for model, version, key in tx.judgements.expiring(since, now):
        published += tx.outbox.publish(EXPIRED, key, {"model": model, "version": version})
    for claim in tx.claims.ended_by(now, since):
        assert claim.until is not None
        body = {"claim": claim.id, "effect": claim.effect, "target": claim.target}
        published += tx.outbox.publish(CLAIM_ENDED, f"{claim.id}@{to_iso(claim.until)}", body)
    for acceptance in tx.acceptances.expiring(now):
        said = {"item": acceptance.item, "why": f"its time was over at {to_iso(acceptance.expires_at)}"}
        published += tx.outbox.publish(ACCEPTANCE_ENDED, acceptance.id, said)
    return published


@reaction(EXPIRED)
def judge_again(turn: Turn, message: Message) -> None:
    """A verdict whose time is over is judged again by what is known now."""
    turn.rejudge([message.body["model"]])


@reaction(CLAIM_ENDED)
def record_the_end(turn: Turn, message: Message) -> None:
    """The ledger learns that an effect has ended by itself; a model it stood on is judged again."""
    turn.tx.intend("claim.ended", message.body, about=message.body["claim"])
    ended = turn.tx.claims.find(message.body["claim"]) if message.body["effect"] == NAME else None
    if ended is not None:
        turn.tx.intend("name.ended", {"policy": ended.cause.id, **ended.body}, about=ended.id)
    kind, _, name = message.body["target"].partition(":")
    if kind in ("model", "version", "client"):
        turn.rejudge([name.partition("@")[0].partition("/")[0]])
