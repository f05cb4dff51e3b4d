"""A published recipe that overflowed for its authors: ReLU, weights and biases from N(0, 1), a rate of 0.012.

With us it ends trained, or stuck, or with the divergence message; nothing that it leaves behind is NaN.
"""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import DivergenceWarning, MLPClassifier, Network, Trainer
from fastmlp.datasets import load_digits
from fastmlp.initializers import Normal
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD
from helpers.trainer import ENGINES

DIGITS = load_digits()
EPOCHS = 8
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # NumPy reports an overflow in the reference engine as it happens.
    pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning"),
]
every_engine = pytest.mark.parametrize("engine", ENGINES)
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


def train(engine, dtype, rate=0.012, scale=1 / 16, **options):
    """Follow the recipe; return the trainer, what it warned of, and the parameters after each epoch."""
    layers = [Dense(50), Dense(50), Dense(10, "softmax")]
    network = Network(
        layers, 64, dtype=dtype, engine=engine, initializer=Normal(1.0, biases=True), random_state=0
    )
    after = [network.parameters.copy()]
    trainer = Trainer(
        network, "cross_entropy", optimizer=SGD(rate, 0.9, nesterov=False), batch_size=128, random_state=0,
        callbacks=[lambda event: after.append(event.network.parameters.copy())], **options,
    )  # fmt: skip
    X, y, X_test, y_test = DIGITS
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(X * scale, y, X_test * scale, y_test, epochs=EPOCHS)
    told = [str(warning.message) for warning in caught if warning.category is DivergenceWarning]
    assert np.isfinite(trainer.history.loss + trainer.history.val_loss + trainer.history.val_score).all()
    assert np.isfinite(network.parameters).all()
    assert np.isfinite(network.predict(X_test * scale)).all()
    return trainer, told, after


@both_types
@every_engine
def test_on_normalised_images_it_trains(engine, dtype):
    trainer, told, _ = train(engine, dtype)
    assert not told
    assert len(trainer.history.loss) == EPOCHS
    assert trainer.history.val_score[-1] > 0.7


@both_types
@every_engine
@pytest.mark.parametrize(("rate", "scale"), [(0.012, 1.0), (0.012, 16.0), (0.12, 16.0), (1.0, 1 / 16)])
def test_beyond_them_it_ends_without_nan(rate, scale, engine, dtype):
    trainer, told, after = train(engine, dtype, rate, scale)
    assert len(trainer.history.loss) == EPOCHS or trainer.history.diverged
    assert bool(told) == trainer.history.diverged
    assert_array_equal(trainer.network.parameters, after[-1])


@both_types
@every_engine
@pytest.mark.parametrize("restore_best", [False, True])
def test_where_it_overflows_the_message_names_layer_and_epoch(restore_best, engine, dtype):
    height = {"float32": 1e13, "float64": 1e110}[dtype]
    trainer, told, after = train(
        engine, dtype, rate=height, watch="val_score", tol=0.0, restore_best=restore_best
    )
    (message,) = told
    epoch = trainer.n_epochs + 1
    assert re.search(rf"diverged in epoch {epoch}: the (parameters|outputs) of layer [012] ", message)
    best = trainer.history.best_epoch if restore_best else trainer.n_epochs
    assert_array_equal(trainer.network.parameters, after[best or 0])


@both_types
@every_engine
def test_early_stopping_keeps_the_best_epoch_before_an_overflow(engine, dtype):
    def blow_up(event):
        if event.epoch == 4:
            event.network.parameters[:] *= {"float32": 1e15, "float64": 1e120}[dtype]

    scores, after = [], []

    def note(event):
        scores.append(event.val_score)
        after.append(event.network.parameters.copy())

    model = MLPClassifier(
        (50, 50), solver=SGD(0.012, 0.9, nesterov=False), weight_init=Normal(1.0, biases=True),
        batch_size=128, max_iter=EPOCHS, early_stopping=True, dtype=dtype, engine=engine, random_state=0,
        callbacks=[note, blow_up],
    )  # fmt: skip
    with pytest.warns(DivergenceWarning, match="diverged in epoch 5"):
        model.fit(DIGITS.X_train / 16, DIGITS.y_train)
    assert model.n_iter_ == 4 == len(scores)
    assert_array_equal(model.network_.parameters, after[int(np.argmax(scores))])
    assert np.isfinite(model.predict_proba(DIGITS.X_test / 16)).all()
