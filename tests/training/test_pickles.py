"""Pickles and copies of trainers."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import Trainer
from fastmlp.engine.plan import LayerPlan, Plan
from fastmlp.losses import Quantile
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import LBFGS, SGD
from fastmlp.schedules import Adaptive
from fastmlp.training.data import TrainingData, Validation
from helpers.trainer import make_data, make_network, make_trainer

X, Y = make_data()
TRAINERS = {
    "adam": lambda: make_trainer(),
    "average": lambda: make_trainer(ema_decay=0.9),
    "a rate that was lowered": lambda: make_trainer(
        optimizer=SGD(1e-9), schedule=Adaptive(), tol=1.0, n_iter_no_change=1
    ),
    "L-BFGS": lambda: make_trainer(optimizer=LBFGS()),
    "augmentation": lambda: make_trainer(augmentation="flip", image_shape=(2, 3), input_noise=0.1),
    "prepared targets": lambda: make_trainer(
        Quantile((0.5,)), make_network("squared_error"),
        target_preparation=Preparation(np.ones(3), np.ones(3)),
    ),
}  # fmt: skip


def targets_of(name):
    return make_data("squared_error")[1] if name == "prepared targets" else Y


@pytest.mark.parametrize("way", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
@pytest.mark.parametrize("name", TRAINERS)
def test_a_copy_trains_on_as_the_trainer_does(name, way):
    trainer, y = TRAINERS[name](), targets_of(name)
    trainer.fit(X, y, epochs=4)
    twin = way(trainer)
    assert repr(twin) == repr(trainer)
    before = trainer.network.parameters.copy()
    twin.fit(X, y, epochs=3)
    assert_array_equal(trainer.network.parameters, before)  # nothing is shared
    trainer.fit(X, y, epochs=3)
    assert_array_equal(twin.network.parameters, trainer.network.parameters)
    assert twin.history.loss == trainer.history.loss
    assert twin.history.learning_rate == trainer.history.learning_rate


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_copy_has_the_best_epoch_of_the_calls_before(ema_decay):
    scores = iter([0.9, 0.1, 0.2])
    trainer = make_trainer(
        watch="val_score", restore_best=True, tol=0.0, n_iter_no_change=1, ema_decay=ema_decay
    )  # fmt: skip

    def train():
        score = next(scores)
        validation = Validation(X, Y, score=lambda *_: score)
        data = TrainingData(X, Y.astype(np.int32), np.arange(len(X)), validation=validation)
        trainer.train(data, 1, keep_best_of_calls=True)

    train()
    best = trainer.network.parameters.copy()
    train()
    trainer = pickle.loads(pickle.dumps(trainer))
    train()
    assert trainer.history.converged
    assert trainer.history.kept_epoch == 1
    assert_array_equal(trainer.network.parameters, best)


def objects_in(value):
    yield value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from objects_in(one)


def test_the_state_has_a_version_and_names():
    trainer = make_trainer(ema_decay=0.9)
    trainer.fit(X, Y, epochs=1)
    state = trainer.__getstate__()
    assert list(state) == ["version", "network", "settings", "state"]
    assert state["network"] is trainer.network
    assert {"moments", "raw", "best", "seed", "n_steps"} <= state["state"].keys()
    others = {name: part for name, part in state.items() if name != "network"}
    assert not any(isinstance(one, Plan | LayerPlan) for one in objects_in(others))


def test_pickles_of_other_versions_are_refused():
    trainer = make_trainer()
    earlier = {"network": trainer.network, "loss": trainer.loss, "_moments": [], "_raw": None}
    with pytest.raises(ValueError, match=r"pickled by fastmlp 0\.2 or earlier.*model\.save"):
        Trainer.__new__(Trainer).__setstate__(earlier)
    later = trainer.__getstate__() | {"version": 99}
    with pytest.raises(ValueError, match="by another version"):
        Trainer.__new__(Trainer).__setstate__(later)
