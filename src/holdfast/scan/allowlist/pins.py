"""Which wheels a list was made from, so that anybody can fetch the same ones: `generations/*.txt`, pinned by hash.

    python -m holdfast.scan.allowlist.pins FOLDER...     # one file for each folder of wheels, named like it

The files are what `pip download --require-hashes -r` reads.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

PINS: Final = Path(__file__).with_name("generations")


def pins(wheels: Iterable[Path]) -> str:
    """The wheels as requirements, by name."""
    lines = []
    for path in wheels:
        name, version = path.name.split("-")[:2]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{canonicalize_name(name)}=={version} --hash=sha256:{digest}\n")
    return "".join(sorted(lines))


def read_pins(text: str) -> list[tuple[str, str]]:
    """(name, version) of each pin. Raises ValueError on a line that is none."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin, _, digest = line.partition(" --hash=sha256:")
            name, two, version = pin.partition("==")
            if not (two and len(digest) == 64):
                raise ValueError(f"no pin: {line[:100]}")
            found.append((name, version))
    return found


def main() -> None:
    """Write the pins of each folder named."""
    for folder in map(Path, sys.argv[1:]):
        (PINS / f"{folder.name}.txt").write_text(pins(sorted(folder.glob("*.whl"))), encoding="utf-8")


if __name__ == "__main__":
    main()
