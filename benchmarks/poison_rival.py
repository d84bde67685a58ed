"""cleanlab's label quality, and ART's two poisoning defences, on the same rows.

    .venv-rivals/bin/python benchmarks/poison_rival.py cleanlab|art TASK.npz OUT.npz

Runs in the rivals' own environment (ART 1.20.1, cleanlab 2.9.0, scikit-learn) and imports nothing of Holdfast.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import warnings
from types import SimpleNamespace

import numpy as np

warnings.filterwarnings("ignore")


def cleanlab_quality(task: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Label quality as CleanLearning finds it with its five folds around a histogram gradient boosting."""
    from cleanlab.classification import CleanLearning
    from sklearn.ensemble import HistGradientBoostingClassifier

    judge = CleanLearning(HistGradientBoostingClassifier(random_state=0), seed=0)
    found = judge.find_label_issues(task["X"], task["y"])
    return {"quality": found["label_quality"].to_numpy()}


class Net:
    """A scikit-learn network of 64 and 32 units in the form that ART's defences ask of a classifier."""

    layer_names = ["hidden"]  # noqa: RUF012

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        self.scale = StandardScaler().fit(X)
        self.net = MLPClassifier((64, 32), max_iter=30, random_state=0).fit(self.scale.transform(X), y)
        self.nb_classes = 2
        self.model = SimpleNamespace()

    def predict(self, X: np.ndarray, **_: object) -> np.ndarray:
        return self.net.predict_proba(self.scale.transform(X))

    def get_activations(self, X: np.ndarray, *_: object, **__: object) -> np.ndarray:
        """The last hidden layer."""
        state = self.scale.transform(X)
        for weights, bias in zip(self.net.coefs_[:-1], self.net.intercepts_[:-1], strict=True):
            state = np.maximum(state @ weights + bias, 0.0)
        return state


def art_defences(task: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows that ActivationDefence and SpectralSignatureDefense call poisoned."""
    from art.defences.detector.poison import ActivationDefence, SpectralSignatureDefense

    X, y = np.nan_to_num(task["X"]), task["y"]
    net, labels = Net(X, y), np.eye(2)[y]
    activation = ActivationDefence(net, X, labels)
    _, kept = activation.detect_poison(nb_clusters=2, nb_dims=10, reduce="PCA", cluster_analysis="smaller")
    spectral = SpectralSignatureDefense(net, X, labels, expected_pp_poison=float(task["share"]), eps_multiplier=1.5)
    _, clean = spectral.detect_poison()
    return {"activation": np.asarray(kept) == 0, "spectral": np.asarray(clean) == 0}


def main() -> None:
    """One task."""
    what, task_file, out = sys.argv[1:4]
    run = {"cleanlab": cleanlab_quality, "art": art_defences}[what]
    np.savez(out, **run(dict(np.load(task_file))))


if __name__ == "__main__":
    main()
