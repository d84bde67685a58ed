"""The nouns stand on the standard library alone."""

from __future__ import annotations

import subprocess
import sys

ALLOWED = "holdfast.core.domain", "holdfast.core.errors"


def test_the_domain_imports_neither_libraries_nor_other_rooms() -> None:
    code = (
        "import sys; before = set(sys.modules); import holdfast.core.domain;"
        "import holdfast.core.domain.transform;"
        "new = {name for name in set(sys.modules) - before};"
        "own = {n for n in new if n.startswith('holdfast.') and n not in ('holdfast.core',)};"
        f"bad = {{n for n in own if not n.startswith({ALLOWED!r})}};"
        "bad |= {n for n in new if n.partition('.')[0] not in {*sys.stdlib_module_names, 'holdfast'}};"
        "sys.exit(f'imports {sorted(bad)}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env=_paths())
    assert done.returncode == 0, done.stderr


def _paths() -> dict[str, str]:
    from pathlib import Path

    import holdfast

    return {"PYTHONPATH": str(Path(holdfast.__file__).parent.parent)}
