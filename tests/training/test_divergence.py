"""Tests of training that diverges: it warns, and goes back to the last good epoch."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import DivergenceWarning, Network, Trainer
from fastmlp.callbacks import EveryNSteps
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD, Adam
from fastmlp.schedules import Schedule
from helpers.trainer import ENGINES, LOSSES, N, make_data, make_trainer


@dataclass(frozen=True)
class Leap(Schedule):
    """A sound rate until a step of the fit, then one that no network survives."""

    at: int = 0
    height: float = 1e30

    def rates(self, learning_rate, clock):
        steps = clock.step + np.arange(clock.n_steps)
        return np.where(steps < self.at, learning_rate, self.height)


HEIGHTS = {"float32": 1e30, "float64": 1e200}
# NumPy reports an overflow in the reference engine as it happens.
numpy_may_warn = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")


def only_divergence(caught):
    """Return the one warning that fastmlp itself gave."""
    (warning,) = (warning for warning in caught if warning.category is DivergenceWarning)
    return warning


def break_in_epoch_three(loss, activation, engine, dtype, at, validation=()):
    """Return a trainer that broke at a step, in epochs of five, its warning, and the network of epoch two."""
    X, y = make_data(loss)
    layers = [Dense(8, activation), Dense(5, activation), Dense(3, LOSSES[loss])]
    network, sound = (Network(layers, 6, random_state=0, dtype=dtype, engine=engine) for _ in range(2))
    make_trainer(loss, sound, optimizer=SGD(0.01)).fit(X, y, epochs=2)
    trainer = make_trainer(loss, network, optimizer=SGD(0.01), schedule=Leap(at, HEIGHTS[dtype]))
    with pytest.warns(DivergenceWarning) as caught:
        trainer.fit(X, y, *validation, epochs=6)
    return trainer, only_divergence(caught), sound


UNSTABLE = [("cross_entropy", "identity"), ("squared_error", "identity"), ("squared_error", "relu")]


@pytest.mark.parametrize("at", [10, 12])
@pytest.mark.parametrize("dtype", HEIGHTS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("loss", "activation"), UNSTABLE)
@pytest.mark.parametrize("with_validation", [False, True])
@numpy_may_warn
def test_divergence_goes_back_to_the_last_good_epoch(loss, activation, engine, dtype, at, with_validation):
    validation = make_data(loss, seed=1) if with_validation else ()
    trainer, warning, sound = break_in_epoch_three(loss, activation, engine, dtype, at, validation)
    assert_array_equal(trainer.network.parameters, sound.parameters)
    message = str(warning.message)
    assert "diverged in epoch 3" in message
    assert "parameters of epoch 2" in message
    assert "layer" in message
    assert warning.filename == __file__
    history = trainer.history
    assert history.diverged
    assert not history.converged
    assert trainer.n_epochs == len(history.loss) == 2
    assert trainer.samples_seen == 2 * N
    assert np.isfinite(history.loss + history.val_loss + history.val_score).all()
    assert np.isfinite(trainer.network.predict(make_data(loss)[0])).all()


@pytest.mark.parametrize("dtype", HEIGHTS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("loss", "activation"), UNSTABLE)
@pytest.mark.parametrize("with_validation", [False, True])
@numpy_may_warn
def test_an_epoch_whose_last_step_broke_is_not_a_good_one(loss, activation, engine, dtype, with_validation):
    # That step's own loss was finite, and so are the weights it left; only their outputs are not.
    validation = make_data(loss, seed=1) if with_validation else ()
    trainer, _, sound = break_in_epoch_three(loss, activation, engine, dtype, 14, validation)
    assert np.isfinite(trainer.network.predict(make_data(loss)[0])).all()
    assert_array_equal(trainer.network.parameters, sound.parameters)
    assert trainer.n_epochs == len(trainer.history.loss)


BREAKING = [SGD(1e30, 0.0), SGD(1e30, 0.9, nesterov=False), SGD(1e30), Adam(1e30)]


@pytest.mark.parametrize("solver", BREAKING, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [16, 1000])
@pytest.mark.parametrize("epochs", [1, 5])
@numpy_may_warn
def test_divergence_at_once_goes_back_to_the_initial_weights(solver, engine, batch_size, epochs):
    X, y = make_data("squared_error")
    layers = [Dense(8), Dense(5), Dense(3, "identity")]
    network = Network(layers, 6, random_state=0, engine=engine)
    before = network.parameters.copy()
    trainer = make_trainer("squared_error", network, optimizer=solver, batch_size=batch_size)
    with pytest.warns(DivergenceWarning, match="initial ones") as caught:
        history = trainer.fit(X, y, epochs=epochs)
    only_divergence(caught)
    assert_array_equal(network.parameters, before)
    assert history.diverged
    assert trainer.n_epochs == len(history.loss)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_warning_names_the_layer_that_is_spoilt(layer):
    X, y = make_data("squared_error")
    network = Network([Dense(8, "identity"), Dense(5, "identity"), Dense(3, "identity")], 6, random_state=0)
    network.coefs_[layer][0, 0] = np.inf
    with pytest.warns(DivergenceWarning, match=f"epoch 1: .*layer {layer}"):
        Trainer(network, "squared_error").fit(X, y, epochs=1)


@pytest.mark.parametrize("solver", [SGD(0.01), Adam(0.01)], ids=str)
def test_training_goes_on_soundly_after_a_divergence(solver):
    X, y = make_data("squared_error")
    trainer = make_trainer("squared_error", optimizer=solver, schedule=Leap(12, 1e200))
    with pytest.warns(DivergenceWarning, match="epoch 3"):
        trainer.fit(X, y, epochs=6)
    before = trainer.network.parameters.copy()
    diverged, trainer = (
        trainer,
        make_trainer("squared_error", trainer.network, optimizer=solver, batch_size=N),
    )
    trainer.take_over(diverged, keeps_solver=True, is_comparable=True)
    trainer.fit(X, y, epochs=1)
    if isinstance(solver, Adam):  # no step of Adam's is much larger than its rate
        assert np.abs(trainer.network.parameters - before).max() < 1.5 * solver.learning_rate
    history = trainer.fit(X, y, epochs=50)
    assert not history.diverged
    assert history.loss[-1] < 0.8 * history.loss[0]
    assert trainer.n_epochs == len(history.loss) == 53


def test_moderate_rates_do_not_look_like_a_divergence():
    X, y = make_data("squared_error")
    history = make_trainer("squared_error", optimizer=SGD(0.3, 0.5)).fit(1e-3 * X, 1e6 * y, epochs=1)
    assert not history.diverged


@pytest.mark.parametrize("engine", ENGINES)
def test_an_average_that_a_callback_breaks_is_a_divergence(engine):
    X, y = make_data("cross_entropy")
    network = Network([Dense(3, "softmax")], 6, random_state=0, engine=engine)
    breaks = [lambda event: network.parameters.fill(np.nan) if event.step == 7 else None]
    trainer = make_trainer(
        "cross_entropy", network, ema_decay=0.9, callbacks=[EveryNSteps(1, one) for one in breaks]
    )
    with pytest.warns(DivergenceWarning, match="the parameters of layer 0"):
        trainer.fit(X, y, epochs=3)
    assert len(trainer.history.loss) == 1
    assert np.isfinite(network.predict(X)).all()
