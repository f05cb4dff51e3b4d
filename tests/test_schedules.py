"""Tests of the schedules, against their closed formulas."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from fastmlp import Network, Trainer, schedules
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD
from fastmlp.schedules import (
    BY_NAME,
    Adaptive,
    Clock,
    Constant,
    Cosine,
    CosineRestarts,
    InverseScaling,
    OneCycle,
    Schedule,
    Step,
)
from helpers.schedules import whole_fit

ALL = [
    Schedule(),
    *(cls() for cls in BY_NAME.values()),
    Cosine(0.1, 0.2),
    CosineRestarts(2, 3, 1),
    Step(3, per="step"),
]
rates = st.floats(1e-9, 1e3)
momenta = st.floats(0, 1)
shares = st.floats(0, 1)


@st.composite
def clocks(draw):
    """Return the clock of some epoch of some fit."""
    n_steps, n_epochs = draw(st.integers(1, 50)), draw(st.integers(1, 20))
    epoch = draw(st.integers(0, n_epochs - 1))
    return Clock(epoch * n_steps, n_steps, n_epochs * n_steps, draw(st.integers(0, 10**9)))


@pytest.mark.parametrize("schedule", ALL)
@given(rate=rates, momentum=momenta, clock=clocks())
def test_there_is_one_rate_and_one_momentum_per_step(schedule, rate, momentum, clock):
    for values in (schedule.rates(rate, clock), schedule.momenta(momentum, clock)):
        assert values.shape == (clock.n_steps,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()


@pytest.mark.parametrize("schedule", ALL)
@given(rate=rates, momentum=momenta, clock=clocks())
def test_rates_are_never_negative_and_never_above_the_base_rate(schedule, rate, momentum, clock):
    values = schedule.rates(rate, clock)
    assert (values >= 0).all()
    assert values[0] > 0
    assert (values <= rate * (1 + 1e-12)).all()
    moving = schedule.momenta(momentum, clock)
    assert (moving >= 0).all()
    assert (moving <= 1).all()


@given(
    warm_up=st.floats(0.01, 0.99), start=shares, end=shares, drop=shares,
    rate=rates, momentum=momenta, clock=clocks(),
)  # fmt: skip
def test_momentum_stays_between_0_and_1_in_any_cycle(warm_up, start, end, drop, rate, momentum, clock):
    cycle = OneCycle(warm_up=warm_up, start=start, end=end, momentum_drop=drop)
    values = cycle.momenta(momentum, clock)
    assert (values >= 0).all()
    assert (values <= momentum).all()
    assert (values >= momentum - drop - 1e-12).all()
    heights = cycle.rates(rate, clock) / rate
    assert (heights >= min(start, end) - 1e-12).all()
    assert (heights <= 1 + 1e-12).all()


@given(rate=rates, momentum=momenta, clock=clocks())
def test_constant_is_constant(rate, momentum, clock):
    assert (Constant().rates(rate, clock) == rate).all()
    assert (Constant().momenta(momentum, clock) == momentum).all()


@given(rate=rates, clock=clocks(), power=st.floats(0, 3))
def test_inverse_scaling_is_its_formula(rate, clock, power):
    expected = rate / (clock.samples_seen + 1) ** power
    assert_allclose(InverseScaling(power).rates(rate, clock), expected, rtol=1e-12)


def test_inverse_scaling_begins_at_the_base_rate():
    assert_array_equal(InverseScaling(0.5).rates(0.3, Clock(0, 4, 8, 0)), [0.3] * 4)


@given(rate=st.floats(1e-5, 1e3), factor=st.floats(0.01, 0.99))
def test_adaptive_goes_down_by_its_factor_until_it_is_lowest(rate, factor):
    schedule = Adaptive(factor=factor, lowest=1e-6)
    seen = [rate]
    while (lower := schedule.on_plateau(seen[-1])) is not None:
        assert_allclose(lower, seen[-1] * factor, rtol=1e-12)
        seen.append(lower)
        assert len(seen) < 10_000
    assert seen[-1] <= 1e-6
    assert len(seen) == 1 or seen[-2] > 1e-6


@pytest.mark.parametrize("schedule", [Schedule(), Constant(), InverseScaling(), OneCycle()])
def test_the_others_stop_on_a_plateau(schedule):
    assert schedule.on_plateau(0.1) is None


@pytest.mark.parametrize("n_epochs", [1, 2, 7])
@pytest.mark.parametrize("n_steps", [11, 100])
@pytest.mark.parametrize("cycle", [OneCycle(), OneCycle(0.5, 0.1, 0.01), OneCycle(0.9, 0.0, 0.0)], ids=str)
def test_one_cycle_is_half_a_cosine_up_and_half_a_cosine_down(cycle, n_epochs, n_steps):
    values = whole_fit(cycle.rates, 2.0, n_epochs, n_steps)
    t = np.arange(n_epochs * n_steps) / (n_epochs * n_steps - 1)
    up = cycle.start + (1 - cycle.start) * (1 - np.cos(np.pi * t / cycle.warm_up)) / 2
    down = 1 + (cycle.end - 1) * (1 - np.cos(np.pi * (t - cycle.warm_up) / (1 - cycle.warm_up))) / 2
    assert_allclose(values, 2.0 * np.where(t < cycle.warm_up, up, down), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("warm_up", [0.1, 0.2, 0.5])
def test_one_cycle_begins_at_its_start_and_reaches_its_peak_and_its_end(warm_up):
    cycle = OneCycle(warm_up=warm_up)
    values = whole_fit(cycle.rates, 0.5, n_epochs=10, n_steps=101)  # 1010 steps
    assert_allclose(values[0], 0.5 * 0.04)
    assert_allclose(values.max(), 0.5, rtol=1e-4)
    assert abs(values.argmax() / 1009 - warm_up) < 0.002
    assert_allclose(values[-1], 0.5 * 0.0001)
    peak = values.argmax()
    assert (np.diff(values[:peak]) > 0).all()
    assert (np.diff(values[peak + 1 :]) < 0).all()


def test_the_cycles_momentum_is_lowest_where_the_rate_is_highest():
    cycle = OneCycle()
    values = whole_fit(cycle.momenta, 0.95, n_epochs=10, n_steps=101)
    assert_allclose([values[0], values[-1]], 0.95)
    assert_allclose(values.min(), 0.85, atol=1e-5)
    assert abs(values.argmin() - whole_fit(cycle.rates, 1.0, 10, 101).argmax()) <= 1


@pytest.mark.parametrize("n_epochs", [1, 2, 3])
def test_cycles_of_few_steps_are_finite_and_end_low(n_epochs):
    values = whole_fit(OneCycle().rates, 1.0, n_epochs=n_epochs, n_steps=1)
    assert np.isfinite(values).all()
    assert (values > 0).all()
    assert n_epochs == 1 or values[-1] < 0.01


@given(momentum=st.floats(0, 0.09))
def test_small_momenta_never_become_negative(momentum):
    values = whole_fit(OneCycle(momentum_drop=0.1).momenta, momentum, 5, 20)
    assert (values >= 0).all()


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_schedules_are_frozen_values(schedule):
    assert copy.deepcopy(schedule) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(schedule) == hash(copy.copy(schedule))
    assert eval(repr(schedule), vars(schedules)) == schedule
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.factor = 3


def test_those_with_an_end_are_planned_to_it():
    assert [name for name, cls in BY_NAME.items() if cls.runs_to_the_end] == ["one_cycle", "cosine"]


def make_trainer(**options):
    network = Network([Dense(4), Dense(2, "softmax")], 3, random_state=0)
    return Trainer(network, "cross_entropy", batch_size=10, random_state=0, **options)


X, Y = np.random.default_rng(0).normal(size=(35, 3)), np.arange(35) % 2


def test_the_trainer_asks_with_the_right_clock():
    clocks_seen = []

    class Watch(Schedule):
        def rates(self, learning_rate, clock):
            clocks_seen.append(clock)
            return super().rates(learning_rate, clock)

    trainer = make_trainer(schedule=Watch())
    trainer.fit(X, Y, epochs=2)
    trainer.fit(X, Y, epochs=1, rows=range(20))
    # 35 samples make four batches of ten, the last of five.
    assert clocks_seen == [Clock(0, 4, 8, 0), Clock(4, 4, 8, 35), Clock(0, 2, 2, 70)]


def test_a_fit_with_a_cycle_goes_through_all_of_it():
    trainer = make_trainer(optimizer=SGD(0.1), schedule="one_cycle", tol=None)
    history = trainer.fit(X, Y, epochs=6)
    expected = whole_fit(OneCycle().rates, 0.1, n_epochs=6, n_steps=4)[3::4]
    assert_allclose(history.learning_rate, expected)
    assert_allclose(trainer.fit(X, Y, epochs=6).learning_rate[6:], expected)


def test_a_schedules_rates_are_what_the_steps_take():
    class Steps(Schedule):
        def rates(self, learning_rate, clock):
            return learning_rate * np.array([1.0, 0.0, 0.0, 0.0])

    one = make_trainer(optimizer=SGD(0.1, 0.0), schedule=Steps(), shuffle=False)
    one.fit(X, Y, epochs=1)
    alone = make_trainer(optimizer=SGD(0.1, 0.0), shuffle=False)
    alone.fit(X[:10], Y[:10], epochs=1)
    assert_array_equal(one.network.parameters, alone.network.parameters)


def test_a_schedules_momenta_are_what_the_steps_take():
    class Steps(Schedule):
        def momenta(self, momentum, clock):
            return np.zeros(clock.n_steps)

    without = make_trainer(optimizer=SGD(0.1, 0.9, nesterov=False), schedule=Steps())
    plain = make_trainer(optimizer=SGD(0.1, 0.0))
    without.fit(X, Y, epochs=3)
    plain.fit(X, Y, epochs=3)
    assert_allclose(without.network.parameters, plain.network.parameters, atol=1e-6)
