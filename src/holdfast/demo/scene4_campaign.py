"""Scene 4: card-fraud works, and somebody tries it out. Real servers, real requests, and an alert that was foreseen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.demo.cast import CARD_FRAUD
from holdfast.demo.outsider import attack, honest_history
from holdfast.demo.story import Story

if TYPE_CHECKING:
    from holdfast.app import Holdfast
    from holdfast.core.store import Transaction

TITLE = "A live campaign against card-fraud"
DAY = 4
WAIT_S = 40.0
NAME = "card-fraud-endpoint"
RESPOND = """\
version: 1
mode: enforce
sinks:
  - {name: siem, kind: ocsf-file, tlp: amber, hears: always, path: siem/findings.ndjson}
"""


def play(story: Story) -> None:
    """Honest traffic teaches the detectors; an outsider works on one declined payment; the loop does the rest."""
    from holdfast.server.running import running

    (story.folder / "respond.yaml").write_text(RESPOND, encoding="utf-8")
    with story.open() as holdfast:
        token = ingest_token(holdfast)
        with running(holdfast) as server:
            honest_history(story, server.url, token)
            _until(lambda: holdfast.pipeline.step() == 0)
            with story.endpoints(CARD_FRAUD.name, HOLDFAST_SERVER=server.url, HOLDFAST_TOKEN=token):
                attack(story)
            _until(lambda: _answered(holdfast))


def ingest_token(holdfast: Holdfast) -> str:
    """A token with which an endpoint may send events, and nothing else."""
    from holdfast.core.domain.access import Role, Scope
    from holdfast.server.auth.entry import add_token, add_user

    def make(tx: Transaction) -> str:
        user = tx.access.user(NAME) or add_user(tx, NAME, Role.ENGINEER)
        return add_token(tx, user, "events", (Scope.INGEST,), 30)[1]

    return holdfast.store.run(make)


def _answered(holdfast: Holdfast) -> bool:
    """Whether an alert was raised, answered and told."""
    with holdfast.store.reading() as tx:
        raised = [alert for alert in tx.alerts.recent(50) if alert.model == CARD_FRAUD.name]
        return bool(raised) and tx.outbox.waiting() == 0


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and not done():
        time.sleep(0.2)
