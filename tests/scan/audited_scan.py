"""Run as a program: scans the folders it is given under an audit hook and prints what the interpreter was asked to do.

Everything the scan itself needs is imported before the hook listens, by scanning once.
"""

from __future__ import annotations

import json
import os
import sys

from holdfast.scan import scan_paths

FORBIDDEN = (
    "import",
    "exec",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.spawn",
    "os.posix_spawn",
    "socket.",
)
FORBIDDEN += (
    "pickle.find_class",
    "marshal.",
    "ctypes.dlopen",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "shutil.",
    "tempfile.",
)
events: list[str] = []
listening = False


def hook(event: str, args: tuple[object, ...]) -> None:
    if not listening:
        return
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event.startswith(FORBIDDEN):
        events.append(f"{event} {args!r:.200}")


def main() -> None:
    global listening  # noqa: PLW0603 - the hook cannot be removed, only told when to listen
    sys.addaudithook(hook)
    list(scan_paths(sys.argv[1:]))
    loaded = set(sys.modules)
    listening = True
    count = sum(1 for _ in scan_paths(sys.argv[1:], hash=False))
    listening = False
    new = sorted(set(sys.modules) - loaded)
    sys.stdout.write(json.dumps({"files": count, "events": events[:20], "modules": new, "loaded": sorted(loaded)}))


if __name__ == "__main__":
    main()
