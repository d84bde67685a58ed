"""The system-call filter: a list of what computing needs, a watch on what only an attack needs, no to the rest.

A watched call does not run: the kernel stops it and tells the warden (seccomp user notification, Linux 5.0), so the
reason a model is ended for comes from the kernel and not from the model. Where notifications are not to be had the
call fails with an errno of its own instead. See the ADR on the filter for why each call is on its list.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from . import syscalls

ALLOWED = (
    "read", "write", "readv", "writev", "pread64", "preadv", "preadv2", "lseek", "close", "close_range",
    "fstat", "stat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "fadvise64",
    "dup", "dup2", "dup3", "pipe", "pipe2", "eventfd", "eventfd2",
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "munmap", "mprotect", "brk", "madvise", "msync", "mincore", "membarrier",
    "futex", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "set_robust_list", "get_robust_list", "rseq",
    "set_tid_address", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getcpu", "getpriority",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    "sigaltstack", "restart_syscall", "pause", "alarm", "getitimer", "setitimer", "nanosleep", "clock_nanosleep",
    "clock_gettime", "clock_getres", "gettimeofday", "time", "times",
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "getpgrp", "getpgid", "getsid", "capget", "getrlimit", "getrusage", "sysinfo", "uname", "getrandom",
    "arch_prctl", "wait4", "waitid", "exit", "exit_group",
)  # fmt: skip

# The word a model is ended with when it tries one of these; `open` and the like only when they would write.
WRITE, NETWORK, PROCESSES, MEMORY = "write", "network", "processes", "memory"
_WATCHED = {
    WRITE: (
        "creat", "mkdir", "mkdirat", "mknod", "mknodat", "rename", "renameat", "renameat2", "link", "linkat",
        "symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown",
        "fchown", "lchown", "fchownat", "truncate", "utime", "utimes", "futimesat", "utimensat",
        "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    ),
    PROCESSES: ("fork", "vfork", "execve", "execveat"),
}  # fmt: skip
ERRNO = {
    WRITE: errno.EROFS,
    NETWORK: errno.ENETUNREACH,
    PROCESSES: errno.EAGAIN,
    MEMORY: errno.ENOMEM,
}
_BY_CALL = {
    **{name: word for word, calls in _WATCHED.items() for name in calls},
    "open": WRITE,
    "openat": WRITE,
    "socket": NETWORK,
    "clone": PROCESSES,
    "mmap": MEMORY,
    "mremap": MEMORY,
}

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_ALLOW, _KILL, _NOTIFY, _FAIL = 0x7FFF0000, 0x80000000, 0x7FC00000, 0x00050000
_LOAD, _JEQ, _JGT, _JGE, _JSET, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_NR, _ARCH = 0, 4

_O_WRITING = 0x1 | 0x2 | 0x40 | 0x200 | 0x400000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE: alike on both
_CLONE_THREAD = 0x10000
_FCNTL = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; not F_SETOWN
_IOCTL = (0x5421, 0x541B, 0x5450, 0x5451)  # FIONBIO, FIONREAD, FIONCLEX, FIOCLEX
_PRCTL = (3, 15, 16, 0x53564D41)  # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
_LOCAL_FAMILIES = (1, 16)  # AF_UNIX and AF_NETLINK: asked for by name-service look-ups, so refused without alarm

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_NEW_LISTENER = 8

Code = bytes


def word_of(nr: int) -> str:
    """The word for a watched call's number."""
    return _BY_CALL.get(syscalls.names().get(nr, ""), PROCESSES)


def no_new_privileges() -> None:
    """From here on no program this process could start gains rights. Raises OSError."""
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def install(memory_bytes: int, own_pid: int, send_fd: int, notify: bool) -> int | None:
    """Filter this process from now on; irrevocable. The fd of the listener, or None without notifications.

    `send_fd` is the one socket on which sendmsg stays possible, to hand the listener over. Raises OSError.
    """
    program = b"".join(_program(memory_bytes, own_pid, send_fd, notify))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    flags = _NEW_LISTENER if notify else 0
    listener = syscalls.call("seccomp", _SET_MODE_FILTER, flags, ctypes.create_string_buffer(header, len(header)))
    return listener if notify else None


