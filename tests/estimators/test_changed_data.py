"""What a callback overwrites during a fit: it changes nothing of it, and never leads out of a buffer."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import Network, Trainer
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from fastmlp.schedules import Constant
from helpers.scribbles import ENTRIES

PROGRAM = Path(__file__).parents[1] / "helpers" / "scribbles.py"


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_a_callback_overwrites(entry):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(PROGRAM), entry],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def data_of(n=40, n_features=5):
    rng = np.random.default_rng(0)
    return rng.random((n, n_features)), (np.arange(n) % 3).astype(np.int32)


def network_for(engine, **options):
    return Network([Dense(4), Dense(3, "softmax")], 5, engine=engine, random_state=0, **options)


every_engine = pytest.mark.parametrize("engine", ["tile", "blas", "reference"])


@every_engine
@pytest.mark.parametrize("label", [3, -1, 2**30])
def test_labels_of_validation_data_are_checked_after_every_epoch(label, engine):
    X, y = data_of()
    network, y_val = network_for(engine), y.copy()
    trainer = Trainer(network, "cross_entropy", callbacks=[lambda event: y_val.fill(label)])
    with pytest.raises(ValueError, match=rf"integers from 0 to 2.*from {label} to {label}"):
        trainer.fit(X, y, X, y_val, epochs=5)
    assert len(trainer.history.loss) == 1
    assert np.isfinite(network.parameters).all()
    trainer.fit(X, y, X, y, epochs=1)  # and it goes on


@every_engine
def test_outputs_are_those_of_the_parameters_whatever_layers_says(engine):
    X, y = data_of()
    network = network_for(engine)
    outputs, hidden = network.predict(X), network.forward(X)[0]
    loss = network.evaluate(X, y, "cross_entropy")[0]
    network.layers = (Dense(1, "softmax"),)
    np.testing.assert_array_equal(network.predict(sp.csr_array(X)).shape, outputs.shape)
    found = network.forward(X)
    np.testing.assert_array_equal(found[0], hidden)
    np.testing.assert_allclose(found[1], outputs, rtol=1e-6)
    assert network.evaluate(X, y, "cross_entropy")[0] == loss


@pytest.mark.parametrize("engine", ["tile", "blas"])
def test_a_preparation_for_other_columns_is_refused(engine):
    X, y = data_of()
    network = network_for(engine)

    def narrow_network(event):
        event.network.preparation = Preparation(np.zeros(2), np.ones(2))

    with pytest.raises(ValueError, match=r"preparation has centers of shape .* there are 5 columns"):
        Trainer(network, "cross_entropy", callbacks=[narrow_network]).fit(X, y, X, y)
    np.testing.assert_allclose(network.predict(X), network.forward(X)[-1], rtol=1e-6)
    Trainer(network, "cross_entropy").fit(X, y, epochs=1)


@dataclass(frozen=True)
class Short(Constant):
    """A schedule that forgets the last of an epoch's batches."""

    what: str = "rates"

    def rates(self, learning_rate, clock):
        return super().rates(learning_rate, clock)[: -1 if self.what == "rates" else None]

    def momenta(self, momentum, clock):
        return super().momenta(momentum, clock)[: -1 if self.what == "momenta" else None]


@every_engine
@pytest.mark.parametrize("what", ["rates", "momenta"])
def test_a_schedule_with_too_few_numbers_is_refused(what, engine):
    X, y = data_of()
    trainer = Trainer(network_for(engine), "cross_entropy", batch_size=10, schedule=Short(what=what))
    with pytest.raises(
        ValueError, match=r"the schedule gives . rates and . momenta for an epoch of 4 batches"
    ):
        trainer.fit(X, y)


@pytest.mark.parametrize("n_threads", [0, -3])
def test_fewer_threads_than_one_are_refused(n_threads):
    """The engine would have no workspace for them."""
    X = np.random.default_rng(0).random((3000, 64), dtype=np.float32)
    wide = Network([Dense(400), Dense(300)], 64, random_state=0)
    wide.n_threads = n_threads
    with pytest.raises(ValueError, match=f"n_threads={n_threads} must be at least 1"):
        wide.predict(X)
    with pytest.raises(ValueError, match=f"n_threads={n_threads} must be at least 1"):
        Trainer(wide, "squared_error", augmentation="flip").fit(X, np.zeros((3000, 300)), epochs=1)
