"""ART's black-box membership inference on the same model and rows.

    .venv-rivals/bin/python benchmarks/privacy_rival.py MODEL.json TASK.npz OUT.npz

Runs in the rivals' own environment and imports nothing of Holdfast. TASK holds rows, labels and who is a member; ART's
attack models are trained on half of that truth and name the members in the other half. OUT gets, per attack model, the
scores of that half and CPU seconds.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
import warnings

import numpy as np
import xgboost

warnings.filterwarnings("ignore")

from art.attacks.inference.membership_inference import MembershipInferenceBlackBox  # noqa: E402
from art.estimators.classification import XGBoostClassifier  # noqa: E402

MODELS = ("rf", "gb")
"""The third, a net, needs torch, which the rivals' environment leaves out; the reference measured 0.3 % for it."""


def main() -> None:
    """Attack by each attack model."""
    model, task_file, out = sys.argv[1:4]
    task = dict(np.load(task_file))
    X, y, member = task["X"].astype(np.float32), task["y"], task["member"]
    known = np.random.default_rng(0).random(len(y)) < 0.5
    booster = xgboost.XGBClassifier()
    booster.load_model(model)
    target = XGBoostClassifier(model=booster, nb_features=X.shape[1], nb_classes=2)
    found: dict[str, np.ndarray] = {"asked": ~known}
    for name in MODELS:
        np.random.seed(0)
        begun = time.process_time()
        attack = MembershipInferenceBlackBox(target, attack_model_type=name, input_type="prediction")
        own, foreign = known & member, known & ~member
        attack.fit(X[own], y[own], X[foreign], y[foreign])
        scores = attack.infer(X[~known], y[~known], probabilities=True)
        found[name] = np.asarray(scores, np.float64).reshape(int((~known).sum()), -1)[:, -1]
        found[f"{name}_seconds"] = np.array(time.process_time() - begun)
    np.savez(out, **found)


if __name__ == "__main__":
    main()
