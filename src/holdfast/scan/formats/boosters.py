"""Native files of gradient boosting libraries: plain data, so what matters is that they parse to their end."""

from __future__ import annotations

from holdfast.core.errors import FormatError
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import find_end
from holdfast.scan.inspect import Inspector, Seen

SOUND: tuple[str, ...] = ("HF-FMT-013", "HF-FMT-014")
"""Read to the end, but of a kind that is no flat forest, such as a linear booster."""


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Read the model as the tree readers do. Raises Fault where it is cut off, contradicts itself or goes on."""
    try:
        from holdfast.core.formats.read import read_buffer
    except ModuleNotFoundError as fault:
        why = f"reading it needs {fault.name}: pip install 'holdfast[attack]'"
        raise Fault("unsupported", why, 0) from fault

    whole = window.start == 0 and window.end == len(window.data)
    try:
        read_buffer(window.data if whole else window.read(0, len(window)))
    except FormatError as fault:
        if fault.code not in SOUND:
            kind = "budget" if fault.code == "HF-FMT-012" else "malformed"
            raise Fault(kind, f"{fault.message}: {fault.cause}", 0) from None
    if seen.format == "lightgbm-text":
        _closed(window)
    if find_end(window) >= 0:
        seen.add("polyglot", "an archive behind the model", find_end(window))
    seen.parsed = len(window)


def _closed(window: Window) -> None:
    """LightGBM closes its two sections with a line each; a file cut between trees would otherwise go unseen."""
    for opening, closing in ((b"tree\n", b"\nend of trees"), (b"\nparameters:", b"\nend of parameters")):
        if window.find(opening) >= 0 and window.find(closing) < 0:
            raise Fault("truncated", f"the file has no line {closing.decode().strip()!r}", len(window))
