"""The environment of processes of ours that share a machine's cores."""

from __future__ import annotations

from typing import Final

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""A library's own threads, on cores that others use, mostly wait for each other, and OpenMP's wait awake: training six
small boosted models took 22 s of CPU instead of 0.9 s beside ten other processes."""
