"""Items as tickets in a real tracker over real sockets: shown once; closed is claimed, asked is never granted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.backlog.interface import ASKS, TRACKERS, Draft, Remote, TrackerError, block, merged
from holdfast.backlog.lifecycle import start
from holdfast.backlog.tickets import Exchanger, connect, disconnect, exchange
from holdfast.backlog.trackers.rest import RestTracker, rest
from holdfast.core.domain.backlog import ItemState, Step, TrackerLink
from holdfast.core.errors import UsageError
from holdfast.core.store import Store
from holdfast.testing.trackers import KEY, hold_to_contract

from .conftest import Estate, finding
from .issue_server import TOKEN, IssueServer

ENVIRON = {"TRACKER_TOKEN": TOKEN}


@pytest.fixture(params=[True, False], ids=["keys", "no-keys"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IssueServer]:
    """With and without a server that knows Idempotency-Key; most real ones do not."""
    yield from served(tmp_path, keys=request.param)


@pytest.fixture
def tracker_server(tmp_path: Path) -> Iterator[IssueServer]:
    yield from served(tmp_path, keys=False)


def served(folder: Path, *, keys: bool) -> Iterator[IssueServer]:
    with IssueServer(folder / "issues.db", keys=keys) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def link(server: IssueServer, **changes: Any) -> TrackerLink:
    said = {"name": "gh", "kind": "rest", "url": server.url, "project": "bank/risk", "token_env": "TRACKER_TOKEN"}
    return TrackerLink(**{**said, **changes})


def test_the_rest_tracker_does_what_a_tracker_must(server: IssueServer) -> None:
    with closing(rest(link(server), ENVIRON)) as made:
        hold_to_contract(made, lambda number, title: server.edit(int(number), title=title))
    assert len(server.rows("SELECT * FROM issues")) == 1
    assert len(server.rows("SELECT * FROM comments")) == 1
    assert dict(TRACKERS)["rest"] is rest


def test_many_tickets_are_read_page_by_page(tracker_server: IssueServer) -> None:
    values = ("t", "b", "open", 1)
    for number in range(205):
        labels = f'["holdfast", "holdfast:itm_{number:032x}"]'
        tracker_server.rows(
            "INSERT INTO issues (title, body, state, revision, labels, updated) VALUES (?,?,?,?,?,?)",
            *values,
            labels,
            number,
        )
    tracker_server.rows("INSERT INTO issues (body, state, revision, labels, updated) VALUES ('x','open',1,'[]',1)")
    with closing(rest(link(tracker_server), ENVIRON)) as made:
        assert len(made.changed(None).tickets) == 205


@pytest.fixture
def shown(one: Estate, tracker_server: IssueServer) -> tuple[Estate, IssueServer]:
    one.failing()
    one.do(lambda tx: connect(tx, link(tracker_server), "ana"))
    return one, tracker_server


def swap(estate: Estate) -> None:
    done = exchange(estate.store, ENVIRON)
    assert done.faults == ()


def issue(server: IssueServer) -> dict[str, Any]:
    (row,) = server.rows("SELECT * FROM issues")
    return row


def test_an_item_becomes_one_ticket_and_follows_the_item(shown: tuple[Estate, IssueServer]) -> None:
    estate, server = shown
    swap(estate)
    item = estate.item()
    assert item.rank.reasons[0].split(":")[0] in issue(server)["body"]
    assert f"holdfast:{item.id}" in issue(server)["labels"]
    estate.move(lambda tx, held: start(tx, held, "ana"))
    swap(estate)
    assert "active" in issue(server)["body"]
    estate.later(days=1)
    estate.see("evasion.search", success=0.0)
    estate.judge()
    swap(estate)
    assert issue(server)["state"] == "closed"
    assert [row["body"].split("\n")[0] for row in server.rows("SELECT * FROM comments")] == [
        "proven: evasion.search no longer finds it on what serves"
    ]
    estate.later(days=1)
    estate.judge(finding())
    swap(estate)
    assert (issue(server)["state"], estate.item().state) == ("open", ItemState.OPEN)


def test_a_ticket_closed_by_hand_is_a_claim_and_no_proof(shown: tuple[Estate, IssueServer]) -> None:
    estate, server = shown
    swap(estate)
    server.edit(issue(server)["number"], state="closed")
    swap(estate)
    swap(estate)
    assert (estate.item().state, estate.item().proof) == (ItemState.CLAIMED, None)
    assert issue(server)["state"] == "closed"
    last = estate.move(lambda tx, item: tx.backlog.history(item.id))[-1]
    assert last.actor == "tracker:gh"
    estate.later(hours=1)
    estate.see("evasion.search", success=0.6)
    estate.judge(finding())
    swap(estate)
    assert (estate.item().state, issue(server)["state"]) == (ItemState.ACTIVE, "open")
    assert "still finds it" in server.rows("SELECT * FROM comments")[-1]["body"]
    server.edit(issue(server)["number"], state="closed")
    swap(estate)
    assert estate.item().state is ItemState.CLAIMED


def test_a_close_just_before_our_update_is_not_lost(
    shown: tuple[Estate, IssueServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    estate, server = shown
    swap(estate)
    estate.move(lambda tx, item: start(tx, item, "ana"))
    update, hits = RestTracker.update, []

    def late(self: RestTracker, remote: Remote, draft: Draft) -> Remote | None:
        if not hits:
            server.edit(int(remote.number), state="closed", body="by hand\n" + remote.body)
        hits.append(update(self, remote, draft))
        return hits[-1]

    monkeypatch.setattr(RestTracker, "update", late)
    swap(estate)
    assert hits[0] is None, "the tracker refused the stale update"
    assert estate.item().state is ItemState.CLAIMED
    assert issue(server)["state"] == "closed"
    assert issue(server)["body"].startswith("by hand\n")


def test_a_tracker_may_ask_for_an_acceptance_and_grants_none(shown: tuple[Estate, IssueServer]) -> None:
    estate, server = shown
    swap(estate)
    row = issue(server)
    server.edit(row["number"], labels=row["labels"].replace("]", f', "{ASKS}"]'))
    swap(estate)
    swap(estate)
    assert estate.steps() == ["opened", "noted"]
    assert estate.item().state is ItemState.OPEN
    assert estate.do(lambda tx: tx.claims.active(effect="accept")) == []


def test_a_tracker_that_is_down_loses_nothing(shown: tuple[Estate, IssueServer]) -> None:
    estate, server = shown
    server.broken = 503
    assert [fault.code for fault in exchange(estate.store, ENVIRON).faults] == ["HF-BLG-013"]
    assert estate.do(lambda tx: tx.outbox.waiting(["tracker.gh"])) == 1
    server.broken = None
    assert exchange(estate.store, ENVIRON).sent == 0, "not before its pause is over"
    estate.later(minutes=10)
    assert exchange(estate.store, ENVIRON).sent == 1
    assert issue(server)["state"] == "open"


def test_in_the_background_it_sends_at_once_and_hears_now_and_then(shown: tuple[Estate, IssueServer]) -> None:
    estate, server = shown
    work = Exchanger(estate.store, ENVIRON)
    assert work() == 1
    asked = len(server.rows("SELECT * FROM requests"))
    server.edit(issue(server)["number"], state="closed")
    assert work() == 0
    assert len(server.rows("SELECT * FROM requests")) == asked, "nothing waits and it is not time to ask"
    estate.later(seconds=30)
    assert work() == 1
    assert estate.item().state is ItemState.CLAIMED
    server.broken = 500
    estate.later(seconds=30)
    with pytest.raises(TrackerError):
        work()


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 200_000,
        b"not json",
        b'{"number": "x"}',
        b"{}",
        b'[{"number": 1, "labels": 3, "state": "open"}]',
        b" " * 5_000_000,
        b"null",
    ],
    ids=["deep", "no-json", "no-number", "no-list", "labels", "huge", "null"],
)
def test_hostile_answers_are_faults(one: Estate, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    made = RestTracker(TrackerLink("gh", "rest", "http://127.0.0.1:1", "o/r", None))
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=answer))
    made.__dict__["_client"] = httpx.Client(transport=transport)
    for call in (lambda: made.find(KEY), lambda: made.read("1"), lambda: made.changed(None)):
        with pytest.raises(TrackerError) as caught:
            call()
        assert caught.value.code == "HF-BLG-013"


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://x"},
        {"url": "http://user:pw@x/"},
        {"url": "http://tracker.example"},
        {"url": "https://x/?token=1", "token_env": None},
        {"name": "GH"},
        {"project": "../../admin"},
        {"token_env": "secret value"},
    ],
)
def test_addresses_that_leak_or_lead_astray_are_refused(
    one: Estate, tracker_server: IssueServer, changes: dict[str, Any]
) -> None:
    with pytest.raises(UsageError) as caught:
        one.do(lambda tx: connect(tx, link(tracker_server, **changes), "ana"))
    assert caught.value.code == "HF-BLG-012"


def test_a_missing_token_is_said_and_never_sent_without(shown: tuple[Estate, IssueServer]) -> None:
    estate, server = shown
    (fault,) = exchange(estate.store, {}).faults
    assert fault.code == "HF-BLG-012"
    assert server.rows("SELECT * FROM requests") == []
    estate.do(lambda tx: disconnect(tx, "gh", "ana"))
    assert exchange(estate.store, {}).faults == ()


def test_what_people_wrote_around_our_text_stays() -> None:
    body = merged("mine\n" + block("old") + "\nalso mine", "new")
    assert body == "mine\n" + block("new") + "\nalso mine"
    assert merged("mine", "new") == "mine\n\n" + block("new")
    assert merged("", "new") == block("new")


def test_many_at_once_make_one_ticket_each(tmp_path: Path, tracker_server: IssueServer) -> None:
    with Store.open(None, tmp_path / "state") as store:
        estate = Estate(store, store.clock)  # type: ignore[arg-type]
        estate.model()
        estate.see("evasion.search", success=0.5)
        estate.judge(*(finding(location=f"place {number}") for number in range(5)))
        estate.do(lambda tx: connect(tx, link(tracker_server), "ana"))
        for item in estate.do(lambda tx: tx.backlog.all()):
            estate.do(lambda tx, held=item: start(tx, held, "ana"))
        threads = [threading.Thread(target=exchange, args=(store, ENVIRON)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert exchange(store, ENVIRON).faults == ()
        assert estate.do(lambda tx: tx.outbox.waiting(["tracker.gh"])) == 0
    assert len(tracker_server.rows("SELECT * FROM issues")) == 5


CHILD = """
import sys
from pathlib import Path
from holdfast.backlog.tickets import exchange
from holdfast.core.store import Store
with Store.open(None, Path(sys.argv[1])) as store:
    while True:
        exchange(store, {"TRACKER_TOKEN": sys.argv[2]}, lease_s=0.2)
