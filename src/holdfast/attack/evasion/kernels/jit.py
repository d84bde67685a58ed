"""One way to compile a kernel and to hand it memory.

A kernel gets one record of addresses and numbers (`state.State`) instead of dozens of arrays: each array passed by
numba costs seven machine words, a reference count and a great deal of compile time (docs/adr/0061).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numba
import numpy as np
from numba import types

from holdfast.core import kernels
from holdfast.core.kernels import IntArray

Function = TypeVar("Function", bound=Callable[..., Any])

CACHE_VARIABLE = kernels.CACHE_VARIABLE


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


class RealArray(Protocol):
    """Float64 numbers somewhere in memory."""

    def __getitem__(self, at: int) -> float: ...
    def __setitem__(self, at: int, value: float) -> None: ...


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
    reals, ints = kernels.pointer(types.float64), kernels.pointer(types.int64)
    shorts, words = kernels.pointer(types.int32), kernels.pointer(types.uint64)
    whole = np.int64


def cache_folder() -> Path:
    """The private folder of these kernels. Raises PrerequisiteError (HF-ATK-005) where it is open to others."""
    return kernels.cache_folder(Path(__file__).parent.glob("*.py"))


setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010 - the stubs do not know it
