"""SARIF 2.1.0 (OASIS) of other tools, read as hostile input: what they found, how grave, and where, as plain text.

Nothing that a report names is opened. Sizes, nesting and counts are bounded; a key that appears twice, or a run that
says it did not finish, is never taken for a run without findings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import unquote

from holdfast.core.domain import Severity
from holdfast.core.errors import FormatError
from holdfast.core.report.escape import visible

MAX_BYTES: Final = 16_000_000
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 2_000_000
MAX_RUNS: Final = 100
MAX_RESULTS: Final = 25_000
MAX_RULES: Final = 100_000

# The closing quote may be missing: then the rest of the file is one string, and nothing is tried twice.
_STRINGS: Final = re.compile(rb'"[^"]*+"?')
_NO_SHAPE: Final = bytes(set(range(256)) - set(b"[]{},"))
_LEVELS: Final = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "none": Severity.INFO,
}
_SCORES: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.0, Severity.LOW))
_AGAINST: Final = ("fail", "open", "review")
_HAS_SCHEME: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class Found:
    """One result. `place` is a path within the scanned folder, or says that it is not; `line` 0 where none is given."""

    tool: str
    rule: str
    severity: Severity
    place: str
    line: int
    message: str
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """A report: the tools that ran, what they found, and why it may not be all (empty: nothing speaks for that)."""

    tools: tuple[str, ...]
    found: tuple[Found, ...]
    gaps: tuple[str, ...]


def read_sarif(path: Path) -> Imported:
    """Read a SARIF file. Raises FormatError (HF-SCN-022) where it is none, or beyond the bounds."""
    try:
        with path.open("rb") as file:
            return parse_sarif(file.read(MAX_BYTES + 1))
    except OSError as fault:
        raise _refused(path, fault.strerror or "it cannot be opened") from fault
    except (ValueError, RecursionError) as fault:
        raise _refused(path, visible(fault, 200) or "it is nested too deep") from fault


def parse_sarif(data: bytes) -> Imported:
    """Read the bytes of a SARIF file. Raises ValueError that says what is wrong."""
    runs = _list(_document(data).get("runs"))
    if len(runs) > MAX_RUNS:
        raise ValueError(f"it has more than {MAX_RUNS} runs")
    found: list[Found] = []
    gaps: list[str] = [] if runs else ["it holds no run"]
    for run in map(_object, runs):
        tool, rules = _tool(run), _rules(run)
        gaps += _gaps(tool, run)
        found += [_found(tool, result, rules) for result in _results(run, MAX_RESULTS - len(found), gaps)]
    return Imported(tuple(map(_tool, runs)), tuple(found), tuple(gaps))


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    _bound(data)
    value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_number)
    if not isinstance(value, dict) or value.get("version") != "2.1.0":
        raise ValueError("it is not SARIF 2.1.0")
    return value


def _bound(data: bytes) -> None:
    """Nesting and the number of values, before anything is built. Brackets inside texts do not count."""
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")  # without escapes, a quote begins or ends a text
    shape = _STRINGS.sub(b"", plain).translate(None, delete=_NO_SHAPE)
    if len(shape) > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES:,} values")
    depth = 0
    for byte in shape:
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("a list is expected where there is none")
    return value


def _object(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("an object is expected where there is none")
    return value


def _text(value: Any, limit: int = 200) -> str:
    return visible(value, limit) if isinstance(value, str) else ""


def _driver(run: dict[str, Any]) -> dict[str, Any]:
    return _object(_object(run.get("tool")).get("driver"))


def _tool(run: dict[str, Any]) -> str:
    name = _text(_driver(run).get("name"), 60)
    if not name:
        raise ValueError("a run does not say which tool it is of")
    return name


def _gaps(tool: str, run: dict[str, Any]) -> Iterator[str]:
    """Runs that broke off, or whose results were never written, which SARIF tells apart from none found."""
    if run.get("results") is None:
        yield f"{tool} wrote no list of results"
    if any(_object(item).get("executionSuccessful") is not True for item in _list(run.get("invocations"))):
        yield f"{tool} did not finish"


@dataclass(frozen=True, slots=True)
class _Rules:
    """A run's rules, by position and by id."""

    listed: tuple[dict[str, Any], ...]
    named: dict[str, dict[str, Any]]

    def of(self, result: dict[str, Any]) -> dict[str, Any]:
        """The rule a result names; an empty one where it names none."""
        other = _object(result.get("rule"))
        index = result.get("ruleIndex", other.get("index"))
        if type(index) is int and 0 <= index < len(self.listed):
            return self.listed[index]
        own = result.get("ruleId", other.get("id"))
        return self.named.get(own, {}) if isinstance(own, str) else {}


