"""The estimators' losses: what they are for, their predictions, searches, files and refusals."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import mean_poisson_deviance
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, fit_many
from fastmlp.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    LogLikelihood,
    Poisson,
    Quantile,
    SquaredError,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FAST = {
    "batch_size": 32, "learning_rate": "one_cycle", "learning_rate_init": 0.01, "max_iter": 20,
    "random_state": 0,
}  # fmt: skip
QUANTILES = Quantile((0.1, 0.5, 0.9))


def noisy(n, seed):
    """Targets whose spread grows with x."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 2, (n, 1))
    return X, np.sin(3 * X[:, 0]) + (0.1 + 0.5 * X[:, 0]) * rng.normal(size=n)


@pytest.mark.parametrize("prepare", [None, "table"])
def test_quantiles_cover_their_share_of_new_points(prepare):
    X, y = noisy(3000, 0)
    X_new, y_new = noisy(3000, 1)
    model = MLPRegressor(hidden_layer_sizes=(32,), loss=QUANTILES, prepare=prepare, **FAST).fit(X, y)
    predictions = model.predict(X_new)
    assert predictions.shape == (3000, 3)
    assert model.n_outputs_ == 3
    np.testing.assert_allclose((y_new[:, None] <= predictions).mean(axis=0), QUANTILES.quantiles, atol=0.04)
    for half in (X_new[:, 0] < 1, X_new[:, 0] > 1):  # the spread is not the same everywhere
        covered = (y_new[half, None] <= predictions[half]).mean(axis=0)
        np.testing.assert_allclose(covered, QUANTILES.quantiles, atol=0.06)
    assert 0.1 < model.score(X_new, y_new) < 0.9


def test_quantiles_of_several_targets_have_an_axis_of_their_own():
    X, y = noisy(600, 0)
    Y = np.c_[y, 100 - 10 * y]
    model = MLPRegressor(hidden_layer_sizes=(32,), loss=QUANTILES, prepare="table", **FAST).fit(X, Y)
    predictions = model.predict(X)
    assert predictions.shape == (600, 2, 3)
    covered = (Y[:, :, None] <= predictions).mean(axis=0)
    np.testing.assert_allclose(covered, [QUANTILES.quantiles] * 2, atol=0.07)
    assert MLPRegressor("quantile", (4,), **FAST).fit(X, Y).predict(X).shape == (600, 2)
    assert MLPRegressor("quantile", (4,), **FAST).fit(X, y).predict(X).shape == (600,)


@pytest.mark.parametrize("prepare", [None, "table"])
def test_poisson_regression_beats_squared_error_on_counts(prepare):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    y = rng.poisson(np.exp(0.8 * X[:, 0] - 0.5 * X[:, 1] - 0.5))
    parts = X[:2000], y[:2000].astype(float), X[2000:], y[2000:].astype(float)
    ours = MLPRegressor(hidden_layer_sizes=(16,), loss="poisson", prepare=prepare, **FAST).fit(
        *parts[:2], None, *parts[2:]
    )
    squared = MLPRegressor(hidden_layer_sizes=(16,), prepare=prepare, **FAST).fit(*parts[:2])
    means = ours.predict(parts[2])
    assert (means > 0).all()
    assert ours.target_preparation_ is None
    positive = np.maximum(squared.predict(parts[2]), 1e-2)
    assert mean_poisson_deviance(parts[3], means) < 0.98 * mean_poisson_deviance(parts[3], positive)
    assert ours.validation_scores_[-1] == pytest.approx(ours.score(*parts[2:]))


@pytest.mark.parametrize("loss", ["huber", "absolute_error", Huber(0.5)])
def test_robust_losses_resist_outliers(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2))
    truth = X[:, 0] - 2 * X[:, 1]
    y = truth + np.where(rng.random(1000) < 0.1, 50.0, 0.0)
    robust, squared = (
        MLPRegressor(hidden_layer_sizes=(16,), loss=loss, **FAST).fit(X, y) for loss in (loss, None)
    )
    error, error_of_squared = (np.abs(model.predict(X) - truth).mean() for model in (robust, squared))
    assert error < 0.5 < 2 < error_of_squared


def blobs(n_classes, n=600):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n)
    centers = np.c_[np.cos(2 * np.arange(n_classes)), np.sin(2 * np.arange(n_classes))]
    return 3 * centers[labels] + rng.normal(size=(n, 2)), np.array(["a", "b", "c"])[labels]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("loss", [None, "cross_entropy"])
def test_smoothing_lowers_confidence(loss, n_classes):
    X, y = blobs(n_classes)
    plain, smooth = (MLPClassifier((16,), loss=loss, label_smoothing=s, **FAST).fit(X, y) for s in (0, 0.3))
    assert smooth.score(X, y) > 0.9
    confidence, lowered = (model.predict_proba(X).max(axis=1).mean() for model in (plain, smooth))
    assert lowered < 0.88 < 0.93 < confidence
    assert smooth.predict_proba(X).shape == (len(X), n_classes)


def test_smoothing_can_stand_in_the_loss_or_beside_it():
    X, y = blobs(3)
    one = MLPClassifier((8,), loss=CrossEntropy(0.2), **FAST).fit(X, y)
    other = MLPClassifier((8,), label_smoothing=0.2, **FAST).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert one.loss_curve_ == other.loss_curve_


