"""The score of the weights that a model has, wherever it comes from: not the last epoch's, nor a NaN."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier as TheirClassifier

import fastmlp
from fastmlp import History, MLPClassifier, MLPRegressor, Trainer
from fastmlp.callbacks import EpochEnd
from fastmlp.estimators.inspection import with_model
from fastmlp.schedules import HalveOnDrop, OnPlateau
from helpers.estimators import data, ignore_convergence
from helpers.many import DivergeAfter
from helpers.trainer import make_data, make_network

pytestmark = [ignore_convergence, pytest.mark.filterwarnings("ignore::fastmlp.DivergenceWarning")]

X, Y = data("binary", n=120)
NOISE = np.random.default_rng(7).integers(0, 2, 60)  # what is learnt does not hold for these
X_VAL = data("binary", n=60, seed=5)[0]
VALIDATION = {"X_val": X_VAL, "y_val": NOISE}
EARLY = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.05, "max_iter": 60}
PARAMS = {"hidden_layer_sizes": (6,), "batch_size": 20, "random_state": 0}


def no_number(*_, **__):
    return np.nan


def plain():
    return MLPClassifier(max_iter=9, **PARAMS).fit(X, Y, **VALIDATION)


def stopped_early():
    return MLPClassifier(**EARLY, **PARAMS).fit(X, Y, **VALIDATION)


def diverged():
    return MLPClassifier(max_iter=9, callbacks=[DivergeAfter(4)], **PARAMS).fit(X, Y, **VALIDATION)


def diverged_and_stopped_early():
    return MLPClassifier(callbacks=[DivergeAfter(4)], **EARLY, **PARAMS).fit(X, Y, **VALIDATION)


def by_the_recipe():
    return fastmlp.fit(X, Y, **VALIDATION, max_iter=5, early_stopping=True, random_state=0)


def of_many():
    (model,) = fastmlp.fit_many([EARLY], X, Y, **VALIDATION, estimator=MLPClassifier(**PARAMS))
    return model


def by_lbfgs():
    return MLPClassifier(solver="lbfgs", max_iter=30, **PARAMS).fit(X, Y, **VALIDATION)


def averaged():
    return MLPClassifier(**EARLY, ema_decay=0.9, **PARAMS).fit(X, Y, **VALIDATION)


def part_by_part():
    model = MLPClassifier(**EARLY, **PARAMS)
    for _ in range(4):
        model.partial_fit(X, Y, classes=[0, 1], **VALIDATION)
    assert not model.stopped_early_
    return model


def part_by_part_until_it_stops():
    model = MLPClassifier(**EARLY, **PARAMS)
    while not (hasattr(model, "network_") and model.stopped_early_):
        model.partial_fit(X, Y, classes=[0, 1], **VALIDATION)
    return model


def part_by_part_with_a_parameter_set_after_the_best():
    model = MLPClassifier(**EARLY, **PARAMS).partial_fit(X, Y, classes=[0, 1], **VALIDATION)
    while model.validation_score_ == model.best_validation_score_:
        model.partial_fit(X, Y, **VALIDATION)
    model.set_params(alpha=0.001)
    while not model.stopped_early_:
        model.partial_fit(X, Y, **VALIDATION)
    return model


def part_by_part_with_validation_data_at_the_end():
    model = MLPClassifier(**PARAMS).partial_fit(X, Y, classes=[0, 1])
    return model.partial_fit(X, Y, **VALIDATION)


def warm():
    model = MLPClassifier(**EARLY, **PARAMS, warm_start=True).fit(X, Y, **VALIDATION)
    return model.set_params(n_iter_no_change=1).fit(X, Y, **VALIDATION)


def warm_from_the_last_epoch_to_scores_that_are_no_numbers():
    model = MLPClassifier(max_iter=3, **PARAMS, warm_start=True).fit(X, Y, **VALIDATION)
    model.set_params(early_stopping=True, scoring=no_number).fit(X, Y, **VALIDATION)
    return model.set_params(scoring=None)  # it went back to the weights that it began with


MODELS = [
    plain, stopped_early, diverged, diverged_and_stopped_early, by_the_recipe, of_many, by_lbfgs, averaged,
    part_by_part, part_by_part_until_it_stops,
    part_by_part_with_a_parameter_set_after_the_best, part_by_part_with_validation_data_at_the_end, warm,
    warm_from_the_last_epoch_to_scores_that_are_no_numbers,
]  # fmt: skip


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_it_is_the_score_of_the_weights_that_the_model_has(make, tmp_path):
    model = make()
    assert model.validation_score_ == model.score(X_VAL, NOISE)
    model.save(tmp_path / "model")
    for twin in (copy.copy(model), pickle.loads(pickle.dumps(model)), fastmlp.load(tmp_path / "model")):
        assert twin.validation_score_ == model.validation_score_
    assert type(model.validation_score_) is float


def test_the_cases_have_models_whose_last_and_best_scores_are_others():
    assert stopped_early().validation_score_ != stopped_early().validation_scores_[-1]
    assert np.isnan(diverged().validation_scores_[-1])
    model = part_by_part()
    assert model.validation_score_ != model.best_validation_score_


def test_without_validation_data_it_is_none(tmp_path):
    model = MLPClassifier(max_iter=2, **PARAMS).fit(X, Y)
    assert model.validation_score_ is None
    model.save(tmp_path / "model")
    assert fastmlp.load(tmp_path / "model").validation_score_ is None


def test_without_a_score_that_is_a_number_it_is_nan(tmp_path):
    for model in (
        MLPClassifier(max_iter=2, scoring=no_number, **PARAMS).fit(X, Y, **VALIDATION),
        MLPClassifier(scoring=no_number, **{**EARLY, "max_iter": 2}, **PARAMS).fit(X, Y),
        MLPRegressor(solver="sgd", learning_rate_init=1e30, **PARAMS).partial_fit(X, Y * 1.0, **VALIDATION),
        MLPClassifier(**PARAMS).partial_fit(X, Y, classes=[0, 1], **VALIDATION).partial_fit(X, Y),
    ):
        assert np.isnan(model.validation_score_)
        model.save(tmp_path / "model")
        assert np.isnan(fastmlp.load(tmp_path / "model").validation_score_)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_file_that_does_not_say_it_and_a_model_of_scikit_learn(early_stopping, tmp_path, monkeypatch):
    model = stopped_early() if early_stopping else diverged()
    model = with_model(
        model, replace(model.model_, record=replace(model.model_.record, validation_score=None))
    )
    model.save(tmp_path / "model")
    assert fastmlp.load(tmp_path / "model").validation_score_ == model.score(X_VAL, NOISE)
    theirs = TheirClassifier(max_iter=20, early_stopping=early_stopping, random_state=0).fit(X, Y)
    ours = fastmlp.from_sklearn(theirs)
    assert ours.validation_score_ == (theirs.best_validation_score_ if early_stopping else None)


def test_a_loaded_model_that_diverges_at_once_keeps_its_score(tmp_path):
    for model in (stopped_early(), part_by_part(), plain()):
        model.save(tmp_path / "model")
        loaded = fastmlp.load(tmp_path / "model").set_params(solver="sgd", learning_rate_init=1e30)
        loaded.partial_fit(X, Y, **VALIDATION)
        assert np.isnan(loaded.validation_scores_[-1])
        assert loaded.validation_score_ == model.validation_score_ == loaded.score(X_VAL, NOISE)


def test_scikit_learn_goes_on_from_scores_of_which_none_is_a_number():
    model = MLPClassifier(scoring=no_number, **{**EARLY, "max_iter": 2}, **PARAMS).fit(X, Y)
    assert model.set_params(scoring=None).to_sklearn().best_validation_score_ == -np.inf


@pytest.mark.parametrize("watch", ["loss", "val_loss", "val_score"])
@pytest.mark.parametrize("restore_best", [False, True])
def test_a_trainer_names_the_epoch_whose_parameters_the_network_has(watch, restore_best):
    parameters = [make_network().parameters.copy()]
    trainer = Trainer(
        make_network(), "cross_entropy", watch=watch, restore_best=restore_best, optimizer="sgd",
        callbacks=[lambda event: parameters.append(event.network.parameters.copy()), DivergeAfter(11)],
        batch_size=16, random_state=0,
    )  # fmt: skip
    assert trainer.history.kept_epoch is None
    X, y = make_data()
    labels = np.random.default_rng(3).integers(0, 3, len(y))
    for epochs in (6, 8):  # the second diverges
        trainer.fit(X, y, X[::-1], labels, epochs=epochs)
        np.testing.assert_array_equal(trainer.network.parameters, parameters[trainer.history.kept_epoch])
    assert trainer.n_epochs == 11
    assert restore_best or trainer.history.kept_epoch == 11


# ------------------------------------------------------------------------- epochs with and without validation


def test_a_frame_of_epochs_with_and_without_validation_data_has_a_row_for_each(tmp_path):
    pytest.importorskip("pandas")
    model = MLPClassifier(**PARAMS).partial_fit(X, Y, classes=[0, 1])
    model.partial_fit(X, Y, **VALIDATION).partial_fit(X, Y)
    model.partial_fit(X, Y, **VALIDATION)
    frame = model.history_.to_frame()
    assert list(frame.index) == [1, 2, 3, 4]
    assert list(frame["val_score"].isna()) == list(frame["val_loss"].isna()) == [True, False, True, False]
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 2
    model.save(tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model").partial_fit(X, Y)
    frame = loaded.history_.to_frame()
    assert list(frame["seconds"].isna()) == [True] * 4 + [False]
    assert list(frame["val_score"].dropna()) == model.validation_scores_
    loaded = fastmlp.load(tmp_path / "model")
    assert len(loaded.history_.to_frame()) == 4


def history(loss, val_loss, val_score):
    found = History()
    for values in zip(loss, val_loss, val_score, strict=True):
        found.append(EpochEnd(1, 1, *values, 0.1, 0.1, 10.0, None))
    return found


def rates(schedule, whole):
    rate, found = 1.0, []
    for n in range(1, len(whole.loss) + 1):
        validated = [epoch for epoch in whole.val_epochs if epoch <= n]
        m = len(validated)
        so_far = History(whole.loss[:n], whole.val_loss[:m], whole.val_score[:m], val_epochs=validated)
        rate = schedule.after_epoch(rate, so_far)
        found.append(rate)
    return found


def test_a_schedule_acts_once_on_what_it_saw_in_an_epoch_with_validation_data():
    some = history([1.0] * 6, [1.0, 1.0, None, None, 0.5, None], [0.9, 0.8, None, None, 0.7, None])
    assert rates(HalveOnDrop(), some) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert rates(OnPlateau(0.5, patience=0), some) == [1, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_a_score_that_is_no_number_neither_halves_the_rate_nor_hides_a_drop():
    nan = np.nan
    some = history([1.0] * 5, [1.0, nan, nan, 2.0, 0.5], [0.9, nan, 0.7, nan, 0.8])
    assert rates(HalveOnDrop(), some) == [1, 1, 0.5, 0.5, 0.5]
    assert rates(OnPlateau(0.5, patience=0), some) == [1, 0.5, 0.25, 0.125, 0.125]
