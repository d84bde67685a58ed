"""One rival scanner over a list of files, each in a process of its own.

    .venv-scan-RIVAL/bin/python benchmarks/scan_rival.py RIVAL TASK.json OUT.json

Runs in the rival's own environment and imports nothing of Holdfast. TASK holds `files`, `seconds` of CPU for each and
`memory` in bytes for the process; OUT gets the rival's version and for each file a word, CPU and wall milliseconds,
and MiB by which the process grew. The words:

    found      it says that something in the file is unsafe; its command fails
    failed     it says nothing, and that it could not read the file; its command fails
    partial    its command succeeds or knows no such files, but it does not say that it has read all of it as safe
    clean      safe, and read
    timeout, crash     it did not come to an answer

A scanner that keeps what it learned between files goes on in one process until that dies. No socket is let out.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

os.environ["PROMPTFOO_DISABLE_TELEMETRY"] = "1"  # modelaudit's own switch
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

Word = str
Scan = Callable[[str], Word]
Answer = list["str | float | None"]
"""Word, CPU ms, wall ms, MiB grown."""


class Task(TypedDict):
    """What is asked: see above."""

    files: list[str]
    seconds: int
    memory: int


KEEPS = ("modelaudit",)
"""Their first file takes seconds, later ones do not."""
WALL = 20
"""Times the CPU limit that a file may take by the clock: other work shares the machine."""


class Warned(logging.Handler):
    """Counts warnings."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.levelno >= logging.WARNING


def picklescan() -> Scan:
    """Its command fails for dangerous names and for streams that break off behind names; else it warns."""
    from picklescan.scanner import scan_file_path

    warned = Warned()
    logging.getLogger("picklescan").addHandler(warned)

    def scan(path: str) -> Word:
        warned.count = 0
        seen = scan_file_path(path)
        if seen.issues_count:
            return "found"
        if seen.scan_err:
            return "failed"
        return "partial" if seen.suspicious_count or warned.count or not seen.scanned_files else "clean"

    return scan


def modelscan() -> Scan:
    """Its command fails for issues and errors; what it skips it names."""
    from modelscan.modelscan import ModelScan

    scanner = ModelScan()

    def scan(path: str) -> Word:
        seen = scanner.scan(path)
        if seen["issues"]:
            return "found"
        if seen["errors"]:
            return "failed"
        skipped = seen["summary"]["skipped"]["total_skipped"]
        return "partial" if skipped or not seen["summary"]["scanned"]["total_scanned"] else "clean"

    return scan


def fickling() -> Scan:
    """Its command fails for whatever is not likely safe; a file of unknown instructions counts as not read."""
    from fickling import scan_file, scan_zip_archive
    from fickling.analysis import Severity

    def scan(path: str) -> Word:
        if zipfile.is_zipfile(path):
            seen = [*scan_zip_archive(path, graceful=True).values()]
        else:
            seen = [scan_file(path, graceful=True)]
        judged = [result for part in seen for result in part.results]
        if any(result.severity > Severity.LIKELY_SAFE for result in judged):
            return "found"
        if any(part.errors or not part.is_safe for part in seen):
            return "failed"
        return "clean" if judged else "partial"

    return scan


def modelaudit_picklescan() -> Scan:
    """A library without a command; where it could not decide, it says so."""
    from modelaudit_picklescan import scan_file

    def scan(path: str) -> Word:
        seen = scan_file(path)
        if seen.verdict in ("suspicious", "malicious"):
            return "found"
        if seen.status == "error":
            return "failed"
        return "clean" if seen.status == "complete" and seen.verdict == "clean" else "partial"

    return scan


def modelaudit() -> Scan:
    """Exit code 1 of its command is a warning or worse, 2 an error or a scan that did not come to an end."""
    from modelaudit.core import scan_model_directory_or_file
    from modelaudit.core_results import determine_exit_code, results_have_security_findings

    def scan(path: str) -> Word:
        seen = scan_model_directory_or_file(path, cache_enabled=False)
        if results_have_security_findings(seen):
            return "found"
        if not seen.files_scanned:
            return "partial"
        return "failed" if determine_exit_code(seen) else "clean"

    return scan


RIVALS: dict[str, Callable[[], Scan]] = {
    "picklescan": picklescan,
    "modelscan": modelscan,
    "fickling": fickling,
    "modelaudit-picklescan": modelaudit_picklescan,
    "modelaudit": modelaudit,
}


def deaf(event: str, _: tuple[object, ...]) -> None:
    """No scanner speaks to anyone while it reads hostile files."""
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        raise PermissionError(event)


def arm(seconds: int) -> None:
    """End this process when the file has taken too long; the signals' own way, which no except can catch."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WALL * seconds)


def cpu_s() -> float:
    """CPU seconds of this process; `time.process_time` goes by ticks while a timer runs."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def child(scan: Scan, task: Task, start: int, count: int, answer: int) -> None:
    """Scan files from `start`; a line for each."""
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], resource.RLIM_INFINITY))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    for path in task["files"][start : start + count]:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        arm(task["seconds"])
        wall, cpu = time.perf_counter(), cpu_s()
        try:
            word = scan(path)
        except MemoryError:
            word = "crash"
        except Exception:  # its command would fail with a traceback
            word = "failed"
        times = 1000 * (cpu_s() - cpu), 1000 * (time.perf_counter() - wall)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(answer, json.dumps([word, *times, grown]).encode() + b"\n")


def answers(scan: Scan, task: Task, count: int) -> Iterator[Answer]:
    """One answer a file, in order; whoever dies is replaced."""
    files, at = task["files"], 0
    while at < len(files):
        here, there = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                child(scan, task, at, count, there)
            finally:
                os._exit(0)
        os.close(there)
        with os.fdopen(here, "rb") as lines:
            told = [json.loads(line) for line in lines]
        _, status = os.waitpid(pid, 0)
        yield from told
        at += len(told)
        if len(told) < count and at < len(files):
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM)
            print(f"{files[at]}: {'timeout' if late else 'crash'}", file=sys.stderr)
            yield ["timeout" if late else "crash", None, None, None]
            at += 1


def main() -> None:
    """Scan every file of the task."""
    name, task_file, out = sys.argv[1:4]
    warnings.filterwarnings("ignore")
    logging.disable(logging.INFO)
    sys.addaudithook(deaf)
    task: Task = json.loads(Path(task_file).read_text())
    scan = RIVALS[name]()
    count = len(task["files"]) if name in KEEPS else 1
    told = list(answers(scan, task, count))
    Path(out).write_text(json.dumps({"version": version(name), "answers": told}))


if __name__ == "__main__":
    main()
