"""`Trainer.train`: its data, who follows it, and the best epoch of many calls."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from fastmlp import History
from fastmlp.optimizers import LBFGS, SGD
from fastmlp.training.data import TrainingData, Validation
from fastmlp.training.fit import Fit
from helpers.trainer import make_data, make_trainer

X, Y = make_data()
TARGETS = Y.astype(np.int32)
WEIGHTS = np.linspace(0.5, 2, len(X))
ROWS = np.arange(5, 60)


class Recording:
    """Writes down what it is called with."""

    def __init__(self, stop_after=None):
        self.seen, self.stop_after = [], stop_after

    def begin_epoch(self):
        self.seen.append("begin")

    def add_epoch(self, event):
        self.seen.append(("added", event.epoch))

    def end_epoch(self, event):
        self.seen.append(event.epoch)
        return event.epoch == self.stop_after

    def update(self, epoch, n_samples, loss, val_score=None):
        self.seen.append((epoch, n_samples, loss, val_score))


# ------------------------------------------------------------------------------------------------- the data


@pytest.mark.parametrize("options", [{}, {"optimizer": LBFGS()}, {"ema_decay": 0.5}], ids=str)
@pytest.mark.parametrize("sparse", [False, True])
def test_train_computes_what_fit_does(options, sparse):
    inputs = csr_array(X) if sparse else X
    one, other = make_trainer(**options), make_trainer(**options)
    one.fit(
        inputs, Y, inputs, Y, epochs=3, rows=ROWS, sample_weight=WEIGHTS, sample_weight_val=WEIGHTS
    )  # fmt: skip
    validation = Validation(inputs, Y, WEIGHTS)
    data = TrainingData(inputs, TARGETS, ROWS, WEIGHTS, validation)
    assert data.is_sparse == sparse
    other.train(data, 3)
    assert_array_equal(other.network.parameters, one.network.parameters)
    for curve in ("loss", "val_loss", "val_score"):
        assert getattr(other.history, curve) == getattr(one.history, curve)


def test_a_batch_is_at_most_all_rows_and_the_setting_stays():
    trainer = make_trainer(batch_size=10**6)
    trainer.train(TrainingData(X, TARGETS, ROWS), 1)
    assert trainer.state.n_steps == 1
    assert trainer.batch_size == 10**6


def test_the_score_of_the_validation_data_is_for_this_call_alone():
    trainer = make_trainer(score=lambda y, predictions: 2.0)
    told = []

    def score(y, predictions, **weighted):
        told.append((y, predictions.shape, weighted))
        return 3.0

    validation = Validation(X, Y, WEIGHTS, score)
    trainer.train(TrainingData(X, TARGETS, ROWS, validation=validation), 1)
    trainer.train(TrainingData(X, TARGETS, ROWS, validation=Validation(X, Y)), 1)
    assert trainer.history.val_score == [3.0, 2.0]
    ((y, shape, weighted),) = told
    assert y is Y
    assert shape == (len(X), 3)
    assert weighted["sample_weight"] is WEIGHTS


REFUSED = {
    "weights of 0": (TrainingData(X, TARGETS, ROWS, np.zeros(len(X))), {}, "rows to train on"),
    "validation weights of 0": (
        TrainingData(X, TARGETS, ROWS, validation=Validation(X, Y, np.zeros(len(X)))), {},
        "weight of the validation data",
    ),
    "sparse X and noise": (TrainingData(csr_array(X), TARGETS, ROWS), {"input_noise": 0.1}, "input_noise"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(name):
    data, options, message = REFUSED[name]
    trainer = make_trainer(ema_decay=0.5, restore_best=True, **options)
    with pytest.raises(ValueError, match=message):
        trainer.train(data, 1, keep_best_of_calls=True)
    assert not trainer.has_begun
    assert trainer.state.raw is None
    assert trainer.state.best is None
    assert trainer.history == History()


@pytest.mark.parametrize("name", ["callbacks", "batch_size", "loss", "history"])
def test_a_trainer_keeps_its_settings(name):
    with pytest.raises(AttributeError):
        setattr(make_trainer(), name, None)


def test_lists_that_change_later_do_not_change_the_settings():
    augmentation, shape, callbacks, events = ["flip"], [2, 3], [], []
    options = {"augmentation": augmentation, "image_shape": shape}
    one, other = make_trainer(**options, callbacks=callbacks), make_trainer(**options)
    augmentation.append("shift")
    shape.reverse()
    callbacks.append(events.append)
    expected = make_trainer(augmentation="flip", image_shape=(2, 3))
    for trainer in (one, other, expected):
        trainer.fit(X, Y, epochs=2)
    assert events == []
    assert_array_equal(one.network.parameters, expected.network.parameters)


# ------------------------------------------------------------------------------------------- who follows it


def test_an_observer_is_told_of_each_epoch_after_the_callbacks():
    observer = Recording()
    trainer = make_trainer(callbacks=[lambda event: observer.seen.append(f"callback {event.epoch}")])
    trainer.train(TrainingData(X, TARGETS, ROWS), 2, observer=observer)
    assert observer.seen[:4] == ["begin", ("added", 1), "callback 1", 1]
    assert observer.seen[4:] == ["begin", ("added", 2), "callback 2", 2]
    trainer.train(TrainingData(X, TARGETS, ROWS), 1)
    assert observer.seen[8:] == ["callback 3"]


@pytest.mark.parametrize("optimizer", [SGD(0.05), LBFGS()], ids=str)
def test_an_observer_can_stop_the_training(optimizer):
    observer = Recording(stop_after=2)
    trainer = make_trainer(optimizer=optimizer)
    trainer.train(TrainingData(X, TARGETS, ROWS), 9, observer=observer)
    assert trainer.n_epochs == 2
    assert not trainer.history.converged
    assert [one for one in observer.seen if one != "begin"] == [("added", 1), 1, ("added", 2), 2]
    assert observer.seen[0] == "begin"


def test_a_reporter_is_told_how_many_epochs_of_this_call_are_done():
    reporter = Recording()
    trainer = make_trainer()
    trainer.fit(X, Y, epochs=3)
    data = TrainingData(X, TARGETS, ROWS, validation=Validation(X, Y))
    trainer.train(data, 2, reporter=reporter)
    history = trainer.history
    assert [one for one in reporter.seen if one[1] == 0] == [
        (1, 0, history.loss[3], history.val_score[0]), (2, 0, history.loss[4], history.val_score[1]),
    ]  # fmt: skip


# ------------------------------------------------------------------------------- the best epoch of many calls


def trained_epoch_by_epoch(scores, **options):
    """Train an epoch a call, with given scores; return the trainer and the parameters after each call."""
    trainer = make_trainer(watch="val_score", restore_best=True, tol=0.0, n_iter_no_change=1)
    after = []
    for score in scores:
        validation = Validation(X, Y, score=lambda *_, score=score: score)
        trainer.train(TrainingData(X, TARGETS, ROWS, validation=validation), 1, **options)
        after.append(trainer.network.parameters.copy())
    return trainer, after


def test_the_best_of_calls_comes_back_once_they_are_on_a_plateau():
    trainer, after = trained_epoch_by_epoch([0.1, 0.5, 0.4], keep_best_of_calls=True)
    assert not trainer.history.converged
    assert trainer.history.kept_epoch == 3  # not yet: the next call continues from here
    trainer, after = trained_epoch_by_epoch([0.1, 0.5, 0.4, 0.3], keep_best_of_calls=True)
    assert trainer.history.converged
    assert trainer.history.kept_epoch == 2
    assert_array_equal(after[3], after[1])


def test_otherwise_each_call_ends_with_its_own_best_epoch():
    trainer, after = trained_epoch_by_epoch([0.1, 0.5, 0.4])
    assert trainer.history.kept_epoch == 2
    assert_array_equal(after[2], after[1])
    assert trainer.state.best is None


# --------------------------------------------------------------------------------------------- how they look


def test_a_fit_and_its_data_have_a_short_repr():
    data = TrainingData(X, TARGETS, ROWS, validation=Validation(X, Y))
    trainer = make_trainer()
    fit = Fit(
        trainer.network, trainer.settings, trainer.state, data, 3, reporter=Recording(), observer=None,
        keep_best_of_calls=False,
    )  # fmt: skip
    assert repr(fit) == "<Fit of <Network 6-8-5-3, float64> to 55 samples, up to epoch 3>"
    assert repr(data) == "<TrainingData of 55 rows of X, whose shape is (70, 6)>"
    assert repr(data.validation) == "<Validation data of shape (70, 6)>"


def test_the_page_of_a_history_shows_the_last_epochs():
    trainer = make_trainer()
    trainer.fit(X, Y, epochs=6)
    trainer.fit(X, Y, X, Y, epochs=1)
    page = trainer.history._repr_html_()
    rows = [row.split("</td>")[:-1] for row in page.split("<tr>")[2:]]
    assert [row[0] for row in rows] == [f"<td>{epoch}" for epoch in range(3, 8)]
    scores = page.split("</th>").index("<th>val_score")
    assert rows[3][scores] == "<td>"  # an epoch without validation data
    assert rows[4][scores] == f"<td>{trainer.history.val_score[0]:.4g}"
    assert "<Network" not in trainer._repr_html_()
    assert "&lt;Trainer of &lt;Network" in trainer._repr_html_()
    assert page.split("\n", 1)[1] in trainer._repr_html_()
