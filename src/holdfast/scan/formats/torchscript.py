"""TorchScript code inside a torch archive: the operators it names and the classes it declares, without compiling it.

Source: PyTorch's own printer of serialised code: built-in operators as `torch.name(...)`, operators of a namespace as
`ops.namespace.name(...)`.
"""

from __future__ import annotations

import re
from typing import Final

from holdfast.core.formats.buffers import Window
from holdfast.scan.inspect import Seen

MAX_CODE: Final = 64 << 20
_CLASS: Final = re.compile(r"^class (\w+)\(", re.MULTILINE)
_MODULE: Final = re.compile(r"(?:^|/)code/(__torch__(?:/\w+)*)\.py$")
_OPERATOR: Final = re.compile(r"\b(?:torch|ops\.(\w+))\.(\w+)\(")
_BUILT_IN: Final = frozenset(
    (
        *("aten", "prim", "prims", "quantized", "_quantized", "quantized_decomposed", "prepacked", "mkldnn", "mkl"),
        *("mkldnn_prepacked", "onednn", "sparse", "cudnn", "xnnpack", "_caffe2", "profiler"),
    )
)
"""Namespaces that PyTorch itself registers and that compute."""
_REACHING: Final = frozenset(("save", "from_file", "_save", "load"))
"""Built-in operators that open a file."""


def read_code(content: Window, seen: Seen, member: str) -> set[str]:
    """State the operators that open files, and those of namespaces that are not PyTorch's. The classes it declares."""
    if len(content) > MAX_CODE:
        seen.add("budget", f"{len(content):,} bytes of code", 0, member)
        return set()
    text = content.read(0, len(content)).decode("utf-8", "replace")
    for space, name in sorted({(found[1] or "aten", found[2]) for found in _OPERATOR.finditer(text)}):
        if space in ("aten", "prim") and name in _REACHING:
            seen.add("script-operator", f"{space}::{name}", None, member)
        elif space not in _BUILT_IN:
            seen.add("operator-domain", f"{space}.{name}", None, member)
    module = _MODULE.search(member)
    return {f"{module[1].replace('/', '.')}.{name}" for name in _CLASS.findall(text)} if module else set()
