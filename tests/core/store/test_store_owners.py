"""Owners: a killed process on this machine is known to be gone; of any other nothing is assumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from holdfast.core.store import Store, new_owner
from holdfast.core.store.owners import gone

CHILD = "from holdfast.core.store import new_owner; print(new_owner(), flush=True); input()"


@pytest.fixture
def child() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def test_owners_are_never_the_same() -> None:
    assert len({new_owner() for _ in range(100)}) == 100


def test_a_process_is_gone_when_it_is_killed_and_not_before(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    owner = child.stdout.readline().strip()
    assert not gone(owner)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert gone(owner), "what its parent has not taken leave of yet is gone too"
    end(child)
    assert gone(owner)
    assert not gone(new_owner())


def test_a_number_used_again_is_another_process() -> None:
    host, pid, machine, birth, token = new_owner().rsplit(":", 4)
    assert not gone(":".join((host, pid, machine, birth, token)))
    assert gone(":".join((host, pid, machine, str(int(birth) + 1), token)))


@pytest.mark.parametrize(
    "owner",
    ["", "ann", "a:b:c", "h:1:elsewhere:5:t", "h:x:y:z:t", "h:99999999:-:5:t"],
)
def test_of_an_owner_elsewhere_nothing_is_assumed(owner: str) -> None:
    assert not gone(owner)


def test_the_lease_of_a_killed_process_is_free_at_once(store: Store, child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    owner = child.stdout.readline().strip()
    with store.transaction() as tx:
        assert tx.leases.claim("k", owner, 3600)
        assert not tx.leases.claim("k", new_owner(), 3600)
    end(child)
    mine = new_owner()
    with store.transaction() as tx:
        assert tx.leases.claim("k", mine, 3600)
        assert tx.leases.holder("k") == mine
