"""A worker process: reads work as JSON lines, runs checks, answers with JSON lines. Dies with its parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from holdfast.audit.interface import CHECKS, Budget
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.observation import Observation
from holdfast.core.errors import HoldfastError

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Job:
    """What crosses to a worker."""

    check: str
    params: dict[str, Any]
    parts: Parts
    budget: Budget


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a check gave no observation. `error` is the class of a HoldfastError, or the name of a defect."""

    error: str
    message: str
    cause: str
    fix: str
    code: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back: one of the two."""

    observation: Observation | None = None
    failure: Failure | None = None


def path_hooks(kind: type, value: object) -> object:
    """msgspec's decoding of paths."""
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)


def encode_hook(value: object) -> object:
    """msgspec's encoding of paths and of numpy's numbers."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise NotImplementedError(type(value))


def run(job: Job) -> Answer:
    """Run one check; whatever goes wrong in it becomes a Failure."""
    check = CHECKS.get(job.check)
    try:
        with Target(job.parts) as target:
            return Answer(check.observe(target, check.params_from(job.params), job.budget))
    except HoldfastError as fault:
        return Answer(failure=Failure(type(fault).__name__, fault.message, fault.cause, fault.fix, fault.code))
    except ModuleNotFoundError as fault:
        return Answer(failure=_missing(job.check, fault.name or str(fault)))
    except MemoryError:
        return Answer(
            failure=_defect("MemoryError", f"the check '{job.check}' ran out of memory", "the worker's limit")
        )
    except Exception as fault:
        traceback.print_exc(file=sys.stderr)
        return Answer(failure=_defect(type(fault).__name__, f"the check '{job.check}' has a defect", str(fault)[:500]))


def _missing(check: str, module: str) -> Failure:
    return Failure(
        "PrerequisiteError",
        f"the check '{check}' needs {module}, which is not installed",
        "it is no part of the core installation",
        "pip install 'holdfast[attack]'",
        "HF-PRE-001",
    )


def _defect(error: str, message: str, cause: str) -> Failure:
    return Failure(error, message, cause, "run again with -vv and report what it prints", "HF-BUG-002")


def serve(source: BinaryIO, answers: BinaryIO) -> None:
    """Answer jobs until the source ends."""
    decoder = msgspec.json.Decoder(Job, dec_hook=path_hooks)
    encoder = msgspec.json.Encoder(enc_hook=encode_hook)
    for line in source:
        answers.write(encoder.encode(run(decoder.decode(line))) + b"\n")
        answers.flush()


def main() -> None:
    """Bind this process to its parent, bound its memory, and keep the answer channel clear of prints."""
    parent, memory_bytes, plugins = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # it died before it could take this process along
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    CHECKS.load_named(plugins)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
