"""Early stopping, the best epoch, and the time budget."""

import time

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, make_multilabel_classification
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(200, 5)).astype(np.float32), RNG.integers(0, 3, 200)
X_VAL, Y_VAL = RNG.normal(size=(80, 5)).astype(np.float32), RNG.integers(0, 3, 80)


def make_trainer(**options):
    network = Network([Dense(20), Dense(3, "softmax")], 5, random_state=0)
    options = {"batch_size": 20, "random_state": 0, "optimizer": SGD(0.3)} | options
    return Trainer(network, "cross_entropy", **options)


@pytest.mark.parametrize("watch", ["loss", "val_loss", "val_score"])
def test_the_network_is_left_as_it_was_after_its_best_epoch(watch):
    parameters = []
    trainer = make_trainer(
        watch=watch, restore_best=True, callbacks=[lambda e: parameters.append(e.network.parameters.copy())]
    )
    history = trainer.fit(X, Y, X_VAL, Y_VAL, epochs=25)
    values = np.array(getattr(history, watch))
    best = int((-values if watch == "val_score" else values).argmin())
    assert history.best_epoch == best + 1
    assert watch == "loss" or best < 24  # labels are noise: what is learnt does not hold for others
    np.testing.assert_array_equal(trainer.network.parameters, parameters[best])


@pytest.mark.parametrize("tol", [None, 0.0])
def test_a_score_that_is_no_number_is_never_the_best_nor_forgets_it(tol):
    scores = iter([np.nan, 0.2, 0.6, np.nan, 0.3, 0.4])
    parameters = []
    trainer = make_trainer(
        watch="val_score", restore_best=True, tol=tol, score=lambda *_: next(scores),
        callbacks=[lambda e: parameters.append(e.network.parameters.copy())],
    )  # fmt: skip
    assert trainer.fit(X, Y, X_VAL, Y_VAL, epochs=6).best_epoch == 3
    np.testing.assert_array_equal(trainer.network.parameters, parameters[2])
    assert tol is None or trainer.watch.n_flat == 3


def test_without_being_told_the_network_stays_as_it_is_at_the_end():
    parameters = []
    trainer = make_trainer(
        watch="val_loss", callbacks=[lambda e: parameters.append(e.network.parameters.copy())]
    )
    trainer.fit(X, Y, X_VAL, Y_VAL, epochs=25)
    np.testing.assert_array_equal(trainer.network.parameters, parameters[-1])


def test_a_fit_stops_when_the_validation_loss_has_not_improved_for_so_many_epochs():
    trainer = make_trainer(watch="val_loss", tol=0.0, n_iter_no_change=3)
    history = trainer.fit(X, Y, X_VAL, Y_VAL, epochs=200)
    losses = history.val_loss
    assert history.converged
    assert len(losses) == 1 + int(np.argmin(losses)) + 4
    assert history.best_epoch == 1 + int(np.argmin(losses))


def test_a_fit_that_is_broken_off_or_diverges_leaves_the_best_epoch():
    def interrupt(event):
        if event.epoch == 12:
            raise KeyboardInterrupt

    trainer = make_trainer(watch="val_loss", restore_best=True, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, Y, X_VAL, Y_VAL, epochs=25)
    loss = trainer.network.evaluate(X_VAL, Y_VAL, "cross_entropy")[0]
    assert loss == pytest.approx(min(trainer.history.val_loss))

    class Explode(SGD):
        pass

    trainer = make_trainer(watch="val_loss", restore_best=True)
    trainer.fit(X, Y, X_VAL, Y_VAL, epochs=10)
    best = min(trainer.history.val_loss)
    trainer.state.base_rate = 1e30
    with pytest.warns(RuntimeWarning, match="diverged"):
        trainer.fit(X, Y, X_VAL, Y_VAL, epochs=10)
    assert trainer.network.evaluate(X_VAL, Y_VAL, "cross_entropy")[0] == pytest.approx(best)


def test_watching_validation_data_needs_some():
    with pytest.raises(ValueError, match="watch='val_loss' needs validation data"):
        make_trainer(watch="val_loss").fit(X, Y, epochs=1)
    with pytest.raises(ValueError, match="watch='accuracy'"):
        make_trainer(watch="accuracy")
    with pytest.raises(ValueError, match="max_seconds=0"):
        make_trainer(max_seconds=0)


def test_a_time_budget_ends_a_fit_amid_an_epoch():
    rng = np.random.default_rng(0)
    many, labels = rng.random((60000, 100), dtype=np.float32), rng.integers(0, 10, 60000)
    network = Network([Dense(512), Dense(512), Dense(10, "softmax")], 100, random_state=0)
    trainer = Trainer(network, "cross_entropy", batch_size=10, max_seconds=0.3, random_state=0)
    begun = time.perf_counter()
    history = trainer.fit(many, labels, epochs=50)
    assert time.perf_counter() - begun < 5  # the epoch alone would take longer
    assert len(history.loss) == trainer.n_epochs == 1
    assert 0 < trainer.samples_seen < 60000
    assert np.isfinite(history.loss).all()


def test_a_classifier_holds_out_a_share_of_every_class():
    data, y = load_breast_cancer(return_X_y=True)
    data = (data - data.mean(0)) / data.std(0)
    model = MLPClassifier((20,), early_stopping=True, n_iter_no_change=5, max_iter=200, random_state=0)
    model.fit(data, y)
    assert model.n_iter_ < 200
    assert model.t_ == model.n_iter_ * 512  # of 569
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_) > 0.95
    assert model.score(data, y) > 0.95
    again = MLPClassifier((20,), early_stopping=True, n_iter_no_change=5, max_iter=200, random_state=0)
    np.testing.assert_array_equal(again.fit(data, y).predict_proba(data), model.predict_proba(data))
    theirs = SklearnMLPClassifier(
        (20,), early_stopping=True, n_iter_no_change=5, max_iter=200, random_state=0
    )
    theirs.fit(data, y)
    assert abs(model.best_validation_score_ - theirs.best_validation_score_) < 0.06


def test_own_validation_data_are_used_as_they_are():
    model = MLPClassifier((20,), early_stopping=True, max_iter=8, random_state=0).fit(
        X, Y, X_val=X_VAL, y_val=Y_VAL
    )
    assert model.t_ == model.n_iter_ * len(X)
    assert model.best_validation_score_ == pytest.approx(model.score(X_VAL, Y_VAL))


def test_regressors_and_label_indicators_stop_early_too():
    data, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=10, prepare="table", early_stopping=True, validation_fraction=0.2,
                         max_iter=30, learning_rate_init=0.01, random_state=0).fit(data, y)  # fmt: skip
    assert model.best_validation_score_ > 0.3
    data, y = make_multilabel_classification(200, random_state=0)
    MLPClassifier((10,), early_stopping=True, max_iter=5, random_state=0).fit(data, y)


def test_partial_fit_refuses_early_stopping_as_in_scikit_learn():
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPClassifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])


def test_an_estimator_keeps_to_its_time():
    rng = np.random.default_rng(0)
    many, labels = rng.random((20000, 50), dtype=np.float32), rng.integers(0, 10, 20000)
    begun = time.perf_counter()
    MLPClassifier((256,), max_iter=10**6, tol=0, n_iter_no_change=10**6, max_seconds=0.5).fit(many, labels)
    assert time.perf_counter() - begun < 10
