"""The first process: it builds the walls, forks the worker inside them, and stays to watch what it tries.

It never sees the artifact. It ends the worker at the first watched system call after the artifact was handed over,
when the caller says so, and when the caller is gone; then it tells the caller how the worker ended.
"""

from __future__ import annotations

import array
import fcntl
import glob
import json
import os
import select
import signal
import socket
import struct
import sys
from typing import Any

from . import namespaces, seccomp, syscalls, worker

# Read by the C library, OpenMP and the model libraries; kept small on purpose.
_SYSTEM = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo"),
    *("/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/proc/sys/vm/overcommit_memory"),
    *("/sys/devices/system/cpu", *namespaces.DEVICES),
)
_RECV, _SEND, _ADDFD = 0xC0502100, 0xC0182101, 0x40182103
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_CONTINUE = 1
_ADDFD_AND_SEND = 2


def main() -> None:
    """Entry point; the one argument is JSON: fds, limits, paths."""
    config = json.loads(sys.argv[1])
    readable = _readable(config["readable"])
    warden = _Warden(config)
    _prefer_for_oom()
    steps: dict[str, str] = {}
    if syscalls.LINUX and "namespaces" not in config["skip"]:
        worker.attempt(steps, "namespaces", namespaces.enter)
    if "namespaces" in steps and "root" not in config["skip"]:
        worker.attempt(steps, "root", lambda: namespaces.confine_files(config["root"], readable, _SYSTEM))
    arm_read, arm_write = os.pipe()
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        worker.main(config, steps, readable, there, arm_write)
        os._exit(0)
    os.close(arm_write)
    there.close()
    for name in ("request", "answer"):
        os.close(config[name])
    os.close(1)
    os.close(2)
    try:
        warden.watch(pid, arm_read, _received(here))
    finally:
        _kill(pid)
        os._exit(0)


class _Warden:
    """Watches one worker until it ends."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.lifeline, self.status = config["lifeline"], config["status"]
        self.threads = config["limits"]["processes"]
        # Taken while the real /proc is still in reach; to read what a stopped call wanted to open.
        self.proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY) if syscalls.LINUX else -1
        self.violation: dict[str, str] = {}
        self.armed = False

    def watch(self, pid: int, arm: int, listener: int | None) -> None:
        """Answer notifications until the worker is gone, then report."""
        poller = select.poll()
        end = _pidfd(pid)
        for fd in (self.lifeline, end, listener):
            if fd is not None:
                poller.register(fd, select.POLLIN)
        os.set_blocking(arm, False)
        gone = None
        while gone is None:
            ready = dict(poller.poll(None if end is not None else 20))
            if self.lifeline in ready:
                _kill(pid)
                gone = os.wait4(pid, 0)
            elif listener in ready and listener is not None:
                if ready[listener] & select.POLLIN:
                    self._decide(pid, arm, listener)
                else:
                    poller.unregister(listener)
            else:
                found = os.wait4(pid, os.WNOHANG)
                gone = found if found[0] else None
        self._report(gone[1], gone[2])

    def _decide(self, pid: int, arm: int, listener: int) -> None:
        """One stopped call: let a thread start, give /dev/null, refuse the rest; after arming, end the worker."""
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECV, buffer, True)
        except OSError:
            return
        call_id, thread, _, nr, _, _, *args = _NOTIFICATION.unpack(buffer)
        name = syscalls.names().get(nr, str(nr))
        if name == "clone" and args[0] & 0x10000 and self._thread_count(pid) < self.threads:
            _answer(listener, call_id, 0, _CONTINUE)
            return
        path = self._path(thread, args[{"open": 0, "openat": 1}[name]]) if name in ("open", "openat") else ""
        if path == "/dev/null" and _give_null(listener, call_id):
            return
        word = seccomp.word_of(nr)
        if self._is_armed(arm) and not self.violation:
            self.violation = {"word": word, "detail": f"{name}({path})"}
            _kill(pid)
        _answer(listener, call_id, -seccomp.ERRNO[word], 0)

    def _is_armed(self, arm: int) -> bool:
        if not self.armed:
            try:
                self.armed = os.read(arm, 1) == b"A"
            except BlockingIOError:
                pass
        return self.armed

    def _thread_count(self, pid: int) -> int:
        return len(self._listing(f"{pid}/task"))

    def _listing(self, name: str) -> list[str]:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.proc)
        except OSError:
            return []
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def _path(self, thread: int, address: int) -> str:
        """The path a stopped call named; only ever used as words, since the thread could change it afterwards."""
        try:
            fd = os.open(f"{thread}/mem", os.O_RDONLY, dir_fd=self.proc)
        except OSError:
            return ""
        try:
            found = os.pread(fd, 200, address)
        except (OSError, OverflowError):
            return ""
        finally:
            os.close(fd)
        return found.split(b"\0")[0].decode("utf-8", "replace")

    def _report(self, status: int, usage: Any) -> None:
        ended = {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "violation": self.violation,
        }
        try:
            os.write(self.status, json.dumps({"ended": ended}).encode() + b"\n")
        except BrokenPipeError:
            pass


def _readable(extra: list[str]) -> list[str]:
    """Folders and files the interpreter needs, none inside another."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *extra}
    beside = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    if os.path.exists(os.path.join(beside, "pyvenv.cfg")):
        prefixes |= {beside, *_linked(beside)}
    found: list[str] = []
    for path in sorted({os.path.abspath(path) for path in prefixes | set(_SYSTEM)} - {"/", "/home", "/root"}):
        if os.path.exists(path) and not any(path.startswith(above + "/") for above in found):
            found.append(path)
    return found


def _linked(environment: str) -> list[str]:
    """Folders that .pth files of an environment name (editable installs). Lines that are code are not run here."""
    found = []
    for site in glob.glob(os.path.join(environment, "lib", "python*", "site-packages")):
        for name in glob.glob(os.path.join(site, "*.pth")):
            with open(name, encoding="utf-8", errors="replace") as source:
                lines = source.read(100_000).splitlines()
            found += [line.strip() for line in lines if os.path.isabs(line.strip()) and os.path.isdir(line.strip())]
    return found


def _prefer_for_oom() -> None:
    """When the machine runs out of memory, this process and the worker go first."""
    try:
        with open("/proc/self/oom_score_adj", "w") as target:
            target.write("1000")
    except OSError:
        pass


def _received(here: socket.socket) -> int | None:
    """The listener's fd as the worker sends it over; None where there are no notifications."""
    _, extra, _, _ = here.recvmsg(1, socket.CMSG_SPACE(4))
    here.close()
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            return array.array("i", content[:4])[0]
    return None


def _answer(listener: int, call_id: int, error: int, flags: int) -> None:
    try:
        fcntl.ioctl(listener, _SEND, bytearray(struct.pack("=QqiI", call_id, 0, error, flags)), True)
    except OSError:
        pass  # the thread is gone


def _give_null(listener: int, call_id: int) -> bool:
    """Open /dev/null here and put it into the worker as the call's answer (Linux 5.14)."""
    try:
        fd = os.open("/dev/null", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.ioctl(
            listener, _ADDFD, bytearray(struct.pack("=QIIII", call_id, _ADDFD_AND_SEND, fd, 0, os.O_CLOEXEC)), True
        )
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
