"""The same promises over real sockets: a receiver that is gone for ten minutes, and senders that are killed."""

from __future__ import annotations

import json
import multiprocessing
import time
from datetime import timedelta
from pathlib import Path

import pytest

from alerted import START, Scene
from holdfast.core.domain import FrozenClock
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Notice
from holdfast.core.store import Store
from holdfast.respond.delivery import deliver
from holdfast.respond.interface import Outlet
from holdfast.respond.notices import tell
from holdfast.respond.sinks.webhook import Webhook, WebhookOptions
from receivers import HttpReceiver, free_port


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "a plain secret")


def hook(port: int, clock: FrozenClock | None = None) -> Outlet:
    options = WebhookOptions.model_validate(
        {"url": f"http://127.0.0.1:{port}/", "secret_env": "HOOK_SECRET", "plain_http": True, "timeout_s": 2}
    )
    return Outlet("soc", "webhook", Tlp.AMBER, Webhook(options, Path(), *([] if clock is None else [clock])))


def queue(scene: Scene, number: int) -> str:
    made = Notice("alert", f"alr_{number}", "raised", scene.clock(), "amber", {"title": f"alert {number}"})
    with scene.store.transaction() as tx:
        tell(tx, made, ["soc"])
    return made.id


def test_a_receiver_that_is_gone_for_ten_minutes_gets_everything_afterwards(lite: Scene) -> None:
    port = free_port()
    ids = []
    for second in range(0, 600, 4):
        if second % 60 == 0:
            ids.append(queue(lite, second))
        deliver(lite.store, [hook(port, lite.clock)])
        lite.clock.advance(timedelta(seconds=4))
    with HttpReceiver(port) as receiver:
        for _ in range(0, 320, 4):
            deliver(lite.store, [hook(port, lite.clock)])
            lite.clock.advance(timedelta(seconds=4))
        assert receiver.ids == ids


COUNT = 40
KILLS = 8


def send_for_ever(home: Path, port: int) -> None:
    """A sender of its own store, until it is killed."""
    store = Store.open(None, home)
    while True:
        deliver(store, [hook(port)], lease_s=0.2)


def test_killed_senders_lose_nothing_and_doubles_carry_the_same_id(tmp_path: Path) -> None:
    """Every sender is killed within milliseconds; the receiver is slow, so that kills fall between send and ack."""
    home = tmp_path / "home"
    with _filled(home) as store, HttpReceiver() as receiver:

        def slowly(handler: object) -> None:
            time.sleep(0.01)
            handler.send_response(204)  # type: ignore[attr-defined]
            handler.end_headers()  # type: ignore[attr-defined]

        receiver.answer = slowly
        for turn in range(KILLS):
            kill_amid(home, receiver, after=len(receiver.got) + 3, delay_s=0.003 * turn)
        for _ in range(200):
            deliver(store, [hook(receiver.port)], lease_s=0.2)
            with store.reading() as tx:
                if tx.outbox.waiting() == 0:
                    break
            time.sleep(0.05)
        seen = receiver.ids
        wanted = {_notice(number).id for number in range(COUNT)}
        assert set(seen) == wanted
        remembered = list(dict.fromkeys(seen))
        assert len(remembered) == COUNT, "a receiver that remembers ids has each notice once"
        assert len(seen) <= COUNT + KILLS
        bodies = {item["id"]: json.dumps(item, sort_keys=True) for item in receiver.bodies}
        assert all(json.dumps(item, sort_keys=True) == bodies[item["id"]] for item in receiver.bodies)


def _notice(number: int) -> Notice:
    return Notice("alert", f"alr_{number}", "raised", START, "amber", {"title": f"alert {number}"})


def _filled(home: Path) -> Store:
    store = Store.open(None, home)
    with store.transaction() as tx:
        for number in range(COUNT):
            tell(tx, _notice(number), ["soc"])
    return store


def kill_amid(home: Path, receiver: HttpReceiver, *, after: int, delay_s: float) -> None:
    """Start a sender and kill it when the receiver has `after` requests, a little later each time."""
    sender = multiprocessing.get_context("fork").Process(target=send_for_ever, args=(home, receiver.port), daemon=True)
    sender.start()
    ends = time.monotonic() + 10
    while len(receiver.got) < after and time.monotonic() < ends:
        time.sleep(0.001)
    time.sleep(delay_s)
    sender.kill()
    sender.join()
    sender.close()