def _program(memory_bytes: int, own_pid: int, send_fd: int, notify: bool) -> list[Code]:
    arch = _AUDIT_ARCH.get(syscalls.MACHINE)
    if arch is None:
        raise syscalls.UnsupportedError(38, f"no filter for {syscalls.MACHINE or 'this system'}")
    watch = {word: _NOTIFY if notify else _FAIL | code for word, code in ERRNO.items()}
    code = [_op(_LOAD, _ARCH), _op(_JEQ, arch, 1, 0), _op(_RET, _KILL), _op(_LOAD, _NR)]
    code += [_op(_JGE, _X32, 0, 1), _op(_RET, _FAIL | errno.ENOSYS)]
    for name in ALLOWED:
        code += _case(name, [_op(_RET, _ALLOW)])
    for word, calls in _WATCHED.items():
        for name in calls:
            code += _case(name, [_op(_RET, watch[word])])
    for name, body in _conditions(memory_bytes, own_pid, send_fd, watch).items():
        code += _case(name, body)
    return [*code, _op(_RET, _FAIL | errno.ENOSYS)]


def _conditions(memory_bytes: int, own_pid: int, send_fd: int, watch: dict[str, int]) -> dict[str, list[Code]]:
    """Calls that are fine with some arguments only. Pointers cannot be followed, so clone3 and openat2 are absent."""
    refuse = _FAIL | errno.EPERM
    families = [_op(_LOAD, _low(0))]
    for family in _LOCAL_FAMILIES:
        families += [_op(_JEQ, family, 0, 1), _op(_RET, _FAIL | errno.EAFNOSUPPORT)]
    # A new thread is watched too: the warden counts them and lets it go on.
    thread = _ALLOW if watch[PROCESSES] != _NOTIFY else _NOTIFY
    return {
        "open": _unless_bits(1, _O_WRITING, watch[WRITE]),
        "openat": _unless_bits(2, _O_WRITING, watch[WRITE]),
        "mmap": _below(1, memory_bytes, watch[MEMORY]),
        "mremap": _below(2, memory_bytes, watch[MEMORY]),
        "socket": [*families, _op(_RET, watch[NETWORK])],
        "clone": [_op(_LOAD, _low(0)), _op(_JSET, _CLONE_THREAD, 0, 1), _op(_RET, thread), _op(_RET, watch[PROCESSES])],
        "kill": _one_of(0, (own_pid,), refuse),
        "tgkill": _one_of(0, (own_pid,), refuse),
        "prlimit64": _one_of(0, (0, own_pid), refuse),
        "sched_setaffinity": _one_of(0, (0,), refuse),
        "sendmsg": _one_of(0, (send_fd,), refuse),
        "fcntl": _one_of(1, _FCNTL, _FAIL | errno.EINVAL),
        "ioctl": _one_of(1, _IOCTL, _FAIL | errno.ENOTTY),
        "prctl": _one_of(0, _PRCTL, _FAIL | errno.EINVAL),
    }


def _case(name: str, body: list[Code]) -> list[Code]:
    nr = syscalls.number(name)
    return [] if nr is None else [_op(_JEQ, nr, 0, len(body)), *body]


def _unless_bits(arg: int, mask: int, otherwise: int) -> list[Code]:
    return [_op(_LOAD, _low(arg)), _op(_JSET, mask, 0, 1), _op(_RET, otherwise), _op(_RET, _ALLOW)]


def _one_of(arg: int, values: tuple[int, ...], otherwise: int) -> list[Code]:
    code = [_op(_LOAD, _low(arg))]
    for value in values:
        code += [_op(_JEQ, value, 0, 1), _op(_RET, _ALLOW)]
    return [*code, _op(_RET, otherwise)]


def _below(arg: int, limit: int, otherwise: int) -> list[Code]:
    high, low = limit >> 32, limit & 0xFFFFFFFF
    return [
        _op(_LOAD, _low(arg) + 4),
        _op(_JGT, high, 3, 0),
        _op(_JEQ, high, 0, 3),
        _op(_LOAD, _low(arg)),
        _op(_JGE, low, 0, 1),
        _op(_RET, otherwise),
        _op(_RET, _ALLOW),
    ]


def _low(arg: int) -> int:
    """Offset of an argument's low word in struct seccomp_data; both architectures are little-endian."""
    return 16 + 8 * arg


def _op(code: int, k: int, if_true: int = 0, if_false: int = 0) -> Code:
    return struct.pack("HBBI", code, if_true, if_false, k)
