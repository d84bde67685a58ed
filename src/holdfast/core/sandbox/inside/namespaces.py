"""Namespaces of its own, and a root folder that holds only what an interpreter reads, all of it read-only."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Collection, Iterator

from . import syscalls

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    *(0x00020000, 0x04000000, 0x08000000),
    *(0x10000000, 0x20000000, 0x40000000),
)
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = (
    *(0x1, 0x2, 0x4),
    *(0x20, 0x1000, 0x4000, 0x40000),
)
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def enter() -> str:
    """Leave the caller's namespaces; how: `as root` or `in a user namespace`. Raises OSError.

    Children are in the new pid namespace, this process is not.
    """
    spaces = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    if os.geteuid() == 0:
        try:
            _unshare(spaces)
            return "as root"
        except OSError:
            pass
    uid, gid = os.geteuid(), os.getegid()
    _unshare(spaces | _NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    return "in a user namespace"


def confine_files(base: str, readable: list[str], optional: Collection[str]) -> None:
    """Make a root of read-only binds of `readable` on the empty folder `base`, and move into it.

    Raises OSError, but not for one of the `optional` paths: those are missing then.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    os.umask(0o022)  # the worker may become a user who is a stranger to these folders
    _mount("tmpfs", base, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=4m,mode=755")
    for path in readable:
        try:
            _bind(path, base + path)
        except OSError:
            if path not in optional:
                raise
    os.chdir(base)
    syscalls.call("pivot_root", _text("."), _text("."))
    # The old root now lies on top of the new one: taking it away leaves nothing of it reachable.
    syscalls.checked("umount2", syscalls.libc().umount2(_text("."), _MNT_DETACH))
    os.chdir("/")
    _mount(None, "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def drop_capabilities() -> None:
    """Give up every capability of this process. Raises OSError."""
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    none = struct.pack("6I", 0, 0, 0, 0, 0, 0)
    syscalls.call("capset", ctypes.create_string_buffer(header, 8), ctypes.create_string_buffer(none, 24))


def readable_by_others(paths: list[str]) -> bool:
    """Whether a user without any relation to these folders could read them: themselves and all above."""
    return all(_open_to_others(step) for path in paths for step in _steps(os.path.realpath(path)))


def _steps(path: str) -> Iterator[str]:
    while True:
        yield path
        above = os.path.dirname(path)
        if above == path:
            return
        path = above


def _open_to_others(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    wanted = stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return bool(mode & wanted)


def _bind(source: str, target: str) -> None:
    if os.path.islink(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(source, target, None, _MS_BIND | _MS_REC)
    _seal(target, device=source in DEVICES)


def _seal(target: str, device: bool) -> None:
    """Read-only with all that is mounted below; a kernel before 5.12 can do it for the top only."""
    attributes = _ATTR_RDONLY | _ATTR_NOSUID | (0 if device else _ATTR_NODEV)
    attr = struct.pack("4Q", attributes, 0, 0, 0)
    buffer = ctypes.create_string_buffer(attr, len(attr))
    try:
        syscalls.call("mount_setattr", _AT_FDCWD, _text(target), _AT_RECURSIVE, buffer, len(attr))
    except OSError:
        kept = os.statvfs(target).f_flag & 0xF  # a bind may not lose ro, nosuid, nodev, noexec that it came with
        flags = kept | _MS_RDONLY | _MS_NOSUID | (0 if device else _MS_NODEV)
        _mount(None, target, None, _MS_REMOUNT | _MS_BIND | flags)


def _unshare(flags: int) -> None:
    syscalls.checked("unshare", syscalls.libc().unshare(flags))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    result = syscalls.libc().mount(_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(data))
    syscalls.checked(f"mount {target}", result)


def _text(value: str | None) -> ctypes.c_char_p:
    return ctypes.c_char_p(None if value is None else os.fsencode(value))


def _write(path: str, text: str) -> None:
    with open(path, "w") as target:
        target.write(text)
