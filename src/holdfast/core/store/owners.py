"""Who holds a lease: a token that names a process so exactly that others can tell when it is gone.

A worker that was killed gives nothing back. Whoever finds its lease on the same machine need not wait for the end:
the kernel knows that the process is no more. A process is its number and its start, within one boot and one pid
namespace; of a process elsewhere nothing is known, and its lease is left to expire.
"""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache
from pathlib import Path

from holdfast.core.domain import digest

_PROC = Path("/proc")


def new_owner() -> str:
    """A token for one worker of this process; no two are the same."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_machine() or '-'}:{_birth(pid) or '-'}:{secrets.token_hex(8)}"


def gone(owner: str) -> bool:
    """Whether the process that made a token has ended for certain."""
    parts = owner.rsplit(":", 4)
    if len(parts) != 5 or not parts[1].isdecimal() or parts[2] != _machine() or parts[3] == "-":
        return False
    return _birth(int(parts[1])) != parts[3]


@cache
def _machine() -> str | None:
    """This boot and pid namespace; None where the system does not say."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return digest([boot, str((_PROC / "self/ns/pid").readlink())])[-16:]
    except OSError:
        return None


def _birth(pid: int) -> str | None:
    """When a process began, in clock ticks since boot; None where there is none, or only its remains."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    state, *rest = stat[stat.rindex(b")") + 2 :].split()
    return None if state in (b"Z", b"X") else rest[18].decode()
