"""A real signal in work that swallows it."""

from __future__ import annotations

import os
import signal

import pytest

from holdfast.demo.interrupts import interruptible


def test_a_swallowed_interruption_is_heard_at_the_next_check() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as check:
        check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before
