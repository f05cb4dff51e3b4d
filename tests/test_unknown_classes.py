"""Losses, optimizers and augmentations of a user's own are refused: the engine would compute something else.

Schedules, initializers and callbacks are Python, and a user's own work.
"""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.augmentations import Augmentation, Shift
from fastmlp.initializers import Initializer
from fastmlp.layers import Dense
from fastmlp.losses import CrossEntropy, Loss, SquaredError
from fastmlp.optimizers import LBFGS, SGD, Adam
from fastmlp.schedules import Schedule

X = np.random.default_rng(0).normal(size=(20, 4))
Y = np.arange(20) % 2


class NewLoss(Loss):
    """One with a name that the engine does not know."""

    name = "cubed_error"


class NamelessLoss(Loss):
    """One without a name."""


@dataclass(frozen=True)
class ScaledError(SquaredError):
    """One with the name of one of ours, which the engine would compute in its place."""

    scale: float = 2.0


class NewOptimizer(Adam):
    """One with the name of one of ours."""

    def step(self, parameters, gradient):
        """Be ignored."""


class SmallerSteps(SGD):
    """One that changes nothing but a method that the engine never calls."""


class FullBatch(LBFGS):
    """One that does not go through the engine's solvers."""


class Rotate(Augmentation):
    """One that the engine does not know."""

    name = "rotate"


class FartherShift(Shift):
    """One with the name of one of ours."""


def make_network():
    return Network([Dense(3), Dense(1, "identity")], 4, random_state=0)


def says(argument, value, *allowed):
    return re.escape(f"{argument}={value!r} is an instance of {type(value).__name__}, a class") + "".join(
        f".*{re.escape(one)}" for one in allowed
    )


@pytest.mark.parametrize("loss", [NewLoss(), NamelessLoss(), ScaledError(3.0)])
def test_losses(loss):
    expected = says("loss", loss, "'squared_error'", "SquaredError")
    for call in (
        lambda: Trainer(make_network(), loss),
        lambda: make_network().evaluate(X, Y, loss),
        lambda: make_network().gradients(X, Y, loss),
    ):
        with pytest.raises(ValueError, match=expected):
            call()


def test_losses_of_estimators():
    class Smoother(CrossEntropy):
        pass

    with pytest.raises(ValueError, match=says("loss", ScaledError())):
        MLPRegressor(ScaledError()).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=says("loss", Smoother())):
        MLPClassifier(loss=Smoother(), output_activation="softmax").fit(X, Y)
    for model in (MLPRegressor(loss=NewLoss()), MLPClassifier(loss=NewLoss())):
        with pytest.raises(ValueError, match="The 'loss' parameter of MLP"):
            model.fit(X, Y)


@pytest.mark.parametrize("optimizer", [NewOptimizer(0.1), SmallerSteps(0.1), FullBatch()])
def test_optimizers(optimizer):
    with pytest.raises(ValueError, match=says("optimizer", optimizer, "'sgd'", "AdamW")):
        Trainer(make_network(), "squared_error", optimizer=optimizer)
    with pytest.raises(ValueError, match=says("solver", optimizer, "'sgd'", "AdamW")):
        MLPClassifier(solver=optimizer).fit(X, Y)


@pytest.mark.parametrize("augmentation", [Rotate(), FartherShift(1), ["flip", FartherShift(1)]])
def test_augmentations(augmentation):
    one = augmentation[-1] if isinstance(augmentation, list) else augmentation
    for call in (
        lambda: Trainer(make_network(), "squared_error", augmentation=augmentation),
        lambda: MLPClassifier(augmentation=augmentation).fit(X, Y),
    ):
        with pytest.raises(ValueError, match=says("augmentation", one, "'shift', 'flip'", "Flip, Shift")):
            call()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_schedules_initializers_and_callbacks_of_a_users_own_work():
    epochs = []

    @dataclass(frozen=True)
    class Halving(Schedule):
        def rates(self, learning_rate, clock):
            return learning_rate * 0.5 ** np.floor(clock.epochs)

    @dataclass(frozen=True)
    class Tenths(Initializer):
        def draw(self, random_state, n_in, n_out):
            return np.full((n_in, n_out), 0.1), np.zeros(n_out)

    network = Network([Dense(1, "identity")], 4, initializer=Tenths())
    assert (network.coefs_[0] == np.float32(0.1)).all()
    trainer = Trainer(
        network, "squared_error", schedule=Halving(), callbacks=[lambda event: epochs.append(event.epoch)]
    )
    trainer.fit(X, Y, epochs=3)
    MLPClassifier(
        learning_rate=Halving(), weight_init=Tenths(), callbacks=[lambda event: epochs.append(event.epoch)],
        max_iter=2,
    ).fit(X, Y)  # fmt: skip
    assert epochs == [1, 2, 3, 1, 2]
