"""What every sink has to do, as tests: subclass `SinkContract` in a test file and say how to make one.

class TestMine(SinkContract):
    def make_sink(self): ...
    def make_dead_sink(self): ...      # the same, with nobody at the other end
    def received(self): ...            # the ids of the notices that arrived, in order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from holdfast.core.domain.response import Notice
from holdfast.respond.interface import Sink, SinkError

MOMENT = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
HOSTILE = 'quote " backslash \\ bracket ] newline \n tab \t nul \x00 lone \ud800 wide \U0001f3e6 <script>' + "x" * 5000
ORDINARY: Mapping[str, Any] = {
    "alert": "alr_1",
    "title": "near-duplicate queries climb",
    "message": "near-duplicate queries climb (model card-fraud)",
    "model": "card-fraud",
    "version": "sha256:1",
    "tier": "high",
    "technique": "AML.T0024.002",
    "severity": "high",
    "detectors": ["near-duplicates", "budget"],
    "events": ["e1", "e2"],
    "started_at": "2026-01-05T08:58:00Z",
    "last_at": "2026-01-05T09:00:00Z",
    "clients": ["c1"],
    "incident": None,
}


def notice(number: int = 1, **body: Any) -> Notice:
    """A notice about alert `number`."""
    return Notice("alert", f"alr_{number}", "raised", MOMENT, "amber", {**ORDINARY, **body})


class SinkContract:
    """The contract. Each method is a test."""

    def make_sink(self) -> Sink:
        """A sink with a receiver that works."""
        raise NotImplementedError

    def make_dead_sink(self) -> Sink:
        """A sink whose receiver is not there."""
        raise NotImplementedError

    def received(self) -> list[str]:
        """The ids of the notices that arrived."""
        raise NotImplementedError

    def test_it_is_a_sink(self) -> None:
        """The Protocol holds."""
        assert isinstance(self.make_sink(), Sink)

    def test_a_notice_arrives_under_its_id(self) -> None:
        """What `send` returned from has arrived."""
        sent = notice()
        self.make_sink().send(sent)
        assert self.received() == [sent.id]

    def test_a_notice_sent_twice_arrives_under_one_id(self) -> None:
        """So a receiver can drop the double."""
        sink = self.make_sink()
        for _ in range(2):
            sink.send(notice())
        assert self.received() == [notice().id] * 2

    def test_whatever_the_text_says_the_notice_arrives(self) -> None:
        """Names and titles come from outside."""
        sent = notice(title=HOSTILE, message=HOSTILE, model=HOSTILE, clients=[HOSTILE], version=None)
        sink = self.make_sink()
        sink.send(sent)
        sink.send(notice(2))
        assert self.received() == [sent.id, notice(2).id]

    def test_an_empty_body_arrives(self) -> None:
        """No key of a body is promised."""
        sent = Notice("test", "x", "test", MOMENT, "clear", {})
        self.make_sink().send(sent)
        assert self.received() == [sent.id]

    def test_several_threads_may_send(self) -> None:
        """Deliveries of several processes and threads meet."""
        sink = self.make_sink()
        sent = [notice(number) for number in range(12)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(sink.send, sent))
        assert sorted(self.received()) == sorted(item.id for item in sent)

    def test_nobody_there_is_an_error_and_no_silence(self) -> None:
        """Otherwise the notice would count as delivered."""
        assert fault_of(lambda: self.make_dead_sink().send(notice())) is not None


def fault_of(work: Callable[[], object]) -> SinkError | OSError | None:
    """What a delivery failed with; None where it did not. Other exceptions pass through: a sink raises none."""
    try:
        work()
    except (SinkError, OSError) as fault:
        return fault
    return None
