"""Fitted attributes that a user or a subclass assigns to."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLPClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)


def fitted(cls=MLPClassifier, **params):
    return cls((5,), max_iter=3, learning_rate="one_cycle", random_state=0, **params).fit(X, Y)


@pytest.mark.parametrize("name", ["n_iter_", "loss_curve_", "t_", "classes_", "n_outputs_"])
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_replaces_what_was_assigned(name, warm_start):
    model, expected = fitted(warm_start=warm_start), fitted(warm_start=warm_start).fit(X, Y)
    setattr(model, name, np.array([7, 8]))
    if name == "classes_":
        model.fit(X, Y + 7)
        np.testing.assert_array_equal(model.classes_, [7, 8])
    else:
        model.fit(X, Y)
        np.testing.assert_array_equal(getattr(model, name), getattr(expected, name))


def test_a_subclass_may_assign_the_classes_before_it_is_fitted():
    class Assigning(MLPClassifier):
        def fit(self, X, y):
            self.classes_ = np.array([9, 8, 7])
            self.n_seen = len(self.classes_)
            return super().fit(X, y)

    model = fitted(Assigning)
    assert model.n_seen == 3
    np.testing.assert_array_equal(model.fit(X, Y).predict(X), fitted().fit(X, Y).predict(X))


def test_other_labels_hold_in_predictions_files_and_training(tmp_path):
    model, same = fitted(), fitted()
    model.classes_ = np.array(["no", "yes"])
    expected = np.array(["no", "yes"])[same.predict(X)]
    model.save(tmp_path / "m.safetensors")
    for one in (model, fastmlp.load(tmp_path / "m.safetensors")):
        np.testing.assert_array_equal(one.predict(X), expected)
    model.partial_fit(X, np.array(["no", "yes"])[Y])
    np.testing.assert_array_equal(model.coefs_[0], same.partial_fit(X, Y).coefs_[0])


@pytest.mark.parametrize(
    "name",
    ["coefs_", "intercepts_", "network_", "preparation_", "best_validation_score_", "stopped_early_"],
)
def test_what_predictions_would_not_follow_cannot_be_assigned_to(name):
    with pytest.raises(AttributeError, match=f"'{name}' .* cannot be assigned to"):
        setattr(fitted(), name, None)
