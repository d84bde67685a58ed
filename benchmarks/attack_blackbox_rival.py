"""ART's HopSkipJump, asking its questions over a pipe.

    .venv-rivals/bin/python benchmarks/attack_blackbox_rival.py

Runs in the rivals' own environment and imports nothing of Holdfast. It reads start rows in [0, 1] from stdin, and
writes each batch it wants decided to stdout; the other side rounds, projects, decides and keeps the books.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import struct
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")

from art.attacks.evasion import HopSkipJump  # noqa: E402
from art.estimators.classification import BlackBoxClassifier  # noqa: E402

PIPE_IN, PIPE_OUT = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what a library prints must not land between the arrays


def send(values: np.ndarray) -> None:
    """A matrix of float64 behind its shape; one without rows ends the search of a row."""
    PIPE_OUT.write(struct.pack("<qq", *values.shape) + np.ascontiguousarray(values, dtype=np.float64).tobytes())
    PIPE_OUT.flush()


def receive() -> np.ndarray:
    """The same from the other side."""
    rows, columns = struct.unpack("<qq", PIPE_IN.read(16))
    return np.frombuffer(PIPE_IN.read(8 * rows * columns)).reshape(rows, columns)


def predict(Z: np.ndarray) -> np.ndarray:
    """What the other side decides, as two columns."""
    send(Z)
    flagged = receive()[:, 0].astype(bool)
    return np.stack([~flagged, flagged], axis=1).astype(np.float32)


def main() -> None:
    """Row after row, until an empty one comes."""
    while True:
        start = receive()
        if not start.size:
            return
        np.random.seed(0)
        model = BlackBoxClassifier(predict, input_shape=(start.shape[1],), nb_classes=2, clip_values=(0.0, 1.0))
        search = HopSkipJump(model, norm=np.inf, max_iter=20, max_eval=2000, init_eval=50, init_size=500, verbose=False)
        search.generate(x=start.astype(np.float32))
        send(np.zeros((0, 0)))


if __name__ == "__main__":
    main()
