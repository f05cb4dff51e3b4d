"""The moving average of the parameters: against PyTorch's, and who sees it when."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import MLPClassifier, MLPRegressor, Trainer
from fastmlp.engine import core
from fastmlp.optimizers import SGD
from helpers.bad_input import says
from helpers.estimators import data
from helpers.trainer import ENGINES, make_data, make_network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

every_engine = pytest.mark.parametrize("engine", ENGINES)
PARAMS = {"hidden_layer_sizes": (8,), "random_state": 0, "batch_size": 16}


def averaged_by_hand(decay, n_epochs, engine="auto", **options):
    """Train one batch at a time and average in Python; return the averages after each epoch."""
    X, y = make_data()
    network = make_network(engine=engine)
    average, averages, t = network.parameters.copy(), [], 0

    def after_step(event):
        nonlocal t
        t += 1
        weight = min(decay, (1 + t) / (10 + t))
        average[:] += (1 - weight) * (network.parameters - average)

    # An epoch of one batch, so that the callback comes after every step.
    trainer = Trainer(
        network, "cross_entropy", batch_size=16, shuffle=False, callbacks=[after_step], **options
    )
    for _ in range(n_epochs):
        for start in range(0, len(X), 16):
            trainer.fit(X, y, epochs=1, rows=np.arange(start, min(start + 16, len(X))))
        averages.append(average.copy())
    return averages


@every_engine
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.1}, {"alpha": 0.1, "optimizer": SGD(0.05)}], ids=str)
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_every_epoch_ends_with_the_average_of_the_steps(decay, options, engine):
    X, y = make_data()
    expected = averaged_by_hand(decay, 4, engine, **options)
    network, seen, scores = make_network(engine=engine), [], []
    trainer = Trainer(
        network, "cross_entropy", batch_size=16, shuffle=False, ema_decay=decay,
        callbacks=[lambda event: seen.append(event.network.parameters.copy())], **options,
    )  # fmt: skip
    history = trainer.fit(X, y, X, y, epochs=2)
    trainer.fit(X, y, X, y, epochs=2)  # goes on with the parameters behind the average
    for actual, wanted in zip(seen, expected, strict=True):
        assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)
        network.parameters = actual
        scores.append(network.evaluate(X, y, "cross_entropy")[0])
    assert history.val_loss == scores  # the validation data see the average, too


def test_the_average_is_pytorchs():
    torch = pytest.importorskip("torch")
    X, y = make_data()
    network = make_network()
    trainer = Trainer(
        network, "cross_entropy", optimizer=SGD(0.1, 0.9), batch_size=16, shuffle=False, ema_decay=0.8
    )
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    ).double()
    for layer, coef, intercept in zip(model[::2], network.coefs_, network.intercepts_, strict=True):
        layer.weight.data = torch.tensor(coef.T.copy())
        layer.bias.data = torch.tensor(intercept.copy())

    def average(mean, current, n_averaged):
        t = int(n_averaged)  # PyTorch counts the first update, which copies the initial parameters, as one
        decay = min(0.8, (1 + t) / (10 + t))
        return mean + (1 - decay) * (current - mean)

    averaged = torch.optim.swa_utils.AveragedModel(model, avg_fn=average)
    averaged.update_parameters(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True)
    for _ in range(5):
        for start in range(0, len(X), 16):
            optimizer.zero_grad()
            logits = model(torch.tensor(X[start : start + 16]))
            torch.nn.functional.cross_entropy(logits, torch.tensor(y[start : start + 16])).backward()
            optimizer.step()
            averaged.update_parameters(model)
    trainer.fit(X, y, epochs=5)
    for layer, coef, intercept in zip(averaged.module[::2], network.coefs_, network.intercepts_, strict=True):
        assert_allclose(coef.T, layer.weight.detach().numpy(), rtol=1e-9, atol=1e-12)
        assert_allclose(intercept, layer.bias.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_a_share_of_all_leaves_the_parameters_themselves():
    X, y = make_data()
    results = []
    for options in ({}, {"ema_decay": 0.0}):
        network = make_network()
        Trainer(network, "cross_entropy", random_state=0, **options).fit(X, y, epochs=3)
        results.append(network.parameters)
    assert_allclose(*results, rtol=1e-12, atol=1e-15)


def test_the_training_loss_is_that_of_the_parameters_themselves():
    X, y = make_data()
    losses = []
    for decay in (None, 0.9):
        trainer = Trainer(make_network(), "cross_entropy", random_state=0, ema_decay=decay)
        losses.append(trainer.fit(X, y, epochs=4).loss)
    assert losses[0] == losses[1]


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_goes_on_as_the_model(way):
    X, y = data("multiclass")
    model = MLPClassifier(max_iter=3, ema_decay=0.9, **PARAMS).fit(X, y)
    twin = way(model)
    for one in (model, twin):
        one.partial_fit(X, y)
    assert_array_equal(twin.network_.parameters, model.network_.parameters)
    longer = MLPClassifier(max_iter=4, ema_decay=0.9, **PARAMS).fit(X, y)
    assert_array_equal(longer.network_.parameters, model.network_.parameters)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_early_stopping_keeps_the_best_average(cls):
    X, y = data("binary")
    model = cls(max_iter=15, ema_decay=0.9, early_stopping=True, **PARAMS).fit(X, y, X_val=X, y_val=y)
    assert_allclose(model.score(X, y), model.best_validation_score_)


@every_engine
def test_a_fit_that_diverges_goes_back_to_a_good_average_and_can_go_on(engine):
    X, y = make_data("squared_error")
    network = make_network("squared_error", engine=engine)
    trainer = Trainer(
        network, "squared_error", optimizer=SGD(0.01), batch_size=16, random_state=0, ema_decay=0.9
    )
    trainer.fit(X, y, epochs=2)
    before = network.parameters.copy()
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="diverged"):
        trainer.fit(1e200 * X, 1e200 * y, epochs=1)
    assert_array_equal(network.parameters, before)
    assert not trainer.fit(X, y, epochs=2).diverged
    assert np.isfinite(network.parameters).all()


def test_ctrl_c_leaves_an_average():
    X, y = make_data()
    network = make_network()

    def interrupt(event):
        if event.epoch == 2:
            raise KeyboardInterrupt

    trainer = Trainer(network, "cross_entropy", random_state=0, ema_decay=0.9, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, epochs=5)
    trainer.fit(X, y, epochs=3)
    twin = make_network()
    Trainer(twin, "cross_entropy", random_state=0, ema_decay=0.9).fit(X, y, epochs=5)
    assert_array_equal(network.parameters, twin.parameters)


@pytest.mark.skipif(not core.has_bfloat16(), reason="this processor has no AVX512_BF16")
def test_averages_of_a_fit_in_bfloat16_stay_near_those_of_float32():
    X, y = make_data()
    results = []
    for dtype in ("float32", "bfloat16"):
        network = make_network(dtype=dtype)
        Trainer(network, "cross_entropy", random_state=0, ema_decay=0.9).fit(X, y, epochs=5)
        results.append(network.parameters)
    assert_allclose(*results, atol=5e-3)


@pytest.mark.parametrize("decay", [1.0, -0.1, 2, np.nan])
def test_bad_decays_are_refused(decay):
    with pytest.raises(ValueError, match=says("ema_decay", "below 1")):
        Trainer(make_network(), "cross_entropy", ema_decay=decay)
    X, y = data("binary")
    with pytest.raises(ValueError, match="ema_decay"):
        MLPClassifier(ema_decay=decay).fit(X, y)
