"""Scene 7: an auditor asks. Duties, evidence and proof in a folder that stands without Holdfast."""

from __future__ import annotations

from holdfast.demo.story import Story

TITLE = "Evidence for an auditor, verified without the store"
DAY = 13
HOUR = 15
FOLDER_NAME = "evidence"


def play(story: Story) -> None:
    """The pack is built from the record and verified from its files alone."""
    from holdfast.comply.pack.build import Wish, build
    from holdfast.comply.pack.verify import verify_pack

    folder = story.folder / FOLDER_NAME
    with story.open() as holdfast:
        holdfast.settle()
        if not folder.exists():
            build(holdfast.store, holdfast.ledger, holdfast.key, Wish(story.clock()), folder)
        verified = verify_pack(folder, holdfast.public_key)
    story.say(f"evidence pack in {folder.name}/: {verified.status.value}")
