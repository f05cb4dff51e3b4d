"""Tests of what solvers, schedules and Trainer refuse: every error names the argument."""

import pytest

from fastmlp import MLPClassifier, Trainer
from fastmlp.callbacks import StopAtScore
from fastmlp.optimizers import SGD, Adam
from fastmlp.schedules import Adaptive, InverseScaling, OneCycle
from helpers.bad_input import INF, LABELS, NAN, X, make_network, says

# -------------------------------------------------------------------------------------- solvers and schedules

BAD_NUMBERS = [
    *((cls, "learning_rate", value) for cls in (SGD, Adam) for value in (0, -1, -1e-9, NAN, INF, -INF)),
    *((SGD, "momentum", value) for value in (-0.1, 1.1, NAN, INF)),
    *((Adam, name, value) for name in ("beta_1", "beta_2") for value in (-0.1, 1, 1.5, NAN)),
    *((Adam, "epsilon", value) for value in (0, -1e-8, NAN, INF)),
    *((OneCycle, "warm_up", value) for value in (0, 1, -0.5, 2, NAN)),
    *((OneCycle, name, value) for name in ("start", "end") for value in (-1, -1e-9, NAN, INF)),
    *((OneCycle, "momentum_drop", value) for value in (-0.5, 1.5, NAN)),
    *((InverseScaling, "power_t", value) for value in (-1, NAN)),
    *((Adaptive, "factor", value) for value in (-1, 2, NAN)),
]


@pytest.mark.parametrize(("cls", "name", "value"), BAD_NUMBERS)
def test_numbers_out_of_range_are_named(cls, name, value):
    with pytest.raises(ValueError, match=says(name, value)):
        cls(**{name: value})


@pytest.mark.parametrize("value", ["0.1", None, [0.1]])
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (SGD, "learning_rate"), (SGD, "momentum"), (Adam, "beta_1"), (Adam, "epsilon"), (OneCycle, "warm_up"),
        (OneCycle, "start"), (InverseScaling, "power_t"), (Adaptive, "factor"),
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_named(cls, name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        cls(**{name: value})


# ---------------------------------------------------------------------------------------------------- trainer


@pytest.mark.parametrize("argument", ["loss", "optimizer", "schedule"])
@pytest.mark.parametrize("value", ["nonsense", None, 3, "", ["sgd"]])
def test_unknown_names_are_named(argument, value):
    arguments = {"loss": "cross_entropy", argument: value}
    with pytest.raises(ValueError, match=says(argument, repr(value))):
        Trainer(make_network(), **arguments)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("batch_size", value) for value in (0, -1)),
        *(("alpha", value) for value in (-1, -1e-9, NAN, INF)),
        *(("tol", value) for value in (-1, NAN)),
        *(("n_iter_no_change", value) for value in (-1, NAN)),
    ],
)
def test_trainers_refuse_numbers_out_of_range(argument, value):
    with pytest.raises(ValueError, match=says(argument, value)):
        Trainer(make_network(), "cross_entropy", **{argument: value})


@pytest.mark.parametrize("argument", ["batch_size", "alpha", "tol", "n_iter_no_change"])
@pytest.mark.parametrize("value", ["many", [1]])
def test_trainers_refuse_what_is_not_a_number(argument, value):
    with pytest.raises((TypeError, ValueError), match=argument):
        Trainer(make_network(), "cross_entropy", **{argument: value})


@pytest.mark.parametrize("epochs", [0, -3])
def test_training_takes_at_least_one_epoch(epochs):
    with pytest.raises(ValueError, match=says("epochs", epochs)):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, epochs=epochs)


@pytest.mark.parametrize("epochs", [2.5, "3", None])
def test_epochs_are_whole_numbers(epochs):
    with pytest.raises(TypeError, match="epochs"):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, epochs=epochs)


@pytest.mark.parametrize(
    "rows",
    [[], [30], [-1], [0.5], [[0, 1]], 3, ["a"], [True] * 30, [NAN], [2**63]],
    ids=str,
)
def test_rows_are_row_numbers(rows):
    with pytest.raises(ValueError, match=says("rows", "0 to 29")):
        Trainer(make_network(), "cross_entropy").fit(X, LABELS, rows=rows)


def test_stopping_at_a_score_needs_validation_data():
    trainer = Trainer(make_network(), "cross_entropy", callbacks=[StopAtScore(0.9)])
    with pytest.raises(ValueError, match=says("StopAtScore", "X_val")):
        trainer.fit(X, LABELS)


def test_callbacks_that_cannot_be_called_are_refused_before_the_training():
    with pytest.raises(TypeError, match=r"callbacks has 3"):
        MLPClassifier(callbacks=[3]).fit(X, LABELS)
