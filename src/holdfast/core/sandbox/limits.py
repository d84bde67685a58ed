"""What a sandboxed model may use, and how well it was walled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """`wall_s` is per request (a load, a prediction); the rest is for the life of the process."""

    wall_s: float = 60.0
    cpu_s: int = 600
    memory_bytes: int = 4 * 2**30
    """Of address space."""
    processes: int = 64
    """Threads, in fact: no second process can be started."""
    file_bytes: int = 0
    """Of any one file; no file can be opened for writing to begin with."""
    output_bytes: int = 2**30
    """Of one answer."""


class Isolation(IntEnum):
    """How well a model was walled in; ordered, so that a minimum can be demanded.

    FULL: own user or nobody, mount, pid, network, ipc namespaces, a root of its own (or Landlock), and all of REDUCED.
    REDUCED: system-call filter, no new privileges, resource limits; Landlock where the kernel has it.
    NONE: resource limits only.
    """

    NONE = 0
    REDUCED = 1
    FULL = 2

    @classmethod
    def of(cls, steps: dict[str, str]) -> Isolation:
        """The level that a set of achieved steps amounts to."""
        if not {"seccomp", "privileges", "capabilities"} <= steps.keys() or steps.get("limits") != "yes":
            return cls.NONE
        files = "root" in steps or "landlock" in steps
        return cls.FULL if "namespaces" in steps and files else cls.REDUCED
