"""Tests of n_threads that is set on a fitted model: it reaches the engine in the next call of anything."""

import copy
import os
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._support import threads
from fastmlp.engine import native, prediction
from fastmlp.losses import Quantile
from fastmlp.network import fits
from fastmlp.network import prediction as network_predictions
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

# So much work that predictions are shared among threads.
X = np.random.default_rng(0).normal(size=(2000, 40))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def asked_for(monkeypatch):
    """Return a set that takes the numbers of threads which the engine is called with."""
    monkeypatch.setattr(threads, "_count_processors", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = set()

    def spied(function):
        def spy(*args, n_threads, **kwargs):
            found.add(n_threads)
            return function(*args, n_threads=n_threads, **kwargs)

        return spy

    for name in ("Training", "forward", "gradients"):
        monkeypatch.setattr(native, name, spied(getattr(native, name)))

    def counted(n_threads=None):
        found.add(threads.count_threads(n_threads))
        return threads.count_threads(n_threads)

    monkeypatch.setattr(prediction, "count_threads", counted)
    return found


def fitted(cls=MLPClassifier, y=Y, **params):
    return cls(hidden_layer_sizes=(500,), max_iter=2, random_state=0, **params).fit(X, y)


USES = {
    "predict": lambda model: model.predict(X),
    "predict_proba": lambda model: model.predict_proba(X),
    "predict_log_proba": lambda model: model.predict_log_proba(X),
    "score": lambda model: model.score(X, Y),
    "predict of a list": lambda model: model.predict(X.tolist()),
    "compile": lambda model: model.compile()(X),
    "hidden_activations": lambda model: model.hidden_activations(X, 0),
    "evaluate": lambda model: model.evaluate(X, Y),
    "partial_fit": lambda model: model.partial_fit(X, Y),
    "partial_fit with validation data": lambda model: model.partial_fit(X, Y, X_val=X, y_val=Y),
    "warm start": lambda model: model.set_params(warm_start=True).fit(X, Y),
    "fit": lambda model: model.fit(X, Y),
    "fit by L-BFGS": lambda model: model.set_params(solver="lbfgs").fit(X, Y),
    "scoring by predictions": lambda model: model.set_params(scoring="neg_log_loss").fit(X, Y, None, X, Y),
}


@pytest.mark.parametrize("name", USES)
def test_the_next_call_uses_as_many_threads_as_are_set(name, asked_for):
    model = fitted(n_threads=2)
    for n_threads in (3, 1, None, np.int64(2)):
        asked_for.clear()
        if n_threads == 3:
            model.n_threads = n_threads
        else:
            model.set_params(n_threads=n_threads)
        USES[name](model)
        assert asked_for == {n_threads or 8}
        assert model.network_.n_threads == n_threads


def test_intervals_use_as_many_threads_as_are_set(asked_for):
    model = fitted(MLPRegressor, X[:, 0], loss=Quantile((0.1, 0.9))).set_params(n_threads=3)
    asked_for.clear()
    model.predict_interval(X)
    assert asked_for == {3}


@pytest.mark.parametrize("n_threads", [0, -2, 1.5, "two", [1]])
@pytest.mark.parametrize("name", USES)
def test_a_wrong_number_is_refused_when_it_is_used(name, n_threads):
    model = fitted()
    before = model.network_.parameters.copy()
    model.n_threads = n_threads
    with pytest.raises((TypeError, ValueError), match="n_threads"):
        USES[name](model)
    model.n_threads = None
    assert_array_equal(model.network_.parameters, before)
    model.predict(X)


def test_a_wrong_number_is_refused_where_one_row_needs_no_threads():
    model = fitted().set_params(n_threads="two")
    with pytest.raises(TypeError, match="n_threads='two' must be a whole number"):
        model.predict(X[:1])
    with pytest.raises(TypeError, match="n_threads='two' must be a whole number"):
        model.compile()


def test_a_wrong_number_of_a_network_is_refused_when_it_is_used():
    net = fitted().network_
    net.n_threads = 0
    with pytest.raises(ValueError, match="n_threads=0 must be at least 1"):
        net.predict(X)


def from_file(model, folder):
    model.save(folder / "model.safetensors")
    return fastmlp.load(folder / "model.safetensors")


ORIGINS = {
    "file": from_file,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "copy": lambda model, folder: copy.deepcopy(model),
    "scikit-learn": lambda model, folder: fastmlp.from_sklearn(model.to_sklearn()),
    "fit_many": lambda model, folder: fastmlp.fit_many([model], X, Y)[0],
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_model_from_elsewhere_uses_as_many_threads_as_are_set(origin, tmp_path, asked_for):
    model = ORIGINS[origin](fitted(), tmp_path)
    for n_threads in (None, 3):
        asked_for.clear()
        model.set_params(n_threads=n_threads).predict(X)
        model.partial_fit(X, Y)
        assert asked_for == {n_threads or 8}


@pytest.mark.parametrize(("given", "in_training", "afterwards"), [(None, 1, 8), (2, 2, 2), (1, 1, 1)])
def test_models_of_fit_many_keep_the_users_number(given, in_training, afterwards, asked_for):
    seen = []
    params = {"callbacks": [lambda event: seen.append(event.network.predict(X).shape)], "max_iter": 2}
    models = fastmlp.fit_many(
        [{"n_threads": given}, {"n_threads": given, "scoring": "neg_log_loss"}], X, Y, X, Y,
        estimator=MLPClassifier((500,), random_state=0, **params), n_jobs=2,
    )  # fmt: skip
    assert asked_for == {in_training}  # validation, scorers and callbacks too
    for model in models:
        asked_for.clear()
        assert model.get_params()["n_threads"] == given
        model.predict(X)
        model.partial_fit(X, Y)
        assert asked_for == {afterwards}
    assert not hasattr(threads._default, "n_threads") or threads._default.n_threads is None


def test_one_thread_by_default_is_for_the_thread_that_asks_and_ends():
    with threads.one_thread_by_default():
        with threads.one_thread_by_default():
            assert threads.count_threads() == 1
        assert threads.count_threads() == 1
    with pytest.raises(RuntimeError), threads.one_thread_by_default():
        raise RuntimeError
    assert threads.count_threads() == threads.count_threads(10**6)


def test_any_number_gives_the_same_bits():
    model = fitted()
    expected = model.predict_proba(X)
    assert fits.count_threads is network_predictions.count_threads is threads.count_threads
    for n_threads in (1, 2, 5):
        assert_array_equal(model.set_params(n_threads=n_threads).predict_proba(X), expected)
