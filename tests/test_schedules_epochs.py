"""Schedules that count epochs or look back at them, against PyTorch's formulas and PyTorch."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from fastmlp import MLPClassifier, Network, Trainer
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD
from fastmlp.schedules import Cosine, CosineRestarts, Exponential, HalveOnDrop, OnPlateau, Step
from helpers.schedules import whole_fit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_step_goes_down_by_its_factor_every_so_many_epochs_or_steps():
    values = whole_fit(Step(3, 0.5).rates, 0.8, n_epochs=7, n_steps=2)
    assert_allclose(values, np.repeat([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2], 2))
    values = whole_fit(Step(3, 0.5, per="step").rates, 0.8, n_epochs=7, n_steps=1)
    assert_allclose(values, [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2])


def test_exponential_decays_every_epoch_or_step():
    assert_allclose(whole_fit(Exponential(0.9).rates, 2.0, 4, 3), 2 * 0.9 ** np.repeat(np.arange(4), 3))
    assert_allclose(whole_fit(Exponential(0.9, "step").rates, 2.0, 4, 3), 2 * 0.9 ** np.arange(12))


def test_cosine_rises_along_a_line_and_falls_to_its_end():
    values = whole_fit(Cosine(0.25, 0.1).rates, 1.0, n_epochs=4, n_steps=25)
    assert_allclose(np.diff(values[:25]), 1 / 26)
    assert_allclose(values[25], 1)
    assert (np.diff(values[25:]) < 0).all()
    t = np.arange(75) / 75
    assert_allclose(values[25:], 0.1 + 0.9 * (0.5 + 0.5 * np.cos(np.pi * t)))


def test_restarts_begin_anew_after_growing_periods():
    values = whole_fit(CosineRestarts(2, 2, warm_up=1, end=0.5).rates, 1.0, n_epochs=7, n_steps=10)
    assert (np.diff(values[:10]) > 0).all()
    assert_allclose(values[[10, 30]], 1)
    for begin, end in ((10, 30), (30, 70)):
        assert (np.diff(values[begin:end]) < 0).all()
        assert 0.5 < values[end - 1] < 0.51


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (Step(4, 0.3), "StepLR", {"step_size": 4, "gamma": 0.3}),
        (Exponential(0.8), "ExponentialLR", {"gamma": 0.8}),
        (Cosine(), "CosineAnnealingLR", {"T_max": 15}),
        (CosineRestarts(3, 2), "CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_rates_of_epochs_are_those_of_pytorch(ours, theirs, options):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], 0.4)
    schedule = getattr(torch.optim.lr_scheduler, theirs)(optimizer, **options)
    expected = []
    for _ in range(15):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert_allclose(whole_fit(ours.rates, 0.4, n_epochs=15, n_steps=1), expected, rtol=1e-9)


def follow(schedule, rate, **curves):
    """Return the rate after each epoch of a history."""
    n_epochs = max(map(len, curves.values()))
    rates = []
    for n in range(1, n_epochs + 1):
        history = {"loss": [], "val_loss": [], "val_score": []} | {k: v[:n] for k, v in curves.items()}
        rate = schedule.after_epoch(rate, SimpleNamespace(**history))
        rates.append(rate)
    return rates


@given(
    losses=st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.50004, 1.0, 3.0]), min_size=1, max_size=30),
    patience=st.integers(0, 4),
    factor=st.sampled_from([0.1, 0.5]),
)
def test_a_plateau_is_what_pytorch_takes_for_one(losses, patience, factor):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], 0.4)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=factor, patience=patience, min_lr=0.01, eps=0
    )
    expected = []
    for loss in losses:
        schedule.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    assert_allclose(follow(OnPlateau(factor, patience, lowest=0.01), 0.4, loss=losses), expected)


def test_a_plateau_is_one_of_the_validation_loss_where_there_is_one():
    falling, flat = [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]
    schedule = OnPlateau(0.5, patience=0)
    assert follow(schedule, 1.0, loss=falling, val_loss=flat) == [1.0, 0.5, 0.25]
    assert follow(schedule, 1.0, loss=flat, val_loss=falling) == [1.0, 1.0, 1.0]


def test_the_rate_is_halved_when_the_validation_score_drops():
    scores = [0.5, 0.6, 0.55, 0.55, 0.5, 0.7]
    assert follow(HalveOnDrop(), 1.0, val_score=scores) == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert follow(HalveOnDrop(), 1.0, loss=[1.0, 2.0, 3.0]) == [1.0, 1.0, 1.0]


def test_the_trainer_goes_on_with_the_reduced_rate():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    network = Network([Dense(2, "softmax")], 3, random_state=0)
    trainer = Trainer(
        network, "cross_entropy", optimizer=SGD(1e-9), schedule=OnPlateau(0.5, patience=1, threshold=0.5)
    )
    # The first loss is the best one; every second epoch after it is one too many.
    assert_allclose(
        trainer.fit(X, y, epochs=7).learning_rate, 1e-9 * np.array([1, 1, 1, 0.5, 0.5, 0.25, 0.25])
    )


@pytest.mark.parametrize(
    "name", ["step", "exponential", "cosine", "cosine_restarts", "on_plateau", "halve_on_drop"]
)
def test_estimators_take_them_by_name(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4))
    y = (X[:, 0] > 0).astype(int)
    model = MLPClassifier((8,), learning_rate=name, learning_rate_init=0.02, max_iter=60, batch_size=10,
                          random_state=0)  # fmt: skip
    assert model.fit(X, y, X_val=X, y_val=y).score(X, y) > 0.9


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Step(0), "every=0"),
        (lambda: Step(per="batch"), "per='batch'"),
        (lambda: Exponential(1.5), "decay=1.5"),
        (lambda: Cosine(warm_up=1.0), "warm_up=1.0"),
        (lambda: Cosine(end=-1), "end=-1"),
        (lambda: CosineRestarts(growth=0), "growth=0"),
        (lambda: OnPlateau(factor=1.0), "factor=1.0"),
        (lambda: OnPlateau(patience=-1), "patience=-1"),
        (lambda: HalveOnDrop(0), "factor=0"),
    ],
)
def test_wrong_settings_are_refused_by_name(make, text):
    with pytest.raises(ValueError, match=text):
        make()
