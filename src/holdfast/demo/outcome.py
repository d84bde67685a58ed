"""How the story ended: read from the store, every state with its leaf in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.domain import JSONValue, Judgement, Verdict, state_digest, to_iso
from holdfast.demo.cast import CAST, Player
from holdfast.demo.malice import ran
from holdfast.gate.queries import standing

if TYPE_CHECKING:
    from holdfast.app import Holdfast
    from holdfast.core.ledger import Verification
    from holdfast.core.store import Transaction
    from holdfast.demo.story import Story


@dataclass(frozen=True, slots=True)
class State:
    """One judgement of a model, and where the ledger holds it."""

    judgement: Judgement
    leaf: int | None

    @property
    def why(self) -> str:
        """The first reason for the verdict, or that there is none."""
        worst = [reason for reason in self.judgement.reasons if reason.verdict is self.judgement.verdict]
        blocking = [reason for reason in worst if reason.blocking] or worst
        if self.judgement.verdict is Verdict.PASSED or not blocking:
            return "every rule of the policy holds"
        return blocking[0].why

    def to_json(self) -> dict[str, JSONValue]:
        judgement = self.judgement
        return {
            "verdict": judgement.verdict.value,
            "why": self.why,
            "version": judgement.version,
            "as_of": to_iso(judgement.as_of),
            "judgement": judgement.key,
            "leaf": self.leaf,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one model. `states` in the order they were recorded."""

    player: Player
    tier: str
    deployed: str | None
    states: tuple[State, ...]
    standing: str
    """Key of the judgement by which it stands."""

    @property
    def start(self) -> State:
        return self.states[0]

    @property
    def end(self) -> State:
        """Where the model stands: by the worst of what serves and of the version asked for last."""
        return next(state for state in reversed(self.states) if state.judgement.key == self.standing)

    def to_json(self) -> dict[str, JSONValue]:
        return {
            "model": self.player.name,
            "region": self.player.region,
            "tier": self.tier,
            "deployed": self.deployed,
            "start": self.start.to_json(),
            "end": self.end.to_json(),
            "states": [state.to_json() for state in self.states],
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole ending, as the store and the ledger have it."""

    seed: int
    as_of: str
    parts: tuple[Part, ...]
    record: dict[str, JSONValue]

    def part(self, name: str) -> Part:
        """What became of the model with this name."""
        return next(part for part in self.parts if part.player.name == name)

    def to_json(self) -> dict[str, JSONValue]:
        return {
            "schema_version": 1,
            "as_of": self.as_of,
            "seed": self.seed,
            "models": [part.to_json() for part in self.parts],
            **self.record,
        }


def outcome(story: Story) -> Outcome:
    """Read how everything stands now. The ledger is verified from its files alone, as anybody could."""
    with story.open() as holdfast:
        holdfast.settle()
        verified = _verify(holdfast)
        with holdfast.store.reading() as tx:
            parts = tuple(_part(tx, player) for player in CAST if tx.judgements.history(player.name))
            record = _record(tx, story, verified)
    return Outcome(story.seed, to_iso(story.clock()), parts, record)


def _verify(holdfast: Holdfast) -> Verification:
    from holdfast.core.ledger import verify_ledger

    return verify_ledger(holdfast.ledger.folder, holdfast.public_key)


def _part(tx: Transaction, player: Player) -> Part:
    model = tx.models.find(player.name)
    assert model is not None
    states = tuple(State(item, leaf_about(tx, item.key)) for item in tx.judgements.history(player.name))
    stands = standing(tx, player.name, tx.now).judgement
    assert stands is not None
    return Part(player, model.tier.value, tx.models.deployed(player.name), states, stands.key)


def leaf_about(tx: Transaction, subject: str) -> int | None:
    """The last leaf that speaks of something."""
    leaves = [leaf for _, leaf in tx.intents.about(subject) if leaf is not None]
    return leaves[-1] if leaves else None


def _record(tx: Transaction, story: Story, verified: Verification) -> dict[str, JSONValue]:
    effects = tx.claims.effects()
    return {
        "payload_ran": ran(story.folder / "aml"),
        "findings": _findings(tx),
        "items": _items(tx),
        "alerts": _alerts(tx),
        "runs": _runs(tx),
        "notices": _lines(story.folder / "siem" / "findings.ndjson"),
        "evidence": (story.folder / "evidence" / "pack.html").exists(),
        "effects": {"count": len(effects), "state_digest": state_digest(effects)},
        "ledger": {"size": verified.size, "root": verified.root, "verified": verified.status.value},
    }


def _items(tx: Transaction) -> list[JSONValue]:
    return [
        {
            "item": item.id,
            "model": item.model,
            "title": item.title,
            "state": item.state.value,
            "urgency": item.rank.urgency.value,
            "reasons": list(item.rank.reasons),
            "fingerprint": item.fingerprint,
            "leaf": leaf_about(tx, item.id),
        }
        for item in tx.backlog.all()
    ]


def _alerts(tx: Transaction) -> list[JSONValue]:
    return [
        {
            "alert": alert.id,
            "model": alert.model,
            "technique": alert.campaign.technique,
            "severity": alert.severity.value,
            "state": alert.state.value,
            "finding": alert.finding,
            "leaf": leaf_about(tx, alert.id),
        }
        for alert in tx.alerts.recent(100)
    ]


def _runs(tx: Transaction) -> list[JSONValue]:
    return [
        {"run": run.id, "playbook": run.playbook, "cause": str(run.cause), "leaf": leaf_about(tx, run.id)}
        for run in tx.runs.recent(100)
    ]


def _lines(path: Path) -> int:
    """How many notices a file of a sink holds."""
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def _findings(tx: Transaction) -> list[JSONValue]:
    return [
        {
            "fingerprint": item.finding.fingerprint,
            "model": item.finding.model,
            "rule": item.finding.rule,
            "check": item.finding.check,
            "technique": item.finding.technique,
            "state": item.state.value,
        }
        for item in tx.findings.all()
    ]
