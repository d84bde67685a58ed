"""Prints the seconds that a fresh process needs from nothing to its first search: imports, kernels, one row."""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

from holdfast.attack.warm import warm_up  # noqa: E402

if __name__ == "__main__":
    warm_up()
    print(time.perf_counter() - BEGUN)