"""


def killed_at(server: IssueServer, home: Path, place: str) -> None:
    """A process that exchanges, killed when the server has carried out such a request and not answered it yet."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(home), TOKEN]) as child:

        def strike(request: str) -> None:
            if re.fullmatch(place, request):
                os.kill(child.pid, signal.SIGKILL)

        server.strike = strike
        assert child.wait(60) == -signal.SIGKILL
    server.strike = None


def test_kill_9_at_any_moment_doubles_no_ticket_and_loses_none(tmp_path: Path, tracker_server: IssueServer) -> None:
    home = tmp_path / "state"
    with Store.open(None, home) as store:
        estate = Estate(store, store.clock)  # type: ignore[arg-type]
        estate.model()
        estate.see("evasion.search", success=0.5)
        found = [finding(location=f"place {number}") for number in range(8)]
        estate.judge(*found)
        estate.do(lambda tx: connect(tx, link(tracker_server), "ana"))
        killed_at(tracker_server, home, "POST .*/issues")
        assert len(tracker_server.rows("SELECT * FROM issues")) == 1, "made, and its maker never knew"
        finish(store)
        estate.see("evasion.search", success=0.0)
        estate.judge(*found[4:])
        for place in ("PATCH .*", "POST .*/comments"):
            killed_at(tracker_server, home, place)
        assert len(tracker_server.rows("SELECT * FROM comments")) == 1, "killed right after it"
        finish(store)
        items = estate.do(lambda tx: tx.backlog.all())
        assert sum(item.state is ItemState.PROVEN for item in items) == 4, "our own closing is nobody's claim"
        assert not any(item.state is ItemState.CLAIMED for item in items)
    rows = tracker_server.rows("SELECT * FROM issues")
    assert len(rows) == len({row["labels"] for row in rows}) == len(items) == 8
    assert sum(row["state"] == "closed" for row in rows) == 4
    comments = [row["body"] for row in tracker_server.rows("SELECT * FROM comments")]
    assert len(comments) == len(set(comments)) == 4
    assert all(comment.startswith(Step.PROVEN.value) for comment in comments)


def finish(store: Store) -> None:
    """What a process that is not killed does in the end."""
    while store.run(lambda tx: tx.outbox.waiting(["tracker.gh"])):
        assert exchange(store, ENVIRON, lease_s=0.2).faults == ()
        time.sleep(0.05)
