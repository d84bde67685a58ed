"""Names, paths and values come from whoever made the artifact; nothing of theirs may act on a terminal or a page."""

from __future__ import annotations

import re
from html import escape
from typing import Final
from urllib.parse import quote

MAX_LENGTH: Final = 2_000


def visible(text: object, limit: int = MAX_LENGTH) -> str:
    """One line of printable characters: controls, terminal escapes, text direction marks and the like are spelt out."""
    words = str(text)
    more = len(words) - limit
    words = words if more <= 0 else f"{words[:limit]}… ({more:,} more characters)"
    return words if words.isprintable() else "".join(c if c.isprintable() else _spell(c) for c in words)


def _spell(character: str) -> str:
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "&#64;", "`": "&#96;"})
_MARKS: Final = re.compile(r"([\\*_\[\]~#!])")
_LINKS: Final = re.compile(r"(?i)://|www\.")


def markdown(text: object, limit: int = 500) -> str:
    """Text for a Markdown table cell or paragraph: no markup, no HTML, no links, no mentions."""
    words = _MARKS.sub(r"\\\1", visible(text, limit)).translate(_ENTITIES)
    return _LINKS.sub(lambda link: link[0].replace(":", "&#58;").replace(".", "&#46;"), words)


def html(text: object, limit: int = MAX_LENGTH) -> str:
    """Text for HTML, SVG and their attributes."""
    return escape(visible(text, limit), quote=True)


def uri(path: str) -> str:
    """A path as a URI reference: relative stays relative, an absolute one gets its scheme."""
    if re.match(r"[A-Za-z]:[\\/]", path):
        return "file:///" + path[:2] + quote(path[2:].replace("\\", "/"))
    quoted = quote(_bytes(path.removeprefix("./")))
    return f"file://{quoted}" if path.startswith("/") else quoted


def _bytes(path: str) -> bytes:
    """The bytes of a file name; names that were no UTF-8 reach us with surrogates in their place."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")
