"""From how a worker ended to the word for it: what the kernel told the warden first, what the model said last."""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.core.errors import TargetError
from holdfast.core.sandbox.faults import target_error
from holdfast.core.sandbox.limits import Limits

_WORD_BY_ERRNO = {
    errno.EROFS: "write",
    errno.ENETUNREACH: "network",
    errno.EAGAIN: "processes",
    errno.ENOMEM: "memory",
}
_NEAR_LIMIT = 0.8


@dataclass(frozen=True, slots=True)
class Ending:
    """The warden's report (empty where it gave none), the end of what was printed, and whether we had to end it."""

    report: Mapping[str, Any]
    log: str
    ended_by_us: bool

    def error(self, limits: Limits) -> TargetError:
        """The error for a worker that ended without an answer."""
        violation = self.report.get("violation") or {}
        if violation:
            return target_error(str(violation["word"]), f"stopped at {violation['detail']}")
        number = self.report.get("signal")
        if self.report.get("cpu_s", 0.0) >= limits.cpu_s or number == signal.SIGXCPU:
            return target_error("time", f"it used {limits.cpu_s} seconds of processor time")
        if number == signal.SIGKILL and self.ended_by_us:
            return target_error("output", "it closed the file for answers and went on")
        if number == signal.SIGKILL or (number and self._peak_share(limits) >= _NEAR_LIMIT):
            return target_error("memory", "the system ended it for want of memory")
        return target_error("crash", f"{self._how()}{self._last_words()}")

    def _peak_share(self, limits: Limits) -> float:
        return float(self.report.get("peak_bytes", 0)) / limits.memory_bytes

    def _how(self) -> str:
        number, code = self.report.get("signal"), self.report.get("code")
        if number:
            return f"it was ended by {signal.Signals(number).name}"
        return "it ended without a word" if code is None else f"it left with exit code {code} instead of an answer"

    def _last_words(self) -> str:
        return f"; it printed: {self.log[-200:]}" if self.log.strip() else ""


def told_error(told: Mapping[str, Any]) -> TargetError:
    """The error for a model that raised an exception, as the worker tells it."""
    text = f"{told.get('type')}: {told.get('text')} (at {told.get('at')})"
    word = _WORD_BY_ERRNO.get(_number(told.get("errno")), "crash")
    if told.get("word") in ("memory", "output"):
        word = str(told["word"])
    missing = told.get("missing")
    if isinstance(missing, str):
        fix = f"the artifact needs the package '{missing[:60]}': install it where `runtime:` in holdfast.yaml points"
        return target_error("crash", text, fix)
    return target_error(word, text)


def _number(value: object) -> int:
    return value if type(value) is int else 0
