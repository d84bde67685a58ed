"""Scene 5: the finding is work. It is planned, the model is hardened, and the same check proves that it is done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from holdfast.demo.cast import CARD_FRAUD
from holdfast.demo.story import Story

if TYPE_CHECKING:
    from holdfast.app import Holdfast

TITLE = "A sprint: card-fraud is hardened, and its finding proven closed"
DAY = 7
LEAD, ENGINEER = "lena.lead", "emil.engineer"
CAPACITY = 20
CHECK = "evasion.search"


def play(story: Story) -> None:
    """Plan, harden, claim, gate, deploy; nobody closes the item, the check does."""
    with story.open() as holdfast:
        _plan(story, holdfast)
        new = _harden(story, holdfast)
    if new is not None:
        story.stamp.artifacts[CARD_FRAUD.name] = new
        story.declare()
    with story.open() as holdfast:
        _claim(holdfast)
    story.begin(DAY + 1)
    with story.endpoints(CARD_FRAUD.name):
        story.audit(CARD_FRAUD.name)
    story.deploy(CARD_FRAUD.name)


def _plan(story: Story, holdfast: Holdfast) -> None:
    from holdfast.backlog.sprints import create, plan

    today = story.clock().date()
    with holdfast.store.transaction() as tx:
        if not tx.sprints.all():
            sprint = create(tx, "Sprint 1", today, today + timedelta(days=13), CAPACITY, LEAD)
            taken = plan(tx, sprint.id, LEAD).taken
            story.say(f"sprint 1 takes {len(taken)} items; the first: {taken[0].title if taken else 'none'}")


def _harden(story: Story, holdfast: Holdfast) -> str | None:
    """The file name of the hardened version, relative to the model's folder."""
    from holdfast.harden import Wish, run

    if CARD_FRAUD.name in story.stamp.artifacts:
        return None
    (subject,) = holdfast.manifest.select((CARD_FRAUD.name,))
    output = story.folder / CARD_FRAUD.name / "model-v2.ubj"
    output.unlink(missing_ok=True)
    wish = Wish(seed=story.seed, recipes=("combined",), output=output)
    made = run(subject, wish, store=holdfast.store, key=holdfast.key, watch=lambda step: story.say(f"  {step.words}"))
    return None if made.path is None else made.path.name


def _claim(holdfast: Holdfast) -> None:
    from holdfast.backlog.lifecycle import claim, person
    from holdfast.core.domain.backlog import ItemState

    with holdfast.store.transaction() as tx:
        hardened = {item.finding.fingerprint for item in tx.findings.of(CARD_FRAUD.name) if item.finding.check == CHECK}
        for item in tx.backlog.all():
            if item.fingerprint in hardened and item.state in (ItemState.PLANNED, ItemState.ACTIVE):
                claim(tx, item, person(ENGINEER), "hardened version 2 is ready to be gated")
