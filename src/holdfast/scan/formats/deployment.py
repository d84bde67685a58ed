"""Dockerfiles and requirements among a model's files, known by their content: what building with them would trust."""

from __future__ import annotations

import re
from typing import Final

from holdfast.scan.inspect import Seen

MAX_LINES: Final = 100_000
MAX_REQUIREMENT: Final = 2_000
"""Letters of one requirement; with hashes they are joined into long lines."""
_INSTRUCTION: Final = re.compile(
    r"(?i)^(FROM|RUN|CMD|LABEL|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|ONBUILD|STOPSIGNAL|HEALTHCHECK|"
    r"SHELL|MAINTAINER)\s+(\S.*)$"
)
_PIPED: Final = re.compile(
    r"\b(?:curl|wget|fetch|invoke-webrequest|iwr)\b[^|;&]{0,500}\|\s*(?:sudo\s+)?(?:\S{0,80}/)?(?:ba|z|da|k|c)?sh\b"
    r"|\b(?:curl|wget)\b[^|;&]{0,500}\|\s*(?:sudo\s+)?(?:\S{0,80}/)?(?:python|perl|ruby|node|php)[\d.]*\b"
    r"|\b(?:ba|z|da)?sh\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)\b|\b(?:iex|eval)\b[^;&]{0,500}\b(?:iwr|curl|wget)\b",
    re.IGNORECASE,
)
_CREDENTIAL: Final = re.compile(
    r"(?i)(?<![^\W_])(\w{0,40}?(?:SECRET|TOKEN|PASSW(?:OR)?D|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS)\w{0,40})[=\s]\s{0,10}[\"']?([^\s\"'$]{6,})"
)
_SPECIFIED: Final = re.compile(r"[=<>~!]=|[<>]")
_REQUIREMENT: Final = re.compile(
    r"^[A-Za-z0-9][\w.-]*\s*(?:\[[\w,\s.-]*\])?\s*(?:@\s*\S+|(?:(?:[=<>~!]=|===|[<>])\s*[\w.*+!-]+\s*,?\s*)*)"
    r"(?:;[^#]*)?(?:\s*--hash[= ]\S+)*$"
)
_OPTION: Final = re.compile(r"^(?:-[rcefi]|--[a-z-]+)(?:[ =]\S.*)?$")
_PINNED: Final = re.compile(r"={2,3}\s*[\w.+!-]+(?![\w.*])|@\s*\S+#sha256=|@[0-9a-f]{40}\b")


def read_deployment(text: str, seen: Seen) -> None:
    """State what a Dockerfile or a list of requirements would fetch, run or give away; nothing for other text."""
    lines = _lines(text)
    if not lines or len(lines) > MAX_LINES:
        return
    if _is_dockerfile(lines):
        for line in lines:
            _instruction(line, seen)
    elif _is_requirements(lines):
        for line in lines:
            _requirement(line, seen)


def _lines(text: str) -> list[str]:
    """Lines without comments, those continued by a backslash joined."""
    joined = re.sub(r"\\[ \t]*\r?\n", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _is_dockerfile(lines: list[str]) -> bool:
    """The first instruction but ARG is FROM, and most lines are instructions."""
    named = [match[1].upper() for match in map(_INSTRUCTION.match, lines) if match]
    first = next((name for name in named if name != "ARG"), "")
    return first == "FROM" and _INSTRUCTION.match(lines[0]) is not None and 2 * len(named) >= len(lines) > 1


def _instruction(line: str, seen: Seen) -> None:
    found = _INSTRUCTION.match(line)
    if found is None:
        return
    name, rest = found[1].upper(), found[2]
    if name in ("RUN", "CMD", "ENTRYPOINT", "ONBUILD", "HEALTHCHECK") and _PIPED.search(rest):
        seen.add("download-run", f"{name} of what a download holds")
    elif name in ("ENV", "ARG", "LABEL") and _CREDENTIAL.search(rest):
        seen.add("secret", f"{name} {_CREDENTIAL.search(rest)[1][:60]}")  # type: ignore[index]
    elif name == "ADD" and re.match(r"(?i)(?:--\S+\s+)*(?:https?|ftp|git)[:@]", rest) and "--checksum=" not in rest:
        seen.add("unpinned", "ADD of an address without a checksum")
    elif name == "FROM" and rest.split()[0] != "scratch" and not re.search(r"@sha256:|:(?!latest\b)[\w.$-]", rest):
        seen.add("unpinned", f"FROM {rest[:80]}")


def _is_requirements(lines: list[str]) -> bool:
    """Every line is a requirement or an option, and one at least says a version, so that a word list is none."""
    if max(map(len, lines)) > MAX_REQUIREMENT:
        return False
    bare = [line.partition(" #")[0].strip() for line in lines]
    fits = all(_REQUIREMENT.match(line) or _OPTION.match(line) for line in bare)
    return fits and any(_SPECIFIED.search(line) and _REQUIREMENT.match(line) for line in bare)


def _requirement(line: str, seen: Seen) -> None:
    line = line.partition(" #")[0].strip()
    if _OPTION.match(line):
        if re.match(r"(?:-i|--(?:extra-)?index-url|--trusted-host|-f|--find-links)\b", line):
            seen.add("unpinned", "packages from an index of its own")
    elif not _PINNED.search(line.partition(";")[0]):
        seen.add("unpinned", line[:80])
