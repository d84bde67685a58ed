"""The contract of trackers, for those who write one: run it against a real server of that kind."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.backlog.interface import Draft, Tracker

KEY = "itm_" + "0" * 32
OTHER_KEY = "itm_" + "1" * 32


def hold_to_contract(tracker: Tracker, retitle: Callable[[str, str], None]) -> None:
    """Every promise of `Tracker`, on an empty project. `retitle` changes a ticket's title by hand, by its number.

    Raises AssertionError where one is broken.
    """
    number = _made_once(tracker)
    _changed_under_nobody(tracker, number)
    tracker.comment(number, "k@1", "said once")
    tracker.comment(number, "k@1", "said once")
    changes = tracker.changed(None)
    assert [remote.number for remote in changes.tickets] == [number], "the one ticket of ours, once"
    retitle(number, "by hand")
    later = tracker.changed(changes.cursor)
    assert [remote.title for remote in later.tickets] == ["by hand"], "what people change is heard"


def _made_once(tracker: Tracker) -> str:
    draft = Draft(KEY, "title", "text")
    first, again = tracker.create(draft), tracker.create(draft)
    assert first.number == again.number, "a second request makes no second ticket"
    found = tracker.find(KEY)
    assert found is not None, "a ticket is found by its key"
    assert found.number == first.number
    assert tracker.find(OTHER_KEY) is None, "another key is another ticket"
    assert tracker.read("424242") is None, "what is not there is not read"
    return first.number


def _changed_under_nobody(tracker: Tracker, number: str) -> None:
    one = tracker.read(number)
    assert one is not None
    assert (one.key, one.title, one.closed, one.asks) == (KEY, "title", False, False)
    closed = tracker.update(one, Draft(KEY, "title", "new text", closed=True))
    assert closed is not None, "an update of the newest ticket is taken"
    assert closed.closed
    assert "new text" in closed.body
    assert tracker.update(one, Draft(KEY, "title", "lost", closed=False)) is None, "a stale update is refused"
    now = tracker.read(number)
    assert now is not None
    assert now.closed, "a refused update changes nothing"
