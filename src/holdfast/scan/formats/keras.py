"""Keras archives: a zip of a configuration, its metadata, weights, and assets of preprocessing layers."""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import member_bytes
from holdfast.scan.formats.archives import open_zip, read_member
from holdfast.scan.formats.kerasconfig import read_config_text
from holdfast.scan.inspect import Inspector, Seen

MAX_CONFIG: Final = 256 << 20


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Every member by its own bytes, and the configuration by what loading makes of it."""
    archive = open_zip(inspector, window, seen)
    for entry in archive.entries:
        read_member(inspector, window, seen, entry, depth)
        if entry.name == "config.json":
            try:
                content = member_bytes(window, entry, min(MAX_CONFIG, inspector.unpacked_bytes))
            except Fault:
                continue  # read_member has stated why
            text = content.read(0, len(content)).decode("utf-8", "backslashreplace")
            read_config_text(text, seen, member="config.json")
