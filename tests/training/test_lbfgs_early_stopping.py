"""L-BFGS with early stopping, with validation data and without."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import neural_network
from sklearn.datasets import load_iris, make_circles, make_classification, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.optimizers import LBFGS
from helpers.lbfgs import problem

X, Y = load_iris(return_X_y=True)
quietly = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@quietly
def test_early_stopping_keeps_the_best_iterate():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 20))
    y = (inputs[:, 0] + rng.normal(size=200) > 0).astype(int)
    X_fit, X_val, y_fit, y_val = train_test_split(inputs, y, random_state=0)
    model = MLPClassifier((30,), solver="lbfgs", early_stopping=True, random_state=0, n_iter_no_change=5)
    model.fit(X_fit, y_fit, X_val=X_val, y_val=y_val)
    assert 6 < model.n_iter_ < 200
    assert model.history_.converged
    assert model.score(X_val, y_val) == max(model.validation_scores_) > model.validation_scores_[-1]
    assert model.best_loss_ is None


def fit_by(way, X, y, **params):
    """Fit by an entry point, without validation data."""
    if way == "one line":
        return fastmlp.fit(X, y, prepare=None, hidden_layer_sizes=(10,), alpha=0.1, random_state=1, **params)
    model = (MLPClassifier if y.dtype.kind == "i" else MLPRegressor)(
        hidden_layer_sizes=(10,), alpha=0.1, random_state=1, **params
    )
    if way == "fit_many":
        return fastmlp.fit_many([model], X, y)[0]
    model.fit(X, y)
    if way == "warm start":
        model.set_params(warm_start=True, early_stopping=True).fit(X, y)
    return model


@quietly
@pytest.mark.parametrize("solver", ["lbfgs", LBFGS(tol=1e-3)])
@pytest.mark.parametrize("way", ["fit", "one line", "fit_many", "warm start"])
@pytest.mark.parametrize("kind", ["classes", "number"])
def test_early_stopping_without_validation_data_has_no_effect_as_in_scikit_learn(kind, way, solver):
    X, y = problem(kind)
    params = {"solver": solver, "max_iter": 30, "validation_fraction": 0.5}
    plain, stopping = (fit_by(way, X, y, early_stopping=stop, **params) for stop in (False, True))
    assert_array_equal(stopping.network_.parameters, plain.network_.parameters)
    assert stopping.validation_scores_ is stopping.best_validation_score_ is None
    assert stopping.best_loss_ == plain.best_loss_ == min(plain.loss_curve_)
    assert (stopping.n_iter_, stopping.t_) == (plain.n_iter_, plain.t_)
    assert not stopping.stopped_early_
    assert not hasattr(stopping, "partial_fit")


def test_early_stopping_that_has_no_effect_is_warned_of_as_without_it(recwarn):
    model = MLPClassifier(solver="lbfgs", max_iter=2, early_stopping=True, random_state=0).fit(X, Y)
    (warning,) = recwarn.list
    assert warning.category is ConvergenceWarning
    assert model.to_sklearn().set_params(max_iter=3).fit(X, Y).n_iter_ == 3
    theirs = neural_network.MLPClassifier(solver="lbfgs", early_stopping=True, max_iter=5).fit(X, Y)
    assert fastmlp.from_sklearn(theirs).best_loss_ == theirs.loss_


@quietly
def test_validation_data_may_come_and_go_between_warm_starts():
    X, y = problem("classes")
    model = MLPClassifier(
        (8,), solver="lbfgs", early_stopping=True, warm_start=True, max_iter=5, random_state=0
    )
    assert len(model.fit(X, y, X_val=X, y_val=y).validation_scores_) == model.n_iter_
    assert model.best_loss_ is None
    before = model.t_
    model.fit(X, y)
    assert (model.t_ - before) % len(X) == 0
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.fit(X, y, X_val=X, y_val=y).best_loss_ is None
    # Another solver stops early also without them.
    model.set_params(solver="adam", max_iter=2).fit(X, y)
    assert model.t_ % len(X)


@quietly
@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("data_set", ["moons", "circles", "linear"])
def test_scores_of_scikit_learns_example_of_alpha_are_level(data_set, alpha):
    X, y = {
        "moons": lambda: make_moons(noise=0.3, random_state=0),
        "circles": lambda: make_circles(noise=0.2, factor=0.5, random_state=1),
        "linear": lambda: make_classification(
            n_features=2, n_redundant=0, n_informative=2, random_state=0, n_clusters_per_class=1
        ),
    }[data_set]()
    X += 0.3 * np.random.RandomState(2).uniform(size=X.shape)
    X_fit, X_test, y_fit, y_test = train_test_split(X, y, test_size=0.4, random_state=42)
    scores = [
        make_pipeline(
            StandardScaler(),
            cls(
                solver="lbfgs", alpha=alpha, random_state=1, max_iter=2000, early_stopping=True,
                hidden_layer_sizes=[10, 10],
            ),
        ).fit(X_fit, y_fit).score(X_test, y_test)
        for cls in (MLPClassifier, neural_network.MLPClassifier)
    ]  # fmt: skip
    assert scores[0] >= scores[1] - 0.051  # two of 40 test samples
