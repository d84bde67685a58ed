"""The second process: it gives up its rights step by step, then loads the model and answers for it."""

from __future__ import annotations

import array
import json
import os
import socket
import sys
from typing import Any

from . import landlock, models, namespaces, seccomp, syscalls, wire

_NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


def main(config: dict[str, Any], steps: dict[str, str], readable: list[str], there: socket.socket, arm: int) -> None:
    """Confine this process, tell the caller how far that went, and serve."""
    try:
        _confine(config, steps, readable, there)
        os.write(config["status"], json.dumps({"steps": steps}).encode() + b"\n")
        _keep_only({0, 1, 2, config["request"], config["answer"], arm})
        _serve(config["request"], config["answer"], arm)
    except BaseException as fault:
        _fail(config["answer"], fault)


def _confine(config: dict[str, Any], steps: dict[str, str], readable: list[str], there: socket.socket) -> None:
    skip = config["skip"]
    _limit(config["limits"], steps)
    if not syscalls.LINUX:
        return there.close()
    attempt(steps, "user", lambda: _leave_root(readable))
    attempt(steps, "capabilities", namespaces.drop_capabilities)
    attempt(steps, "parent-death", lambda: syscalls.prctl(_PR_SET_PDEATHSIG, _SIGKILL))
    attempt(steps, "privileges", seccomp.no_new_privileges)
    if "landlock" not in skip:
        attempt(steps, "landlock", lambda: f"version {landlock.restrict(readable)}")
    if "seccomp" not in skip:
        attempt(steps, "seccomp", lambda: _filter(config, there))
    there.close()
    return None


def _limit(limits: dict[str, Any], steps: dict[str, str]) -> None:
    import resource

    wanted = {
        "RLIMIT_CPU": (limits["cpu_s"], limits["cpu_s"] + 1),
        "RLIMIT_AS": (limits["memory_bytes"], limits["memory_bytes"]),
        "RLIMIT_FSIZE": (limits["file_bytes"], limits["file_bytes"]),
        "RLIMIT_NOFILE": (256, 256),
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_MEMLOCK": (0, 0),
        "RLIMIT_MSGQUEUE": (0, 0),
    }
    failed = []
    for name, (soft, hard) in wanted.items():
        try:
            kind = getattr(resource, name)
            most = resource.getrlimit(kind)[1]  # the caller may itself be limited
            room = max(soft, hard) if most == resource.RLIM_INFINITY else most
            resource.setrlimit(kind, (min(soft, room), min(hard, room)))
        except (AttributeError, ValueError, OSError):
            failed.append(name)
    steps["limits"] = "yes" if not failed else "without " + ", ".join(failed)


def _leave_root(readable: list[str]) -> str:
    """As root become nobody, unless nobody could not read the interpreter; then root without any capability."""
    if os.geteuid() != 0:
        return "the caller's"
    if not namespaces.readable_by_others(readable):
        return "root, since others cannot read the interpreter's folder"
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError as fault:
        return f"root: {fault}"
    return "nobody"


def _filter(config: dict[str, Any], there: socket.socket) -> str:
    """Install the filter, with notifications to the warden where the kernel has them."""
    limit, skip = config["limits"]["memory_bytes"], config["skip"]
    listener = None
    if "notify" not in skip:
        try:
            listener = seccomp.install(limit, os.getpid(), there.fileno(), notify=True)
        except OSError:
            listener = None
    if listener is None:
        seccomp.install(limit, os.getpid(), there.fileno(), notify=False)
        return "refusing"
    rights = array.array("i", [listener])
    there.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    return "watching"


def attempt(steps: dict[str, str], name: str, step: Any) -> None:
    """Try a step of the confinement: how it went goes into `steps`; why it failed too, with a `-` before the name."""
    try:
        done = step()
        steps[name] = done if isinstance(done, str) else "yes"
    except OSError as fault:
        steps["-" + name] = str(fault)


def _keep_only(kept: set[int]) -> None:
    """Close every other file: the warden's status pipe and its view of /proc among them."""
    start = 0
    for fd in [*sorted(kept), 4096]:
        if start < fd:  # an empty range closes everything in CPython 3.11
            os.closerange(start, fd)
        start = fd + 1


def _serve(request: int, answer: int, arm: int) -> None:
    """Requests in order: prepare (import), load (the artifact), predict (rows), until the caller hangs up."""
    model: Any = None
    while True:
        frame = wire.read(request)
        if frame is None:
            return
        header, blobs = frame
        if header["op"] == "libraries":
            _reply(answer, models.libraries())
        elif header["op"] == "prepare":
            _reply(answer, models.prepare(header["format"]))
            os.write(arm, b"A")
            os.close(arm)
        elif header["op"] == "load":
            model = models.load(header["format"], blobs[0], header["features"])
            _reply(answer, {})
        else:
            scores, classes = models.predict(model, header, blobs)
            rows, width = scores.shape
            _reply(answer, {"rows": rows, "width": width, "classes": classes}, scores.tobytes())


def _reply(fd: int, header: dict[str, Any], blob: bytes | None = None) -> None:
    blobs = [] if blob is None else [blob]
    wire.write(fd, wire.encode({"ok": True, **header}, blobs))
    for data in blobs:
        wire.write(fd, data)


def _word(fault: BaseException) -> str:
    if isinstance(fault, models.AnswerError):
        return "output"
    return "memory" if isinstance(fault, MemoryError) else "crash"


def _fail(fd: int, fault: BaseException) -> None:
    """Tell the caller what went wrong, in the worker's own words: a hint, never evidence."""
    frames = []
    trace = fault.__traceback__
    while trace is not None:
        frames.append(f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}")
        trace = trace.tb_next
    told = {
        "ok": False,
        "type": type(fault).__name__[:100],
        "text": str(fault)[:500],
        "errno": fault.errno if isinstance(fault, OSError) and isinstance(fault.errno, int) else None,
        "word": _word(fault),
        "missing": fault.name if isinstance(fault, ImportError) and isinstance(fault.name, str) else None,
        "at": frames[-1] if frames else "",
    }
    try:
        wire.write(fd, wire.encode(told))
    except OSError:
        pass
    sys.stderr.flush()
