"""The filter's program, run by an interpreter of its own: what each call gets on both architectures."""

from __future__ import annotations

import errno
import struct

import pytest

from holdfast.core.sandbox.inside import seccomp, syscalls

ALLOW, KILL, NOTIFY = 0x7FFF0000, 0x80000000, 0x7FC00000
LIMIT, PID, SOCKET = 5 * 2**30 + 4096, 17, 9
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def fails(code: int) -> int:
    return 0x00050000 | code


def verdict(program: list[bytes], arch: int, nr: int, *args: int) -> int:
    """What the kernel would answer: classic BPF over struct seccomp_data (linux/bpf_common.h)."""
    data = struct.pack("<IIQ6Q", nr & 0xFFFFFFFF, arch, 0, *(*args, *[0] * (6 - len(args))))
    position = accumulator = 0
    while True:
        code, if_true, if_false, k = struct.unpack("HBBI", program[position])
        position += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif code == 0x06:
            return k
        else:
            holds = {
                0x15: accumulator == k,
                0x25: accumulator > k,
                0x35: accumulator >= k,
                0x45: bool(accumulator & k),
            }[code]
            position += if_true if holds else if_false


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(syscalls, "MACHINE", request.param)
    monkeypatch.setattr(syscalls, "_COLUMN", ["x86_64", "aarch64"].index(request.param))
    return str(request.param)


def judge(machine: str, name: str, *args: int, notify: bool = True) -> int | None:
    nr = syscalls.number(name)
    program = seccomp._program(LIMIT, PID, SOCKET, notify)
    return None if nr is None else verdict(program, ARCH[machine], nr, *args)


def test_every_listed_call_is_allowed(machine: str) -> None:
    assert {judge(machine, name) for name in seccomp.ALLOWED} <= {ALLOW, None}


def test_every_watched_call_is_told_of_or_refused(machine: str) -> None:
    for word, names in seccomp._WATCHED.items():
        for name in names:
            assert judge(machine, name) in (NOTIFY, None)
            assert judge(machine, name, notify=False) in (fails(seccomp.ERRNO[word]), None)


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("openat", (0, 0, 0o2000000), ALLOW),
        ("openat", (0, 0, 1), NOTIFY),
        ("openat", (0, 0, 2), NOTIFY),
        ("openat", (0, 0, 0o100), NOTIFY),
        ("openat", (0, 0, 0o1000), NOTIFY),
        ("openat", (0, 0, 0o20200000), NOTIFY),
        ("mmap", (0, LIMIT - 1), ALLOW),
        ("mmap", (0, LIMIT), NOTIFY),
        ("mmap", (0, 2**63), NOTIFY),
        ("mmap", (0, 4096), ALLOW),
        ("mmap", (0, 2**32 - 1), ALLOW),
        ("mmap", (0, 6 * 2**30), NOTIFY),
        ("mremap", (0, 0, LIMIT), NOTIFY),
        ("socket", (1,), fails(errno.EAFNOSUPPORT)),
        ("socket", (2,), NOTIFY),
        ("socket", (10,), NOTIFY),
        ("socket", (17,), NOTIFY),
        ("clone", (17,), NOTIFY),
        ("clone", (0x4000 | 0x100,), NOTIFY),
        ("clone", (0x10000 | 0xF00,), NOTIFY),
        ("clone3", (), fails(errno.ENOSYS)),
        ("kill", (PID, 9), ALLOW),
        ("kill", (PID + 1, 9), fails(errno.EPERM)),
        ("kill", (2**64 - 1, 9), fails(errno.EPERM)),
        ("tgkill", (1, 1, 9), fails(errno.EPERM)),
        ("prlimit64", (0,), ALLOW),
        ("prlimit64", (1,), fails(errno.EPERM)),
        ("sendmsg", (SOCKET,), ALLOW),
        ("sendmsg", (SOCKET + 1,), fails(errno.EPERM)),
        ("fcntl", (0, 8), fails(errno.EINVAL)),
        ("fcntl", (0, 3), ALLOW),
        ("ioctl", (0, 0x5412), fails(errno.ENOTTY)),
        ("prctl", (1,), fails(errno.EINVAL)),
        ("prctl", (15,), ALLOW),
        ("pivot_root", (), fails(errno.ENOSYS)),
        ("capset", (), fails(errno.ENOSYS)),
        ("seccomp", (), fails(errno.ENOSYS)),
        ("landlock_restrict_self", (), fails(errno.ENOSYS)),
    ],
)
def test_conditions(machine: str, name: str, args: tuple[int, ...], expected: int) -> None:
    assert judge(machine, name, *args) == expected


def test_a_thread_may_start_where_nobody_counts(machine: str) -> None:
    assert judge(machine, "clone", 0x10000, notify=False) == ALLOW
    assert judge(machine, "clone", 17, notify=False) == fails(errno.EAGAIN)


def test_another_architecture_is_killed_and_x32_refused(machine: str) -> None:
    program = seccomp._program(LIMIT, PID, SOCKET, True)
    assert verdict(program, 0x40000003, 4) == KILL
    assert verdict(program, ARCH[machine], 0x40000000 | 1) == fails(errno.ENOSYS)


def test_a_call_nobody_has_heard_of_is_refused(machine: str) -> None:
    known = set(syscalls.names())
    program = seccomp._program(LIMIT, PID, SOCKET, True)
    unknown = [nr for nr in range(600) if nr not in known]
    assert {verdict(program, ARCH[machine], nr) for nr in unknown} == {fails(errno.ENOSYS)}


def test_an_unknown_machine_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "MACHINE", "riscv64")
    with pytest.raises(OSError, match="no filter"):
        seccomp._program(LIMIT, PID, SOCKET, True)


def test_numbers_agree_with_the_system_headers() -> None:
    import re
    from pathlib import Path

    headers = {0: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 1: "/usr/include/asm-generic/unistd.h"}
    if not all(Path(path).exists() for path in headers.values()):
        pytest.skip("no kernel headers here")
    for column, path in headers.items():
        found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(path).read_text()))
        found |= {"newfstatat": found.get("fstatat", found.get("newfstatat"))}
        for name, numbers in syscalls._NUMBERS.items():
            if name in found:
                assert numbers[column] == int(found[name]), name
            else:
                assert numbers[column] is None or numbers[column] >= 450, name
