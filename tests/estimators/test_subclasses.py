"""Subclasses with states and rules of their own."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import MLPClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)
FEW = {"hidden_layer_sizes": (5,), "max_iter": 3, "learning_rate": "one_cycle", "random_state": 0}


class WithoutCache(MLPClassifier):
    """Its state is its attributes, but for one, as scikit-learn's users write it."""

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "cache"}


class WithThreshold(MLPClassifier):
    """It is fitted once it has a threshold, which comes after the weights."""

    def __sklearn_is_fitted__(self):
        return hasattr(self, "threshold_")


class WithEncoder(MLPClassifier):
    """It is fitted once it has an encoder, which comes before the weights."""

    def fit(self, X, y):
        self.encoder_ = True
        return super().fit(X, y)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "encoder_")


@pytest.mark.parametrize("twin_of", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy])
def test_a_state_of_a_subclasss_own_attributes_is_read(twin_of):
    model = WithoutCache(**FEW)
    model.cache = np.zeros(3)
    assert not hasattr(twin_of(model), "cache")
    twin = twin_of(model.fit(X, Y))
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    twin, model = (one.partial_fit(X, Y) for one in (twin, model))
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_training_goes_on_by_the_model_not_by_a_subclasss_rule():
    model, same = WithThreshold(**FEW), MLPClassifier(**FEW)
    for one in (model, same):
        one.partial_fit(X, Y, classes=[0, 1]).partial_fit(X, Y)
    assert model.n_iter_ == 2
    assert_array_equal(model.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_subclass_may_be_fitted_by_its_own_rule_before_there_is_a_model(warm_start):
    model = WithEncoder(**FEW, warm_start=warm_start).fit(X, Y)
    assert_array_equal(model.predict(X), MLPClassifier(**FEW).fit(X, Y).predict(X))