def _rules(run: dict[str, Any]) -> _Rules:
    rules = _list(_driver(run).get("rules"))
    if len(rules) > MAX_RULES:
        raise ValueError(f"a run has more than {MAX_RULES:,} rules")
    listed = tuple(_object(rule) for rule in rules)
    return _Rules(listed, {rule["id"]: rule for rule in reversed(listed) if isinstance(rule.get("id"), str)})


def _results(run: dict[str, Any], room: int, gaps: list[str]) -> list[dict[str, Any]]:
    """The results that speak against something; those of kind `pass` and the like do not."""
    against = [one for one in map(_object, _list(run.get("results"))) if one.get("kind", "fail") in _AGAINST]
    if len(against) > room:
        gaps.append(f"more than {MAX_RESULTS:,} results; the rest was not read")
    return against[:room]


def _found(tool: str, result: dict[str, Any], rules: _Rules) -> Found:
    rule = rules.of(result)
    own = result.get("ruleId") or _object(result.get("rule")).get("id") or rule.get("id")
    place, line = _place_of(result)
    message = _object(result.get("message"))
    return Found(
        tool=tool,
        rule=_text(own) or "(no rule)",
        severity=_severity(result, rule),
        place=place,
        line=line,
        message=_text(message.get("text") or message.get("markdown"), 300),
        suppressed=_is_suppressed(result),
    )


def _severity(result: dict[str, Any], rule: dict[str, Any]) -> Severity:
    """The gravest word on it: a score out of 10 (of the result or its rule), else the level. Unknown words: medium."""
    scores = [_score(_object(item.get("properties")).get("security-severity")) for item in (result, rule)]
    score = max((one for one in scores if one is not None), default=None)
    if score is not None:
        return next((severity for least, severity in _SCORES if score >= least), Severity.LOW)
    level = result.get("level") or _object(rule.get("defaultConfiguration")).get("level")
    return _LEVELS.get(level, Severity.MEDIUM) if isinstance(level, str) else Severity.MEDIUM


def _score(value: Any) -> float | None:
    try:
        score = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return score if 0.0 <= score <= 10.0 else None


def _is_suppressed(result: dict[str, Any]) -> bool:
    """As SARIF defines it (3.27.23): there are suppressions, and none is under review or rejected."""
    given = [_object(one).get("status", "accepted") for one in _list(result.get("suppressions"))]
    return bool(given) and all(status == "accepted" for status in given)


def _place_of(result: dict[str, Any]) -> tuple[str, int]:
    for item in _list(result.get("locations"))[:1]:
        physical = _object(_object(item).get("physicalLocation"))
        line = _object(physical.get("region")).get("startLine")
        uri = _object(physical.get("artifactLocation")).get("uri")
        number = line if type(line) is int and 0 < line < 2**31 else 0
        return _place(uri) if isinstance(uri, str) else "", number
    return "", 0


def _place(uri: str) -> str:
    """A relative path without dots; of any other place only the last name, and that it lies outside."""
    path = unquote(uri[:4_000]).replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or _HAS_SCHEME.match(path):
        names = [part for part in parts if part != ".."]
        return f"(outside) {visible(names[-1], 200)}" if names else "(outside)"
    return visible("/".join(parts), 300)


def _refused(path: Path, cause: str) -> FormatError:
    return FormatError(
        f"cannot read the report {path}",
        cause=cause,
        fix="have the tool write SARIF 2.1.0 again, e.g. with --format sarif",
        code="HF-SCN-022",
    )
