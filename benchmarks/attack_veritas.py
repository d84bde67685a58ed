"""Veritas's robustness search, unconstrained, on the same trees and rows.

    .venv-rivals/bin/python benchmarks/attack_veritas.py TASK.npz OUT.npz

Runs in the rivals' own environment and imports nothing of Holdfast. TASK holds the trees as flat arrays, thresholds
and rows in units of the training ranges; OUT gets distances, lower bounds and CPU seconds.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import veritas


def ensemble(task: dict[str, np.ndarray]) -> veritas.AddTree:
    """Trees whose output is above zero where the model flags; a test is `x < threshold`."""
    found = veritas.AddTree(1, veritas.AddTreeType.REGR)
    for root in task["roots"]:
        tree = found.add_tree()
        front = [(tree.root(), int(root))]
        while front:
            at, node = front.pop()
            if task["feature"][node] < 0:
                tree.set_leaf_value(at, 0, float(task["leaf"][node]))
                continue
            tree.split(at, int(task["feature"][node]), float(task["threshold"][node]))
            front += [(tree.left(at), int(task["left"][node])), (tree.right(at), int(task["right"][node]))]
    found.set_base_score(0, float(task["base"]))
    return found


def main() -> None:
    """Row by row."""
    task, out = dict(np.load(sys.argv[1])), sys.argv[2]
    trees = ensemble(task)
    upper, lower, seconds = [], [], []
    for row in task["rows"]:
        begun = time.process_time()
        search = veritas.VeritasRobustnessSearch(
            list(row), 1.0, trees, None, num_steps=20, max_time=10, silent=True, search_guard=1e-6
        )
        _, low, high = search.search()
        seconds.append(time.process_time() - begun)
        found = [np.abs(np.array(example) - row).max() for example in search.generated_examples]
        upper.append(min(found, default=high))
        lower.append(low)
    np.savez(out, upper=np.array(upper), lower=np.array(lower), seconds=np.array(seconds))


if __name__ == "__main__":
    main()
