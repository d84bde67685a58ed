"""Dockerfiles and requirements among a model's files, known by their content: what building with them would trust."""

from __future__ import annotations

import re
from typing import Final

from holdfast.scan.formats.locks import read_names
from holdfast.scan.inspect import Seen
from holdfast.scan.packages import Line

MAX_LINES: Final = 100_000
MAX_REQUIREMENT: Final = 2_000
"""Letters of one requirement; with hashes they are joined into long lines."""
_INSTRUCTION: Final = re.compile(
    r"(?i)^(FROM|RUN|CMD|LABEL|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|ONBUILD|STOPSIGNAL|HEALTHCHECK|"
    r"SHELL|MAINTAINER)\s+(\S.*)$"
)
# Nothing that repeats may begin again within itself, so that a hostile line costs one pass. Spaces come one by one.
_FETCH: Final = r"\b(?:curl|wget|fetch|invoke-webrequest|iwr)\b"
_PIPED: Final = re.compile(
    rf"{_FETCH}(?:(?!{_FETCH})[^|;&]){{0,500}}\| ?(?:sudo )?(?:\S{{0,80}}/)?"
    r"(?:(?:ba|z|da|k|c)?sh|(?:python|perl|ruby|node|php)[\d.]*)\b"
    r"|\b(?:ba|z|da)?sh (?:-c )?[\"']?(?:<\(|\$\() ?(?:curl|wget)\b"
    r"|\b(?:iex|eval)\b(?:(?!\b(?:iex|eval)\b)[^;&]){0,500}\b(?:iwr|curl|wget)\b",
    re.IGNORECASE,
)
_CREDENTIAL: Final = re.compile(
    r"(?i)(?:SECRET|TOKEN|PASSW(?:OR)?D|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS)\w{0,40}"
    r"(?=[= ] ?[\"']?[^\s\"'$]{6})"
)
_MAX_PREFIX: Final = 40
_SPECIFIED: Final = re.compile(r"[=<>~!]=|[<>]")
_REQUIREMENT: Final = re.compile(
    r"\w[\w.-]* ?(?:\[[\w, .-]*\])? ?(?:@ ?\S+|(?:(?:[=<>~!]=|===|[<>]) ?[\w.*+!-]+(?: ?, ?| ?))*)(?:;[^#]*)?"
)
_HASH: Final = re.compile(r" --hash[= ](?=\S)")
_OPTION: Final = re.compile(r"^(?:-[rcefi]|--[a-z-]+)(?:[ =]\S.*)?$")
_COMMIT: Final = re.compile(r"@[0-9a-f]{40}\b")
_PINNED: Final = re.compile(r"={2,3}\s*[\w.+!-]+(?![\w.*])|@[0-9a-f]{40}\b")


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
            read_requirement(line, seen)
        read_names((Line(0, line).name for line in lines if not _OPTION.match(line)), seen)


def _lines(text: str) -> list[str]:
    """Lines without comments, those continued by a backslash joined; runs of spaces are one."""
    joined = re.sub(r"\\[ \t]*\r?\n", " ", text)
    lines = (" ".join(line.split()) for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


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
    elif name in ("ENV", "ARG", "LABEL") and (word := _CREDENTIAL.search(rest)) is not None:
        seen.add("secret", f"{name} {_named(rest, word)[:60]}")
    elif name == "ADD" and re.match(r"(?i)(?:--\S+\s+)*(?:https?|ftp|git)[:@]", rest) and "--checksum=" not in rest:
        seen.add("unpinned", "ADD of an address without a checksum")
    elif name == "FROM" and rest.split()[0] != "scratch" and not re.search(r"@sha256:|:(?!latest\b)[\w.$-]", rest):
        seen.add("unpinned", f"FROM {rest[:80]}")


def _named(rest: str, word: re.Match[str]) -> str:
    """The whole name that a word such as TOKEN stands in."""
    before = rest[max(0, word.start() - _MAX_PREFIX) : word.start()]
    return before[len(before) - _letters_behind(before) :] + word[0]


def _letters_behind(text: str) -> int:
    """How many letters of a name `text` ends with."""
    return next((count for count, char in enumerate(reversed(text)) if not (char.isalnum() or char == "_")), len(text))


def _is_requirements(lines: list[str]) -> bool:
    """Every line is a requirement or an option, and one at least says a version, so that a word list is none."""
    if max(map(len, lines)) > MAX_REQUIREMENT:
        return False
    bare = [line.partition(" #")[0].strip() for line in lines]
    named = [_is_requirement(line) for line in bare]
    fits = all(known or _OPTION.match(line) for known, line in zip(named, bare, strict=True))
    return fits and any(known and _SPECIFIED.search(line) for known, line in zip(named, bare, strict=True))


def _is_requirement(line: str) -> bool:
    """One requirement, with hashes behind it; its name may be one that no index can have."""
    requirement, *hashes = _HASH.split(line)
    return _REQUIREMENT.fullmatch(requirement) is not None and not any(" " in value for value in hashes)


def _is_pinned(requirement: str) -> bool:
    """By version, by commit, or by the checksum of what an address holds."""
    return _PINNED.search(requirement) is not None or "#sha256=" in requirement.partition("@")[2]


def read_requirement(line: str, seen: Seen) -> None:
    """State an option or a requirement that leaves open what is installed."""
    line = line.partition(" #")[0].strip()
    if _OPTION.match(line):
        if re.match(r"(?:-i|--(?:extra-)?index-url|--trusted-host|-f|--find-links)\b", line):
            seen.add("unpinned", "packages from an index of its own")
        elif re.match(r"(?:-[erc]|--editable|--requirement|--constraint)\b.*://", line) and not _COMMIT.search(line):
            seen.add("unpinned", line[:80])
    elif not _is_pinned(line.partition(";")[0]):
        seen.add("unpinned", line[:80])