def test_smoothing_of_two_classes_is_that_of_a_softmax():
    X, y = blobs(2)
    of_one, of_two = (
        MLPClassifier((), loss=loss, label_smoothing=0.3, **FAST).fit(X, y)
        for loss in (None, "cross_entropy")
    )
    assert (of_one.n_outputs_, of_two.n_outputs_) == (1, 2)
    np.testing.assert_allclose(of_one.predict_proba(X), of_two.predict_proba(X), atol=0.02)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_squared_error_of_probabilities_learns_classes(n_classes):
    X, y = blobs(n_classes)
    model = MLPClassifier((16,), loss="squared_error", **FAST).fit(X, y, None, X, y)
    assert model.score(X, y) == model.validation_scores_[-1] > 0.9
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_label_indicators_learn_with_either_loss(loss):
    X = np.random.default_rng(0).normal(size=(500, 3))
    Y = (X > 0.2).astype(int)
    model = MLPClassifier((16,), loss=loss, **FAST).fit(X, Y, None, X, Y)
    assert model.score(X, Y) == model.validation_scores_[-1] > 0.8


def test_a_model_can_have_two_losses_one_after_the_other():
    X, y = blobs(2)
    model = MLPClassifier((8,), loss="cross_entropy", **FAST).fit(X, y)
    model.set_params(loss=None).fit(X, y)
    np.testing.assert_array_equal(
        model.predict_proba(X), MLPClassifier((8,), **FAST).fit(X, y).predict_proba(X)
    )


REGRESSIONS = [
    SquaredError(), AbsoluteError(), Huber(0.5), Quantile(0.3), QUANTILES, Poisson(),
    "huber", "poisson", None,
]  # fmt: skip


@pytest.mark.parametrize("prepare", [None, "table"])
@pytest.mark.parametrize("loss", REGRESSIONS, ids=str)
def test_a_regressor_is_saved_with_its_loss(loss, prepare, tmp_path):
    X, y = noisy(100, 0)
    Y = np.c_[y, y * 2] - y.min() * 2
    for targets in (Y[:, 0], Y):
        model = MLPRegressor(
            hidden_layer_sizes=(5,), loss=loss, prepare=prepare, **FAST | {"max_iter": 2}
        ).fit(X, targets)
        model.save(tmp_path / "model.safetensors")
        loaded = fastmlp.load(tmp_path / "model.safetensors")
        assert loaded.loss == loss
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert loaded.score(X, targets) == model.score(X, targets)
        if prepare is None:
            loaded.partial_fit(X, targets)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("loss", [CrossEntropy(0.1), "cross_entropy", "squared_error", None])
def test_a_classifier_is_saved_with_its_loss(loss, n_classes, tmp_path):
    X, y = blobs(n_classes)
    smoothing = 0.1 if loss is None else 0.0
    model = MLPClassifier((5,), loss=loss, label_smoothing=smoothing, **FAST | {"max_iter": 2}).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert (loaded.loss, loaded.label_smoothing) == (loss, smoothing)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    loaded.partial_fit(X, y)


def test_losses_can_be_cloned_and_searched():
    X, y = noisy(300, 0)
    model = MLPRegressor(hidden_layer_sizes=(8,), loss=Huber(0.3), **FAST | {"max_iter": 3})
    assert clone(model).loss == Huber(0.3)
    choices = [Huber(0.1), Huber(10.0), "absolute_error"]
    search = GridSearchCV(model, {"loss": choices}, cv=2).fit(X, y)
    assert search.best_params_["loss"] in choices


def test_many_models_with_different_losses_have_the_bits_of_single_ones():
    X, y = noisy(200, 0)
    base = MLPRegressor(hidden_layer_sizes=(8,), prepare="table", **FAST | {"max_iter": 3})
    grid = [{"loss": loss} for loss in (Poisson(), QUANTILES, Huber(), None)]
    models = fit_many(grid, X, y - y.min(), X, y - y.min(), estimator=base, n_jobs=2)
    for parameters, model in zip(grid, models, strict=True):
        alone = clone(base).set_params(**parameters).fit(X, y - y.min())
        np.testing.assert_array_equal(model.predict(X), alone.predict(X))
    X, labels = blobs(2)
    grid = [{"loss": "cross_entropy"}, {"label_smoothing": 0.1}, {"loss": "squared_error"}, {}]
    base = MLPClassifier((8,), **FAST | {"max_iter": 3})
    models = fit_many(grid, X, labels, X, labels, estimator=base, n_jobs=2)
    for parameters, model in zip(grid, models, strict=True):
        alone = clone(base).set_params(**parameters).fit(X, labels)
        np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "huber"}, "loss"),
        ({"loss": LogLikelihood(), "output_activation": "softmax"}, "goes with an output activation"),
        ({"loss": "binary_cross_entropy"}, "loss='binary_cross_entropy' is for two classes .* 3 classes"),
        ({"loss": BinaryCrossEntropy()}, "is for two classes"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        (
            {"label_smoothing": 0.1, "loss": "squared_error"},
            "label_smoothing=0.1 goes with the cross-entropies",
        ),
    ],
)
def test_losses_that_a_classifier_cannot_have_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier((4,), **parameters).fit(*blobs(3))


def test_label_indicators_are_not_for_the_softmax():
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="loss='cross_entropy' is for samples of one class"):
        MLPClassifier((4,), loss="cross_entropy").fit(X, (X > 0).astype(int))


def test_losses_that_a_regressor_cannot_have_are_refused():
    X, y = noisy(20, 0)
    for parameters in ({"loss": "cross_entropy"}, {"loss": 3}):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            MLPRegressor(hidden_layer_sizes=(4,), **parameters).fit(X, y)
    with pytest.raises(TypeError, match="label_smoothing"):
        MLPRegressor(label_smoothing=0.1)
    with pytest.raises(ValueError, match="'poisson' takes targets of at least 0"):
        MLPRegressor(hidden_layer_sizes=(4,), loss="poisson").fit(X, y - 10)
