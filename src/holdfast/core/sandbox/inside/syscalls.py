"""Raw system calls by ctypes, and their numbers on the two architectures Holdfast confines models on."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

LINUX = sys.platform.startswith("linux")
MACHINE = platform.machine() if LINUX else ""

# name: (x86_64, aarch64); None where the architecture does not have the call.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66),
    "access": (21, None), "pipe": (22, None), "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216),
    "msync": (26, 227), "mincore": (27, 232), "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None),
    "pause": (34, None), "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103),
    "getpid": (39, 172), "socket": (41, 198), "sendmsg": (46, 211), "clone": (56, 220), "fork": (57, None),
    "vfork": (58, None), "execve": (59, 221), "exit": (60, 93), "wait4": (61, 260), "kill": (62, 129),
    "uname": (63, 160), "fcntl": (72, 25), "truncate": (76, 45), "getdents": (78, None), "getcwd": (79, 17),
    "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None),
    "creat": (85, None), "link": (86, None), "unlink": (87, None), "symlink": (88, None), "readlink": (89, None),
    "chmod": (90, None), "fchmod": (91, 52), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None),
    "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179),
    "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177),
    "getppid": (110, 173), "getpgrp": (111, None), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156), "capget": (125, 90), "capset": (126, 91),
    "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132), "utime": (132, None), "mknod": (133, None), "statfs": (137, 43), "fstatfs": (138, 44),
    "getpriority": (140, 141), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125), "sched_get_priority_min": (147, 126), "pivot_root": (155, 41),
    "prctl": (157, 167), "arch_prctl": (158, None), "gettid": (186, 178), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "time": (201, None), "futex": (202, 98), "sched_setaffinity": (203, 122),
    "sched_getaffinity": (204, 123), "epoll_create": (213, None), "getdents64": (217, 61),
    "set_tid_address": (218, 96), "restart_syscall": (219, 128), "fadvise64": (221, 223), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94), "epoll_wait": (232, None),
    "epoll_ctl": (233, 21), "tgkill": (234, 131), "utimes": (235, None), "waitid": (247, 95), "openat": (257, 56),
    "mkdirat": (258, 34), "mknodat": (259, 33), "fchownat": (260, 54), "futimesat": (261, None),
    "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37),
    "symlinkat": (266, 36), "readlinkat": (267, 78), "fchmodat": (268, 53), "faccessat": (269, 48),
    "pselect6": (270, 72), "ppoll": (271, 73), "set_robust_list": (273, 99), "get_robust_list": (274, 100),
    "utimensat": (280, 88), "epoll_pwait": (281, 22), "eventfd": (284, None), "eventfd2": (290, 19),
    "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59), "preadv": (295, 69), "prlimit64": (302, 261),
    "getcpu": (309, 168), "renameat2": (316, 276), "seccomp": (317, 277), "getrandom": (318, 278),
    "execveat": (322, 281), "membarrier": (324, 283), "preadv2": (327, 286), "statx": (332, 291), "rseq": (334, 293),
    "clone3": (435, 435), "close_range": (436, 436), "faccessat2": (439, 439), "epoll_pwait2": (441, 441),
    "mount_setattr": (442, 442), "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446), "futex_waitv": (449, 449), "fchmodat2": (452, 452),
    "futex_wake": (454, 454), "futex_wait": (455, 455), "futex_requeue": (456, 456),
}  # fmt: skip

_COLUMN = {"x86_64": 0, "aarch64": 1}.get(MACHINE)


class UnsupportedError(OSError):
    """This kernel or architecture does not have the call."""


def number(name: str) -> int | None:
    """The number of a system call here; None where it does not exist."""
    return None if _COLUMN is None else _NUMBERS[name][_COLUMN]


def names() -> dict[int, str]:
    """Name by number, for messages."""
    return {nr: name for name in _NUMBERS for nr in [number(name)] if nr is not None}


def call(name: str, *args: object) -> int:
    """Make a system call that libc may have no wrapper for. Raises OSError."""
    nr = number(name)
    if nr is None:
        raise UnsupportedError(38, f"no {name} on {MACHINE or sys.platform}")
    return checked(name, libc().syscall(ctypes.c_long(nr), *(_long(arg) for arg in args)))


def checked(name: str, result: int) -> int:
    """`result`, or the OSError that a negative one stands for."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, argument: int = 0) -> int:
    """prctl(2) with one argument. Raises OSError."""
    return checked("prctl", libc().prctl(option, ctypes.c_ulong(argument), ctypes.c_ulong(0), ctypes.c_ulong(0), 0))


_LIBC: list[ctypes.CDLL] = []


def libc() -> ctypes.CDLL:
    """The C library this process already uses."""
    if not _LIBC:
        _LIBC.append(ctypes.CDLL(None, use_errno=True))
    return _LIBC[0]


def _long(arg: object) -> object:
    return ctypes.c_long(arg) if isinstance(arg, int) else arg
