"""Landlock: from here on this process reads below the named paths only, writes nowhere, and opens no TCP port."""

from __future__ import annotations

import ctypes
import os
import struct

from . import syscalls

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many file-system rights the kernel knows; more later
_NET = 0b11  # bind and connect TCP, from ABI 4
_SCOPED = 0b11  # abstract unix sockets and signals, from ABI 6
_CREATE_VERSION = 1
_PATH_BENEATH = 1


def abi() -> int:
    """The version the kernel offers. Raises OSError where it offers none."""
    return syscalls.call("landlock_create_ruleset", None, 0, _CREATE_VERSION)


def restrict(readable: list[str]) -> int:
    """Confine this process for good; the version used. Needs no_new_privileges before. Raises OSError."""
    version = abi()
    rights = (1 << _RIGHTS_BY_ABI.get(version, 16)) - 1
    fields = [rights] + ([_NET] if version >= 4 else []) + ([_SCOPED] if version >= 6 else [])
    attr = struct.pack(f"{len(fields)}Q", *fields)
    ruleset = syscalls.call("landlock_create_ruleset", ctypes.create_string_buffer(attr, len(attr)), len(attr), 0)
    try:
        for path in readable:
            _allow(ruleset, path)
        syscalls.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: str) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = struct.pack("=Qi", rights, fd)
        syscalls.call("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(fd)
