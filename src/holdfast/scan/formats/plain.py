"""Text, images, programs, and what this version does not read."""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Window
from holdfast.core.formats.containers_zip import find_end
from holdfast.scan.formats.cards import read_card
from holdfast.scan.formats.deployment import read_deployment
from holdfast.scan.formats.environments import read_environment
from holdfast.scan.formats.locks import read_lock_table
from holdfast.scan.formats.signs import MAX_TEXT, read_signs
from holdfast.scan.formats.templates import read_template_file
from holdfast.scan.inspect import Inspector, Seen

REASONS: Final = {
    "7z": "a 7z archive, which is not unpacked here: unpack it and scan what was in it",
    "rar": "a RAR archive, which is not unpacked here: unpack it and scan what was in it",
    "cab": "a cabinet archive, which is not unpacked here: unpack it and scan what was in it",
    "binary": "bytes of no format that is known",
}
"""Why a file of a kind that is known by its bytes is not read."""


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Text and images carry nothing that loading would run; a zip behind them would."""
    seen.parsed = len(window)
    tag = window.find(b"!!python/")
    if tag >= 0:
        seen.add("yaml-tag", window.read(tag, 60).decode("utf-8", "replace").split()[0], tag)
    if _is_text(window):
        text = window.read(0, MAX_TEXT).decode("utf-8", "replace")
        read_signs(text, seen)
        if depth and text.startswith("#!/"):
            seen.add("executable", f"a script for {text[2:60].split(maxsplit=1)[0]}", 0)
        read_deployment(text, seen)
        read_environment(text, seen)
        read_lock_table(text, seen)
        read_card(text, seen)
        if "{{" in text or "{%" in text:
            read_template_file(text, seen)
    if find_end(window) >= 0:
        behind = inspector.inspect(window, depth + 1, kind="zip")
        seen.facts += behind.facts
        seen.parsed, seen.skipped, seen.unread = behind.parsed, behind.skipped, behind.unread
        seen.add("polyglot", "an archive behind other content", 0)


def _is_text(window: Window) -> bool:
    return b"\0" not in window.read(0, 4096)


def read_executable(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """A program: nothing that a model loader runs, and nothing that belongs beside a model."""
    seen.add("executable", "a program", 0)
    seen.parsed = len(window)


def read_unsupported(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Whatever has no reader: not understood, and said so."""
    seen.add("unsupported", REASONS.get(seen.format, f"no reader for {seen.format}"), 0)
    seen.unread = len(window)
