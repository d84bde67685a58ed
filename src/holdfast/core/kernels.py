"""The private folder in which compiled kernels are kept, and one way to compile a kernel into it.

numba's cache is made of pickles, so whoever can write to it runs code here. It is used only in a folder that
belongs to this user and is closed to all others; else kernels are compiled again into a fresh private folder.
The folder's name holds a digest of the kernels' sources: numba itself notices a change in a caller only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numba
from numba import types
from numba.extending import intrinsic

from holdfast.core.errors import PrerequisiteError

Function = TypeVar("Function", bound=Callable[..., Any])

CACHE_VARIABLE = "HOLDFAST_KERNEL_CACHE"
_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def cache_folder(sources: Iterable[Path]) -> Path:
    """A private folder for what is compiled from `sources`: below HOLDFAST_KERNEL_CACHE, else the user's own.

    Raises PrerequisiteError (HF-ATK-005) where the named folder is open to others.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return _made_private(Path(named).expanduser() / _digest(sources))
    try:
        return _made_private(_user_cache() / "holdfast" / "kernels" / _digest(sources))
    except (OSError, RuntimeError, PrerequisiteError):
        return Path(tempfile.mkdtemp(prefix="holdfast-kernels-"))


def compiler(source: Path) -> Callable[[Function], Function]:
    """A decorator that compiles the functions of one file, keeps them on disk, and releases the GIL in them."""
    folder = str(cache_folder([source]))

    def compiled(function: Function) -> Function:
        before = vars(numba.config)["CACHE_DIR"]
        # The setting is the process's; it is read while decorating.
        setattr(numba.config, "CACHE_DIR", folder)  # noqa: B010 - the stubs do not know it
        try:
            return cast(Function, _compile(function))
        finally:
            setattr(numba.config, "CACHE_DIR", before)  # noqa: B010

    return compiled


def pointer(element: Any) -> Any:
    """A function for kernels that turns an address into a pointer to elements."""

    @intrinsic
    def point(_typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        pointer: Any = types.CPointer
        return pointer(element)(address), generate

    return point


def _compile(function: Function) -> Any:
    """Without reference counts: kernels allocate nothing."""
    make: Any = numba.njit  # its stubs do not know all options
    return make(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _digest(sources: Iterable[Path]) -> str:
    total = hashlib.sha256(numba.__version__.encode())
    for source in sorted(sources):
        total.update(source.read_bytes())
    return total.hexdigest()[:16]


def _made_private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & _TO_OTHERS:
        raise PrerequisiteError(
            f"the kernel cache {folder} is open to others",
            cause="compiled kernels are loaded from it, so whoever can write there can run code here",
            fix=f"remove it, or run: chmod 700 {folder}; or name another in {CACHE_VARIABLE}",
            code="HF-ATK-005",
        )
    return folder


class IntArray(Protocol):
    """Integers somewhere in memory."""

    def __getitem__(self, at: int) -> int: ...
    def __setitem__(self, at: int, value: int) -> None: ...


if TYPE_CHECKING:

    def ints(address: int) -> IntArray:
        """The int64 array at an address."""
        ...

    def octets(address: int) -> IntArray:
        """The bytes at an address."""
        ...

else:
    ints, octets = pointer(types.int64), pointer(types.uint8)
