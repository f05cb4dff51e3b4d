"""What a callback sees of the estimator that is being fitted, and what it saves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Y = (X[:, 0] > 0).astype(int)


class Saving:
    """Saves the estimator after each epoch."""

    def __init__(self, folder):
        self.folder, self.model = folder, None

    def __call__(self, event):
        self.model.save(self.folder / f"{event.epoch}.safetensors")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("n_fits", [1, 2])
def test_a_model_that_a_callback_saves_knows_of_the_epochs_so_far(solver, n_fits, tmp_path):
    saving = Saving(tmp_path)
    model = saving.model = MLPClassifier((4,), solver=solver, random_state=0, warm_start=True)
    same = clone(model)
    for _ in range(n_fits - 1):
        for one in (model, same):
            one.set_params(max_iter=3).fit(X, Y, X_val=X, y_val=Y)
    model.set_params(max_iter=3, callbacks=[saving]).fit(X, Y, X_val=X, y_val=Y)
    same.set_params(max_iter=2).fit(X, Y, X_val=X, y_val=Y)
    saved = fastmlp.load(tmp_path / f"{len(same.loss_curve_)}.safetensors")
    for name in ("n_iter_", "t_", "loss_", "best_loss_", "loss_curve_", "validation_scores_", "coefs_"):
        np.testing.assert_equal(getattr(saved, name), getattr(same, name), err_msg=name)
