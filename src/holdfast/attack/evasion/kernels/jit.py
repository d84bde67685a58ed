"""One way to compile a kernel and to hand it memory, and the private folder in which compiled kernels are kept.

A kernel gets one record of addresses and numbers (`state.State`) instead of dozens of arrays: each array passed by
numba costs seven machine words, a reference count and a great deal of compile time (docs/adr/0061).

numba's cache is made of pickles, so whoever can write to it runs code here. It is used only in a folder that
belongs to this user and is closed to all others; else kernels are compiled again into a fresh private folder.
The folder's name holds a digest of the kernels' sources: numba itself notices a change in a caller only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from holdfast.core.errors import PrerequisiteError

Function = TypeVar("Function", bound=Callable[..., Any])

CACHE_VARIABLE = "HOLDFAST_KERNEL_CACHE"
_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def kernel(function: Function) -> Function:
    """Compile to machine code for other kernels to call. No allocation, the GIL released; 1 / 0 is inf."""
    return _compiled(function, no_cpython_wrapper=True)


def entry(function: Function) -> Function:
    """A kernel that Python calls. Compiled at the first call and kept on disk."""
    return _compiled(function, no_cpython_wrapper=False)


def _compiled(function: Function, **options: bool) -> Function:
    compiler: Any = numba.njit  # its stubs do not know all options; `_nrt`: no reference counts
    return cast(
        Function,
        compiler(cache=True, nogil=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True, **options)(function),
    )


class Reals(int):
    """The address of a float64 array."""


class Ints(int):
    """The address of an int64 array."""


class Shorts(int):
    """The address of an int32 array."""


class Words(int):
    """The address of a uint64 array."""


def _pointer(element: Any) -> Any:
    """A function for kernels that turns an address into a pointer to elements."""

    @intrinsic
    def point(_typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        pointer: Any = types.CPointer
        return pointer(element)(address), generate

    return point


class RealArray(Protocol):
    """Float64 numbers somewhere in memory."""

    def __getitem__(self, at: int) -> float: ...
    def __setitem__(self, at: int, value: float) -> None: ...


class IntArray(Protocol):
    """Integers somewhere in memory."""

    def __getitem__(self, at: int) -> int: ...
    def __setitem__(self, at: int, value: int) -> None: ...


class WordArray(Protocol):
    """Masks somewhere in memory."""

    def __getitem__(self, at: int) -> np.uint64: ...
    def __setitem__(self, at: int, value: np.uint64) -> None: ...


if TYPE_CHECKING:

    def reals(address: Reals) -> RealArray:
        """The array at an address."""
        ...

    def ints(address: Ints) -> IntArray:
        """The array at an address."""
        ...

    def shorts(address: Shorts) -> IntArray:
        """The array at an address."""
        ...

    def words(address: Words) -> WordArray:
        """The array at an address."""
        ...

    def whole(value: float | np.uint64) -> int:
        """A number without its fraction, as int64: also a constant, which else makes numba compile a function twice."""
        ...

else:
    reals, ints = _pointer(types.float64), _pointer(types.int64)
    shorts, words = _pointer(types.int32), _pointer(types.uint64)
    whole = np.int64


def cache_folder() -> Path:
    """A private folder for compiled kernels: the one named by HOLDFAST_KERNEL_CACHE, else the user's own.

    Raises PrerequisiteError (HF-ATK-005) where the named folder is open to others.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return _made_private(Path(named).expanduser() / _digest())
    try:
        return _made_private(_user_cache() / "holdfast" / "kernels" / _digest())
    except (OSError, RuntimeError, PrerequisiteError):
        return Path(tempfile.mkdtemp(prefix="holdfast-kernels-"))


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _digest() -> str:
    total = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
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


setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010 - the stubs do not know it
